//! R4's definitions as data: the tables of `profiles/r4`, embedded and indexed at start.
//!
//! All text is borrowed from the embedded tables; a [`Definitions`] is made once and lives as long as the program.

mod load;

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

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
    pub kind: StructureKind,
    /// The type this one specializes: `DomainResource`, `Element`, `BackboneElement`, `uri`; empty for the roots.
    pub base: &'static str,
    pub is_abstract: bool,
    /// In definition order, inherited ones (`id`, `meta`, `extension`, ..) included.
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StructureKind {
    Resource,
    Complex,
    Primitive,
    Backbone,
}

/// An element of a [`Structure`].
#[derive(Debug)]
pub struct Element {
    /// `name`, `value` for `value[x]`.
    pub name: &'static str,
    /// `Observation.value[x]`: as in the definition.
    pub path: &'static str,
    pub min: u32,
    /// `None` for `*`.
    pub max: Option<u32>,
    /// More than one only when `is_choice`.
    pub types: Vec<ElementType>,
    /// True for `[x]` elements: the JSON name is `name` + the type's code with an upper-case first letter.
    pub is_choice: bool,
    pub is_modifier: bool,
    pub is_summary: bool,
    /// The required binding, if any.
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
    pub key: &'static str,
    /// True for an error, false for a warning.
    pub is_error: bool,
    pub human: &'static str,
    pub expression: &'static str,
}

/// A value set that a required binding names.
#[derive(Debug)]
pub struct ValueSet {
    pub url: &'static str,
    /// Its codes by system. Empty when it cannot be enumerated (currencies, MIME types, UCUM, ...); see `is_enumerated`.
    pub systems: Vec<(&'static str, Vec<&'static str>)>,
    pub is_enumerated: bool,
}

/// A search parameter, <https://hl7.org/fhir/R4/searchparameter.html>.
#[derive(Debug)]
pub struct SearchParameter {
    pub code: &'static str,
    pub url: &'static str,
    pub kind: SearchKind,
    /// The resource types it is defined for.
    pub base: Vec<&'static str>,
    /// FHIRPath; may be empty (specials).
    pub expression: &'static str,
    /// For references: the types it may lead to.
    pub targets: Vec<&'static str>,
    /// For composites: the definition url and the expression (relative) of each component.
    pub components: Vec<(&'static str, &'static str)>,
    pub description: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SearchKind {
    Number,
    Date,
    String,
    Token,
    Reference,
    Composite,
    Quantity,
    Uri,
    Special,
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

    /// True when `name` is `ancestor` or specializes it (`Age` is a `Quantity`; `code` is a `string`; `Patient` is a `DomainResource`).
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
    /// The element that owns a JSON member name, and which of its types: `valueQuantity` gives (`value[x]`, `Quantity`). For a single-typed
    /// element `name` gives its only type. Names with a leading underscore are not looked up here.
    pub fn member(&self, json_name: &str) -> Option<(&Element, &ElementType)> {
        let member = self.members.get(json_name)?;
        let element = &self.elements[usize::from(member.element)];
        Some((element, &element.types[usize::from(member.data_type?)]))
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
