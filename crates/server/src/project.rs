//! `_summary` and `_elements`: part of a resource, marked as such, <https://hl7.org/fhir/R4/search.html#summary>.

use bytes::Bytes;
use fhir::definitions::Structure;
use fhir::json::{Document, Node};
use fhir::{Definitions, IssueType, Outcome};
use search::{Query, Summary};

/// How much of each resource is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum View {
    #[default]
    Whole,
    /// The elements marked as summary, at every depth.
    Summary,
    /// `text`, and what must be there.
    Text,
    /// All but `text`.
    Data,
    /// These top-level elements, and what must be there.
    Elements(Vec<String>),
}

const SUBSETTED: &str = r#"{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}"#;

impl View {
    /// What a search shows of its matches.
    pub(crate) fn of_query(query: &Query) -> View {
        match query.summary {
            Summary::True => View::Summary,
            Summary::Text => View::Text,
            Summary::Data => View::Data,
            Summary::False | Summary::Count if query.elements.is_empty() => View::Whole,
            Summary::False | Summary::Count => View::Elements(query.elements.clone()),
        }
    }

    /// What a read or history shows.
    pub(crate) fn of_parameters<'a>(
        parameters: impl IntoIterator<Item = &'a (String, String)>,
    ) -> Result<View, Outcome> {
        let mut view = View::Whole;
        for (name, value) in parameters {
            match (name.as_str(), value.as_str()) {
                ("_summary", "false") => view = View::Whole,
                ("_summary", "true") => view = View::Summary,
                ("_summary", "text") => view = View::Text,
                ("_summary", "data") => view = View::Data,
                ("_summary", _) => {
                    let text = format!("_summary `{value}` is none of `true`, `text`, `data` and `false`");
                    return Err(Outcome::new(IssueType::BadRequest, text));
                }
                ("_elements", _) => {
                    view = View::Elements(value.split(',').map(|element| element.trim().to_owned()).collect());
                }
                _ => {}
            }
        }
        Ok(view)
    }

    /// This view of a stored resource. The whole is the very bytes that are stored.
    pub(crate) fn of(&self, body: &Bytes, definitions: &'static Definitions) -> Bytes {
        if *self == View::Whole {
            return body.clone();
        }
        let Ok(document) = Document::parse(body) else { return body.clone() };
        let root = document.root();
        let Some(structure) = root.resource_type().and_then(|name| definitions.structure(name)) else {
            return body.clone();
        };
        let mut writer = Writer { out: String::with_capacity(body.len()), definitions };
        writer.resource(root, structure, self);
        writer.out.into()
    }

    /// Whether a top-level element is shown.
    fn shows(&self, structure: &Structure, name: &str) -> bool {
        let name = name.strip_prefix('_').unwrap_or(name);
        if matches!(name, "resourceType" | "id" | "meta") {
            return true;
        }
        let Some(element) = structure.member(name).map(|(element, _)| element) else { return false };
        match self {
            View::Whole => true,
            View::Summary => element.is_summary,
            View::Data => name != "text",
            View::Text => name == "text" || element.min > 0,
            View::Elements(elements) => {
                element.min > 0
                    || element.is_modifier
                    || elements.iter().any(|wanted| wanted == name || wanted == element.name)
            }
        }
    }
}

struct Writer {
    out: String,
    definitions: &'static Definitions,
}

