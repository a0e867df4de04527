//! Quantity parameters, <https://hl7.org/fhir/R4/search.html#quantity>: numbers with a unit.
//!
//! A quantity is compared as a [number](super::number) is. Its number alone has a row in the main index; with the unit it has rows
//! `code 0 number system` in the index `unit`, one for the code and one for the human unit where that is written differently. A
//! Range, and a quantity with a comparator, which is a range open at one end, stand in `unit-range` with `1 code 0` or
//! `2 code 0 system 0` before the ends. Units are compared as written; converting between UCUM units adds rows of the canonical
//! unit in an index of its own. SampledData has no rows.

use std::borrow::Cow;

use fhir::Decimal;
use fhir::fhirpath::Item;
use fhir::json::Node;
use store::{Filter, Index, Range};

use super::BadValue;
use super::item::{member, node, type_name};
use super::number::{self, ENDS, Key, Place};
use crate::escape::{split, unescape};
use crate::row::{self, Rows, push_part};

pub(super) const MODIFIERS: &[&str] = &["missing"];

const FORM: &str = "`5.4`, `5.4|system|code` or `5.4||code`, after a prefix such as `ge` if wanted";
const UNIT: &str = "unit";
const UNIT_RANGE: &str = "unit-range";
const CODE_MAX: usize = 150;
const SYSTEM_MAX: usize = 180;
const CURRENCIES: &str = "urn:iso:std:iso:4217";

/// What is measured in.
#[derive(Default)]
struct Unit<'a> {
    system: Option<Cow<'a, str>>,
    code: Option<Cow<'a, str>>,
    /// Written for people.
    unit: Option<Cow<'a, str>>,
}

impl<'a> Unit<'a> {
    fn of(quantity: Node<'a>) -> Unit<'a> {
        let text = |name| member(quantity, name);
        Unit { system: text("system"), code: text("code"), unit: text("unit") }
    }

    /// The code and, where it says something else, the human unit; with the system that each comes from.
    fn names(&self) -> impl Iterator<Item = (&str, &str)> {
        let code = self.code.as_deref().map(|code| (code, self.system.as_deref().unwrap_or_default()));
        let unit = self.unit.as_deref().filter(|unit| self.code.as_deref() != Some(unit));
        code.into_iter().chain(unit.map(|unit| (unit, "")))
    }
}

pub(super) fn rows(item: &Item<'_>, index: Index, rows: &mut Rows) {
    let Some(node) = node(item) else { return };
    match type_name(item) {
        "Money" => {
            let unit = Unit { system: Some(CURRENCIES.into()), code: member(node, "currency"), unit: None };
            quantity_rows(node, &unit, index, rows);
        }
        "Range" => {
            let unit = ["low", "high"].iter().find_map(|end| node.get(end)).map(Unit::of).unwrap_or_default();
            if let Some(ends) = number::range(node) {
                range_rows(ends, &unit, index, rows);
            }
        }
        _ => quantity_rows(node, &Unit::of(node), index, rows),
    }
}

fn quantity_rows(quantity: Node<'_>, unit: &Unit<'_>, index: Index, rows: &mut Rows) {
    let Some(value) = quantity.get("value").and_then(|value| Decimal::parse(value.raw())) else { return };
    let key = number::key(&value);
    match member(quantity, "comparator").as_deref() {
        Some("<" | "<=") => range_rows((ENDS.0, key), unit, index, rows),
        Some(">" | ">=") => range_rows((key, ENDS.1), unit, index, rows),
        _ => point_rows(key, unit, index, rows),
    }
}

fn point_rows(key: Key, unit: &Unit<'_>, index: Index, rows: &mut Rows) {
    rows.push(index, key.into());
    for (code, system) in unit.names() {
        let mut value = named(code);
        value.extend_from_slice(&key);
        push_part(&mut value, system, SYSTEM_MAX);
        rows.push(row::secondary(index, UNIT), value);
    }
}

fn range_rows((low, high): (Key, Key), unit: &Unit<'_>, index: Index, rows: &mut Rows) {
    rows.push(row::secondary(index, number::RANGE), [low, high].concat());
    for (code, system) in unit.names() {
        let range = row::secondary(index, UNIT_RANGE);
        rows.push(range, [ranged(code, None), low.into(), high.into()].concat());
        if !system.is_empty() {
            rows.push(range, [ranged(code, Some(system)), low.into(), high.into()].concat());
        }
    }
}

/// What comes before a point.
fn named(code: &str) -> Vec<u8> {
    let mut before = Vec::with_capacity(64);
    push_part(&mut before, code, CODE_MAX);
    before.push(0);
    before
}

/// What comes before a range.
fn ranged(code: &str, system: Option<&str>) -> Vec<u8> {
    let mut before = vec![if system.is_some() { 2 } else { 1 }];
    for (part, length_max) in [(Some(code), CODE_MAX), (system, SYSTEM_MAX)] {
        if let Some(part) = part {
            push_part(&mut before, part, length_max);
            before.push(0);
        }
    }
    before
}

pub(super) fn filter(index: Index, value: &str) -> Result<Filter, BadValue> {
    let parts: Vec<_> = split(value, b'|').collect();
    let (number, system, code) = match parts.as_slice() {
        [number] | [number, "", ""] => (number, "", ""),
        [number, system, code] if !code.is_empty() => (number, *system, *code),
        _ => return Err(BadValue(FORM)),
    };
    let (prefix, number) = number::parse(number).ok_or(BadValue(FORM))?;
    if code.is_empty() {
        return Ok(number::filter_parsed(index, prefix, &number));
    }
    let (system, code) = (unescape(system), unescape(code));
    let system = Some(system.as_ref()).filter(|system| !system.is_empty());
    let after = system.map(|system| {
        let mut bytes = Vec::new();
        push_part(&mut bytes, system, SYSTEM_MAX);
        Range { low: std::ops::Bound::Included(bytes.clone()), high: std::ops::Bound::Included(bytes) }
    });
    let points = Place { index: row::secondary(index, UNIT), before: named(&code), after };
    let ranges = Place { index: row::secondary(index, UNIT_RANGE), before: ranged(&code, system), after: None };
    Ok(number::compare(prefix, &number, &points, &ranges))
}

#[cfg(test)]
mod tests {
    use crate::testing::{check, check_refused};

