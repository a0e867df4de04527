//! R4's definitions as data: the tables of `profiles/r4`, embedded in the program and indexed on first use.
//!
//! All text is borrowed from the embedded tables; a [`Definitions`] is made once and lives as long as the program. What the
//! fields mean stands in <https://hl7.org/fhir/R4/elementdefinition.html>.

mod load;

use std::borrow::Cow;
use std::sync::{LazyLock, OnceLock};

use rustc_hash::FxHashMap;

use crate::fhirpath::Expression;

/// All structures, value sets, search parameters and compartments of R4 4.0.1.
pub struct Definitions {
    structures: &'static [Structure],
    structure_by_name: FxHashMap<&'static str, u32>,
    resource_types: Vec<&'static str>,
    value_set_by_url: FxHashMap<&'static str, &'static ValueSet>,
    search_parameters_by_type: FxHashMap<&'static str, Vec<&'static SearchParameter>>,
    search_parameter_by_url: FxHashMap<&'static str, &'static SearchParameter>,
    compartments: Vec<Compartment>,
}

/// A resource type, data type or backbone element: a named list of elements.
#[derive(Debug)]
pub struct Structure {
    /// `Patient`, `HumanName`, `string`, or the path of a backbone element: `Patient.contact`.
    pub name: &'static str,
    /// What it defines.
    pub kind: StructureKind,
    /// The type this one specializes: `DomainResource`, `Element`, `BackboneElement`, `uri`; empty for the roots, `Resource`
    /// and `Element`.
    pub base: &'static str,
    /// True for `Resource`, `DomainResource`, `Element` and `BackboneElement`: no instance says it is one.
    pub is_abstract: bool,
    /// In definition order, inherited ones (`id`, `meta`, `extension`, ..) included. A primitive has only `id` and
    /// `extension`: its value is the JSON scalar itself.
    pub elements: Vec<Element>,
    /// The invariants that hold for every instance of this type, inherited ones included.
    pub invariants: Vec<&'static Invariant>,
    members: FxHashMap<&'static str, Member>,
}

/// Where a name leads inside a structure.
#[derive(Clone, Copy, Debug)]
struct Member {
    element: u16,
    /// `None` for the bare name of a choice, which is no JSON member.
    data_type: Option<u16>,
}

/// What a [`Structure`] defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StructureKind {
    /// `Patient`, and the abstract `Resource` and `DomainResource`.
    Resource,
    /// `HumanName`, `Extension`, and the abstract `Element` and `BackboneElement`.
    Complex,
    /// `string`, `instant`, `xhtml`.
    Primitive,
    /// `Patient.contact`, `Timing.repeat`: elements that an element's definition holds itself.
    Backbone,
}

/// An element of a [`Structure`].
#[derive(Debug)]
pub struct Element {
    /// `name`, `value` for `value[x]`.
    pub name: &'static str,
    /// `Observation.value[x]`: as in the definition.
    pub path: &'static str,
    /// The smallest number of values.
    pub min: u32,
    /// The largest number of values; `None` for `*`.
    pub max: Option<u32>,
    /// More than one only when `is_choice`.
    pub types: Vec<ElementType>,
    /// True for `[x]` elements: the JSON name is `name` + the type's code with an upper-case first letter.
    pub is_choice: bool,
    /// True when its presence may change the meaning of the rest.
    pub is_modifier: bool,
    /// True when it belongs to a summary.
    pub is_summary: bool,
    /// The value set that a code must not leave, if any: of a required binding, or the maximum value set of another one.
    pub binding: Option<&'static ValueSet>,
    /// Invariants stated on this element in addition to those of its type; those of a backbone element are its structure's.
    pub invariants: Vec<&'static Invariant>,
}

