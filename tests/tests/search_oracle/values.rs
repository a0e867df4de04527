//! What the elements of a resource say, each read in the way of one search type.

use fhir::fhirpath::Item;
use fhir::json::{Kind, Node};
use fhir::{DateTime, Decimal, Definitions};
use unicode_normalization::UnicodeNormalization;

use super::spans::Span;

/// The name of an element's type; empty for what an expression has computed.
pub(super) fn type_name(item: &Item<'_>) -> &'static str {
    match item {
        Item::Element(element) => element.structure.name,
        _ => "",
    }
}

pub(super) fn node<'a>(item: &Item<'a>) -> Option<Node<'a>> {
    match item {
        Item::Element(element) => element.value,
        _ => None,
    }
}

/// A primitive as text.
pub(super) fn text(item: &Item<'_>) -> Option<String> {
    match item {
        Item::Boolean(value) => Some(value.to_string()),
        Item::Integer(value) => Some(value.to_string()),
        Item::String(text) => Some(text.to_string()),
        Item::Element(_) => primitive(node(item)?),
        _ => None,
    }
}

fn primitive(node: Node<'_>) -> Option<String> {
    match node.kind() {
        Kind::String => node.as_str().map(Into::into),
        Kind::Number | Kind::Boolean => Some(node.raw().to_owned()),
        _ => None,
    }
}

pub(super) fn member(node: Node<'_>, name: &str) -> Option<String> {
    primitive(node.get(name)?)
}

/// The members of these names, those that repeat one by one.
fn members<'a>(node: Node<'a>, names: &'a [&str]) -> impl Iterator<Item = String> + 'a {
    names.iter().filter_map(move |name| node.get(name)).flat_map(Node::each).filter_map(primitive)
}

/// A code, and what is known of its system.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) system: System,
    pub(super) code: Option<String>,
}

/// Where a code comes from.
#[derive(Debug)]
pub(super) enum System {
    /// The element has no place for a system, nor does a value set give one: texts, ids.
    Never,
    /// The same of an id or a uri, which differs from others in case too.
    Name,
    /// The element could have one and has none.
    Absent,
    Given(String),
    /// The element's value set gives it: these systems list the code.
    Implied(Vec<&'static str>),
    /// The specification does not say what a system would be.
    Unclear,
}

/// The tokens of an element.
pub(super) fn tokens(item: &Item<'_>) -> Vec<Token> {
    let coded = |node: Node<'_>, name: &str| Token {
        system: member(node, "system").map_or(System::Absent, System::Given),
        code: member(node, name),
    };
    match (type_name(item), node(item)) {
        ("Coding", Some(coding)) => vec![coded(coding, "code")],
        ("CodeableConcept", Some(concept)) => {
            let codings = concept.get("coding").into_iter().flat_map(Node::each);
            codings.map(|coding| coded(coding, "code")).collect()
        }
        ("Identifier", Some(identifier)) => vec![coded(identifier, "value")],
        ("ContactPoint", Some(contact)) => vec![Token { system: System::Unclear, code: member(contact, "value") }],
        ("boolean" | "", _) => vec![Token { system: System::Unclear, code: text(item) }],
        ("code", Some(_)) => {
            let code = text(item);
            vec![Token { system: implied_systems(item, code.as_deref()), code }]
        }
        ("id" | "uri" | "url" | "canonical" | "oid" | "uuid", _) => {
            text(item).map(|code| Token { system: System::Name, code: Some(code) }).into_iter().collect()
        }
        _ => text(item).map(|code| Token { system: System::Never, code: Some(code) }).into_iter().collect(),
    }
}

fn implied_systems(item: &Item<'_>, code: Option<&str>) -> System {
    let Item::Element(element) = item else { return System::Unclear };
    let Some(value_set) = element.element.and_then(|element| element.binding) else { return System::Unclear };
    if !value_set.is_enumerated {
        return System::Unclear;
    }
    let lists = |codes: &Vec<&str>| code.is_some_and(|code| codes.contains(&code));
    let systems = value_set.systems.iter().filter(|(_, codes)| lists(codes));
    System::Implied(systems.map(|(system, _)| *system).collect())
}

