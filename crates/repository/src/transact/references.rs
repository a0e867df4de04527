//! Where references stand in a document, and where exactly in terms of FHIRPath.

use std::collections::HashSet;
use std::ops::Range;

use fhir::Definitions;
use fhir::definitions::Structure;
use fhir::json::{Document, Kind, Node};

/// A place in a document that names another resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Site {
    pub(super) kind: SiteKind,
    /// The text's bytes in the document, without quotes: what a rewritten reference replaces.
    pub(super) range: Range<usize>,
    /// What stands there.
    pub(super) text: String,
}

/// How a place names a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SiteKind {
    /// `Reference.reference`.
    Reference,
    /// A uri of any kind, or a link in the narrative, that equals the fullUrl of an entry.
    Link,
}

/// The types whose values are rewritten when they equal a fullUrl, <https://hl7.org/fhir/R4/http.html#trules>.
const LINK_TYPES: [&str; 5] = ["uri", "url", "canonical", "oid", "uuid"];

/// The references of a document, and what else names one of `full_urls`. A Bundle's entries are a world of their own: nothing inside is
/// looked at.
pub(super) fn sites(definitions: &Definitions, document: &Document, full_urls: &HashSet<String>) -> Vec<Site> {
    let mut sites = Vec::new();
    if document.root().resource_type() != Some("Bundle") {
        collect(document.root(), "", full_urls, &mut sites);
        sites.retain(|site| site.kind == SiteKind::Reference || is_link(definitions, document, site.range.start));
    }
    sites
}

fn collect(node: Node<'_>, name: &str, full_urls: &HashSet<String>, sites: &mut Vec<Site>) {
    match node.kind() {
        Kind::Object => {
            for (name, member) in node.members() {
                if name == "reference" && member.kind() == Kind::String && is_reference(node) {
                    sites.extend(site(SiteKind::Reference, member));
                } else {
                    collect(member, name, full_urls, sites);
                }
            }
        }
        Kind::Array => node.items().for_each(|item| collect(item, name, full_urls, sites)),
        Kind::String if full_urls.is_empty() => {}
        Kind::String if name == "div" => narrative(node, full_urls, sites),
        Kind::String => {
            sites.extend(site(SiteKind::Link, node).filter(|site| full_urls.contains(&site.text)));
        }
        _ => {}
    }
}

/// A few backbone elements have a uri named `reference`; only a Reference has no members but its own.
pub(crate) fn is_reference(node: Node<'_>) -> bool {
    let own = ["reference", "display", "type", "identifier", "id", "extension"];
    node.members().all(|(name, _)| own.contains(&name.trim_start_matches('_')))
}

fn site(kind: SiteKind, node: Node<'_>) -> Option<Site> {
    let text = node.as_str()?.into_owned();
    let span = node.span();
    Some(Site { kind, range: span.start + 1..span.end - 1, text })
}

/// The `href` and `src` of a narrative that equal a fullUrl. Works on the text as it stands in JSON, where a quote is escaped.
fn narrative(node: Node<'_>, full_urls: &HashSet<String>, sites: &mut Vec<Site>) {
    let (raw, start) = (node.raw(), node.span().start);
    for attribute in ["href=", "src="] {
        for (at, _) in raw.match_indices(attribute) {
            let value = &raw[at + attribute.len()..];
            let Some(quote) = ["\\\"", "'"].into_iter().find(|quote| value.starts_with(quote)) else { continue };
            let Some(length) = value[quote.len()..].find(quote) else { continue };
            let from = at + attribute.len() + quote.len();
            let text = &raw[from..from + length];
            if full_urls.contains(text) {
                let range = start + from..start + from + length;
                sites.push(Site { kind: SiteKind::Link, range, text: text.to_owned() });
            }
        }
    }
}

/// Whether the byte at `offset` is in an element that may lead somewhere: a uri of any kind, or narrative.
pub(crate) fn is_link(definitions: &Definitions, document: &Document, offset: usize) -> bool {
    let located = locate(definitions, document, offset);
    located.type_code.is_some_and(|code| code == "xhtml" || LINK_TYPES.contains(&code))
}

/// The FHIRPath of the element that holds the byte at `offset`: `Observation.subject.reference`.
pub(super) fn expression(definitions: &Definitions, document: &Document, offset: usize) -> String {
    locate(definitions, document, offset).expression
}