/// One type an element may have.
#[derive(Debug)]
pub struct ElementType {
    /// `string`, `CodeableConcept`, `Reference`, `BackboneElement`, `Resource`, ...
    pub code: &'static str,
    /// The JSON member that holds it: `name`, or `valueQuantity` for choices.
    pub json_name: &'static str,
    /// For a reference or canonical: names of the target resource types; empty means any.
    pub targets: Vec<&'static str>,
    structure: u32,
}

/// A constraint, <https://hl7.org/fhir/R4/conformance-rules.html#constraints>.
#[derive(Debug)]
pub struct Invariant {
    /// `dom-2`. Not unique: `inv-1` names three.
    pub key: &'static str,
    /// True for an error, false for a warning.
    pub is_error: bool,
    /// The rule in words.
    pub human: &'static str,
    /// FHIRPath, as published or as corrected by `profiles/r4/errata.tsv`.
    pub expression: &'static str,
    /// `expression` compiled, once validation has met it and if validation evaluates it.
    pub(crate) compiled: OnceLock<Option<Expression>>,
}

/// A value set that a required binding names.
#[derive(Debug)]
pub struct ValueSet {
    /// Its canonical url, without version.
    pub url: &'static str,
    /// Its codes by system. Empty when it is not enumerated.
    pub systems: Vec<(&'static str, Vec<&'static str>)>,
    /// False when the definitions do not list its codes: currencies, languages, MIME types, UCUM units and LOINC's answer list
    /// LL379-9.
    pub is_enumerated: bool,
}

/// A search parameter, <https://hl7.org/fhir/R4/searchparameter.html>: one of R4, one of ours (`profiles/nhs`), or one that is defined while the program runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchParameter {
    /// The name in a query: `birthdate`.
    pub code: Cow<'static, str>,
    /// Its canonical url, without version.
    pub url: Cow<'static, str>,
    /// The kind of its values, which decides how they match.
    pub kind: SearchKind,
    /// The resource types it is defined for.
    pub base: Vec<&'static str>,
    /// FHIRPath; empty for `_content`, `_filter`, `_query` and `_text`.
    pub expression: Cow<'static, str>,
    /// For references: the resource types it may lead to, all but Parameters where the definition says any. R4 states none
    /// for `instantiates-canonical` of RequestGroup and two on extensions.
    pub targets: Vec<&'static str>,
    /// For composites: the definition url and the expression (relative) of each component.
    pub components: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    /// In words; empty for those that many resource types share.
    pub description: Cow<'static, str>,
}

/// The type of a search parameter, <https://hl7.org/fhir/R4/search.html#ptypes>.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SearchKind {
    /// A number, with its implied precision.
    Number,
    /// A date, a time or a period.
    Date,
    /// Text, matched at its beginning.
    String,
    /// A code, an identifier or a boolean.
    Token,
    /// A reference to another resource.
    Reference,
    /// Several parameters that must match in one place.
    Composite,
    /// A number with a unit.
    Quantity,
    /// A uri, matched as a whole.
    Uri,
    /// One with rules of its own: `near`.
    Special,
}

impl SearchKind {
    const CODES: [(SearchKind, &str); 9] = [
        (SearchKind::Number, "number"),
        (SearchKind::Date, "date"),
        (SearchKind::String, "string"),
        (SearchKind::Token, "token"),
        (SearchKind::Reference, "reference"),
        (SearchKind::Composite, "composite"),
        (SearchKind::Quantity, "quantity"),
        (SearchKind::Uri, "uri"),
        (SearchKind::Special, "special"),
    ];

    /// Its code in `SearchParameter.type`.
    pub fn code(self) -> &'static str {
        SearchKind::CODES[self as usize].1
    }

    /// The type with this code.
    pub fn parse(code: &str) -> Option<SearchKind> {
        SearchKind::CODES.iter().find(|(_, known)| *known == code).map(|(kind, _)| *kind)
    }
}

