//! Quantity parameters, <https://hl7.org/fhir/R4/search.html#quantity>: numbers with a unit.
//!
//! A quantity is compared as a [number](super::number) is. Its number alone has a row in the main index. What has a unit of UCUM has
//! a row `base 0 number code` in the index `base`, the number in base units, which is where a query with a unit of UCUM looks: mg and
//! g are one there. All other units, money too, are compared as written: in the index `unit` stand rows `code 0 number system`, one
//! for the code, and for every quantity one for the human unit where that is written differently.
//!
//! A Range, a quantity with a comparator, which is a range open at one end, and SampledData, which reaches from its least to its
//! greatest value, stand in `range`, `unit-range` (`1 code 0` or `2 code 0 system 0` before the ends) and `base-range`. An end that
//! does not belong to the range is the key next to it, which no number has.

mod span;

use std::borrow::Cow;
use std::ops::Bound;
use std::sync::Arc;

use fhir::Decimal;
use fhir::fhirpath::Item;
use fhir::json::Node;
use fhir::ucum;
use store::{Filter, Index, Range};

use self::span::{End, Span, decimal, sampled};
use super::item::{member, node, type_name};
use super::number::{self, ENDS, Edges, Place};
use super::{BadValue, Prefix};
use crate::escape::{split, unescape};
use crate::row::{self, Rows, push_part};

pub(super) const MODIFIERS: &[&str] = &["missing"];

const FORM: &str = "`5.4`, `5.4|system|code` or `5.4||code`, after a prefix such as `ge` if wanted";
const UNIT: &str = "unit";
const UNIT_RANGE: &str = "unit-range";
const BASE: &str = "base";
const BASE_RANGE: &str = "base-range";
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

    /// The same where it is one of UCUM.
    fn in_base(&self) -> Option<Arc<ucum::Unit>> {
        let code = self.code.as_deref().filter(|_| self.system.as_deref() == Some(ucum::SYSTEM))?;
        ucum::Unit::of(code)
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
            let end = |name| decimal(node.get(name)?, "value").map(End::At);
            match (end("low"), end("high")) {
                (None, None) => {}
                (low, high) => range_rows((low.unwrap_or(End::Open), high.unwrap_or(End::Open)), &unit, index, rows),
            }
        }
        "SampledData" => {
            let unit = node.get("origin").map(Unit::of).unwrap_or_default();
            if let Some(span) = sampled(node) {
                range_rows(span, &unit, index, rows);
            }
        }
        _ => quantity_rows(node, &Unit::of(node), index, rows),
    }
}

fn quantity_rows(quantity: Node<'_>, unit: &Unit<'_>, index: Index, rows: &mut Rows) {
    let Some(value) = decimal(quantity, "value") else { return };
    match member(quantity, "comparator").as_deref() {
        Some("<") => range_rows((End::Open, End::Below(value)), unit, index, rows),
        Some("<=") => range_rows((End::Open, End::At(value)), unit, index, rows),
        Some(">") => range_rows((End::Above(value), End::Open), unit, index, rows),
        Some(">=") => range_rows((End::At(value), End::Open), unit, index, rows),
        _ => point_rows(value, unit, index, rows),
    }
}

fn point_rows(value: Decimal, unit: &Unit<'_>, index: Index, rows: &mut Rows) {
    let key = number::key(&value);
    rows.push(index, key.into());
    let base = unit.in_base().and_then(|base| Some((base.to_base(value)?, base)));
    if let (Some((value, base)), Some(code)) = (&base, unit.code.as_deref()) {
        rows.push(
            row::secondary(index, BASE),
            [&named(base.base()), &number::key(value)[..], code.as_bytes()].concat(),
        );
    }
    // What has a row in base units says its code there.
    for (name, system) in unit.names().filter(|(_, system)| base.is_none() || system.is_empty()) {
        let mut value = named(name);
        value.extend_from_slice(&key);
        push_part(&mut value, system, SYSTEM_MAX);
        rows.push(row::secondary(index, UNIT), value);
    }
}

