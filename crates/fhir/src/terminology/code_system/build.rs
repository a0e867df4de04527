//! Making a code system, concept by concept.

use std::collections::HashMap;

use rustc_hash::FxHashMap;

use super::hierarchy::{Hierarchy, Lists};
use super::places::Places;
use super::texts::{NONE, Recurring, Texts};
use super::{
    ABSTRACT, CodeSystem, Declared, Designation, DesignationRow, Header, INACTIVE, Kind, PropertyRow, PropertyValue,
    Row, coding_text,
};
use crate::{IssueType, Outcome};

/// How many concepts a code system may have.
const CONCEPTS_MAX: usize = 4_000_000;

/// A code system in the making. Concepts, their texts and their links may come in any order; a concept is named by what
/// [`Builder::concept`] gives.
///
/// What a concept's properties say of its place and state counts as it does in a CodeSystem resource: `parent`, `child`,
/// `subsumedBy`, `inactive`, `status` and `notSelectable`, and properties declared to mean the same.
#[derive(Default)]
pub struct Builder {
    header: Header,
    declared: Vec<Declared>,
    texts: Texts,
    recurring: Recurring,
    rows: Vec<Row>,
    // Keyed, like the codes' places later: codes come from whoever may write a code system.
    by_code: HashMap<Box<str>, u32>,
    properties: Vec<(u32, PropertyRow)>,
    designations: Vec<(u32, DesignationRow)>,
    links: Vec<(u32, u32)>,
}

/// What a property says of a concept's place and state.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Above,
    Below,
    Inactive,
    Status,
    Abstract,
}

impl Builder {
    /// A code system without concepts.
    pub fn new(header: Header) -> Builder {
        Builder { header, ..Builder::default() }
    }

    /// Declares a property.
    pub fn declare(&mut self, property: Declared) {
        self.declared.push(property);
    }

    /// The concept of this code, a new one if there is none yet.
    pub fn concept(&mut self, code: &str) -> u32 {
        let key = self.key(code);
        if let Some(known) = self.by_code.get(key.as_str()) {
            return *known;
        }
        let at = self.rows.len() as u32;
        let code = self.texts.add(code);
        self.rows.push(Row { code, display: NONE, definition: NONE, flags: 0 });
        self.by_code.insert(key.into(), at);
        at
    }

    /// The concept of this code, if it was added.
    pub fn find(&self, code: &str) -> Option<u32> {
        self.by_code.get(self.key(code).as_str()).copied()
    }

    fn key(&self, code: &str) -> String {
        if self.header.is_case_sensitive { code.to_owned() } else { code.to_lowercase() }
    }

    /// Sets the text of a concept.
    pub fn display(&mut self, concept: u32, text: &str) {
        let text = self.texts.add(text);
        if let Some(row) = self.rows.get_mut(concept as usize) {
            row.display = text;
        }
    }

    /// Sets what a concept means.
    pub fn definition(&mut self, concept: u32, text: &str) {
        let text = self.texts.add(text);
        if let Some(row) = self.rows.get_mut(concept as usize) {
            row.definition = text;
        }
    }

    /// Says something of a concept.
    pub fn property(&mut self, concept: u32, name: &str, value: PropertyValue<'_>) {
        let kind = match value {
            PropertyValue::Code(_) => Kind::Code,
            PropertyValue::Coding(_) => Kind::Coding,
            PropertyValue::String(_) => Kind::String,
            PropertyValue::Integer(_) => Kind::Integer,
            PropertyValue::Boolean(_) => Kind::Boolean,
            PropertyValue::DateTime(_) => Kind::DateTime,
            PropertyValue::Decimal(_) => Kind::Decimal,
        };
        let name = self.recurring.number(&mut self.texts, name);
        let value = match value {
            PropertyValue::Coding(coding) => self.recurring.number(&mut self.texts, &coding_text(&coding)),
            value => self.recurring.number(&mut self.texts, value.text()),
        };
        self.properties.push((concept, PropertyRow { name, kind, value }));
    }

    /// Gives a concept another text.
    pub fn designation(&mut self, concept: u32, designation: Designation<'_>) {
        let mut maybe = |text: Option<&str>| text.map_or(NONE, |text| self.recurring.number(&mut self.texts, text));
        let language = maybe(designation.language);
        let usage = maybe(designation.usage.map(|usage| coding_text(&usage)).as_deref());
        let value = self.texts.add(designation.value);
        self.designations.push((concept, DesignationRow { language, usage, value }));
    }

    /// Puts a concept just below another.
    pub fn put_below(&mut self, child: u32, parent: u32) {
        self.links.push((child, parent));
    }

