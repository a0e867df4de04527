//! From a CodeSystem resource.

use std::borrow::Cow;

use super::{Builder, CodeSystem, Content, Declared, Designation, Header, PropertyValue};
use crate::json::Node;
use crate::terminology::Coded;

impl CodeSystem {
    /// Reads a CodeSystem resource; what is not one is an empty code system.
    pub fn new(resource: Node<'_>) -> CodeSystem {
        let header = Header::new(resource);
        let nests = text(resource, "hierarchyMeaning").is_none_or(|meaning| meaning == "is-a");
        let mut builder = Builder::new(header.clone());
        for property in items(resource, "property") {
            builder.declare(Declared {
                code: owned(property, "code").unwrap_or_default(),
                uri: owned(property, "uri"),
                description: owned(property, "description"),
                kind: owned(property, "type").unwrap_or_default(),
            });
        }
        builder.read_concepts(resource, nests);
        // One that is too large is as good as not here.
        let absent = Header { content: Content::NotPresent, ..header };
        builder.build().unwrap_or_else(|_| CodeSystem { header: absent, ..CodeSystem::default() })
    }
}

impl Header {
    /// What a CodeSystem resource says of the code system.
    pub fn new(resource: Node<'_>) -> Header {
        Header {
            url: owned(resource, "url").unwrap_or_default(),
            version: owned(resource, "version"),
            name: owned(resource, "name"),
            title: owned(resource, "title"),
            language: owned(resource, "language"),
            content: text(resource, "content").map(|code| Content::parse(&code)).unwrap_or_default(),
            supplements: owned(resource, "supplements"),
            value_set: owned(resource, "valueSet"),
            is_case_sensitive: resource.get("caseSensitive").and_then(Node::as_bool).unwrap_or(true),
        }
    }
}

impl Builder {
    /// Adds the concepts, those inside others too, each after the one it stands in.
    fn read_concepts(&mut self, resource: Node<'_>, nests: bool) {
        // Documents nest no deeper than a bound, but a stack of our own needs no bound at all.
        let mut stack: Vec<_> = items(resource, "concept").map(|concept| (concept, None)).collect();
        stack.reverse();
        while let Some((node, parent)) = stack.pop() {
            let Some(code) = text(node, "code") else { continue };
            let at = self.concept(&code);
            text(node, "display").into_iter().for_each(|text| self.display(at, &text));
            text(node, "definition").into_iter().for_each(|text| self.definition(at, &text));
            items(node, "property").for_each(|property| self.read_property(at, property));
            items(node, "designation").for_each(|designation| self.read_designation(at, designation));
            if let Some(parent) = parent {
                self.put_below(at, parent);
            }
            let start = stack.len();
            stack.extend(items(node, "concept").map(|concept| (concept, nests.then_some(at))));
            stack[start..].reverse();
        }
    }

    fn read_property(&mut self, at: u32, node: Node<'_>) {
        let Some(name) = text(node, "code") else { return };
        let Some((kind, value)) = node.members().find(|(name, _)| name.starts_with("value")) else { return };
        let raw = value.as_str().unwrap_or(Cow::Borrowed(value.raw()));
        match kind {
            "valueCode" => self.property(at, &name, PropertyValue::Code(&raw)),
            "valueCoding" => {
                let [system, version, code, display] =
                    ["system", "version", "code", "display"].map(|name| text(value, name));
                let coding = Coded {
                    system: system.as_deref(),
                    version: version.as_deref(),
                    code: code.as_deref().unwrap_or_default(),
                    display: display.as_deref(),
                };
                self.property(at, &name, PropertyValue::Coding(coding));
            }
            "valueInteger" => self.property(at, &name, PropertyValue::Integer(&raw)),
            "valueBoolean" => self.property(at, &name, PropertyValue::Boolean(raw == "true")),
            "valueDateTime" => self.property(at, &name, PropertyValue::DateTime(&raw)),
            "valueDecimal" => self.property(at, &name, PropertyValue::Decimal(&raw)),
            _ => self.property(at, &name, PropertyValue::String(&raw)),
        }
    }

    fn read_designation(&mut self, at: u32, node: Node<'_>) {
        let Some(value) = text(node, "value") else { return };
        let language = text(node, "language");
        let part = |name: &str| node.get("use").and_then(|usage| text(usage, name));
        let [system, version, code, display] = ["system", "version", "code", "display"].map(part);
        let usage = code.as_deref().map(|code| Coded {
            system: system.as_deref(),
            version: version.as_deref(),
            code,
            display: display.as_deref(),
        });
        self.designation(at, Designation { language: language.as_deref(), usage, value: &value });
    }
}

fn items<'a>(node: Node<'a>, name: &str) -> impl Iterator<Item = Node<'a>> {
    node.get(name).into_iter().flat_map(Node::items)
}

fn text<'a>(node: Node<'a>, name: &str) -> Option<Cow<'a, str>> {
    node.get(name)?.as_str()
}

fn owned(node: Node<'_>, name: &str) -> Option<String> {
    text(node, name).map(Cow::into_owned)
}
