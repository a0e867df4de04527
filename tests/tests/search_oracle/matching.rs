//! Whether one value of a resource is what one value of a query asks for, type by type,
//! <https://hl7.org/fhir/R4/search.html#ptypes>.

use fhir::Decimal;
use fhir::definitions::{SearchKind, SearchParameter};
use fhir::fhirpath::Item;

use super::escapes::{split, unescape};
use super::spans::{Span, split_prefix};
use super::truth::{Truth, all, any};
use super::units::{self, UCUM};
use super::values::{self, Link, System, Token, fold};
use super::world::{World, components};

/// Microseconds.
const DAY: i64 = 24 * 3600 * 1_000_000;

/// Whether an element is what `wanted`, one alternative of a value, asks for.
pub(super) fn item_matches(
    world: &World,
    kind: SearchKind,
    modifier: &str,
    item: &Item<'static>,
    wanted: &str,
) -> Truth {
    match kind {
        SearchKind::Number => number(item, wanted),
        SearchKind::Date => date(world, item, wanted),
        SearchKind::String => string(modifier, item, &unescape(wanted)),
        SearchKind::Token if modifier == "of-type" => of_type(item, wanted),
        SearchKind::Token => any(values::tokens(item).iter().map(|token| token_matches(token, wanted))),
        SearchKind::Reference if modifier == "identifier" => identifier(item, wanted),
        SearchKind::Reference => reference(world, modifier, item, &unescape(wanted)),
        SearchKind::Quantity => quantity(item, wanted),
        SearchKind::Uri => uri(modifier, item, &unescape(wanted)),
        SearchKind::Composite | SearchKind::Special => panic!("an element of a {kind:?} has no value of its own"),
    }
}

/// Whether an element has a value for each component of a composite. A concept without a code may count or not.
pub(super) fn has_components(
    world: &World,
    place: usize,
    parameter: &'static SearchParameter,
    item: &Item<'static>,
) -> Truth {
    all(components(parameter).into_iter().map(|(kind, expression)| {
        let found = world.evaluate(place, expression, item.clone());
        let has_code = |item: &Item<'_>| values::tokens(item).iter().any(|token| token.code.is_some());
        match kind {
            SearchKind::Token if !found.is_empty() && !found.iter().any(has_code) => None,
            _ => Some(!found.is_empty()),
        }
    }))
}

/// Whether all components of a composite hold on one element.
pub(super) fn composite(
    world: &World,
    place: usize,
    parameter: &'static SearchParameter,
    item: &Item<'static>,
    wanted: &str,
) -> Truth {
    let parts = split(wanted, '$');
    all(components(parameter).into_iter().zip(parts).map(|((kind, expression), part)| {
        let values = world.evaluate(place, expression, item.clone());
        any(values.iter().map(|value| item_matches(world, kind, "", value, &part)))
    }))
}

fn number(item: &Item<'_>, wanted: &str) -> Truth {
    let (prefix, text) = split_prefix(wanted);
    let number = Decimal::parse(text).expect("a number");
    values::number(item).map_or(Some(false), |span| compare_number(prefix, &number, &span, Some))
}

/// A number searched for is all that rounds to it with `eq` and `ne`, and itself with the other prefixes. `scale` brings what is
/// compared to the target's unit.
fn compare_number(
    prefix: &str,
    wanted: &Decimal,
    target: &Span<Decimal>,
    scale: impl Fn(Decimal) -> Option<Decimal>,
) -> Truth {
    let scaled = |span: Span<Decimal>| Some(Span { low: scale(span.low?), high: scale(span.high?), ..span });
    match prefix {
        "eq" | "ne" => scaled(around(wanted, &rounding(wanted)))?.compare(prefix, target),
        // Ten percent, and no less than rounds to the number.
        "ap" => {
            let tenth = wanted.abs().checked_mul(Decimal::parse("0.1")?)?;
            let near = Span { is_open: false, ..around(wanted, &tenth.max(rounding(wanted))) };
            Some(scaled(near)?.overlaps(target))
        }
        _ => {
            let exact = scaled(Span::point(*wanted))?;
            match prefix {
                // Whether the range above a number begins with the number itself is not said.
                "ge" if target.low != target.high && target.high == exact.low => None,
                "le" if target.low != target.high && target.low == exact.low => None,
                _ => exact.compare(prefix, target),
            }
        }
    }
}

