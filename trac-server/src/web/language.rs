//! The words of the pages in each language.
//!
//! Pages are written in English. The English text is the key of its translation: `assets/words/de.txt` has a line
//! `English = Deutsch` for each. A text without a translation is shown in English.

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_LANGUAGE;

/// A language of the pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Language {
    #[default]
    English,
    German,
}

static GERMAN: LazyLock<HashMap<&'static str, &'static str>> =
    LazyLock::new(|| read(include_str!("../../assets/words/de.txt")));

fn read(text: &'static str) -> HashMap<&'static str, &'static str> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(" = ")).collect()
}

impl Language {
    /// All languages, each with its own name.
    pub(crate) const ALL: [(Self, &'static str); 2] = [(Self::English, "English"), (Self::German, "Deutsch")];

    /// The code in HTML and in the database (BCP 47).
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// The language of a code; English for an unknown one.
    pub(crate) fn from_code(code: &str) -> Self {
        Self::ALL.into_iter().map(|(one, _)| one).find(|one| one.as_str() == code).unwrap_or_default()
    }

    /// The first known language of the `Accept-Language` header.
    pub(crate) fn of_headers(headers: &HeaderMap) -> Self {
        let header = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut codes =
            header.split(',').map(|part| part.trim().split(['-', ';']).next().unwrap_or_default());
        let known = |code: &str| Self::ALL.into_iter().map(|(one, _)| one).find(|one| one.as_str() == code);
        codes.find_map(known).unwrap_or_default()
    }

    /// The text in this language.
    pub(crate) fn say(self, english: &str) -> &str {
        match self {
            Self::English => english,
            Self::German => GERMAN.get(english).copied().unwrap_or(english),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_text_is_translated_or_stays_english() {
        assert_eq!(Language::German.say("Partners"), "Partner");
        assert_eq!(Language::English.say("Partners"), "Partners");
        assert_eq!(Language::German.say("of tomorrow"), "of tomorrow");
    }

    #[test]
    fn the_browser_names_the_language() {
        let of =
            |header: &str| HeaderMap::from_iter([(ACCEPT_LANGUAGE, HeaderValue::from_str(header).unwrap())]);
        assert_eq!(Language::of_headers(&HeaderMap::new()), Language::English);
        let check =
            |header: &str, want: Language| assert_eq!(Language::of_headers(&of(header)), want, "{header}");
        check("de-AT,de;q=0.9,en;q=0.8", Language::German);
        check("fr, de", Language::German);
        check("en-US,en", Language::English);
        check("", Language::English);
    }

    #[test]
    fn every_line_of_the_german_file_is_a_translation_and_none_is_repeated() {
        let text = include_str!("../../assets/words/de.txt");
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
        assert!(lines.iter().all(|line| line.contains(" = ")), "a line without a translation");
        assert_eq!(lines.len(), GERMAN.len(), "a line is repeated");
    }
}
