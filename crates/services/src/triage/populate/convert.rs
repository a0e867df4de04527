//! From what an expression or an Observation gives to the answer of a question.

use fhir::Definitions;
use fhir::fhirpath::Item;
use fhir::json::{Node, quote};
use fhir::outcome::quoted;

use super::super::questionnaire::{kind, quantity, unit};

/// A value by the name of its FHIR type.
struct Typed<'a> {
    name: &'static str,
    json: std::borrow::Cow<'a, str>,
    /// The value, where it stands in a resource.
    node: Option<Node<'a>>,
}

/// `valueX` of an answer to this question, as a member; or why it can be none.
pub(super) fn answer(definitions: &Definitions, question: Node<'_>, item: &Item<'_>) -> Result<String, String> {
    let typed = typed(item).ok_or("the value is empty")?;
    let kind = kind(question);
    let member = |name: &str, json: &str| Ok(format!(r#""{name}":{json}"#));
    match (kind.as_ref(), typed.name) {
        ("boolean", "boolean") => member("valueBoolean", &typed.json),
        ("decimal", "decimal" | "integer" | "positiveInt" | "unsignedInt") => member("valueDecimal", &typed.json),
        ("integer", "integer" | "positiveInt" | "unsignedInt") => member("valueInteger", &typed.json),
        ("decimal", "Quantity") => member("valueDecimal", number(question, &typed)?),
        ("integer", "Quantity") => match number(question, &typed)? {
            whole if whole.parse::<i32>().is_ok() => member("valueInteger", whole),
            other => Err(format!("{} is no whole number", quoted(other))),
        },
        ("date", "date" | "dateTime" | "instant") => member("valueDate", &date(&typed.json)),
        ("dateTime", "date" | "dateTime" | "instant") => member("valueDateTime", &typed.json),
        ("time", "time") => member("valueTime", &typed.json),
        ("string" | "text", _) if typed.json.starts_with('"') => member("valueString", &typed.json),
        ("string" | "text", "boolean" | "decimal" | "integer" | "positiveInt" | "unsignedInt") => {
            member("valueString", &quote(&typed.json))
        }
        ("url", _) if typed.json.starts_with('"') => member("valueUri", &typed.json),
        ("attachment", "Attachment") => member("valueAttachment", &typed.json),
        ("reference", "Reference") => member("valueReference", &typed.json),
        ("reference", name) if definitions.is_resource_type(name) => {
            let id =
                typed.node.and_then(|node| node.get("id")?.as_str()).ok_or("the resource has no id to refer to")?;
            member("valueReference", &format!(r#"{{"reference":{}}}"#, quote(&format!("{name}/{id}"))))
        }
        ("quantity", name) if definitions.is_a(name, "Quantity") => member("valueQuantity", &typed.json),
        ("quantity", "decimal" | "integer" | "positiveInt" | "unsignedInt") => {
            member("valueQuantity", &quantity(&typed.json, unit(question)))
        }
        ("choice" | "open-choice", _) => choice(question, &typed, kind == "open-choice"),
        (kind, name) => Err(format!("a {} is no answer to a question of type {}", quoted(name), quoted(kind))),
    }
}

fn typed<'a>(item: &Item<'a>) -> Option<Typed<'a>> {
    let text = || item.to_string();
    let (name, json) = match item {
        Item::Element(element) => {
            let node = element.value?;
            return Some(Typed { name: element.structure.name, json: node.raw().into(), node: Some(node) });
        }
        Item::Boolean(_) => ("boolean", text()),
        Item::Integer(_) => ("integer", text()),
        Item::Decimal(_) => ("decimal", text()),
        Item::String(value) if value.is_empty() => return None,
        Item::String(_) => ("string", quote(&text())),
        Item::Date(_) => ("date", quote(&text())),
        Item::DateTime(_) => ("dateTime", quote(&text())),
        Item::Time(_) => ("time", quote(&text())),
        Item::Quantity(value, unit) => {
            let unit = quote(unit);
            let coded = match fhir::ucum::is_code(unit.trim_matches('"')) {
                true => format!(r#","system":"{}","code":{unit}"#, fhir::ucum::SYSTEM),
                false => String::new(),
            };
            ("Quantity", format!(r#"{{"value":{value},"unit":{unit}{coded}}}"#))
        }
        Item::Type(..) | Item::TypeElement(_) => return None,
    };
    Some(Typed { name, json: json.into(), node: None })
}

/// The number of a Quantity in the unit that the question is asked in.
fn number<'t>(question: Node<'_>, typed: &'t Typed<'_>) -> Result<&'t str, String> {
    let node = typed.node.ok_or("a quantity that was computed has no unit to compare")?;
    let asked = unit(question).ok_or("a quantity answers a question about a number that says its unit")?;
    let same = |name: &str| node.get(name).map(Node::raw) == asked.get(name).map(Node::raw);
    match node.get("value") {
        Some(value) if same("system") && same("code") => Ok(value.raw()),
        Some(_) => Err("the unit is another than the question's".to_owned()),
        None => Err("the quantity has no value".to_owned()),
    }
}

/// The date that a time, quoted, has where it was told.
fn date(json: &str) -> String {
    match json.split_once('T') {
        Some((date, _)) => format!("{date}\""),
        None => json.to_owned(),
    }
}

/// An answer among the options of a question, or beside them where it is open.
fn choice(question: Node<'_>, typed: &Typed<'_>, is_open: bool) -> Result<String, String> {
    let options = || question.get("answerOption").into_iter().flat_map(Node::items);
    let listed = |code: &str, system: Option<&str>| {
        let mut codings = options().filter_map(|option| option.get("valueCoding"));
        let has = |coding: Node<'_>, name: &str, raw: &str| coding.get(name).is_some_and(|it| it.raw() == raw);
        let fits = |coding: &Node<'_>| {
            has(*coding, "code", code) && system.is_none_or(|system| has(*coding, "system", system))
        };
        codings.find(fits).map(|coding| format!(r#""valueCoding":{}"#, coding.raw()))
    };
    let raw = |coding: Node<'_>, name: &str| coding.get(name).map(|it| it.raw().to_owned());
    let of_coding = |coding: Node<'_>| listed(&raw(coding, "code")?, raw(coding, "system").as_deref());
    let as_it_is = |coding: Node<'_>| format!(r#""valueCoding":{}"#, coding.raw());
    match (typed.name, typed.node) {
        ("Coding", Some(coding)) => Ok(of_coding(coding).unwrap_or_else(|| as_it_is(coding))),
        ("CodeableConcept", Some(concept)) => {
            let codings = || concept.get("coding").into_iter().flat_map(Node::items);
            let text = || concept.get("text").filter(|_| is_open).map(|it| format!(r#""valueString":{}"#, it.raw()));
            let coding = codings().find_map(of_coding).or_else(|| codings().next().map(as_it_is));
            coding.or_else(text).ok_or_else(|| "the concept has no coding".to_owned())
        }
        (name, _) => {
            if let Some(coding) = listed(&typed.json, None).filter(|_| matches!(name, "code" | "string")) {
                return Ok(coding);
            }
            let stem = match name {
                "integer" | "positiveInt" | "unsignedInt" => "valueInteger",
                "date" => "valueDate",
                "time" => "valueTime",
                "Reference" => "valueReference",
                _ if typed.json.starts_with('"') => "valueString",
                _ => return Err(format!("a {} is none of the options", quoted(name))),
            };
            let is_listed = options().any(|option| option.get(stem).map(Node::raw) == Some(typed.json.as_ref()));
            match is_listed || is_open && stem == "valueString" {
                true => Ok(format!(r#""{stem}":{}"#, typed.json)),
                false => Err(format!("{} is none of the options", quoted(&typed.json))),
            }
        }
    }
}
