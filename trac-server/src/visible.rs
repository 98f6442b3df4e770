//! Detects invisible texts: a partner whose name is a zero-width space would appear to have no name.

use std::ops::RangeInclusive;

/// Invisible characters besides white space and control characters: fillers, joiners, direction marks,
/// variation selectors, tags. Source:
/// <https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt>, `Default_Ignorable_Code_Point`,
/// and the empty Braille pattern.
const INVISIBLE: [RangeInclusive<char>; 20] = [
    '\u{ad}'..='\u{ad}',
    '\u{34f}'..='\u{34f}',
    '\u{61c}'..='\u{61c}',
    '\u{115f}'..='\u{1160}',
    '\u{17b4}'..='\u{17b5}',
    '\u{180b}'..='\u{180f}',
    '\u{200b}'..='\u{200f}',
    '\u{202a}'..='\u{202e}',
    '\u{2060}'..='\u{206f}',
    '\u{2800}'..='\u{2800}',
    '\u{3164}'..='\u{3164}',
    '\u{fe00}'..='\u{fe0f}',
    '\u{feff}'..='\u{feff}',
    '\u{ffa0}'..='\u{ffa0}',
    '\u{fff0}'..='\u{fffb}',
    '\u{1bca0}'..='\u{1bca3}',
    '\u{1d173}'..='\u{1d17a}',
    '\u{e0000}'..='\u{e0fff}',
    '\u{13430}'..='\u{13440}',
    '\u{16fe4}'..='\u{16fe4}',
];

/// Whether a text has a visible character.
pub(crate) fn is_visible(text: &str) -> bool {
    text.chars().any(|letter| {
        !letter.is_whitespace()
            && !letter.is_control()
            && !INVISIBLE.iter().any(|range| range.contains(&letter))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_visible_if_one_of_its_characters_is() {
        let check = |text: &str, want: bool| assert_eq!(is_visible(text), want, "{text:?}");
        check("Ada", true);
        check("李", true);
        check("\u{202e}Ada", true);
        check("👩\u{200d}🚀", true);
        check("", false);
        check(" \u{3000}", false);
        check("\u{200b}", false);
        check("\u{2060}\u{feff}", false);
        check("\u{3164}", false);
        check("\u{2800}\u{2800}", false);
        check("\u{e0041}\u{ad}", false);
    }
}
