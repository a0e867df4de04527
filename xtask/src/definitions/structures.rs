//! Resource types, data types and backbone elements, with the invariants stated on them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::Value;

use super::package::{Package, items, last_segment, text, texts};
use super::{Failure, line};

/// The tables made of the StructureDefinitions.
pub(crate) struct Structures {
    pub(crate) elements: String,
    pub(crate) invariants: String,
    /// The urls of the value sets of required bindings, without version.
    pub(crate) bindings: BTreeSet<String>,
}

/// Key, severity, human, expression: a key alone does not name an invariant (`inv-1` is three).
type Invariant<'a> = (&'a str, &'a str, &'a str, &'a str);

/// The extension that tells the FHIR type of an element typed by FHIRPath.
const FHIR_TYPE: &str = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type";

/// The extension that names the value set which even a preferred or extensible binding must not leave.
const MAX_VALUE_SET: &str = "http://hl7.org/fhir/StructureDefinition/elementdefinition-maxValueSet";

/// How the names of FHIRPath's own types begin.
const FHIRPATH_TYPE: &str = "http://hl7.org/fhirpath/System.";

/// The tables of all resource types and data types.
pub(crate) fn tables(package: &Package) -> Result<Structures, Failure> {
    let definitions = package.resources("StructureDefinition")?;
    let mut writer = Writer {
        roots: definitions
            .iter()
            .map(|it| (text(it, "id"), elements(it).first().into_iter().flat_map(constraints).collect()))
            .collect(),
        elements: String::new(),
        invariants: BTreeMap::new(),
        bindings: BTreeSet::new(),
    };
    for definition in definitions.iter().filter(|it| is_type(it)) {
        writer.definition(definition)?;
    }
    let mut invariants = String::new();
    for ((key, severity, human, expression), places) in &writer.invariants {
        line(&mut invariants, &[key, severity, &places.join(" "), expression, human])?;
    }
    Ok(Structures { elements: writer.elements, invariants, bindings: writer.bindings })
}

/// True for R4's own types, false for profiles and logical models.
fn is_type(definition: &Value) -> bool {
    text(definition, "derivation") != "constraint" && text(definition, "kind") != "logical"
}

struct Writer<'a> {
    /// For each definition what its first element states, inherited invariants included.
    roots: HashMap<&'a str, HashSet<Invariant<'a>>>,
    elements: String,
    /// For each invariant the structures and elements that state it.
    invariants: BTreeMap<Invariant<'a>, Vec<String>>,
    bindings: BTreeSet<String>,
}

impl<'a> Writer<'a> {
    fn definition(&mut self, definition: &'a Value) -> Result<(), Failure> {
        let (name, all) = (text(definition, "name"), elements(definition));
        let kind = text(definition, "kind").trim_end_matches("-type");
        let base = last_segment(text(definition, "baseDefinition"));
        let is_abstract = if definition["abstract"] == true { "abstract" } else { "" };
        line(&mut self.elements, &[name, kind, base, is_abstract])?;
        let root = all.first().ok_or_else(|| format!("{name} has no snapshot"))?;
        self.state(name, root, &[base]);
        self.children(name, kind, all)?;
        for element in all.iter().skip(1) {
            let path = text(element, "path");
            if all.iter().any(|it| parent(text(it, "path")) == path) {
                let base = type_code(&items(element, "type")[0]);
                line(&mut self.elements, &[path, "backbone", base])?;
                self.state(path, element, &[base]);
                self.children(path, "backbone", all)?;
            }
        }
        Ok(())
    }

    /// Writes the elements directly below `path`.
    fn children(&mut self, path: &str, kind: &str, all: &'a [Value]) -> Result<(), Failure> {
        for element in all.iter().filter(|it| parent(text(it, "path")) == path) {
            let element_path = text(element, "path");
            // The value of a primitive is the JSON scalar itself, not a member.
            if kind == "primitive" && element_path.ends_with(".value") {
                continue;
            }
            // A resource's id is an `id` by the text of the specification; its definition says `string`.
            let types = match text(element, "contentReference") {
                _ if kind == "resource" && element_path.ends_with(".id") => "id".to_owned(),
                "" => {
                    items(element, "type").iter().map(|it| type_field(element_path, it)).collect::<Vec<_>>().join(" ")
                }
                reference => reference.to_owned(),
            };
            self.element(element, element_path, &types)?;
            if !all.iter().any(|it| parent(text(it, "path")) == element_path) {
                let types: Vec<&str> = items(element, "type").iter().map(type_code).collect();
                let types = if types.is_empty() { vec!["BackboneElement"] } else { types };
                self.state(element_path, element, &types);
                self.state_profiles(element_path, element);
            }
        }
        Ok(())
    }

