//! Units of UCUM, <https://ucum.org/ucum>: what a measurement is in base units, so that 5 mg and 0.005 g are one value.
//!
//! Codes are case-sensitive; annotations such as `{beats}` mean nothing. A unit on a logarithmic scale has no base unit here and
//! compares only with itself. Arbitrary units such as `[iU]` are base units of their own, with their prefixes.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use octofhir_ucum::{Number, evaluate, get_canonical_units, parse_expression};
use rustc_hash::FxHashMap;

use crate::Decimal;

/// The `system` of a Quantity whose code is one of UCUM's.
pub const SYSTEM: &str = "http://unitsofmeasure.org";

/// A longer code is no unit: the longest in use have about 30 characters.
const CODE_MAX: usize = 100;

/// How many codes are remembered. Data uses a few hundred; the memory starts anew when something else fills it.
const REMEMBERED_MAX: usize = 4096;

/// Measurements in base units have so many significant digits: what factors without end, such as that of a minute, round to.
const DIGITS: u32 = 18;

/// A unit, and how a value in it becomes one in base units: `(value * scale + offset) * factor`.
#[derive(Debug)]
pub struct Unit {
    base: String,
    scale: Decimal,
    offset: Decimal,
    factor: Decimal,
}

/// Whether a code is one of UCUM's, on whatever scale.
pub fn is_code(code: &str) -> bool {
    !code.is_empty()
        && code.len() <= CODE_MAX
        && (Unit::of(code).is_some() || parse_expression(&plain(code)).is_ok_and(|unit| evaluate(&unit).is_ok()))
}

/// The code without annotations on terms in parentheses: UCUM's grammar has no place for them, but its own list of common units has
/// `U/(10.g){feces}`.
fn plain(code: &str) -> Cow<'_, str> {
    let mut plain = Cow::Borrowed(code);
    while let Some(at) = plain.find("){")
        && let Some(length) = plain[at..].find('}')
    {
        plain = Cow::Owned([&plain[..=at], &plain[at + length + 1..]].concat());
    }
    plain
}

impl Unit {
    /// The unit that a code means. `None` when it is no code of UCUM, or one on a logarithmic scale.
    pub fn of(code: &str) -> Option<Arc<Unit>> {
        type Units = FxHashMap<String, Option<Arc<Unit>>>;
        static REMEMBERED: LazyLock<RwLock<Units>> = LazyLock::new(RwLock::default);
        if code.len() > CODE_MAX {
            return None;
        }
        if let Some(unit) = REMEMBERED.read().unwrap_or_else(PoisonError::into_inner).get(code) {
            return unit.clone();
        }
        let unit = Unit::parse(code).map(Arc::new);
        let mut remembered = REMEMBERED.write().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(code.to_owned(), unit.clone());
        unit
    }

    fn parse(code: &str) -> Option<Unit> {
        let code = plain(code);
        let term = evaluate(&parse_expression(&code).ok()?).ok()?;
        let canonical = get_canonical_units(&code).ok()?;
        let factor = decimal(term.factor)?;
        let (scale, offset) = match term.special {
            None => (Decimal::from(1), Decimal::ZERO),
            // Given in base units; as a multiple of the factor it is exact again, such as the 459.67 of Fahrenheit.
            Some(special) => {
                let offset = decimal(canonical.offset)?.checked_div(factor)?.rounded_to_digits(DIGITS)?;
                (decimal(special.scale)?, offset)
            }
        };
        Some(Unit { base: canonical.unit, scale, offset, factor })
    }

    /// The base units: the same text for all units that measure the same, such as `m.s-1`; `1` for a plain number.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// A value of this unit in base units, to 18 significant digits. Values keep their order. `None` beyond what a [`Decimal`] holds.
    pub fn to_base(&self, value: Decimal) -> Option<Decimal> {
        let value = value.checked_mul(self.scale)?.checked_add(self.offset)?.checked_mul(self.factor)?;
        value.rounded_to_digits(DIGITS)
    }
}

fn decimal(number: Number) -> Option<Decimal> {
    let (digits, exponent) = number.to_integer_and_exponent();
    Decimal::new(digits, exponent.checked_neg()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brings_values_to_base_units() {
        let cases = [
            ("5", "mg", "0.005 g"),
            ("0.005", "g", "0.005 g"),
            ("12.5", "cm", "0.125 m"),
            ("37", "Cel", "310.15 K"),
            ("98.6", "[degF]", "310.15 K"),
            ("310.15", "K", "310.15 K"),
            ("-459.67", "[degF]", "0 K"),
            ("32", "[degF]", "273.15 K"),
            ("120", "mm[Hg]", "15998640 g.m-1.s-2"),
            ("60", "/min", "1 s-1"),
            ("60", "{beats}/min", "1 s-1"),
            ("1", "Hz", "1 s-1"),
            ("5", "%", "0.05 1"),
            ("5", "{score}", "5 1"),
            ("1", "1", "1 1"),
            ("7", "10*3/uL", "7000000000000 m-3"),
            ("2", "[iU]/L", "2000 m-3.[iU]"),
            ("2", "m[iU]/mL", "2000 m-3.[iU]"),
            ("1", "[mi_us]", "1609.34721869443739 m"),
            ("1", "wk", "604800 s"),
            ("1", "kg/m2", "1000 g.m-2"),
            ("1", "/(10.g){feces}", "0.1 g-1"),
            ("1", "L/min/m2", "0.0000166666666666666667 m.s-1"),
        ];
        for (value, code, expected) in cases {
            let unit = Unit::of(code).unwrap_or_else(|| panic!("{code} is a unit"));
            let (value, expected) = (Decimal::parse(value).expect("a number"), expected.split_once(' ').expect("both"));
            let base = unit.to_base(value).expect("small");
            assert_eq!(base, Decimal::parse(expected.0).expect("a number"), "{value} {code} is {base}");
            assert_eq!(unit.base(), expected.1, "{code}");
        }
    }

    #[test]
    fn refuses_what_is_no_unit() {
        let long = "m.".repeat(60);
        let deep = format!("{}m{}", "(".repeat(49), ")".repeat(49));
        let codes = [
            "",
            "(m){",
            "(m){}{",
            " ",
            "mg ",
            "foo",
            "m99999999999",
            "m200",
            "µg",
            "B[SPL]",
            "[pH]",
            "()",
            "//m",
            &long,
            "[",
            "{",
        ];
        for code in codes {
            assert!(Unit::of(code).is_none(), "{code}");
        }
        assert!(Unit::of(&deep).is_some());
        assert!(Unit::of("10*2000000000").is_none());
    }

    #[test]
    fn remembers_a_bounded_number_of_codes() {
        for number in 1..2 * REMEMBERED_MAX {
            assert!(Unit::of(&format!("{number}.m")).is_some());
        }
        assert_eq!(Unit::of("km").map(|unit| unit.base().to_owned()).as_deref(), Some("m"));
    }
}
