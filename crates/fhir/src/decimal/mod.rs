//! FHIR's decimal: exact digits and the precision they imply, <https://hl7.org/fhir/R4/datatypes.html#decimal>.

mod arithmetic;
mod key;

use std::cmp::Ordering;
use std::fmt;

/// A decimal number that knows how many digits it was given with: `mantissa` / 10^`scale`.
///
/// Compared by value: 1.0 equals 1.00.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    /// Less than 10^[`Decimal::DIGITS_MAX`] on both sides of zero.
    mantissa: i128,
    /// Digits after the decimal point; negative when trailing places were not given (`1e2` has scale -2).
    scale: i32,
}

impl Decimal {
    /// The most significant digits. All numbers of so many fit an `i128`.
    pub const DIGITS_MAX: u32 = 38;

    /// The exponent stays within this on both sides of zero.
    pub const EXPONENT_MAX: i32 = 512;

    /// Zero, without decimals.
    pub const ZERO: Decimal = Decimal { mantissa: 0, scale: 0 };

    /// Parses JSON number syntax, also with an exponent. `None` when it is none, needs more than [`Decimal::DIGITS_MAX`] digits or an
    /// exponent beyond [`Decimal::EXPONENT_MAX`].
    pub fn parse(text: &str) -> Option<Decimal> {
        let (negative, unsigned) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (number, exponent) = match unsigned.find(['e', 'E']) {
            Some(at) => (&unsigned[..at], parse_exponent(&unsigned[at + 1..])?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = match number.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (number, ""),
        };
        if whole.is_empty() || (whole.len() > 1 && whole.starts_with('0')) {
            return None;
        }
        let mut mantissa = 0_i128;
        for byte in whole.bytes().chain(fraction.bytes()) {
            let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
            mantissa = mantissa.checked_mul(10)?.checked_add(i128::from(digit))?;
        }
        let scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        Decimal::new(if negative { -mantissa } else { mantissa }, scale)
    }

    /// `mantissa` / 10^`scale`. `None` beyond [`Decimal::DIGITS_MAX`] or [`Decimal::EXPONENT_MAX`].
    pub fn new(mantissa: i128, scale: i32) -> Option<Decimal> {
        let fits = digits(mantissa) <= Decimal::DIGITS_MAX && scale.abs() <= Decimal::EXPONENT_MAX;
        fits.then_some(Decimal { mantissa, scale })
    }

    /// The digits without sign and decimal point, as a signed number.
    pub fn mantissa(&self) -> i128 {
        self.mantissa
    }

    /// How many digits were given after the decimal point; negative when even whole places were not given (`1e2`).
    pub fn scale(&self) -> i32 {
        self.scale
    }

    /// True for zero, however written.
    pub fn is_zero(&self) -> bool {
        self.mantissa == 0
    }

    /// The values that round to this one, as search compares them: half a unit of the last given digit on each side, the first
    /// inside, the second outside, <https://hl7.org/fhir/R4/search.html#number>. `100` means 99.5 to 100.5, `1e2` means 50 to
    /// 150. (The specification's example for `1e2` gives 95 to 105, which is its rule for `1.0e2`.)
    pub fn implicit_range(&self) -> (Decimal, Decimal) {
        let bound = |half: i128| {
            let mantissa = self.mantissa.checked_mul(10)?.checked_add(half)?;
            Decimal::new(mantissa, self.scale + 1)
        };
        // With all digits in use there is no room for one more: the value stands for itself.
        (bound(-5).unwrap_or(*self), bound(5).unwrap_or(*self))
    }

    /// The power of ten just above the value: 0.05 gives -1, 99 gives 2.
    fn magnitude(&self) -> i32 {
        digits(self.mantissa) as i32 - self.scale
    }
}

impl From<i64> for Decimal {
    fn from(value: i64) -> Decimal {
        Decimal { mantissa: i128::from(value), scale: 0 }
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Decimal) -> Ordering {
        let sign = self.mantissa.signum();
        let by_sign = sign.cmp(&other.mantissa.signum());
        if by_sign.is_ne() || sign == 0 {
            return by_sign;
        }
        // Of one magnitude, so the scales differ by no more than the digits, and aligning them cannot overflow.
        let by_size = self.magnitude().cmp(&other.magnitude()).then_with(|| {
            let scale = self.scale.max(other.scale);
            aligned(self, scale).cmp(&aligned(other, scale))
        });
        if sign < 0 { by_size.reverse() } else { by_size }
    }
}

/// The mantissa's size at a scale that is at least the number's own.
fn aligned(number: &Decimal, scale: i32) -> u128 {
    let power = 10_u128.saturating_pow((scale - number.scale).unsigned_abs());
    number.mantissa.unsigned_abs().saturating_mul(power)
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Decimal) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Decimal) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Decimal {}

