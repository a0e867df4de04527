//! The part of UCUM (<https://ucum.org/ucum>) that comparing and calculating needs: prefixes, products, quotients and powers of the
//! common units. An atom that is not listed is a dimension of its own: it equals itself and can be multiplied, but not converted.

use crate::Decimal;

/// A unit as a factor of base units.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Unit {
    pub(super) factor: Decimal,
    /// Base units by name with their powers, none zero, sorted.
    pub(super) dimensions: Vec<(String, i32)>,
}

/// A unit's components are no more than this, and no power is larger.
const COMPONENTS_MAX: usize = 16;

/// Atoms that take a prefix: code, factor, base unit, power.
const METRIC: [(&str, &str, &str, i32); 6] = [
    ("g", "1", "g", 1),
    ("m", "1", "m", 1),
    ("s", "1", "s", 1),
    ("mol", "1", "mol", 1),
    ("L", "0.001", "m", 3),
    ("l", "0.001", "m", 3),
];

/// Atoms that take none. The words are FHIRPath's calendar durations: up to weeks they equal UCUM's, months and years do not.
const OTHER: [(&str, &str, &str, i32); 22] = [
    ("min", "60", "s", 1),
    ("h", "3600", "s", 1),
    ("d", "86400", "s", 1),
    ("wk", "604800", "s", 1),
    ("mo", "2629800", "s", 1),
    ("a", "31557600", "s", 1),
    ("[in_i]", "0.0254", "m", 1),
    ("[ft_i]", "0.3048", "m", 1),
    ("[lb_av]", "453.59237", "g", 1),
    ("[oz_av]", "28.349523125", "g", 1),
    ("%", "0.01", "", 0),
    ("1", "1", "", 0),
    ("10*", "10", "", 0),
    ("10^", "10", "", 0),
    ("millisecond", "0.001", "s", 1),
    ("second", "1", "s", 1),
    ("minute", "60", "s", 1),
    ("hour", "3600", "s", 1),
    ("day", "86400", "s", 1),
    ("week", "604800", "s", 1),
    ("month", "1", "month", 1),
    ("year", "12", "month", 1),
];

const PREFIXES: [(&str, i32); 12] = [
    ("T", 12),
    ("G", 9),
    ("M", 6),
    ("k", 3),
    ("h", 2),
    ("da", 1),
    ("d", -1),
    ("c", -2),
    ("m", -3),
    ("u", -6),
    ("n", -9),
    ("p", -12),
];

impl Unit {
    /// Takes a code apart; `None` when it is not in UCUM's form.
    pub(super) fn parse(code: &str) -> Option<Unit> {
        let mut unit = Unit { factor: Decimal::from(1), dimensions: Vec::new() };
        let mut sign = 1;
        let mut rest = code;
        for _ in 0..COMPONENTS_MAX {
            let end = component_end(rest);
            let (component, separator) = rest.split_at(end);
            if !(component.is_empty() && sign == 1 && separator.starts_with('/')) {
                unit.multiply_component(component, sign)?;
            }
            match separator.chars().next() {
                None => return Some(unit.normalized()),
                Some('/') => sign = -1,
                Some(_) => sign = 1,
            }
            rest = &separator[1..];
        }
        None
    }

    fn multiply_component(&mut self, component: &str, sign: i32) -> Option<()> {
        let (atom, power) = split_power(component)?;
        let (factor, base, base_power) = atom_value(atom)?;
        for _ in 0..power.unsigned_abs() {
            self.factor =
                if power * sign > 0 { self.factor.checked_mul(factor)? } else { self.factor.checked_div(factor)? };
        }
        self.dimensions.push((base, base_power * power * sign));
        Some(())
    }

    /// Adds up the powers of each base unit.
    fn normalized(mut self) -> Unit {
        self.dimensions.sort();
        self.dimensions.dedup_by(|next, kept| {
            let is_same = next.0 == kept.0;
            if is_same {
                kept.1 += next.1;
            }
            is_same
        });
        self.dimensions.retain(|(_, power)| *power != 0);
        self
    }

