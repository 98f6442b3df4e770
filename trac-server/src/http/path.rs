//! Percent-decoding. A path that does not decode to UTF-8 is `404`.

/// Whether a path is UTF-8 after percent-decoding.
pub(crate) fn is_text(path: &str) -> bool {
    !path.contains('%') || std::str::from_utf8(&decoded(path)).is_ok()
}

/// The bytes of a part of a URL, percent-decoded; a `%` without two hex digits is left as it is.
pub(crate) fn decoded(part: &str) -> Vec<u8> {
    let digit = |byte: Option<u8>| byte.and_then(|byte| u8::try_from(char::from(byte).to_digit(16)?).ok());
    let (mut bytes, mut decoded) = (part.bytes(), Vec::with_capacity(part.len()));
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        match (byte, digit(ahead.next()), digit(ahead.next())) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(high << 4 | low);
                bytes = ahead;
            }
            _ => decoded.push(byte),
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_text_if_its_decoded_bytes_are() {
        let check = |path: &str, want: bool| assert_eq!(is_text(path), want, "{path}");
        check("/s/paula", true);
        check("/s/%C3%BC", true);
        check("/s/%00", true);
        check("/s/100%", true);
        check("/s/%zz%2", true);
        check("/s/%ff", false);
        check("/s/%C0%AF", false);
        check("/s/%ED%A0%80", false);
    }
}
