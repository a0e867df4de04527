//! What units of UCUM measure, by a table of those that the tests meet, <https://ucum.org/ucum>.

use fhir::Decimal;

pub(super) const UCUM: &str = "http://unitsofmeasure.org";

/// A code, what it measures, and how much of it: `(value + offset) * times / by`.
type Entry = (&'static str, &'static str, &'static str, &'static str, &'static str);

const UNITS: &[Entry] = &[
    ("kg", "mass", "0", "1000", "1"),
    ("g", "mass", "0", "1", "1"),
    ("mg", "mass", "0", "0.001", "1"),
    ("ug", "mass", "0", "0.000001", "1"),
    ("pg", "mass", "0", "0.000000000001", "1"),
    ("[lb_av]", "mass", "0", "453.59237", "1"),
    ("m", "length", "0", "1", "1"),
    ("cm", "length", "0", "0.01", "1"),
    ("[in_i]", "length", "0", "0.0254", "1"),
    ("s", "time", "0", "1", "1"),
    ("min", "time", "0", "60", "1"),
    ("h", "time", "0", "3600", "1"),
    ("d", "time", "0", "86400", "1"),
    ("a", "time", "0", "31557600", "1"),
    ("mo", "time", "0", "2629800", "1"),
    ("%", "number", "0", "0.01", "1"),
    ("1", "number", "0", "1", "1"),
    ("{score}", "number", "0", "1", "1"),
    ("L", "volume", "0", "1", "1"),
    ("mL", "volume", "0", "0.001", "1"),
    ("fL", "volume", "0", "0.000000000000001", "1"),
    ("g/L", "density", "0", "1", "1"),
    ("g/dL", "density", "0", "10", "1"),
    ("mg/dL", "density", "0", "0.01", "1"),
    ("ug/mL", "density", "0", "0.001", "1"),
    ("10*3/uL", "count", "0", "1000000000", "1"),
    ("10*6/uL", "count", "0", "1000000000000", "1"),
    ("10*9/L", "count", "0", "1000000000", "1"),
    ("10*12/L", "count", "0", "1000000000000", "1"),
    ("mL/h", "flow", "0", "0.001", "3600"),
    ("mL/d", "flow", "0", "0.001", "86400"),
    ("mL/min/{1.73_m2}", "flow", "0", "0.001", "60"),
    ("mm[Hg]", "pressure", "0", "133.322", "1"),
    ("kPa", "pressure", "0", "1000", "1"),
    ("V", "potential", "0", "1", "1"),
    ("mV", "potential", "0", "0.001", "1"),
    ("K", "temperature", "0", "1", "1"),
    ("Cel", "temperature", "273.15", "1", "1"),
    ("[degF]", "temperature", "459.67", "5", "9"),
];

/// What a unit measures, and how much.
pub(super) struct Unit {
    pub(super) measures: &'static str,
    offset: Decimal,
    times: Decimal,
    by: Decimal,
}

/// `None` for a code that is not in the table.
pub(super) fn unit(code: &str) -> Option<Unit> {
    let (_, measures, offset, times, by) = UNITS.iter().find(|entry| entry.0 == code)?;
    let number = |text: &str| Decimal::parse(text).expect("a number");
    Some(Unit { measures, offset: number(offset), times: number(times), by: number(by) })
}

/// The codes of the table that measure the same.
pub(super) fn alike(code: &str) -> Vec<&'static str> {
    let Some(unit) = unit(code) else { return Vec::new() };
    UNITS.iter().filter(|entry| entry.1 == unit.measures).map(|entry| entry.0).collect()
}

impl Unit {
    /// A number of this unit as one that compares with those that `other` brings here; exact.
    pub(super) fn beside(&self, other: &Unit, number: Decimal) -> Option<Decimal> {
        number.checked_add(self.offset)?.checked_mul(self.times)?.checked_mul(other.by)
    }

    /// About the same in another unit, in as few digits as people write.
    pub(super) fn in_unit(&self, other: &Unit, number: &Decimal) -> String {
        let plain = (number.to_f64() + self.offset.to_f64()) * self.times.to_f64() / self.by.to_f64();
        let number = plain * other.by.to_f64() / other.times.to_f64() - other.offset.to_f64();
        let text = format!("{number:.6}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}
