//! Arithmetic as FHIRPath needs it: exact where the digits suffice, rounded half away from zero where not. `None` where the result
//! is no [`Decimal`] at all.
use std::ops::Neg;

use super::{Decimal, digits};

/// A quotient that does not end has this many significant digits.
const QUOTIENT_DIGITS: u32 = 28;

/// Two factors of this many digits have a product of no more than [`Decimal::DIGITS_MAX`].
const FACTOR_DIGITS: u32 = Decimal::DIGITS_MAX / 2;

impl Decimal {
    /// The sum, to the finer of the two scales as far as digits reach.
    pub fn checked_add(self, other: Decimal) -> Option<Decimal> {
        if self.is_zero() || other.is_zero() {
            let (zero, sum) = if self.is_zero() { (self, other) } else { (other, self) };
            return Some(sum.at_scale(sum.scale.max(zero.scale)).unwrap_or(sum));
        }
        let sum = |scale: i32| {
            let (left, right) = (self.at_scale(scale)?, other.at_scale(scale)?);
            Decimal::new(left.mantissa.checked_add(right.mantissa)?, scale)
        };
        let finest = self.scale.max(other.scale);
        // Where the digits do not reach that far, one is kept free for the carry.
        let reached = Decimal::DIGITS_MAX as i32 - 1 - self.magnitude().max(other.magnitude());
        sum(finest).or_else(|| sum(finest.min(reached)))
    }

    /// The difference, like [`Decimal::checked_add`].
    pub fn checked_sub(self, other: Decimal) -> Option<Decimal> {
        self.checked_add(-other)
    }

    /// The product: exact when its digits fit, otherwise of factors rounded to half as many.
    pub fn checked_mul(self, other: Decimal) -> Option<Decimal> {
        let product = |a: Decimal, b: Decimal| Decimal::new(a.mantissa.checked_mul(b.mantissa)?, a.scale + b.scale);
        product(self, other)
            .or_else(|| product(self.rounded_to_digits(FACTOR_DIGITS)?, other.rounded_to_digits(FACTOR_DIGITS)?))
    }

    /// The quotient, with as many digits as it needs and no more than 28 significant ones. `None` for a zero divisor.
    pub fn checked_div(self, other: Decimal) -> Option<Decimal> {
        if other.is_zero() {
            return None;
        }
        let (dividend, divisor) = (self.rounded_to_digits(QUOTIENT_DIGITS)?, other.rounded_to_digits(QUOTIENT_DIGITS)?);
        let mut quotient = dividend.mantissa / divisor.mantissa;
        let mut rest = dividend.mantissa % divisor.mantissa;
        let mut scale = dividend.scale - divisor.scale;
        while rest != 0 && digits(quotient) <= QUOTIENT_DIGITS && scale < Decimal::EXPONENT_MAX {
            rest *= 10;
            quotient = quotient * 10 + rest / divisor.mantissa;
            rest %= divisor.mantissa;
            scale += 1;
        }
        Decimal::new(quotient, scale)?.rounded_to_digits(QUOTIENT_DIGITS)
    }

    /// What is left of this after subtracting whole `other`s; has this number's sign. `None` for a zero divisor.
    pub fn checked_rem(self, other: Decimal) -> Option<Decimal> {
        let scale = self.scale.max(other.scale);
        let (left, right) = (self.at_scale(scale)?, other.at_scale(scale)?);
        Decimal::new(left.mantissa.checked_rem(right.mantissa)?, scale)
    }

    /// The number without its sign.
    pub fn abs(self) -> Decimal {
        Decimal { mantissa: self.mantissa.abs(), ..self }
    }

    /// The number with exactly `scale` digits after the decimal point, rounded half away from zero.
    pub fn at_scale(self, scale: i32) -> Option<Decimal> {
        let by = scale - self.scale;
        if self.is_zero() {
            return Decimal::new(0, scale);
        }
        if by >= 0 {
            let power = 10_i128.checked_pow(by.unsigned_abs())?;
            return Decimal::new(self.mantissa.checked_mul(power)?, scale);
        }
        let Some(power) = 10_i128.checked_pow(by.unsigned_abs()) else { return Decimal::new(0, scale) };
        let (quotient, rest) = (self.mantissa / power, self.mantissa % power);
        let away = if rest.abs() >= power - rest.abs() { self.mantissa.signum() } else { 0 };
        Decimal::new(quotient + away, scale)
    }

    /// The number with no more than `count` significant digits.
    pub fn rounded_to_digits(self, count: u32) -> Option<Decimal> {
        let excess = digits(self.mantissa).saturating_sub(count) as i32;
        if excess == 0 { Some(self) } else { self.at_scale(self.scale - excess) }
    }

    /// The whole part, rounded towards zero.
    pub fn truncate(self) -> Option<Decimal> {
        if self.scale <= 0 {
            return self.at_scale(0);
        }
        let power = 10_i128.checked_pow(self.scale.unsigned_abs());
        Decimal::new(power.map_or(0, |power| self.mantissa / power), 0)
    }