    fn element(&mut self, element: &Value, path: &str, types: &str) -> Result<(), Failure> {
        let cardinality = format!("{}..{}", element["min"], text(element, "max"));
        let flag = |member: &str, sign| if element[member] == true { sign } else { "" };
        let flags = [flag("isModifier", "m"), flag("isSummary", "s")].concat();
        let binding = match &element["binding"] {
            binding if text(binding, "strength") == "required" => text(binding, "valueSet"),
            binding => extension(binding, MAX_VALUE_SET).map_or("", |it| text(it, "valueCanonical")),
        };
        let binding = binding.split('|').next().unwrap_or_default();
        if !binding.is_empty() {
            self.bindings.insert(binding.to_owned());
        }
        line(&mut self.elements, &["", path, &cardinality, &flags, types, binding])
    }

    /// Notes the invariants that an element states beyond those that all of its types (or a structure's base) have anyway.
    fn state(&mut self, place: &str, element: &'a Value, types: &[&str]) {
        for invariant in constraints(element) {
            let is_inherited = types.iter().all(|it| self.roots.get(it).is_some_and(|root| root.contains(&invariant)));
            if !is_inherited {
                self.invariants.entry(invariant).or_default().push(place.to_owned());
            }
        }
    }

    /// The profiles that R4 puts on its own elements (SimpleQuantity, MoneyQuantity) add an invariant and nothing else.
    fn state_profiles(&mut self, place: &str, element: &'a Value) {
        for data_type in items(element, "type") {
            for profile in texts(data_type, "profile") {
                let own = self.roots.get(type_code(data_type)).cloned().unwrap_or_default();
                for &invariant in self.roots.get(last_segment(profile)).into_iter().flatten() {
                    if !own.contains(&invariant) {
                        self.invariants.entry(invariant).or_default().push(place.to_owned());
                    }
                }
            }
        }
    }
}

fn elements(definition: &Value) -> &[Value] {
    items(&definition["snapshot"], "element")
}

fn constraints(element: &Value) -> impl Iterator<Item = Invariant<'_>> {
    let constraints = items(element, "constraint").iter();
    constraints.map(|it| (text(it, "key"), text(it, "severity"), text(it, "human"), text(it, "expression")))
}

/// The path one level up, empty for a definition's first element.
fn parent(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(parent, _)| parent)
}

fn extension<'a>(element: &'a Value, url: &str) -> Option<&'a Value> {
    items(element, "extension").iter().find(|it| text(it, "url") == url)
}

/// A type's name; where FHIRPath's own type stands, the FHIR type named beside it, which only the id of xhtml lacks.
fn type_code(data_type: &Value) -> &str {
    let fhir_type = extension(data_type, FHIR_TYPE);
    match text(data_type, "code") {
        code if code.starts_with(FHIRPATH_TYPE) => fhir_type.map_or("string", |it| text(it, "valueUrl")),
        code => code,
    }
}

/// `CodeableConcept`, `Reference(Patient|Group)`, and for a choice `valueQuantity:Quantity`.
fn type_field(path: &str, data_type: &Value) -> String {
    let name = path.rsplit('.').next().unwrap_or_default();
    let code = type_code(data_type);
    let targets: Vec<&str> = texts(data_type, "targetProfile").into_iter().map(last_segment).collect();
    let is_any = targets.is_empty() || targets.contains(&"Resource");
    let targets = if is_any { String::new() } else { format!("({})", targets.join("|")) };
    match name.strip_suffix("[x]") {
        Some(choice) => {
            let (first, rest) = code.split_at(1);
            format!("{choice}{}{rest}:{code}{targets}", first.to_uppercase())
        }
        None => format!("{code}{targets}"),
    }
}