/// All digits as given. Written with an exponent only where plain notation would invent digits or need many zeros.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scale < 0 || self.scale > Decimal::DIGITS_MAX as i32 {
            return write!(f, "{}e{}", self.mantissa, -self.scale);
        }
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let scale = self.scale as usize;
        let all = format!("{:0width$}", self.mantissa.unsigned_abs(), width = scale + 1);
        let (whole, fraction) = all.split_at(all.len() - scale);
        let point = if scale > 0 { "." } else { "" };
        write!(f, "{sign}{whole}{point}{fraction}")
    }
}

fn parse_exponent(text: &str) -> Option<i32> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// How many digits a mantissa has; none for zero.
fn digits(mantissa: i128) -> u32 {
    mantissa.unsigned_abs().checked_ilog10().map_or(0, |log| log + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap_or_else(|| panic!("`{text}` is a decimal"))
    }

    #[test]
    fn parses_and_keeps_digits() {
        let cases = [
            ("0", 0, 0, "0"),
            ("-0", 0, 0, "0"),
            ("0.00", 0, 2, "0.00"),
            ("1.0", 10, 1, "1.0"),
            ("-0.050", -50, 3, "-0.050"),
            ("1e2", 1, -2, "1e2"),
            ("1E+2", 1, -2, "1e2"),
            ("1.50e2", 150, 0, "150"),
            ("2.5e-3", 25, 4, "0.0025"),
            ("1.000000000000000000E-245", 10_i128.pow(18), 263, "1000000000000000000e-263"),
            (
                "-99999999999999999999999999999999999999",
                -(10_i128.pow(38) - 1),
                0,
                "-99999999999999999999999999999999999999",
            ),
        ];
        for (text, mantissa, scale, written) in cases {
            let number = decimal(text);
            assert_eq!((number.mantissa, number.scale), (mantissa, scale), "{text}");
            assert_eq!(number.to_string(), written);
            assert_eq!(decimal(written), number);
        }
    }

    #[test]
    fn refuses_what_is_no_number_or_too_big() {
        let cases = [
            "",
            "-",
            "+1",
            "01",
            "-01",
            ".5",
            "5.",
            "1e",
            "1e+",
            "1e+-2",
            "1.e5",
            "0x1",
            "1,5",
            "1 ",
            " 1",
            "NaN",
            "1e513",
            "1e-513",
            "1e99999999999",
            "1.2.3",
            "١",
            "--1",
            "1e1e1",
            "1_000",
            "100000000000000000000000000000000000000",
            "0.100000000000000000000000000000000000000",
        ];
        for text in cases {
            assert!(Decimal::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn compares_by_value() {
        // Each is less than the next; the ones in a group are equal.
        let groups = [
            &["-1e500"][..],
            &["-99999999999999999999999999999999999999", "-99999999999999999999999999999999999999e0"],
            &["-100", "-1e2", "-100.00"],
            &["-99.999999999999999999"],
            &["-1.1"],
            &["-1", "-1.0", "-10e-1"],
            &["-0.1"],
            &["-1e-500"],
            &["0", "-0.0", "0e5", "0.000"],
            &["1e-500"],
            &["0.1", "0.10"],
            &["0.11"],
            &["0.2"],
            &["1", "1.00", "0.1e1", "1000000000000000000000e-21"],
            &["1.000000000000000000000000000000000001"],
            &["9.99"],
            &["10", "1e1"],
            &["99.5"],
            &["1e30", "1000000000000000000000000000000"],
            &["1e500"],
        ];
        for (at, group) in groups.iter().enumerate() {
            for (other_at, other_group) in groups.iter().enumerate() {
                for (left, right) in group.iter().flat_map(|left| other_group.iter().map(move |right| (left, right))) {
                    let (a, b) = (decimal(left), decimal(right));
                    assert_eq!(a.cmp(&b), at.cmp(&other_at), "{left} and {right}");
                    assert_eq!(a.order_key().cmp(&b.order_key()), at.cmp(&other_at), "keys of {left} and {right}");
                }
            }
        }
    }

    #[test]
    fn implies_a_range() {
        let cases = [
            ("100", "99.5", "100.5"),
            ("100.00", "99.995", "100.005"),
            ("1e2", "50", "150"),
            ("1.0e2", "95", "105"),
            ("0", "-0.5", "0.5"),
            ("-5.4", "-5.45", "-5.35"),
            ("0.0", "-0.05", "0.05"),
        ];
        for (text, low, high) in cases {
            assert_eq!(decimal(text).implicit_range(), (decimal(low), decimal(high)), "{text}");
        }
        let full = decimal("99999999999999999999999999999999999999");
        assert_eq!(full.implicit_range(), (full, full));
    }
}
