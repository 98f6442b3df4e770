//! `numeric`, the type of a sum of whole numbers.

use std::error::Error;

use postgres::types::{FromSql, Type};

/// A whole number of the type `numeric`.
pub(super) struct Whole(pub(super) i64);

impl<'a> FromSql<'a> for Whole {
    /// The binary form: how many digits of base 10,000, the weight of the first, the sign, how many decimals are shown, and
    /// the digits. Source: `numeric_send` in PostgreSQL's `src/backend/utils/adt/numeric.c`.
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let words: Vec<u16> = raw.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
        let [count, weight, sign, _decimals, digits @ ..] = words.as_slice() else {
            return Err("a numeric without its header".into());
        };
        if usize::from(*count) != digits.len() {
            return Err("a numeric of another length".into());
        }
        let weight = i32::from(weight.cast_signed());
        let mut whole = 0_i128;
        for (digit, place) in digits.iter().zip(0_i32..) {
            if place > weight {
                return Err("a numeric with a fraction".into());
            }
            whole = whole
                .checked_mul(10_000)
                .and_then(|whole| whole.checked_add((*digit).into()))
                .ok_or("a numeric that is too large")?;
        }
        let missing =
            u32::try_from(weight.saturating_add(1)).unwrap_or_default().saturating_sub((*count).into());
        whole = 10_000_i128
            .checked_pow(missing)
            .and_then(|scale| whole.checked_mul(scale))
            .ok_or("a numeric that is too large")?;
        let signed = match sign {
            0x0000 => whole,
            0x4000 => whole.saturating_neg(),
            _ => return Err("a numeric that is no number".into()),
        };
        Ok(Self(i64::try_from(signed)?))
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::NUMERIC
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_read_and_fractions_are_errors() {
        let read = |words: &[u16]| {
            let raw: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
            Whole::from_sql(&Type::NUMERIC, &raw).map(|whole| whole.0).ok()
        };
        assert_eq!(read(&[0, 0, 0, 0]), Some(0));
        assert_eq!(read(&[1, 0, 0, 0, 7]), Some(7));
        assert_eq!(read(&[1, 1, 0x4000, 0, 3]), Some(-30_000));
        assert_eq!(read(&[2, 1, 0, 0, 3, 21]), Some(30_021));
        assert_eq!(read(&[5, 4, 0, 0, 922, 3372, 368, 5477, 5807]), Some(i64::MAX));
        assert_eq!(read(&[5, 4, 0, 0, 922, 3372, 368, 5477, 5808]), None);
        assert_eq!(read(&[1, 0xffff, 0, 1, 5000]), None, "a half");
        assert_eq!(read(&[2, 0, 0, 1, 3, 5000]), None, "three and a half");
        assert_eq!(read(&[0, 0, 0xc000, 0]), None, "not a number");
        assert_eq!(read(&[1, 0]), None);
    }
}
