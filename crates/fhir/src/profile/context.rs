//! Where an extension may stand, <https://hl7.org/fhir/R4/defining-extensions.html#context>.

use crate::Definitions;
use crate::definitions::{Element, Structure};
use crate::fhirpath::Expression;
use crate::json::Node;

use super::CORE;

/// What the definition of an extension says of its place.
#[derive(Debug, Default)]
pub(crate) struct Contexts {
    /// It may stand at one of these; anywhere when there are none.
    places: Vec<Place>,
    /// What must be true of the element that has the extension, which each sees as `%extension`.
    pub(crate) invariants: Vec<(Box<str>, Expression)>,
}

#[derive(Debug)]
enum Place {
    /// A type or the path of an element: `Patient`, `Patient.contact.name`, `Element`.
    Element(Box<str>),
    /// Inside the extension of this url.
    Extension(Box<str>),
    /// On what this selects of the resource.
    Selected(Expression),
    /// One that cannot be understood here, which refuses nothing.
    Unknown,
}

/// The element that has an extension.
pub(crate) struct Holder<'h> {
    pub(crate) structure: &'static Structure,
    pub(crate) element: Option<&'static Element>,
    /// The type of the resource around it.
    pub(crate) resource: &'static str,
    /// Its path as an expression, with or without indexes.
    pub(crate) path: &'h str,
    /// Its url, if it is an extension itself.
    pub(crate) url: Option<&'h str>,
}

impl Contexts {
    /// Reads `context` and `contextInvariant` of a StructureDefinition.
    pub(super) fn of(definition: Node<'_>) -> Contexts {
        let each = |name: &str| definition.get(name).into_iter().flat_map(Node::items);
        let places = each("context").map(|context| {
            let text = |name: &str| context.get(name).and_then(Node::as_str).unwrap_or_default();
            let expression = text("expression");
            match &*text("type") {
                "element" => match expression.rsplit_once('#') {
                    Some((_, path)) => Place::Element(path.into()),
                    None => match expression.strip_prefix(CORE).unwrap_or(&expression) {
                        other if other.contains(':') => Place::Unknown,
                        path => Place::Element(path.into()),
                    },
                },
                "extension" => Place::Extension(expression.split('#').next().unwrap_or_default().into()),
                "fhirpath" => Expression::parse(&expression).map_or(Place::Unknown, Place::Selected),
                _ => Place::Unknown,
            }
        });
        let invariants = each("contextInvariant").filter_map(|it| {
            let text = it.as_str()?;
            Some((text.as_ref().into(), Expression::parse(&text).ok()?))
        });
        Contexts { places: places.collect(), invariants: invariants.collect() }
    }

    /// Whether the extension may stand on an element; `is_selected` tells whether an expression selects it.
    pub(crate) fn allow(
        &self,
        definitions: &Definitions,
        holder: &Holder<'_>,
        mut is_selected: impl FnMut(&Expression) -> bool,
    ) -> bool {
        self.places.is_empty()
            || self.places.iter().any(|place| match place {
                Place::Element(path) => holder.is_at(definitions, path),
                Place::Extension(url) => holder.url == Some(url),
                Place::Selected(expression) => is_selected(expression),
                Place::Unknown => true,
            })
    }

    /// The places, for a message.
    pub(crate) fn shown(&self) -> String {
        let shown = self.places.iter().map(|place| match place {
            Place::Element(path) => format!("`{path}`"),
            Place::Extension(url) => format!("extension `{url}`"),
            Place::Selected(_) => "what an expression selects".to_owned(),
            Place::Unknown => "elsewhere".to_owned(),
        });
        shown.collect::<Vec<_>>().join(", ")
    }
}

