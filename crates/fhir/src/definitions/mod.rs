//! R4's definitions as data: the tables of `profiles/r4`, embedded and indexed at start.
//!
//! All text is borrowed from the embedded tables; a [`Definitions`] is made once and lives as long as the program.

use std::ops::Range;

/// All structures, value sets, search parameters and compartments of R4 4.0.1.
pub struct Definitions {/* private */}

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
    /// Invariants stated on this element (in addition to those of its type).
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
    pub members: Vec<(&'static str, Vec<&'static str>)>,
}

impl Definitions {
    /// The definitions of R4, loaded on first use.
    pub fn r4() -> &'static Definitions {
        todo!()
    }
    /// The names of all concrete resource types, sorted: 146.
    pub fn resource_types(&self) -> &[&'static str] {
        todo!()
    }
    /// True for the name of a concrete resource type.
    pub fn is_resource_type(&self, _name: &str) -> bool {
        todo!()
    }
    /// The definition's own `&'static str` of a concrete resource type's name.
    pub fn resource_type(&self, _name: &str) -> Option<&'static str> {
        todo!()
    }
    /// A resource type, data type, or backbone element by name.
    pub fn structure(&self, _name: &str) -> Option<&'static Structure> {
        todo!()
    }
    /// The structure of an element's type (backbone elements and content references lead to their own structure).
    pub fn structure_of(&self, _element_type: &ElementType) -> &'static Structure {
        todo!()
    }
    /// True when `name` is `ancestor` or specializes it (`Age` is a `Quantity`; `code` is a `string`; `Patient` is a `DomainResource`).
    pub fn is_a(&self, _name: &str, _ancestor: &str) -> bool {
        todo!()
    }
    /// The search parameters of a resource type, those of Resource and DomainResource included.
    pub fn search_parameters(&self, _resource_type: &str) -> &[&'static SearchParameter] {
        todo!()
    }
    /// A search parameter by its canonical url.
    pub fn search_parameter(&self, _url: &str) -> Option<&'static SearchParameter> {
        todo!()
    }
    /// The five compartments.
    pub fn compartments(&self) -> &[Compartment] {
        todo!()
    }
    /// A value set that a required binding names.
    pub fn value_set(&self, _url: &str) -> Option<&'static ValueSet> {
        todo!()
    }
}

impl Structure {
    /// The element that owns a JSON member name, and which of its types: `valueQuantity` gives (`value[x]`, `Quantity`). For a single-typed
    /// element `name` gives its only type. Names with a leading underscore are not looked up here.
    pub fn member(&self, _json_name: &str) -> Option<(&Element, &ElementType)> {
        todo!()
    }
    /// The element by its FHIRPath name: `value` for `value[x]`.
    pub fn element(&self, _name: &str) -> Option<&Element> {
        todo!()
    }
}

const _: fn(Range<usize>) = |_| ();