    /// The code system; refused when it is too large.
    pub fn build(mut self) -> Result<CodeSystem, Outcome> {
        if self.texts.is_full || self.rows.len() > CONCEPTS_MAX {
            let text = format!(
                "the code system `{}` is too large: it may have {CONCEPTS_MAX} concepts with 4 GB of text",
                self.header.url
            );
            return Err(Outcome::new(IssueType::TooCostly, text));
        }
        self.apply_roles();
        let count = self.rows.len();
        self.properties.retain(|(at, _)| (*at as usize) < count);
        self.designations.retain(|(at, _)| (*at as usize) < count);
        self.links.retain(|(child, parent)| (*child.max(parent) as usize) < count);
        self.properties.sort_by_key(|(at, _)| *at);
        self.designations.sort_by_key(|(at, _)| *at);
        self.texts.shrink();
        self.rows.shrink_to_fit();
        let mut system = CodeSystem {
            header: self.header,
            declared: self.declared,
            texts: self.texts,
            rows: self.rows,
            properties: Lists::new(count, self.properties.into_iter()),
            designations: Lists::new(count, self.designations.into_iter()),
            ..CodeSystem::default()
        };
        system.index(self.links);
        Ok(system)
    }

    fn apply_roles(&mut self) {
        let roles: FxHashMap<_, _> = roles(&self.declared).collect();
        let roles: FxHashMap<_, _> =
            roles.into_iter().filter_map(|(name, role)| Some((self.recurring.known(name)?, role))).collect();
        for (at, PropertyRow { name, value, .. }) in &self.properties {
            let Some(role) = roles.get(name) else { continue };
            let value = self.texts.get(*value);
            let mut flag = |flag: u32, is: bool| {
                if let Some(row) = self.rows.get_mut(*at as usize).filter(|_| is) {
                    row.flags |= flag;
                }
            };
            match role {
                Role::Inactive => flag(INACTIVE, value == "true"),
                Role::Status => flag(INACTIVE, matches!(value, "inactive" | "retired")),
                Role::Abstract => flag(ABSTRACT, value == "true"),
                Role::Above | Role::Below => {
                    let value = if self.header.is_case_sensitive { value.to_owned() } else { value.to_lowercase() };
                    let Some(other) = self.by_code.get(value.as_str()).copied() else { continue };
                    self.links.push(if *role == Role::Above { (*at, other) } else { (other, *at) });
                }
            }
        }
    }
}

impl CodeSystem {
    /// Makes what follows from concepts and links: where each code stands, and the hierarchy.
    pub(super) fn index(&mut self, links: Vec<(u32, u32)>) {
        let code = |at: u32| self.texts.get(self.rows[at as usize].code);
        let mut by_code = Places::new(self.rows.len());
        for at in 0..self.count() {
            by_code.add(self.hash(code(at)), at);
        }
        self.by_code = by_code;
        self.hierarchy = Hierarchy::new(self.rows.len(), links);
    }

    /// The same with what supplements say of its concepts: their properties and designations.
    pub fn supplemented<'s>(
        &self,
        supplements: impl IntoIterator<Item = &'s CodeSystem>,
    ) -> Result<CodeSystem, Outcome> {
        let mut builder = Builder::new(self.header.clone());
        builder.declared.clone_from(&self.declared);
        builder.add(self, true);
        for supplement in supplements {
            builder.declared.extend(supplement.declared.iter().cloned());
            builder.add(supplement, false);
        }
        builder.build()
    }
}

impl Builder {
    /// Adds what a code system says of its concepts, which are new to the builder if `all` may be.
    fn add(&mut self, system: &CodeSystem, all: bool) {
        for concept in system.concepts() {
            let at = match all {
                true => self.concept(concept.code()),
                false => match self.find(concept.code()) {
                    Some(at) => at,
                    None => continue,
                },
            };
            if all {
                concept.display().into_iter().for_each(|text| self.display(at, text));
                concept.definition().into_iter().for_each(|text| self.definition(at, text));
            } else if let Some(value) = concept.display() {
                let language = system.header.language.as_deref();
                self.designation(at, Designation { language, usage: None, value });
            }
            concept.properties().for_each(|(name, value)| self.property(at, name, value));
            concept.designations().for_each(|designation| self.designation(at, designation));
        }
        if all {
            self.links.extend(system.hierarchy.links());
        }
    }
}

/// The properties that say something of place and state: those of R4, and those that the system declares to mean the same.
fn roles(declared: &[Declared]) -> impl Iterator<Item = (&str, Role)> {
    let role = |name: &str| {
        Some(match name {
            "parent" | "subsumedBy" => Role::Above,
            "child" => Role::Below,
            "inactive" => Role::Inactive,
            "status" => Role::Status,
            "notSelectable" | "abstract" => Role::Abstract,
            _ => return None,
        })
    };
    let own = ["parent", "subsumedBy", "child", "inactive", "status", "notSelectable", "abstract"];
    let own = own.into_iter().filter_map(move |name| Some((name, role(name)?)));
    let declared = declared.iter().filter_map(move |property| {
        let (_, meaning) = property.uri.as_deref()?.rsplit_once('#')?;
        Some((property.code.as_str(), role(meaning)?))
    });
    own.chain(declared)
}