/// Half a unit of the last digit given; R4 gives 95 to 105 for `1e2`, whose only digit stands left of the units.
fn rounding(number: &Decimal) -> Decimal {
    let is_one_digit = number.scale() < 0 && number.mantissa().abs() < 10;
    let half = Decimal::parse(if is_one_digit { "0.05" } else { "0.5" }).expect("a number");
    Decimal::new(1, number.scale()).and_then(|unit| unit.checked_mul(half)).expect("in range")
}

/// All within a distance of a number, the upper end outside.
fn around(number: &Decimal, distance: &Decimal) -> Span<Decimal> {
    let (low, high) = (number.checked_sub(*distance), number.checked_add(*distance));
    Span { low, high, is_open: true }
}

fn date(world: &World, item: &Item<'_>, wanted: &str) -> Truth {
    let (prefix, text) = split_prefix(wanted);
    let wanted = values::moment(text).expect("a date");
    let Some(target) = values::time(item) else { return Some(false) };
    if prefix != "ap" {
        return wanted.compare(prefix, &target);
    }
    // A tenth of the time between the value and today.
    let (start, end) = (wanted.low.expect("it begins"), wanted.high.expect("it ends"));
    let now = *world.now.borrow();
    let today = now - now.rem_euclid(DAY);
    let distance = (start - today - DAY).max(today - end).max(0) / 10;
    Some(Span { low: Some(start - distance), high: Some(end + distance), is_open: true }.overlaps(&target))
}

fn string(modifier: &str, item: &Item<'_>, wanted: &str) -> Truth {
    let folded = fold(wanted);
    Some(values::strings(item).iter().any(|text| match modifier {
        "exact" => text == wanted,
        "contains" => fold(text).contains(&folded),
        _ => fold(text).starts_with(&folded),
    }))
}

fn token_matches(token: &Token, wanted: &str) -> Truth {
    match split(wanted, '|').as_slice() {
        [code] => code_matches(token, &unescape(code), false),
        [system, code] => {
            let code = if code.is_empty() { Some(true) } else { code_matches(token, &unescape(code), true) };
            all([system_matches(token, &unescape(system)), code])
        }
        _ => panic!("`{wanted}` is no token"),
    }
}

/// Codes compare without case, unless their system tells cases apart; of a code that was asked for without its system that
/// cannot be known.
fn code_matches(token: &Token, wanted: &str, has_system: bool) -> Truth {
    let Some(code) = &token.code else { return Some(false) };
    let is_cased = match &token.system {
        System::Given(system) => tells_cases_apart(system),
        System::Implied(systems) => systems.iter().any(|system| tells_cases_apart(system)),
        System::Name => true,
        System::Never | System::Absent | System::Unclear => false,
    };
    match (code == wanted, code.to_lowercase() == wanted.to_lowercase()) {
        (true, _) => Some(true),
        (false, true) if is_cased && !has_system && *code == code.to_lowercase() => None,
        (false, is_alike) => Some(is_alike && !is_cased),
    }
}

/// The systems that R4 itself defines do, but for the tables of version 2, which do not say.
fn tells_cases_apart(system: &str) -> bool {
    let own = ["http://hl7.org/fhir/", "http://terminology.hl7.org/CodeSystem/", UCUM];
    let others = ["http://hl7.org/fhir/sid/", "http://terminology.hl7.org/CodeSystem/v2-"];
    own.iter().any(|start| system.starts_with(start)) && !others.iter().any(|start| system.starts_with(start))
}

/// An empty system asks for a token without one.
fn system_matches(token: &Token, wanted: &str) -> Truth {
    match &token.system {
        System::Given(system) => Some(system == wanted),
        System::Never | System::Name | System::Absent => Some(wanted.is_empty()),
        System::Implied(systems) if wanted.is_empty() => systems.is_empty().then_some(true),
        System::Implied(systems) => match systems.contains(&wanted) {
            // Of several systems that list a code, one or none may be meant.
            true if systems.len() == 1 => Some(true),
            is_listed => (!is_listed && !systems.is_empty()).then_some(false),
        },
        System::Unclear => None,
    }
}