fn range_rows((low, high): Span, unit: &Unit<'_>, index: Index, rows: &mut Rows) {
    let ends = |convert: &dyn Fn(Decimal) -> Option<Decimal>| {
        Some([low.key(ENDS.0, convert)?, high.key(ENDS.1, convert)?].concat())
    };
    let Some(written) = ends(&Some) else { return };
    for (code, system) in unit.names() {
        let range = row::secondary(index, UNIT_RANGE);
        rows.push(range, [ranged(code, None), written.clone()].concat());
        if !system.is_empty() {
            rows.push(range, [ranged(code, Some(system)), written.clone()].concat());
        }
    }
    rows.push(row::secondary(index, number::RANGE), written);
    if let Some(unit) = unit.in_base()
        && let Some(ends) = ends(&|number| unit.to_base(number))
    {
        rows.push(row::secondary(index, BASE_RANGE), [named(unit.base()), ends].concat());
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
    let base =
        ucum::Unit::of(&code).and_then(|unit| Some((Edges::converted(&number, |edge| unit.to_base(edge))?, unit)));
    let base_place = |name, unit: &ucum::Unit, after| Place {
        index: row::secondary(index, name),
        before: named(unit.base()),
        after,
    };
    match (system.as_ref(), base) {
        (ucum::SYSTEM, Some((number, unit))) => {
            let (points, ranges) = (base_place(BASE, &unit, None), base_place(BASE_RANGE, &unit, None));
            Ok(number::compare(prefix, &number, &points, Some(&ranges)))
        }
        ("", Some((in_base, unit))) => {
            let points = base_place(BASE, &unit, Some(exactly(&code, CODE_MAX)));
            let coded = number::compare(prefix, &in_base, &points, None);
            Ok(Filter::Any(vec![coded, written_filter(index, prefix, &number, "", &code)]))
        }
        _ => Ok(written_filter(index, prefix, &number, &system, &code)),
    }
}

/// For a unit that is compared as it is written; without a system it may be a code or a human unit.
fn written_filter(index: Index, prefix: Prefix, number: &Decimal, system: &str, code: &str) -> Filter {
    let system = Some(system).filter(|system| !system.is_empty());
    let points = Place {
        index: row::secondary(index, UNIT),
        before: named(code),
        after: system.map(|system| exactly(system, SYSTEM_MAX)),
    };
    let ranges = Place { index: row::secondary(index, UNIT_RANGE), before: ranged(code, system), after: None };
    number::compare(prefix, &Edges::of(number), &points, Some(&ranges))
}

fn exactly(part: &str, length_max: usize) -> Range {
    let mut bytes = Vec::new();
    push_part(&mut bytes, part, length_max);
    Range { low: Bound::Included(bytes.clone()), high: Bound::Included(bytes) }
}

#[cfg(test)]
mod tests {
    use crate::testing::{PREFIXES, check, check_refused};

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
    fn converts_units_of_ucum() {
        let ucum = |value: &str, code: &str| {
            observation(&format!(
                r#"{{"value":{value},"unit":"as written","system":"http://unitsofmeasure.org","code":"{code}"}}"#
            ))
        };
        let unit = |value: &str, code: &str| format!("value-quantity={value}|http://unitsofmeasure.org|{code}");
        // A stored value, and what a query with another unit says of it.
        let cases = [
            ("5", "mg", "0.005", "g", true),
            ("5", "mg", "5e-3", "g", true),
            ("5", "mg", "0.0050", "g", true),
            ("5", "mg", "0.006", "g", false),
            ("5", "mg", "5000", "ug", true),
            ("5", "mg", "5", "g", false),
            ("5", "mg", "5", "mL", false),
            ("5", "mg", "ge0.005", "g", true),
            ("5", "mg", "le0.005", "g", true),
            ("5", "mg", "gt0.005", "g", false),
            ("5", "mg", "lt0.005", "g", false),
            ("5", "mg", "gt0.00499999999999", "g", true),
            ("5", "mg", "ne0.005", "g", false),
            ("5", "mg", "ne0.007", "g", true),
            ("5", "mg", "ne0.007", "m", false),
            ("5", "mg", "sa4999", "ug", true),
            ("5", "mg", "eb5001", "ug", true),
            ("5", "mg", "ap5400", "ug", true),
            ("5", "mg", "ap6000", "ug", false),
            ("182", "cm", "1.82", "m", true),
            ("182", "cm", "gt71", "[in_i]", true),
            ("182", "cm", "gt72", "[in_i]", false),
            ("37", "Cel", "98.6", "[degF]", true),
            ("37", "Cel", "ge98.6", "[degF]", true),
            ("37", "Cel", "gt98.6", "[degF]", false),
            ("37.0", "Cel", "99.5", "[degF]", false),
            ("98.6", "[degF]", "37", "Cel", true),
            ("98.6", "[degF]", "le37", "Cel", true),
            ("98.6", "[degF]", "310.15", "K", true),
            // The precision is that of the query, at both ends: 36.5 to 37.5 Cel.
            ("97.7", "[degF]", "37", "Cel", true),
            ("97.6", "[degF]", "37", "Cel", false),
            ("99.4", "[degF]", "37", "Cel", true),
            ("99.5", "[degF]", "37", "Cel", false),
            ("72", "{beats}/min", "72", "/min", true),
            ("72", "/min", "1.2", "Hz", true),
            ("7.1", "10*3/uL", "7.1", "10*9/L", true),
            ("120", "mm[Hg]", "gt15.9", "kPa", true),
            ("1", "[iU]/mL", "1", "k[iU]/L", true),
            ("7.4", "[pH]", "7.4", "[pH]", true),
            ("7.4", "[pH]", "7.5", "[pH]", false),
            ("3", "furlong", "3", "furlong", true),
            ("5", "mg", "5", "MG", false),
        ];
        for (value, code, wanted, wanted_code, expected) in cases {
            check(&ucum(value, code), &[(&unit(wanted, wanted_code), expected)]);
        }
        // Without the system, and without a unit at all, nothing is converted.
        check(
            &ucum("5", "mg"),
            &[
                ("value-quantity=5||mg", true),
                ("value-quantity=0.005||g", false),
                ("value-quantity=5||as written", true),
                ("value-quantity=5", true),
                ("value-quantity=0.005", false),
                ("value-quantity=5|urn:other|mg", false),
            ],
        );
        check(
            &observation(r#"{"value":5,"unit":"mg","code":"mg"}"#),
            &[(&unit("5", "mg"), false), (&unit("0.005", "g"), false), ("value-quantity=5||mg", true)],
        );
    }

    #[test]
    fn samples_reach_from_the_least_to_the_greatest() {
        let sampled = |members: &str| {
            format!(
                r#"{{"resourceType":"Observation","id":"o","status":"final","code":{{"text":"x"}},"valueSampledData":{{
                "origin":{{"value":10,"system":"http://unitsofmeasure.org","code":"mV"}},"period":1,"dimensions":1,{members}}}}}"#
            )
        };
        // From 8 to 16 mV.
        let values = sampled(r#""factor":2,"data":"-1 E 3 0""#);
        check(
            &values,
            &[
                ("value-quantity=gt15.9", true),
                ("value-quantity=gt16", false),
                ("value-quantity=lt8.1", true),
                ("value-quantity=lt8", false),
                ("value-quantity=sa7", true),
                ("value-quantity=eb17", true),
                ("value-quantity=1e1", false),
                ("value-quantity=gt0.015|http://unitsofmeasure.org|V", true),
                ("value-quantity=gt0.016|http://unitsofmeasure.org|V", false),
                ("value-quantity=gt15||mV", true),
                ("value-quantity=gt15||V", false),
            ],
        );
        let limited = sampled(r#""lowerLimit":-5,"upperLimit":50,"data":"L 1 U""#);
        check(
            &limited,
            &[
                ("value-quantity=lt-4", true),
                ("value-quantity=lt-5", false),
                ("value-quantity=gt49", true),
                ("value-quantity=gt50", false),
            ],
        );
        let open = sampled(r#""data":"L 1 U""#);
        check(&open, &[("value-quantity=lt-1000", true), ("value-quantity=gt1000", true)]);
        let failed = sampled(r#""data":"E E""#);
        check(&failed, &[("value-quantity=gt0", false), ("value-quantity:missing=false", true)]);
    }

    #[test]
    fn a_comparator_says_whether_the_end_belongs_to_the_range() {
        // A comparator, and for 60 the prefixes eq ne gt lt ge le sa eb ap.
        let cases = [("<", "-y-y-y-yy"), ("<=", "-y-yyy--y"), (">", "-yy-y-y-y"), (">=", "-yy-yy--y")];
        for (comparator, expected) in cases {
            let quantity = observation(&format!(
                r#"{{"value":60,"comparator":"{comparator}","system":"http://unitsofmeasure.org","code":"g"}}"#
            ));
            let letters = PREFIXES.iter().zip(expected.chars());
            for (prefix, letter) in letters {
                for unit in ["", "||g", "|http://unitsofmeasure.org|g"] {
                    check(&quantity, &[(&format!("value-quantity={prefix}60{unit}"), letter == 'y')]);
                }
                check(
                    &quantity,
                    &[(&format!("value-quantity={prefix}60000|http://unitsofmeasure.org|mg"), letter == 'y')],
                );
            }
        }
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