    /// The unit of a product (`sign` 1) or quotient (`sign` -1).
    pub(super) fn combine(&self, other: &Unit, sign: i32) -> Option<Unit> {
        let factor =
            if sign > 0 { self.factor.checked_mul(other.factor)? } else { self.factor.checked_div(other.factor)? };
        let mut dimensions = self.dimensions.clone();
        dimensions.extend(other.dimensions.iter().map(|(base, power)| (base.clone(), power * sign)));
        Some(Unit { factor, dimensions }.normalized())
    }

    /// The code of the base units alone, without the factor: `g.m-2`.
    pub(super) fn base_code(&self) -> String {
        let component = |(base, power): &(String, i32)| match power {
            1 => base.clone(),
            power => format!("{base}{power}"),
        };
        let components: Vec<String> = self.dimensions.iter().map(component).collect();
        if components.is_empty() { "1".to_owned() } else { components.join(".") }
    }
}

/// Where the next `.` or `/` stands that is not inside brackets.
fn component_end(code: &str) -> usize {
    let mut depth = 0usize;
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'.' | b'/' if depth == 0 => return at,
            _ => {}
        }
    }
    code.len()
}

/// `m2` into `m` and 2; annotations in braces are dropped.
fn split_power(component: &str) -> Option<(&str, i32)> {
    let component = component.split_once('{').map_or(component, |(before, _)| before);
    if component.is_empty() {
        return Some(("1", 1));
    }
    let digits = component.len() - component.trim_end_matches(|letter: char| letter.is_ascii_digit()).len();
    let mut split = component.len() - digits;
    if digits > 0 && component[..split].ends_with(['-', '+']) {
        split -= 1;
    }
    let (atom, power) = component.split_at(split);
    match (atom, power) {
        ("", number) => (number == "1").then_some(("1", 1)),
        (atom, "") => Some((atom, 1)),
        (atom, power) => {
            let power: i32 = power.parse().ok()?;
            (power.unsigned_abs() as usize <= COMPONENTS_MAX).then_some((atom, power))
        }
    }
}

/// The factor, base unit and power of an atom.
fn atom_value(atom: &str) -> Option<(Decimal, String, i32)> {
    let listed = |table: &[(&str, &str, &str, i32)], code: &str| {
        let (_, factor, base, power) = table.iter().find(|(listed, ..)| *listed == code)?;
        Some((Decimal::parse(factor)?, (*base).to_owned(), *power))
    };
    if let Some(found) = listed(&OTHER, atom).or_else(|| listed(&METRIC, atom)) {
        return Some(found);
    }
    for (prefix, exponent) in PREFIXES {
        let Some((factor, base, power)) = atom.strip_prefix(prefix).and_then(|code| listed(&METRIC, code)) else {
            continue;
        };
        return Some((factor.checked_mul(Decimal::new(1, -exponent)?)?, base, power));
    }
    Some((Decimal::from(1), atom.to_owned(), 1))
}

#[cfg(test)]
mod tests {
    use super::Unit;

    #[test]
    fn takes_codes_apart() {
        let cases = [
            ("g", "1 g"),
            ("mg", "0.001 g"),
            ("cm2", "0.0001 m2"),
            ("kg/m2", "1e3 g.m-2"),
            ("mL", "0.000001 m3"),
            ("/min", "0.01666666666666666666666666667 s-1"),
            ("mmol/L", "1 m-3.mol"),
            ("m.m", "1 m2"),
            ("m/m", "1 1"),
            ("%", "0.01 1"),
            ("10*3/uL", "1000e9 m-3"),
            ("mm[Hg]", "1 mm[Hg]"),
            ("{tablet}", "1 1"),
            ("g{dry}", "1 g"),
            ("week", "604800 s"),
            ("year", "12 month"),
            ("[lb_av]/[in_i]2", "703069.5796391592783185566370 g.m-2"),
            ("m99", ""),
            ("m.m.m.m.m.m.m.m.m.m.m.m.m.m.m.m.m", ""),
        ];
        for (code, expected) in cases {
            let found =
                Unit::parse(code).map_or_else(String::new, |unit| format!("{} {}", unit.factor, unit.base_code()));
            assert_eq!(found, expected, "{code}");
        }
    }
}