/// `system|code|value`: an Identifier of this type with this value.
fn of_type(item: &Item<'_>, wanted: &str) -> Truth {
    let parts: Vec<_> = split(wanted, '|').iter().map(|part| unescape(part)).collect();
    let [system, code, value] = parts.as_slice() else { panic!("`{wanted}` names no typed identifier") };
    let Some((types, found)) = values::typed_identifier(item) else { return Some(false) };
    let alike = |one: &str, other: &str| one.to_lowercase() == other.to_lowercase();
    let is_code = |found: &str| found == code || (!tells_cases_apart(system) && alike(found, code));
    let of_type = types.iter().any(|(its_system, its_code)| its_system == system && is_code(its_code));
    Some(of_type && alike(&found, value))
}

/// The logical identifier of a reference, as a token.
fn identifier(item: &Item<'_>, wanted: &str) -> Truth {
    let Some(identifier) = values::node(item).and_then(|reference| reference.get("identifier")) else {
        return Some(false);
    };
    let system = values::member(identifier, "system").map_or(System::Absent, System::Given);
    token_matches(&Token { system, code: values::member(identifier, "value") }, wanted)
}

/// `modifier` may name the type that the reference leads to.
fn reference(world: &World, modifier: &str, item: &Item<'_>, wanted: &str) -> Truth {
    let Some(found) = values::reference_text(item) else { return Some(false) };
    let Some(found) = values::link(&world.base_url, &found) else { return Some(false) };
    let Some(wanted) = values::link(&world.base_url, wanted) else {
        // An id alone.
        return Some(match &found {
            Link::Local { resource_type, id } => id == wanted && (modifier.is_empty() || modifier == resource_type),
            Link::Url { .. } => false,
        });
    };
    Some(match (&found, &wanted) {
        (Link::Url { url, .. }, Link::Url { url: wanted, version: None }) => url == wanted,
        _ => found == wanted,
    })
}

fn quantity(item: &Item<'_>, wanted: &str) -> Truth {
    let parts: Vec<_> = split(wanted, '|').iter().map(|part| unescape(part)).collect();
    let (prefix, text) = split_prefix(&parts[0]);
    let number = Decimal::parse(text).expect("a number");
    let Some(found) = values::quantity(item) else { return Some(false) };
    let is_code = |wanted: &str| found.code.as_deref() == Some(wanted);
    // R4 does not say on which side of `<5` the number 5 lies.
    let is_touched =
        |number: &Decimal| found.has_comparator && [found.span.low, found.span.high].contains(&Some(*number));
    let as_written = || if is_touched(&number) { None } else { compare_number(prefix, &number, &found.span, Some) };
    let (system, code) = match &parts[1..] {
        [] => return as_written(),
        [system, code] => (system, code),
        _ => panic!("`{wanted}` is no quantity"),
    };
    if system.is_empty() {
        return if is_code(code) || found.unit.as_deref() == Some(code) { as_written() } else { Some(false) };
    }
    if found.system.as_deref() != Some(system) {
        return Some(false);
    }
    let its_unit = found.code.as_deref().and_then(units::unit);
    let (wanted_unit, its_unit) = match (units::unit(code).filter(|_| system == UCUM), its_unit) {
        (Some(wanted), Some(its)) => (wanted, its),
        _ if is_code(code) => return as_written(),
        _ if system == UCUM => return None,
        _ => return Some(false),
    };
    if wanted_unit.measures != its_unit.measures {
        return Some(false);
    }
    let beside = |number| its_unit.beside(&wanted_unit, number);
    let span = Span { low: found.span.low.and_then(beside), high: found.span.high.and_then(beside), ..found.span };
    let scale = |number| wanted_unit.beside(&its_unit, number);
    let exact = scale(number);
    if found.has_comparator && [span.low, span.high].contains(&exact) {
        return None;
    }
    compare_number(prefix, &number, &span, scale)
}

fn uri(modifier: &str, item: &Item<'_>, wanted: &str) -> Truth {
    let Some(found) = values::text(item) else { return Some(false) };
    match modifier {
        "below" => is_below(&found, wanted),
        "above" => is_below(wanted, &found),
        _ if found == wanted => Some(true),
        // A canonical with its version, for a parameter that is not a reference.
        _ => {
            if found.split('|').next() == Some(wanted) {
                None
            } else {
                Some(false)
            }
        }
    }
}

/// Whether a URL is another one or inside it: only URLs have an inside.
fn is_below(url: &str, parent: &str) -> Truth {
    let Some(rest) = url.strip_prefix(parent) else { return Some(false) };
    let is_whole_segment = rest.is_empty() || rest.starts_with('/') || parent.ends_with('/');
    match parent.contains("://") && is_whole_segment {
        true => Some(true),
        false => None,
    }
}