    fn observation(quantity: &str) -> String {
        format!(
            r#"{{"resourceType":"Observation","id":"o","status":"final","code":{{"text":"x"}},"valueQuantity":{quantity}}}"#
        )
    }

    #[test]
    fn compares_numbers_and_units() {
        check(
            &observation(
                r#"{"value":5.40,"unit":"mmol per litre","system":"http://unitsofmeasure.org","code":"mmol/L"}"#,
            ),
            &[
                ("value-quantity=5.4", true),
                ("value-quantity=5.40", true),
                ("value-quantity=5", true),
                ("value-quantity=5.5", false),
                ("value-quantity=5.4|http://unitsofmeasure.org|mmol/L", true),
                ("value-quantity=5.4|http://unitsofmeasure.org|mg/dL", false),
                ("value-quantity=5.4|http://other.example|mmol/L", false),
                ("value-quantity=5.4||mmol/L", true),
                ("value-quantity=5.4||mmol per litre", true),
                ("value-quantity=5.4||mmol", false),
                ("value-quantity=5.4|http://unitsofmeasure.org|mmol per litre", false),
                ("value-quantity=gt5.39|http://unitsofmeasure.org|mmol/L", true),
                ("value-quantity=gt5.4|http://unitsofmeasure.org|mmol/L", false),
                ("value-quantity=ge5.4|http://unitsofmeasure.org|mmol/L", true),
                ("value-quantity=lt5.4||mmol/L", false),
                ("value-quantity=le5.4||mmol/L", true),
                ("value-quantity=ap5||mmol/L", true),
                ("value-quantity=ne5.4||mmol/L", false),
                ("value-quantity=ne6||mmol/L", true),
                ("value-quantity=ne6||mg", false),
                ("value-quantity=6,5.4", true),
                ("value-quantity=gt5&value-quantity=lt6", true),
                ("combo-value-quantity=5.4||mmol/L", true),
                ("value-quantity:missing=false", true),
            ],
        );
    }

    #[test]
    fn finds_units_without_code_or_system() {
        check(
            &observation(r#"{"value":12,"unit":"drops"}"#),
            &[
                ("value-quantity=12||drops", true),
                ("value-quantity=12|http://unitsofmeasure.org|drops", false),
                ("value-quantity=12||", true),
                ("value-quantity=12", true),
            ],
        );
        check(
            &observation(r#"{"unit":"drops"}"#),
            &[("value-quantity=gt0", false), ("value-quantity:missing=false", true)],
        );
    }

    #[test]
    fn a_comparator_makes_a_range() {
        let at_least = observation(
            r#"{"value":60,"comparator":">","unit":"mL/min","system":"http://unitsofmeasure.org","code":"mL/min"}"#,
        );
        check(
            &at_least,
            &[
                ("value-quantity=gt90", true),
                ("value-quantity=gt90|http://unitsofmeasure.org|mL/min", true),
                ("value-quantity=gt90||mL/min", true),
                ("value-quantity=gt90||mL", false),
                ("value-quantity=gt90|http://other.example|mL/min", false),
                ("value-quantity=lt60", false),
                ("value-quantity=60", false),
                ("value-quantity=sa50", true),
                ("value-quantity:missing=false", true),
            ],
        );
    }

    #[test]
    fn compares_money_ages_and_ranges() {
        let invoice =
            r#"{"resourceType":"Invoice","id":"i","status":"issued","totalNet":{"value":40.5,"currency":"GBP"}}"#;
        check(
            invoice,
            &[
                ("totalnet=40.5|urn:iso:std:iso:4217|GBP", true),
                ("totalnet=40.5||GBP", true),
                ("totalnet=40.5||EUR", false),
                ("totalnet=lt50", true),
            ],
        );
        let condition = |onset: &str| {
            format!(r#"{{"resourceType":"Condition","id":"c","subject":{{"reference":"Patient/p"}},{onset}}}"#)
        };
        let age =
            condition(r#""onsetAge":{"value":52,"unit":"years","system":"http://unitsofmeasure.org","code":"a"}"#);
        check(
            &age,
            &[
                ("onset-age=52", true),
                ("onset-age=gt50|http://unitsofmeasure.org|a", true),
                ("onset-age=gt52||a", false),
            ],
        );
        let range = condition(r#""onsetRange":{"low":{"value":40,"code":"a"},"high":{"value":50,"code":"a"}}"#);
        check(
            &range,
            &[
                ("onset-age=45", false),
                ("onset-age=ap45", true),
                ("onset-age=gt45||a", true),
                ("onset-age=gt50||a", false),
                ("onset-age=lt45||mo", false),
            ],
        );
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        check_refused(
            "Observation",
            &[
                ("value-quantity=", "parameter `value-quantity` has the value ``, expected `5.4`"),
                ("value-quantity=|s|c", "expected `5.4`"),
                ("value-quantity=5|mg", "expected `5.4`"),
                ("value-quantity=5|http://unitsofmeasure.org|", "expected `5.4`"),
                ("value-quantity=5|a|b|c", "expected `5.4`"),
                ("value-quantity=five||mg", "expected `5.4`"),
                ("value-quantity:exact=5", "modifier `:exact`"),
            ],
        );
    }
}
