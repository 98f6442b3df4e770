//! The form in which PostgreSQL reads a statement.

/// The statement with `$1` in place of `?1`. Texts in quotes are left as they are.
///
/// `lower(?1)` gets the collation of the columns, in which only ASCII letters have two cases: otherwise a letter such as É
/// would be lowered on one side of a comparison, in a database with another default.
pub(super) fn numbered(sql: &str) -> String {
    let (mut numbered, mut quote) = (String::with_capacity(sql.len()), None);
    let mut letters = sql.chars().peekable();
    while let Some(letter) = letters.next() {
        match quote {
            Some(open) if letter == open => quote = None,
            None if letter == '\'' || letter == '"' => quote = Some(letter),
            _ => {}
        }
        if letter != '?' || quote.is_some() {
            numbered.push(letter);
            continue;
        }
        let is_lowered = numbered.ends_with("lower(");
        numbered.push('$');
        while let Some(digit) = letters.next_if(char::is_ascii_digit) {
            numbered.push(digit);
        }
        if is_lowered && letters.peek() == Some(&')') {
            numbered.push_str(" COLLATE \"C\"");
        }
    }
    numbered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered_with_dollars_but_not_in_quotes() {
        let check = |sql, want| assert_eq!(numbered(sql), want);
        check("SELECT ?1, '?2', a.\"?3\" WHERE x = ?12", "SELECT $1, '?2', a.\"?3\" WHERE x = $12");
        check("SELECT 'it''s ?1', ?1", "SELECT 'it''s ?1', $1");
        check("lower(a) = lower(?3) AND x", "lower(a) = lower($3 COLLATE \"C\") AND x");
        check("lower(?3 || 'x')", "lower($3 || 'x')");
    }
}
