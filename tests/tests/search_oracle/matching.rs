//! Whether one value of a resource is what one value of a query asks for, type by type,
//! <https://hl7.org/fhir/R4/search.html#ptypes>.

use fhir::Decimal;
use fhir::definitions::{SearchKind, SearchParameter};
use fhir::fhirpath::Item;

use super::escapes::{split, unescape};
use super::spans::{Span, split_prefix};
use super::truth::{Truth, all, any};
use super::values::{self, Link, System, Token, fold};
use super::world::{World, components};

const UCUM: &str = "http://unitsofmeasure.org";

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
    values::number(item).map_or(Some(false), |span| compare_number(prefix, &number, &span))
}

/// A number searched for is all that rounds to it with `eq` and `ne`, and itself with the other prefixes.
fn compare_number(prefix: &str, wanted: &Decimal, target: &Span<Decimal>) -> Truth {
    let exact = Span::point(*wanted);
    match prefix {
        // R4 gives 95 to 105 for `1e2`, which is not half a unit of the last digit given.
        "eq" | "ne" if wanted.scale() < 0 => {
            let [narrow, wide] = ["0.05", "0.5"].map(|half| around(wanted, &place_value(wanted, half)));
            let [narrow, wide] = [narrow, wide].map(|span| span.compare(prefix, target));
            if narrow == wide { narrow } else { None }
        }
        "eq" | "ne" => around(wanted, &place_value(wanted, "0.5")).compare(prefix, target),
        "ap" => {
            let tenth = wanted.abs().checked_mul(Decimal::parse("0.1")?)?;
            let rounding = place_value(wanted, "0.5");
            let [narrow, wide] = ["0.999", "1.001"].map(|factor| tenth.checked_mul(Decimal::parse(factor)?));
            match (around(wanted, &narrow?).overlaps(target), around(wanted, &wide?.max(rounding)).overlaps(target)) {
                (true, _) => Some(true),
                (false, true) => None,
                (false, false) => Some(false),
            }
        }
        // Whether the range above a number begins with the number itself is not said.
        "ge" if target.low != target.high && target.high == Some(*wanted) => None,
        "le" if target.low != target.high && target.low == Some(*wanted) => None,
        _ => exact.compare(prefix, target),
    }
}

/// So many units of the last digit that was given.
fn place_value(number: &Decimal, units: &str) -> Decimal {
    let unit = Decimal::new(1, number.scale()).expect("in range");
    unit.checked_mul(Decimal::parse(units).expect("a number")).expect("in range")
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
    // R4 recommends a tenth of the time between then and now, and leaves it to the server.
    if wanted.overlaps(&target) {
        return Some(true);
    }
    let (start, end) = (wanted.low.expect("it begins"), wanted.high.expect("it ends"));
    let gap = (start - *world.now.borrow()).abs().max((end - *world.now.borrow()).abs()) / 10;
    let distance = gap.max(end - start).saturating_add(1_000_000);
    let wide = Span { low: Some(start - distance), high: Some(end + distance), is_open: true };
    if wide.overlaps(&target) { None } else { Some(false) }
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
        [code] => code_matches(token, &unescape(code)),
        [system, code] => {
            let code = if code.is_empty() { Some(true) } else { code_matches(token, &unescape(code)) };
            all([system_matches(token, &unescape(system)), code])
        }
        _ => panic!("`{wanted}` is no token"),
    }
}

/// Codes that differ in case only: when in doubt, servers should find them.
fn code_matches(token: &Token, wanted: &str) -> Truth {
    match &token.code {
        Some(code) if code == wanted => Some(true),
        Some(code) if code.to_lowercase() == wanted.to_lowercase() => None,
        _ => Some(false),
    }
}

/// An empty system asks for a token without one.
fn system_matches(token: &Token, wanted: &str) -> Truth {
    match &token.system {
        System::Given(system) => Some(system == wanted),
        System::Never | System::Absent => Some(wanted.is_empty()),
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
    let same = |one: &str, other: &str| match one == other {
        true => Some(true),
        false if one.to_lowercase() == other.to_lowercase() => None,
        false => Some(false),
    };
    let of_type = types.iter().map(|(its_system, its_code)| all([Some(its_system == system), same(its_code, code)]));
    all([any(of_type), same(&found, value)])
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
    let is_unit = match &parts[1..] {
        [] => Some(true),
        [system, code] if system.is_empty() => Some(is_code(code) || found.unit.as_deref() == Some(code)),
        [system, code] => match found.system.as_deref() == Some(system) {
            true if is_code(code) => Some(true),
            // One UCUM unit may be converted into the other.
            true if system == UCUM => None,
            _ => Some(false),
        },
        _ => panic!("`{wanted}` is no quantity"),
    };
    // R4 does not say on which side of `<5` the number 5 lies.
    let is_touched = found.has_comparator && [found.span.low, found.span.high].contains(&Some(number));
    let is_decided = is_unit.is_some() && found.is_certain && !is_touched;
    let number = if is_decided { compare_number(prefix, &number, &found.span) } else { None };
    all([is_unit, number])
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