struct Located {
    expression: String,
    /// The element's type where the definitions know it.
    type_code: Option<&'static str>,
}

fn locate(definitions: &Definitions, document: &Document, offset: usize) -> Located {
    let mut node = document.root();
    let mut structure = node.resource_type().and_then(|name| definitions.structure(name));
    let mut located = Located { expression: node.resource_type().unwrap_or_default().to_owned(), type_code: None };
    while let Some((name, member)) = node.members().find(|(_, member)| member.span().contains(&offset)) {
        node = member;
        located.step(definitions, &mut structure, name);
        if let Some((at, item)) = node.items().enumerate().find(|(_, item)| item.span().contains(&offset)) {
            node = item;
            located.expression += &format!("[{at}]");
        }
        if located.type_code == Some("Resource") {
            structure = node.resource_type().and_then(|name| definitions.structure(name));
        }
    }
    located
}

impl Located {
    fn step(&mut self, definitions: &Definitions, structure: &mut Option<&'static Structure>, name: &str) {
        let member = structure.and_then(|structure| structure.member(name.trim_start_matches('_')));
        self.expression.push('.');
        self.expression.push_str(member.map_or(name, |(element, _)| element.name));
        self.type_code = member.map(|(_, element_type)| element_type.code);
        *structure = member.map(|(_, element_type)| definitions.structure_of(element_type));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL_URL: &str = "urn:uuid:0b5b2a4e-0000-4000-8000-000000000001";

    fn document(text: &str) -> Document {
        Document::parse(text.replace("URL", FULL_URL).as_bytes()).expect("valid")
    }

    #[test]
    fn finds_references_and_links() {
        use SiteKind::{Link, Reference};
        type Expected = &'static [(SiteKind, &'static str, &'static str)];
        let cases: [(&str, Expected); 7] = [
            (
                r#"{"resourceType":"Observation","subject":{"reference":"URL"},"performer":[{"display":"x"},{"reference":"Practitioner/1"}]}"#,
                &[
                    (Reference, FULL_URL, "Observation.subject.reference"),
                    (Reference, "Practitioner/1", "Observation.performer[1].reference"),
                ],
            ),
            (
                r#"{"resourceType":"Basic","extension":[{"url":"URL","valueReference":{"reference":"URL"}},{"url":"x","valueString":"URL"}]}"#,
                &[
                    (Link, FULL_URL, "Basic.extension[0].url"),
                    (Reference, FULL_URL, "Basic.extension[0].value.reference"),
                ],
            ),
            (
                r#"{"resourceType":"DocumentReference","identifier":[{"system":"urn:ietf:rfc:3986","value":"URL"}],"content":[{"attachment":{"url":"URL"}}]}"#,
                &[(Link, FULL_URL, "DocumentReference.content[0].attachment.url")],
            ),
            (
                r#"{"resourceType":"Patient","text":{"status":"generated","div":"<div><a href=\"URL\">a</a><img src='URL'/><a href=\"URLx\"/> href=URL</div>"}}"#,
                &[(Link, FULL_URL, "Patient.text.div"), (Link, FULL_URL, "Patient.text.div")],
            ),
            (
                r#"{"resourceType":"Patient","contained":[{"resourceType":"Group","member":[{"entity":{"reference":"URL"}}]}]}"#,
                &[(Reference, FULL_URL, "Patient.contained[0].member[0].entity.reference")],
            ),
            (r#"{"resourceType":"DetectedIssue","status":"final","reference":"http://example.org"}"#, &[]),
            (
                r#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Observation","subject":{"reference":"URL"}}}]}"#,
                &[],
            ),
        ];
        let definitions = Definitions::r4();
        let full_urls = HashSet::from_iter([FULL_URL.to_owned()]);
        for (text, expected) in cases {
            let document = document(text);
            let found = sites(definitions, &document, &full_urls);
            let named: Vec<_> = found
                .iter()
                .map(|site| (site.kind, site.text.as_str(), expression(definitions, &document, site.range.start)))
                .collect();
            let expected: Vec<_> = expected.iter().map(|(kind, text, at)| (*kind, *text, (*at).to_owned())).collect();
            assert_eq!(named, expected, "{text}");
            for site in &found {
                assert_eq!(&document.text()[site.range.clone()], site.text);
            }
        }
    }
}
