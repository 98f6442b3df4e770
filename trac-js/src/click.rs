//! Which click the visitor came by: from the URL, else from where it is kept.

use alloc::string::String;

use trac_core::click::{ClickId, query};
use trac_core::cookie::keep;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::memory::Global;
use crate::{cookie, page, settings};

/// The click of this page; it outlives storage that refuses to keep it.
static CURRENT: Global<Option<ClickId>> = Global::new(None);

/// The click of this page.
pub(crate) fn current() -> Option<ClickId> {
    CURRENT.with(|current| current.clone()).flatten()
}

/// Looks for the click, keeps it twice, and tells the page. To be called again whenever the URL has changed.
#[wasm_bindgen]
pub fn look() {
    let told = settings::with(|settings| {
        let arriving = query::find(&page::read_url(), settings.dialect);
        let in_cookie = cookie::read_cookie();
        let in_storage = cookie::read_storage();
        let in_memory = current();
        let stored = in_cookie.as_ref().or(in_storage.as_ref()).or(in_memory.as_ref());
        let id = keep(stored, arriving.as_ref(), settings.model)?.clone();
        let source = if arriving.as_ref() == Some(&id) {
            "url"
        } else if in_cookie.as_ref() == Some(&id) {
            "cookie"
        } else {
            "storage"
        };
        if settings.may_store && in_cookie.as_ref() != Some(&id) {
            cookie::write_cookie(&id, settings);
        }
        if settings.may_store && in_storage.as_ref() != Some(&id) {
            cookie::write_storage(&id, settings);
        }
        Some((id, source))
    });
    if let Some((id, source)) = told.flatten() {
        let changed = CURRENT.with(|current| current.replace(id.clone()).as_ref() != Some(&id));
        if changed == Some(true) {
            page::tell_click(id.as_str(), source);
        }
    }
}

/// Takes the visitor's answer: what is found is kept from now on, or nothing is and what was kept is removed. The page
/// in front keeps its click either way.
#[wasm_bindgen]
pub fn consent(granted: bool) {
    settings::allow_storing(granted);
    if granted {
        look();
    } else {
        settings::with(cookie::clear);
    }
}

/// Forgets the click, here and wherever it is kept.
#[wasm_bindgen]
pub fn clear() {
    settings::with(cookie::clear);
    CURRENT.with(|current| *current = None);
    page::tell_click("", "");
}

/// The URL with the click's own parameter, for sites that share the click but not the cookie.
pub(crate) fn carried(url: &str, id: &ClickId, settings: &settings::Settings) -> Option<String> {
    let name = settings.dialect.url_parameters.first()?;
    (query::find(url, settings.dialect).as_ref() != Some(id)).then(|| query::add(url, name, id))
}