    /// The largest whole number that is not above this one.
    pub fn floor(self) -> Option<Decimal> {
        let whole = self.truncate()?;
        if whole > self { whole.checked_sub(Decimal::from(1)) } else { Some(whole) }
    }

    /// The smallest whole number that is not below this one.
    pub fn ceiling(self) -> Option<Decimal> {
        (-self).floor().map(Neg::neg)
    }

    /// The number as an integer; `None` when it has a fraction or does not fit.
    pub fn to_i64(self) -> Option<i64> {
        let whole = self.truncate()?;
        if whole == self { i64::try_from(whole.mantissa).ok() } else { None }
    }

    /// The nearest floating-point number, for roots and logarithms.
    pub fn to_f64(self) -> f64 {
        format!("{}e{}", self.mantissa, -self.scale).parse().unwrap_or(f64::NAN)
    }

    /// The shortest decimal that stands for a floating-point number; `None` when it is infinite, no number or out of range.
    pub fn from_f64(value: f64) -> Option<Decimal> {
        Decimal::parse(&format!("{value:e}"))?.plain()
    }

    /// Without a negative scale, where the digits allow that.
    fn plain(self) -> Option<Decimal> {
        if self.scale < 0 { self.at_scale(0) } else { Some(self) }
    }
}

impl Neg for Decimal {
    type Output = Decimal;

    fn neg(self) -> Decimal {
        Decimal { mantissa: -self.mantissa, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap_or_else(|| panic!("`{text}` is a decimal"))
    }

    fn text(number: Option<Decimal>) -> String {
        number.map_or_else(|| "none".to_owned(), |number| number.to_string())
    }

    #[test]
    fn calculates() {
        let nines = "99999999999999999999999999999999999999";
        let third = "0.3333333333333333333333333333";
        let cases = [
            ("1.0", "+", "2.25", "3.25"),
            ("0.1", "+", "0.2", "0.3"),
            ("0.00", "+", "5", "5.00"),
            ("1e2", "+", "1", "101"),
            ("1e100", "+", "1e-100", "1000000000000000000000000000000000000e64"),
            (nines, "+", "1", "10000000000000000000000000000000000000e1"),
            (nines, "-", nines, "0"),
            ("5", "-", "7.5", "-2.5"),
            ("1.20", "*", "3", "3.60"),
            ("-2", "*", "-2", "4"),
            (third, "*", third, "0.11111111111111111108888888888888888889"),
            ("1e500", "*", "1e500", "none"),
            ("1", "/", "3", third),
            ("2", "/", "3", "0.6666666666666666666666666667"),
            ("-1", "/", "8", "-0.125"),
            ("6", "/", "3", "2"),
            ("0", "/", "3", "0"),
            ("1", "/", "0.00", "none"),
            ("5", "%", "3", "2"),
            ("-5.5", "%", "2", "-1.5"),
            ("5", "%", "0", "none"),
        ];
        for (left, operator, right, expected) in cases {
            let (a, b) = (decimal(left), decimal(right));
            let result = match operator {
                "+" => a.checked_add(b),
                "-" => a.checked_sub(b),
                "*" => a.checked_mul(b),
                "/" => a.checked_div(b),
                _ => a.checked_rem(b),
            };
            assert_eq!(text(result), expected, "{left} {operator} {right}");
        }
    }

    #[test]
    fn rounds() {
        // Number; to one decimal; truncated, floor, ceiling; as an integer.
        let cases = [
            ("1.25", "1.3", "1", "1", "2", None),
            ("-1.25", "-1.3", "-1", "-2", "-1", None),
            ("1.24", "1.2", "1", "1", "2", None),
            ("2", "2.0", "2", "2", "2", Some(2)),
            ("-3.00", "-3.0", "-3", "-3", "-3", Some(-3)),
            ("1e3", "1000.0", "1000", "1000", "1000", Some(1000)),
            ("1e-60", "0.0", "0", "0", "1", None),
            (
                "1e30",
                "1000000000000000000000000000000.0",
                "1000000000000000000000000000000",
                "1000000000000000000000000000000",
                "1000000000000000000000000000000",
                None,
            ),
        ];
        for (number, rounded, truncated, floor, ceiling, integer) in cases {
            let number = decimal(number);
            assert_eq!(text(number.at_scale(1)), rounded, "{number}");
            assert_eq!(text(number.truncate()), truncated, "{number}");
            assert_eq!(text(number.floor()), floor, "{number}");
            assert_eq!(text(number.ceiling()), ceiling, "{number}");
            assert_eq!(number.to_i64(), integer, "{number}");
        }
        assert_eq!(text(decimal("1e400").truncate()), "none");
    }

    #[test]
    fn converts_floats() {
        let cases = [
            (0.1, "0.1"),
            (-2.5, "-2.5"),
            (1e20, "100000000000000000000"),
            (f64::NAN, "none"),
            (f64::INFINITY, "none"),
        ];
        for (float, expected) in cases {
            assert_eq!(text(Decimal::from_f64(float)), expected);
        }
        assert_eq!(decimal("-0.125").to_f64(), -0.125);
        assert_eq!(decimal("1e400").to_f64(), f64::INFINITY);
    }
}