/// The types (system and code) and the value of an Identifier.
pub(super) fn typed_identifier(item: &Item<'_>) -> Option<(Vec<(String, String)>, String)> {
    let identifier = node(item).filter(|_| type_name(item) == "Identifier")?;
    let codings = identifier.get("type")?.get("coding")?.each();
    let types = codings.filter_map(|coding| Some((member(coding, "system")?, member(coding, "code")?))).collect();
    Some((types, member(identifier, "value")?))
}

/// The strings of an element: one, or those that make up a name or an address.
pub(super) fn strings(item: &Item<'_>) -> Vec<String> {
    const NAME: [&str; 5] = ["text", "family", "given", "prefix", "suffix"];
    const ADDRESS: [&str; 7] = ["text", "line", "city", "district", "state", "postalCode", "country"];
    match (type_name(item), node(item)) {
        ("HumanName", Some(name)) => members(name, &NAME).collect(),
        ("Address", Some(address)) => members(address, &ADDRESS).collect(),
        _ => text(item).into_iter().collect(),
    }
}

/// Without case and accents, white space as single spaces.
pub(super) fn fold(text: &str) -> String {
    let bare = text.nfd().filter(|char| !is_accent(*char)).collect::<String>().to_uppercase();
    let bare = bare.to_lowercase().nfd().filter(|char| !is_accent(*char)).collect::<String>().replace('ς', "σ");
    bare.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_accent(char: char) -> bool {
    matches!(char, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}')
}

/// The time that an element covers, in microseconds.
pub(super) fn time(item: &Item<'_>) -> Option<Span<i64>> {
    let value = node(item)?;
    match type_name(item) {
        "Period" => period(value),
        "Timing" => timing(value),
        _ => moment(&text(item)?),
    }
}

pub(super) fn moment(text: &str) -> Option<Span<i64>> {
    let (start, end) = DateTime::parse(text)?.range();
    Some(Span { low: Some(start.0), high: Some(end.0), is_open: true })
}

fn period(period: Node<'_>) -> Option<Span<i64>> {
    let end = |name: &str| member(period, name).and_then(|text| moment(&text));
    let (start, end) = (end("start"), end("end"));
    if start.is_none() && end.is_none() {
        return None;
    }
    Some(Span { low: start.and_then(|span| span.low), high: end.and_then(|span| span.high), is_open: true })
}

/// The outer limits of a schedule: all its events, and the period of its repetition.
fn timing(timing: Node<'_>) -> Option<Span<i64>> {
    let events = timing.get("event").into_iter().flat_map(Node::each).filter_map(|event| moment(&event.as_str()?));
    let bounds = timing.path(&["repeat", "boundsPeriod"]).and_then(period);
    events.chain(bounds).reduce(|one, other| Span {
        low: one.low.zip(other.low).map(|(one, other)| one.min(other)),
        high: one.high.zip(other.high).map(|(one, other)| one.max(other)),
        is_open: true,
    })
}

/// A number or a Range of them.
pub(super) fn number(item: &Item<'_>) -> Option<Span<Decimal>> {
    match (type_name(item), item) {
        ("Range", _) => Some(limits(node(item)?, "low", "high")),
        (_, Item::Integer(value)) => Some(Span::point(Decimal::from(*value))),
        (_, Item::Decimal(value)) => Some(Span::point(*value)),
        _ => Some(Span::point(Decimal::parse(&text(item)?)?)),
    }
}

fn limits(range: Node<'_>, low: &str, high: &str) -> Span<Decimal> {
    let limit = |name: &str| Decimal::parse(&member(range.get(name)?, "value")?);
    Span { low: limit(low), high: limit(high), is_open: false }
}

/// From the least to the greatest of what was sampled.
fn sampled(data: Node<'_>) -> Option<Span<Decimal>> {
    let number = |name: &str| Decimal::parse(&member(data, name)?);
    let origin = Decimal::parse(&member(data.get("origin")?, "value")?)?;
    let factor = number("factor").unwrap_or(Decimal::from(1));
    let (mut low, mut high, mut all) = (true, true, Vec::new());
    for sample in member(data, "data")?.split_whitespace() {
        let limit = match sample {
            "L" => number("lowerLimit"),
            "U" => number("upperLimit"),
            sample => Decimal::parse(sample).and_then(|sample| sample.checked_mul(factor)?.checked_add(origin)),
        };
        low &= sample != "L" || limit.is_some();
        high &= sample != "U" || limit.is_some();
        all.extend(limit);
    }
    let (least, greatest) = (all.iter().min().copied()?, all.iter().max().copied()?);
    Some(Span { low: low.then_some(least), high: high.then_some(greatest), is_open: false })
}

/// What is measured and in which unit.
#[derive(Debug)]
pub(super) struct Quantity {
    pub(super) span: Span<Decimal>,
    /// Whether it was given as less or more than a number.
    pub(super) has_comparator: bool,
    pub(super) system: Option<String>,
    pub(super) code: Option<String>,
    pub(super) unit: Option<String>,
}

/// The quantities that an element holds.
pub(super) fn quantity(item: &Item<'_>) -> Option<Quantity> {
    let value = node(item)?;
    let with_unit = |span: Span<Decimal>, unit: Option<Node<'_>>| Quantity {
        span,
        has_comparator: false,
        system: unit.and_then(|unit| member(unit, "system")),
        code: unit.and_then(|unit| member(unit, "code")),
        unit: unit.and_then(|unit| member(unit, "unit")),
    };
    match type_name(item) {
        "Range" => Some(with_unit(limits(value, "low", "high"), value.get("low").or(value.get("high")))),
        "SampledData" => Some(with_unit(sampled(value)?, value.get("origin"))),
        "Money" => {
            let span = Span::point(Decimal::parse(&member(value, "value")?)?);
            let system = Some("urn:iso:std:iso:4217".to_owned());
            Some(Quantity { system, code: member(value, "currency"), ..with_unit(span, None) })
        }
        _ => {
            let number = Decimal::parse(&member(value, "value")?)?;
            let comparator = member(value, "comparator").unwrap_or_default();
            let below = comparator.starts_with('<');
            let above = comparator.starts_with('>');
            let span =
                Span { low: (!below).then_some(number), high: (!above).then_some(number), is_open: comparator == "<" };
            Some(Quantity { has_comparator: below || above, ..with_unit(span, Some(value)) })
        }
    }
}

