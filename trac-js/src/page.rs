//! What the script asks of the browser: a handful of coarse calls, made in `js/page.js`.
//!
//! Each answers even where the browser refuses (storage blocked, cookies off, a sandboxed frame): a read has
//! found nothing, a write has done nothing.

use alloc::string::String;

use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    /// An attribute of the script tag by its `dataset` name, empty where there is none.
    #[wasm_bindgen(js_name = readSetting)]
    pub fn read_setting(name: &str) -> String;

    /// Puts the script's object on `window` under one more name.
    #[wasm_bindgen(js_name = claimGlobal)]
    pub fn claim_global(name: &str);

    /// The URL of the page.
    #[wasm_bindgen(js_name = readUrl)]
    pub fn read_url() -> String;

    /// The host name of the page.
    #[wasm_bindgen(js_name = readHost)]
    pub fn read_host() -> String;

    /// Seconds since 1970.
    #[wasm_bindgen(js_name = readClock)]
    pub fn read_clock() -> u32;

    /// `document.cookie`.
    #[wasm_bindgen(js_name = readCookies)]
    pub fn read_cookies() -> String;

    /// Writes a cookie through `document.cookie`.
    #[wasm_bindgen(js_name = writeCookie)]
    pub fn write_cookie(cookie: &str);

    /// A value of `localStorage`, else of `sessionStorage`, empty where there is none.
    #[wasm_bindgen(js_name = readStored)]
    pub fn read_stored(key: &str) -> String;

    /// Writes a value into `localStorage`; an empty one removes the key.
    #[wasm_bindgen(js_name = writeStored)]
    pub fn write_stored(key: &str, value: &str);

    /// Tells the page which click it has, and from where: `url`, `cookie` or `storage`. Both are empty for none.
    #[wasm_bindgen(js_name = tellClick)]
    pub fn tell_click(id: &str, source: &str);
}