/// A compartment: for each resource type the codes of the search parameters that put it inside,
/// <https://hl7.org/fhir/R4/compartmentdefinition.html>.
#[derive(Debug)]
pub struct Compartment {
    /// `Patient`, `Encounter`, `RelatedPerson`, `Practitioner`, `Device`.
    pub code: &'static str,
    /// A code `{def}` stands for the resource itself: the practitioner of a Practitioner compartment.
    pub members: Vec<(&'static str, Vec<&'static str>)>,
}

impl Definitions {
    /// The definitions of R4, loaded on first use.
    pub fn r4() -> &'static Definitions {
        static R4: LazyLock<Definitions> = LazyLock::new(load::load);
        &R4
    }

    /// The names of all concrete resource types, sorted: 146.
    pub fn resource_types(&self) -> &[&'static str] {
        &self.resource_types
    }

    /// True for the name of a concrete resource type.
    pub fn is_resource_type(&self, name: &str) -> bool {
        self.resource_type(name).is_some()
    }

    /// The definition's own `&'static str` of a concrete resource type's name.
    pub fn resource_type(&self, name: &str) -> Option<&'static str> {
        self.structure(name).filter(|it| it.is_concrete_resource()).map(|it| it.name)
    }

    /// A resource type, data type, or backbone element by name.
    pub fn structure(&self, name: &str) -> Option<&'static Structure> {
        self.structure_by_name.get(name).map(|&at| &self.structures[at as usize])
    }

    /// The structure of an element's type (backbone elements and content references lead to their own structure).
    pub fn structure_of(&self, element_type: &ElementType) -> &'static Structure {
        &self.structures[element_type.structure as usize]
    }

    /// True when `name` is `ancestor` or specializes it: `Age` is a `Quantity`, `code` is a `string`, `Patient` is a
    /// `DomainResource`, `Patient.contact` is a `BackboneElement`.
    pub fn is_a(&self, name: &str, ancestor: &str) -> bool {
        name == ancestor || self.structure(name).is_some_and(|it| self.is_a(it.base, ancestor))
    }

    /// The search parameters of a resource type, those of Resource and DomainResource included, in the order of their codes.
    pub fn search_parameters(&self, resource_type: &str) -> &[&'static SearchParameter] {
        self.search_parameters_by_type.get(resource_type).map_or(&[], Vec::as_slice)
    }

    /// A search parameter by its canonical url.
    pub fn search_parameter(&self, url: &str) -> Option<&'static SearchParameter> {
        self.search_parameter_by_url.get(url).copied()
    }

    /// The five compartments.
    pub fn compartments(&self) -> &[Compartment] {
        &self.compartments
    }

    /// A value set that a required binding names, by its url without version.
    pub fn value_set(&self, url: &str) -> Option<&'static ValueSet> {
        self.value_set_by_url.get(url).copied()
    }
}

impl Structure {
    /// The element that owns a JSON member name, and which of its types: `valueQuantity` gives (`value[x]`, `Quantity`). For a
    /// single-typed element `name` gives its only type. `resourceType`, and names with a leading underscore, are no elements.
    pub fn member(&self, json_name: &str) -> Option<(&Element, &ElementType)> {
        let (position, element_type) = self.position(json_name)?;
        Some((&self.elements[position], element_type))
    }

    /// Like [`member`](Structure::member), with the element's position among `elements`, which is the order of XML.
    pub fn position(&self, json_name: &str) -> Option<(usize, &ElementType)> {
        let member = self.members.get(json_name)?;
        let position = usize::from(member.element);
        Some((position, &self.elements[position].types[usize::from(member.data_type?)]))
    }

    /// The element by its FHIRPath name: `value` for `value[x]`.
    pub fn element(&self, name: &str) -> Option<&Element> {
        let element = &self.elements[usize::from(self.members.get(name)?.element)];
        (element.name == name).then_some(element)
    }

    fn is_concrete_resource(&self) -> bool {
        self.kind == StructureKind::Resource && !self.is_abstract
    }
}

#[cfg(test)]
mod tests;
