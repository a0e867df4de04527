//! The words of a whole resource: of its narrative for `_text`, of all its text for `_content`.
//!
//! Text is what the definitions type as string, markdown or XHTML, and the code of a coding. Ids, references, urls, dates, numbers and base64
//! are none, nor are codes by which the standard itself tells states and kinds (`final`, `official`): each resource would have some. What
//! a reference displays is the text of the resource that it names, not of this one: who may not see that one must not find this one by it.

use fhir::Definitions;
use fhir::definitions::{Structure, StructureKind};
use fhir::fhirpath::ElementNode;
use fhir::json::{Kind, Node};
use store::Index;

use super::narrative;
use super::words::Words;

/// Adds the words of a resource to the index of `_content` and, those of its own narrative, to that of `_text`; each where the
/// type has it.
pub(crate) fn index_content(
    definitions: &'static Definitions,
    resource: ElementNode<'_>,
    content: Option<Index>,
    narrative: Option<Index>,
    words: &mut Words,
) {
    let Some(node) = resource.value else { return };
    let own = node.path(&["text", "div"]).map(Node::position);
    Reader { definitions, content, narrative, own, words }.read(resource.structure, node);
}

struct Reader<'a> {
    definitions: &'static Definitions,
    content: Option<Index>,
    narrative: Option<Index>,
    /// Where the resource's own narrative stands.
    own: Option<u32>,
    words: &'a mut Words,
}

impl Reader<'_> {
    /// Reads an object; documents nest no deeper than a bound.
    fn read(&mut self, structure: &'static Structure, node: Node<'_>) {
        for (name, value) in node.members() {
            if name == "id" {
                continue;
            }
            if let Some((_, element_type)) = structure.member(name) {
                match element_type.code {
                    "string" | "markdown" if !is_of_other(structure, name, node) => self.text(value),
                    "code" if structure.name == "Coding" => self.text(value),
                    "xhtml" => self.narrative(value),
                    "Resource" => value.each().for_each(|resource| self.resource(resource)),
                    _ => {
                        let inner = self.definitions.structure_of(element_type);
                        if inner.kind != StructureKind::Primitive {
                            value.each().for_each(|item| self.read(inner, item));
                        }
                    }
                }
            } else if name.starts_with('_')
                && let Some(element) = self.definitions.structure("Element")
            {
                // The extensions of a primitive.
                value.each().for_each(|item| self.read(element, item));
            }
        }
    }

    fn resource(&mut self, node: Node<'_>) {
        let name = node.resource_type();
        if let Some(structure) = name.and_then(|name| self.definitions.structure(name)) {
            self.read(structure, node);
        }
    }

    fn text(&mut self, value: Node<'_>) {
        for text in value.each().filter(|text| text.kind() == Kind::String).filter_map(Node::as_str) {
            self.words.add(self.content.as_slice(), &text);
        }
    }

    fn narrative(&mut self, div: Node<'_>) {
        let Some(xhtml) = div.as_str() else { return };
        let text = narrative::text(&xhtml);
        self.words.add(self.content.as_slice(), &text);
        if self.own == Some(div.position()) {
            self.words.add(self.narrative.as_slice(), &text);
        }
    }
}

/// Whether a string of a reference is no text of this resource: a url, or what the resource that it leads to is called.
fn is_of_other(structure: &Structure, name: &str, node: Node<'_>) -> bool {
    let leads_away = || {
        let text = node.get("reference").and_then(Node::as_str);
        text.is_some_and(|text| !text.starts_with('#'))
    };
    structure.name == "Reference" && (name == "reference" || name == "display" && leads_away())
}

#[cfg(test)]
mod tests {
    use fhir::json::Document;

    use crate::row::parameter_index;
    use crate::testing::registry;

    fn words(resource: &str, code: &str) -> String {
        let document = Document::parse(resource.as_bytes()).expect("JSON");
        let rows = registry().rows(&document).expect("a resource");
        let index = parameter_index(document.root().resource_type().expect("a type"), code);
        let words = rows.words.iter().filter(|row| row.index == index);
        words.map(|row| String::from_utf8_lossy(&row.value).into_owned()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn reads_all_text_and_nothing_else() {
        let patient = r##"{"resourceType":"Patient","id":"id1","meta":{"profile":["http://profile.example"],"tag":[{"system":"urn:t","code":"vip"}]},
            "text":{"status":"generated","div":"<div xmlns='http://www.w3.org/1999/xhtml'><p class='c'>Told <b>st</b>ory</p></div>"},
            "contained":[{"resourceType":"Organization","id":"o1","name":"Surgery"}],
            "extension":[{"url":"http://e.example/x","valueString":"Extended"},{"url":"u","extension":[{"url":"v","valueMarkdown":"*Deep*"}]}],
            "active":true,"birthDate":"1970-01-02","_birthDate":{"extension":[{"url":"w","valueString":"Guessed"}]},
            "name":[{"id":"n1","family":"Bell","given":["Ann"]}],"managingOrganization":{"reference":"#o1","display":"Shown"},
            "photo":[{"contentType":"image/png","data":"aGVsbG8=","url":"http://photo.example","title":"Portrait"}]}"##;
        assert_eq!(words(patient, "_content"), "ann bell deep extended guessed portrait shown story surgery told vip");
        assert_eq!(words(patient, "_text"), "story told");
        let displayed = r#"{"resourceType":"List","id":"l","status":"current","mode":"working","subject":{"display":"Ann"},
            "source":{"reference":"Practitioner/1","display":"Doctor"}}"#;
        assert_eq!(words(displayed, "_content"), "ann");
        let bundle = r#"{"resourceType":"Bundle","id":"b","type":"collection","entry":[{"fullUrl":"urn:x","resource":{"resourceType":"Basic","code":{"text":"Inside"}}}]}"#;
        assert_eq!(words(bundle, "_content"), "inside");
        assert_eq!(words(bundle, "_text"), "");
    }
}