impl Writer {
    fn resource(&mut self, root: Node<'_>, structure: &'static Structure, view: &View) {
        self.out.push('{');
        let mut has_meta = false;
        for (name, value) in root.members().filter(|(name, _)| view.shows(structure, name)) {
            self.name(name);
            if name == "meta" {
                has_meta = true;
                self.tagged(value);
            } else if *view == View::Summary {
                self.summary(value, structure, name);
            } else {
                self.out.push_str(value.raw());
            }
        }
        if !has_meta {
            self.name("meta");
            self.out.push_str(&format!(r#"{{"tag":[{SUBSETTED}]}}"#));
        }
        self.out.push('}');
    }

    fn name(&mut self, name: &str) {
        if !self.out.ends_with('{') {
            self.out.push(',');
        }
        self.out.push('"');
        self.out.push_str(name);
        self.out.push_str("\":");
    }

    /// `meta`, with the tag SUBSETTED.
    fn tagged(&mut self, meta: Node<'_>) {
        self.out.push('{');
        for (name, value) in meta.members().filter(|(name, _)| *name != "tag") {
            self.name(name);
            self.out.push_str(value.raw());
        }
        self.name("tag");
        self.out.push('[');
        for tag in meta.get("tag").into_iter().flat_map(Node::items) {
            self.out.push_str(tag.raw());
            self.out.push(',');
        }
        self.out.push_str(SUBSETTED);
        self.out.push_str("]}");
    }

    /// The summary elements of a value that stands in a member of `structure`. Primitives, and types without summary elements, are shown whole.
    fn summary(&mut self, value: Node<'_>, structure: &'static Structure, name: &str) {
        let inner = structure.member(name).map(|(_, element_type)| self.definitions.structure_of(element_type));
        match inner.filter(|inner| inner.elements.iter().any(|element| element.is_summary)) {
            Some(inner) if value.members().next().is_some() => self.object(value, inner),
            Some(inner) if value.items().next().is_some() => {
                self.out.push('[');
                for (at, item) in value.items().enumerate() {
                    if at > 0 {
                        self.out.push(',');
                    }
                    self.object(item, inner);
                }
                self.out.push(']');
            }
            _ => self.out.push_str(value.raw()),
        }
    }

    fn object(&mut self, value: Node<'_>, structure: &'static Structure) {
        let shown = |name: &str| {
            let name = name.strip_prefix('_').unwrap_or(name);
            structure.member(name).is_some_and(|(element, _)| element.is_summary)
        };
        if !value.members().any(|(name, _)| shown(name)) {
            // An empty object is no FHIR.
            self.out.push_str(value.raw());
            return;
        }
        self.out.push('{');
        for (name, inner) in value.members().filter(|(name, _)| shown(name)) {
            self.name(name);
            self.summary(inner, structure, name);
        }
        self.out.push('}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENT: &str = concat!(
        r#"{"resourceType":"Patient","id":"ann","meta":{"versionId":"1","tag":[{"code":"x"}]},"#,
        r#""text":{"status":"empty","div":"<div/>"},"name":[{"family":"Ash","period":{"start":"2020"}}],"#,
        r#""birthDate":"1980","_birthDate":{"id":"b"},"photo":[{"title":"p"}],"multipleBirthInteger":2}"#
    );

    fn shown(view: &View, body: &'static str) -> String {
        let bytes = view.of(&Bytes::from_static(body.as_bytes()), Definitions::r4());
        let document = Document::parse(&bytes).expect("JSON");
        document.root().members().map(|(name, _)| name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn shows_parts() {
        let elements = |names: &[&str]| View::Elements(names.iter().map(|name| (*name).to_owned()).collect());
        let cases = [
            (View::Whole, "resourceType id meta text name birthDate _birthDate photo multipleBirthInteger"),
            (View::Summary, "resourceType id meta name birthDate _birthDate"),
            (View::Text, "resourceType id meta text"),
            (View::Data, "resourceType id meta name birthDate _birthDate photo multipleBirthInteger"),
            (elements(&["birthDate"]), "resourceType id meta birthDate _birthDate"),
            (elements(&["multipleBirth"]), "resourceType id meta multipleBirthInteger"),
        ];
        for (view, expected) in cases {
            assert_eq!(shown(&view, PATIENT), expected, "{view:?}");
        }
        let slot = r#"{"resourceType":"Slot","schedule":{"reference":"Schedule/1"},"status":"free","start":"2020-01-01T00:00:00Z","end":"2020-01-01T00:00:00Z","comment":"c"}"#;
        assert_eq!(shown(&elements(&["comment"]), slot), "resourceType schedule status start end comment meta");
    }

    #[test]
    fn marks_parts() {
        let bytes = View::Data.of(&Bytes::from_static(PATIENT.as_bytes()), Definitions::r4());
        let document = Document::parse(&bytes).expect("JSON");
        let tags = document.root().path(&["meta", "tag"]).expect("tags");
        assert_eq!(tags.items().count(), 2);
        assert!(tags.raw().contains("SUBSETTED"));
    }
}