/// Where a reference, canonical or uri leads.
#[derive(Debug, PartialEq)]
pub(super) enum Link {
    /// A resource of this server.
    Local { resource_type: String, id: String },
    /// Anything else, with the version of a canonical.
    Url { url: String, version: Option<String> },
}

/// `base_url` is this server's, without a final `/`.
pub(super) fn link(base_url: &str, reference: &str) -> Option<Link> {
    let own = reference.strip_prefix(base_url).and_then(|rest| rest.strip_prefix('/'));
    match fhir::Reference::parse(own.unwrap_or(reference))? {
        fhir::Reference::Relative { resource_type, id, .. } => {
            Some(Link::Local { resource_type: resource_type.to_owned(), id: id.to_owned() })
        }
        fhir::Reference::Contained(_) | fhir::Reference::Conditional { .. } => None,
        _ => Some(match reference.split_once('|') {
            Some((url, version)) => Link::Url { url: url.to_owned(), version: Some(version.to_owned()) },
            None => Link::Url { url: reference.to_owned(), version: None },
        }),
    }
}

/// The text of a reference or canonical, or the name of the resource that stands in its place.
pub(super) fn reference_text(item: &Item<'_>) -> Option<String> {
    match type_name(item) {
        "Reference" => member(node(item)?, "reference"),
        name if Definitions::r4().is_resource_type(name) => Some(format!("{name}/{}", member(node(item)?, "id")?)),
        _ => text(item),
    }
}
