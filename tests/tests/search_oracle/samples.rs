//! Resources with a value in every element, made from the definitions: what search parameters find must come from somewhere.

use fhir::Definitions;
use fhir::definitions::{Element, ElementType, SearchKind, SearchParameter, Structure, StructureKind};
use serde_json::{Map, Value, json};

/// So many samples of a type have every type of every choice and every code of every short list.
pub(super) const SAMPLES: usize = 14;

/// How deep elements are filled.
const DEPTH_MAX: usize = 6;

/// Elements that no parameter looks into.
const SKIPPED: [&str; 5] = ["id", "extension", "modifierExtension", "contained", "implicitRules"];

/// The sample of a type with this number; all differ.
pub(super) fn sample(resource_type: &'static str, number: usize) -> Value {
    let structure = Definitions::r4().structure(resource_type).expect("a type");
    let Value::Object(mut resource) = object(structure, number, &mut Vec::new()) else { panic!("an object") };
    resource.insert("resourceType".into(), resource_type.into());
    resource.insert("id".into(), format!("sample-{number}").into());
    let parameters = Definitions::r4().search_parameters(resource_type);
    let extensions: Vec<_> =
        parameters.iter().filter_map(|parameter| extension(resource_type, parameter, number)).collect();
    if !extensions.is_empty() {
        resource.insert("extension".into(), extensions.into());
    }
    if parameters.iter().any(|parameter| is_about_held(parameter)) {
        let identifier = json!([{"system": "urn:sample", "value": format!("held-{number}")}]);
        resource.insert(
            "contained".into(),
            json!([{"resourceType": "Organization", "id": "held", "identifier": identifier}]),
        );
    }
    for parameter in parameters {
        mark(&mut resource, resource_type, parameter);
    }
    resource.into()
}

/// Whether a parameter is about an organization inside the resource.
fn is_about_held(parameter: &SearchParameter) -> bool {
    parameter.expression.contains(".contained.ofType(Organization).")
}

/// Puts the extension into an element by which a parameter tells the element from others.
fn mark(resource: &mut Map<String, Value>, resource_type: &str, parameter: &SearchParameter) {
    let path = parameter.expression.strip_prefix(resource_type).and_then(|path| path.strip_prefix('.'));
    let Some((element, rest)) = path.and_then(|path| path.split_once(".where(extension('")) else { return };
    let (url, _) = rest.split_once('\'').expect("a url");
    resource[element][0]["extension"] = json!([{"url": url, "valueBoolean": true}]);
}

/// The extension that a parameter looks for.
fn extension(resource_type: &str, parameter: &SearchParameter, number: usize) -> Option<Value> {
    let calls = [".extension('", ".extension.where(url='"].map(|call| format!("{resource_type}{call}"));
    let (_, rest) = calls.iter().find_map(|call| parameter.expression.split_once(call))?;
    let (url, _) = rest.split_once('\'')?;
    Some(match parameter.kind {
        SearchKind::Token => {
            let coding = json!({"system": "urn:sample", "code": format!("code-{number}")});
            json!({"url": url, "valueCodeableConcept": {"coding": [coding]}})
        }
        SearchKind::Reference => {
            let identifier = json!({"system": "urn:sample", "value": format!("logical-{number}")});
            let reference = format!("{}/to-{number}", parameter.targets.first().unwrap_or(&"Patient"));
            json!({"url": url, "valueReference": {"reference": reference, "identifier": identifier}})
        }
        SearchKind::Date => {
            json!({"url": url, "valueInstant": format!("{}-03-0{}T10:00:00Z", 1950 + 7 * number, number % 9 + 1)})
        }
        _ => json!({"url": url, "valueString": format!("extended {number}")}),
    })
}

fn object(structure: &'static Structure, number: usize, inside: &mut Vec<&'static str>) -> Value {
    let mut members = Map::new();
    inside.push(structure.name);
    for element in structure.elements.iter().filter(|element| !SKIPPED.contains(&element.name)) {
        // Most quantities are known exactly.
        if element.types.is_empty() || (element.name == "comparator" && !number.is_multiple_of(5)) {
            continue;
        }
        let data_type = &element.types[number % element.types.len()];
        if data_type.code == "Narrative" {
            continue;
        }
        let value = match data_type.code {
            "Reference" => Some(references(element, data_type, number)),
            _ => value(element, data_type, number, inside).map(|value| match element.max {
                Some(0 | 1) => value,
                _ => json!([value]),
            }),
        };
        members.extend(value.map(|value| (data_type.json_name.to_owned(), value)));
    }
    inside.pop();
    members.into()
}

fn value(
    element: &'static Element,
    data_type: &'static ElementType,
    number: usize,
    inside: &mut Vec<&'static str>,
) -> Option<Value> {
    let structure = Definitions::r4().structure_of(data_type);
    match structure.kind {
        StructureKind::Primitive => Some(primitive(element, data_type.code, number)),
        StructureKind::Resource => {
            let name = ["Composition", "MessageHeader", "Patient"][number % 3];
            Some(json!({"resourceType": name, "id": format!("inner-{number}")}))
        }
        _ if inside.len() >= DEPTH_MAX || inside.contains(&structure.name) || structure.name == "Extension" => None,
        _ => Some(object(structure, number, inside)),
    }
}

fn primitive(element: &Element, code: &str, number: usize) -> Value {
    let year = 1950 + 7 * number;
    let bound = element.binding.map(|value_set| &value_set.systems).and_then(|systems| {
        let codes: Vec<_> = systems.iter().flat_map(|(_, codes)| codes).collect();
        (!codes.is_empty()).then(|| *codes[number % codes.len()])
    });
    match code {
        "code" => bound.map_or_else(|| format!("code-{number}"), str::to_owned).into(),
        "boolean" => number.is_multiple_of(2).into(),
        "integer" | "positiveInt" | "unsignedInt" => (10 * number + 3).into(),
        "decimal" => json!(10 * number + 3),
        "date" => format!("{year}-03-0{}", number % 9 + 1).into(),
        "dateTime" | "instant" => format!("{year}-03-0{}T10:00:00Z", number % 9 + 1).into(),
        "time" => "10:00:00".into(),
        "uri" | "url" | "canonical" => format!("http://sample.example/{}/{number}", element.name).into(),
        "oid" => format!("urn:oid:1.2.{number}").into(),
        "uuid" => format!("urn:uuid:00000000-0000-0000-0000-{number:012}").into(),
        "base64Binary" => "AAAA".into(),
        "id" => format!("id-{number}").into(),
        _ => format!("{} text {number}", [element.name, "Über", "straße"][number % 3]).into(),
    }
}

/// A reference, to each type in turn; where several may stand, one to each type.
fn references(element: &Element, data_type: &ElementType, number: usize) -> Value {
    let any = ["Patient"];
    let targets = if data_type.targets.is_empty() { &any[..] } else { &data_type.targets };
    let to = |target: &&str| {
        let target = if Definitions::r4().is_resource_type(target) { target } else { "Patient" };
        json!({"reference": format!("{target}/to-{number}"), "display": "someone",
            "identifier": {"system": "urn:sample", "value": format!("logical-{number}")}})
    };
    match element.max {
        Some(0 | 1) => to(&targets[number / 2 % targets.len()]),
        _ => targets.iter().map(to).collect(),
    }
}