impl Holder<'_> {
    /// Whether this is an element of a type, or one of a path: as its type's definition has it, or as it stands in the resource.
    fn is_at(&self, definitions: &Definitions, wanted: &str) -> bool {
        // R4's own definitions say `Element` for anything, resources too.
        if wanted == "Element" || definitions.is_a(self.structure.name, wanted) {
            return true;
        }
        let Some((wanted_type, wanted_rest)) = wanted.split_once('.') else { return false };
        let defined = self.element.and_then(|element| element.path.split_once('.'));
        if defined.is_some_and(|(own, rest)| rest == wanted_rest && definitions.is_a(own, wanted_type)) {
            return true;
        }
        let stands = without_indexes(self.path);
        let wanted_rest = wanted_rest.replace("[x]", "");
        let below = stands.strip_suffix(&wanted_rest).is_some_and(|before| before.ends_with('.'));
        below && definitions.is_a(self.resource, wanted_type)
    }
}

/// `Patient.name.given` of `Patient.name[0].given[1]`.
fn without_indexes(path: &str) -> String {
    path.split('[').map(|part| part.split_once(']').map_or(part, |(_, after)| after)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Document;

    #[test]
    fn extensions_stand_where_their_definitions_say() {
        let definitions = Definitions::r4();
        let holder = |structure: &str, element: Option<(&str, &str)>, path: &'static str| Holder {
            structure: definitions.structure(structure).expect("a type"),
            element: element
                .map(|(of, name)| definitions.structure(of).and_then(|it| it.element(name)).expect("an element")),
            resource: "Patient",
            path,
            url: (structure == "Extension").then_some("http://a.example/x"),
        };
        let patient = || holder("Patient", None, "Patient");
        let name = || holder("HumanName", Some(("Patient", "name")), "Bundle.entry[1].resource.name[0]");
        let family = || holder("string", Some(("HumanName", "family")), "Patient.name[0].family");
        let contact = || holder("Patient.contact", Some(("Patient", "contact")), "Patient.contact[0]");
        let deceased = || holder("boolean", Some(("Patient", "deceased")), "Patient.deceased");
        let inside = || holder("Extension", Some(("Patient", "extension")), "Patient.extension[0]");
        for (kind, expression, holder, expected) in [
            ("element", "Patient", patient(), true),
            ("element", "DomainResource", patient(), true),
            ("element", "Resource", patient(), true),
            ("element", "http://hl7.org/fhir/StructureDefinition/Patient", patient(), true),
            ("element", "Observation", patient(), false),
            ("element", "Element", patient(), true),
            ("element", "Patient.name", patient(), false),
            ("element", "Patient.name", name(), true),
            ("element", "HumanName", name(), true),
            ("element", "Element", name(), true),
            ("element", "Patient", name(), false),
            ("element", "Person.name", name(), false),
            ("element", "HumanName.family", family(), true),
            ("element", "Patient.name.family", family(), true),
            ("element", "string", family(), true),
            ("element", "HumanName.given", family(), false),
            ("element", "Patient.contact", contact(), true),
            ("element", "BackboneElement", contact(), true),
            ("element", "Patient.deceased[x]", deceased(), true),
            ("element", "Patient.deceased", deceased(), true),
            ("element", "http://other.example/profile", patient(), true),
            ("element", "http://other.example/profile#Patient.name", patient(), false),
            ("extension", "http://a.example/x", inside(), true),
            ("extension", "http://a.example/y", inside(), false),
            ("extension", "http://a.example/x", patient(), false),
            ("fhirpath", "Patient.name", patient(), false),
            ("fhirpath", "Patient", patient(), true),
        ] {
            let json = format!(r#"{{"context":[{{"type":"{kind}","expression":"{expression}"}}]}}"#);
            let document = Document::parse(json.as_bytes()).expect("a valid text");
            let found = Contexts::of(document.root()).allow(definitions, &holder, |_| expression == "Patient");
            assert_eq!(found, expected, "{kind} {expression} on {}", holder.path);
        }
        assert!(Contexts::default().allow(definitions, &patient(), |_| false));
    }
}
