//! Decimals as bytes that sort as the numbers do.
use super::Decimal;

const NEGATIVE: u8 = 0;
const ZERO: u8 = 1;
const POSITIVE: u8 = 2;

impl Decimal {
    /// Bytes whose lexical order is the order of the numbers: equal numbers, however written, give equal bytes, and no key is
    /// the beginning of another. At most 23 bytes, about 5 for everyday numbers.
    pub fn order_key(&self) -> Vec<u8> {
        if self.is_zero() {
            return vec![ZERO];
        }
        let digits = self.mantissa.unsigned_abs().to_string();
        let digits = digits.trim_end_matches('0').as_bytes();
        // Sign, magnitude, the digits in pairs counted from 1, and 0 as the end.
        let mut key = vec![POSITIVE];
        let magnitude = (self.magnitude() + i32::from(i16::MAX)) as u16;
        key.extend(magnitude.to_be_bytes());
        key.extend(digits.chunks(2).map(|pair| {
            let ones = pair.get(1).map_or(0, |digit| digit - b'0');
            (pair[0] - b'0') * 10 + ones + 1
        }));
        key.push(0);
        if self.mantissa < 0 {
            key.iter_mut().for_each(|byte| *byte = !*byte);
            key[0] = NEGATIVE;
        }
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_short_and_complete() {
        let cases = [("0.00", 1), ("5", 5), ("5.40", 5), ("-1e500", 5), ("99999999999999999999999999999999999999", 23)];
        let keys: Vec<_> = cases.iter().map(|(text, _)| Decimal::parse(text).expect("valid").order_key()).collect();
        for (key, (text, length)) in keys.iter().zip(cases) {
            assert_eq!(key.len(), length, "{text}");
            assert!(keys.iter().filter(|other| other.starts_with(key)).count() == 1, "{text} begins another");
        }
    }
}
