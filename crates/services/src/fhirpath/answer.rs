//! The answer: a Parameters resource that is written part by part.

use bytes::Bytes;
use fhir::fhirpath::{ElementNode, Item, Steps, Trace};
use fhir::json::quote;
use fhir::{Decimal, Definitions, IssueType, Outcome, is_date, is_datetime, is_time, ucum};

use super::EXTENSION_BASE;

/// An answer is no longer, in bytes.
const LENGTH_MAX: usize = 16 * 1024 * 1024;

pub(super) struct Answer<'a> {
    definitions: &'static Definitions,
    root: Option<ElementNode<'a>>,
    text: String,
    /// For finding out where items stand.
    steps: Steps,
}

impl<'a> Answer<'a> {
    pub(super) fn new(definitions: &'static Definitions, root: Option<ElementNode<'a>>) -> Answer<'a> {
        let text = r#"{"resourceType":"Parameters","parameter":["#.to_owned();
        Answer { definitions, root, text, steps: Steps::default() }
    }

    pub(super) fn finish(mut self) -> Bytes {
        self.text.push_str("]}");
        self.text.into()
    }

    /// Adds a piece of JSON, after a comma where one is due.
    pub(super) fn add(&mut self, json: &str) -> Result<(), Outcome> {
        if !self.text.ends_with(['[', '{']) {
            self.text.push(',');
        }
        if self.text.len() + json.len() > LENGTH_MAX {
            let text = format!("the result has more than {LENGTH_MAX} bytes; ask for less of it");
            return Err(Outcome::new(IssueType::TooCostly, text));
        }
        self.text.push_str(json);
        Ok(())
    }

    /// One evaluation. A parameter must hold something: without items, traces and place there is none.
    pub(super) fn result(
        &mut self,
        place: Option<&str>,
        items: &[Item<'_>],
        traces: &[Trace<'_>],
    ) -> Result<(), Outcome> {
        if place.is_none() && items.is_empty() && traces.is_empty() {
            return Ok(());
        }
        self.add(r#"{"name":"result""#)?;
        if let Some(place) = place {
            self.add(&format!(r#""valueString":{}"#, quote(place)))?;
        }
        if !items.is_empty() || !traces.is_empty() {
            self.add(r#""part":["#)?;
            self.items(items)?;
            for trace in traces {
                self.add(&format!(r#"{{"name":"trace","valueString":{}"#, quote(&trace.name)))?;
                if !trace.items.is_empty() {
                    self.add(r#""part":["#)?;
                    self.items(&trace.items)?;
                    self.text.push(']');
                }
                self.text.push('}');
            }
            self.text.push(']');
        }
        self.text.push('}');
        Ok(())
    }

    fn items(&mut self, items: &[Item<'_>]) -> Result<(), Outcome> {
        // The target of a reference that is not at hand is nothing to show.
        let shown = items.iter().filter(|item| !item.as_element().is_some_and(|element| element.is_type_only()));
        shown.into_iter().try_for_each(|item| {
            let part = self.part(item);
            self.add(&part)
        })
    }

    /// The path of an element of the resource.
    pub(super) fn place(&mut self, item: &Item<'_>) -> Option<String> {
        self.root?.path_to(self.definitions, &item.as_element()?, &mut self.steps)
    }

    fn part(&mut self, item: &Item<'_>) -> String {
        let (name, value) = match item {
            Item::Element(element) => self.element(element),
            value => value_of(value),
        };
        let path = self.place(item).map(|path| extension("resource-path", &path));
        let (extensions, members) = match value {
            Shown::Members(members) => (path.into_iter().collect::<Vec<_>>(), Some(members)),
            Shown::Json(json) => (path.into_iter().chain([extension("json-value", &json)]).collect(), None),
        };
        let extensions = (!extensions.is_empty()).then(|| format!(r#""extension":[{}]"#, extensions.join(",")));
        let name = format!(r#""name":{}"#, quote(&name));
        let members: Vec<_> = extensions.into_iter().chain([name]).chain(members).collect();
        format!("{{{}}}", members.join(","))
    }

    fn element(&self, element: &ElementNode<'_>) -> (String, Shown) {
        let type_name = element.structure.name;
        let value = element.value;
        if let Some(resource) = value.filter(|value| value.resource_type().is_some()) {
            return (type_name.to_owned(), Shown::Members(format!(r#""resource":{}"#, resource.raw())));
        }
        if value.is_some_and(|value| value.is_str("")) {
            return ("empty-string".to_owned(), Shown::Members(r#""valueString":"""#.to_owned()));
        }
        let parameter = self.definitions.structure("Parameters.parameter");
        let types = parameter.and_then(|parameter| parameter.element("value")).map_or(&[][..], |value| &value.types);
        let shown = match types.iter().find(|it| it.code == type_name) {
            Some(it) => {
                let value = value.map(|value| format!(r#""{}":{}"#, it.json_name, value.raw()));
                let sibling = element.sibling.map(|sibling| format!(r#""_{}":{}"#, it.json_name, sibling.raw()));
                Shown::Members(value.into_iter().chain(sibling).collect::<Vec<_>>().join(","))
            }
            None => Shown::Json(value.or(element.sibling).map_or_else(String::new, |value| value.raw().to_owned())),
        };
        (type_name.to_owned(), shown)
    }
}

/// How a value is shown.
enum Shown {
    /// As members of the part.
    Members(String),
    /// As JSON in an extension.
    Json(String),
}

fn extension(name: &str, text: &str) -> String {
    format!(r#"{{"url":"{EXTENSION_BASE}{name}","valueString":{}}}"#, quote(text))
}

/// A value that the expression made, by the name of FHIR's own type for it. A date or time that FHIR has no form for (an hour without
/// minutes) is shown as a string.
fn value_of(item: &Item<'_>) -> (String, Shown) {
    let text = item.to_string();
    let plain = |name: &str, member: &str| (name.to_owned(), Shown::Members(format!(r#""{member}":{text}"#)));
    let quoted = |name: &str, member: &str, is_fit: bool| {
        let member = if is_fit { member } else { "valueString" };
        (name.to_owned(), Shown::Members(format!(r#""{member}":{}"#, quote(&text))))
    };
    match item {
        Item::Boolean(_) => plain("boolean", "valueBoolean"),
        Item::Integer(value) if i32::try_from(*value).is_ok() => plain("integer", "valueInteger"),
        Item::Integer(_) => plain("integer", "valueDecimal"),
        Item::Decimal(_) => plain("decimal", "valueDecimal"),
        Item::String(text) if text.is_empty() => quoted("empty-string", "valueString", true),
        Item::String(_) => quoted("string", "valueString", true),
        Item::Date(_) => quoted("date", "valueDate", is_date(&text)),
        Item::DateTime(_) => quoted("dateTime", "valueDateTime", is_datetime(&text)),
        Item::Time(_) => quoted("time", "valueTime", is_time(&text)),
        Item::Quantity(value, unit) => ("Quantity".to_owned(), Shown::Members(quantity(value, unit))),
        Item::Type(namespace, name) => {
            let json = format!(r#"{{"namespace":{},"name":{}}}"#, quote(namespace), quote(name));
            ("TypeInfo".to_owned(), Shown::Json(json))
        }
        Item::TypeElement(_) | Item::Element(_) => (item.type_name().to_owned(), Shown::Json(quote(&text))),
    }
}

fn quantity(value: &Decimal, unit: &str) -> String {
    let unit = quote(unit);
    match ucum::Unit::of(unit.trim_matches('"')) {
        Some(_) => {
            format!(r#""valueQuantity":{{"value":{value},"unit":{unit},"system":"{}","code":{unit}}}"#, ucum::SYSTEM)
        }
        None => format!(r#""valueQuantity":{{"value":{value},"unit":{unit}}}"#),
    }
}
