//! The tables against facts of the specification, and against their own hashes.

use super::*;

const README: &str = include_str!("../../../../profiles/README.md");

#[test]
fn tables_are_as_generated() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../profiles/r4/");
    let mut checked = 0;
    for line in README.lines().filter_map(|it| it.strip_prefix("| r4/")) {
        let mut cells = line.split(" | ");
        let (name, hash) = (cells.next().unwrap(), cells.next().unwrap());
        let bytes = std::fs::read(format!("{folder}{name}")).unwrap();
        assert_eq!(blake3::hash(&bytes).to_hex().as_str(), hash, "{name} was edited by hand: run the xtask instead");
        checked += 1;
    }
    assert_eq!(checked, 6);
}

#[test]
fn every_concrete_resource_type_is_there() {
    let r4 = Definitions::r4();
    assert_eq!(r4.resource_types().len(), 146);
    assert!(r4.resource_types().is_sorted());
    for (name, expected) in [
        ("Patient", true),
        ("Parameters", true),
        ("Binary", true),
        ("Resource", false),
        ("DomainResource", false),
        ("HumanName", false),
        ("Patient.contact", false),
        ("MetadataResource", false),
        ("patient", false),
        ("", false),
    ] {
        assert_eq!(r4.is_resource_type(name), expected, "{name}");
        assert_eq!(r4.resource_type(name), expected.then_some(name));
    }
}

#[test]
fn every_type_leads_to_its_structure() {
    let r4 = Definitions::r4();
    for structure in r4.structures {
        assert!(structure.base.is_empty() || r4.structure(structure.base).is_some(), "{}", structure.name);
        for element in &structure.elements {
            assert!(!element.types.is_empty(), "{}", element.path);
            assert!(element.types.len() == 1 || element.is_choice, "{}", element.path);
            assert_eq!(element.path.trim_end_matches("[x]"), format!("{}.{}", structure.name, element.name));
            for data_type in &element.types {
                let target = r4.structure_of(data_type);
                let name = if target.kind == StructureKind::Backbone { target.base } else { target.name };
                assert_eq!(name, data_type.code, "{}", element.path);
                for target in &data_type.targets {
                    assert!(r4.is_resource_type(target), "{} to {target}", element.path);
                }
                let (member, found) = structure.member(data_type.json_name).unwrap();
                assert_eq!((member.path, found.code), (element.path, data_type.code));
            }
            assert_eq!(structure.element(element.name).unwrap().path, element.path);
        }
    }
}

/// `min..max flags types binding` of an element, a type being `json name:code(targets)`.
fn line(element: &Element) -> String {
    let types = element.types.iter().map(|it| match it.targets.is_empty() {
        true => format!("{}:{}", it.json_name, it.code),
        false => format!("{}:{}({})", it.json_name, it.code, it.targets.join("|")),
    });
    let max = element.max.map_or("*".to_owned(), |max| max.to_string());
    let flags = [if element.is_modifier { "m" } else { "" }, if element.is_summary { "s" } else { "" }].concat();
    let mut line = vec![format!("{}..{max}", element.min), flags];
    line.extend(types);
    line.extend(element.binding.map(|it| it.url.replace("http://hl7.org/fhir/ValueSet/", "= ")));
    line.join(" ")
}

#[test]
fn elements_say_what_the_specification_says() {
    for (structure, name, expected) in [
        ("Patient", "id", "0..1 s id:id"),
        ("Patient.contact", "id", "0..1  id:string"),
        ("Patient.contact", "relationship", "0..*  relationship:CodeableConcept"),
        ("Patient", "gender", "0..1 s gender:code = administrative-gender"),
        ("Patient", "deceased", "0..1 ms deceasedBoolean:boolean deceasedDateTime:dateTime"),
        ("Patient", "contact", "0..*  contact:BackboneElement"),
        ("Patient", "contained", "0..*  contained:Resource"),
        ("Timing", "repeat", "0..1 s repeat:Element"),
        ("Bundle.entry", "resource", "0..1 s resource:Resource"),
        ("Questionnaire.item", "item", "0..*  item:BackboneElement"),
        ("Extension", "url", "1..1  url:uri"),
        ("xhtml", "id", "0..1  id:string"),
        ("xhtml", "extension", "0..0  extension:Extension"),
        ("Age", "comparator", "0..1 ms comparator:code = quantity-comparator"),
        ("Observation", "subject", "0..1 s subject:Reference(Patient|Group|Device|Location)"),
        ("Provenance", "target", "1..* s target:Reference"),
        ("Questionnaire.item", "answerValueSet", "0..1  answerValueSet:canonical(ValueSet)"),
        (
            "Appointment.participant",
            "actor",
            "0..1 s actor:Reference(Patient|Practitioner|PractitionerRole|RelatedPerson|Device|HealthcareService|Location)",
        ),
        (
            "Observation",
            "value",
            "0..1 s valueQuantity:Quantity valueCodeableConcept:CodeableConcept valueString:string \
             valueBoolean:boolean valueInteger:integer valueRange:Range valueRatio:Ratio valueSampledData:SampledData \
             valueTime:time valueDateTime:dateTime valuePeriod:Period",
        ),
    ] {
        let structure = Definitions::r4().structure(structure).unwrap();
        assert_eq!(line(structure.element(name).unwrap()), expected, "{}.{name}", structure.name);
    }
}

#[test]
fn members_are_found_by_their_json_name_only() {
    for (structure, member, expected) in [
        ("Observation", "valueQuantity", Some(("Observation.value[x]", "Quantity"))),
        ("Observation", "status", Some(("Observation.status", "code"))),
        ("Observation", "value", None),
        ("Observation", "valueMoney", None),
        ("Observation", "value[x]", None),
        ("Observation", "resourceType", None),
        ("Observation", "_status", None),
        ("Observation", "", None),
        ("string", "value", None),
        ("string", "extension", Some(("string.extension", "Extension"))),
    ] {
        let found = Definitions::r4().structure(structure).unwrap().member(member);
        assert_eq!(found.map(|(element, data_type)| (element.path, data_type.code)), expected, "{structure} {member}");
    }
    let observation = Definitions::r4().structure("Observation").unwrap();
    assert!(observation.element("valueQuantity").is_none());
}

#[test]
fn content_references_and_backbones_lead_to_their_structure() {
    for (structure, member, expected) in [
        ("Questionnaire.item", "item", "Questionnaire.item"),
        ("Bundle.entry", "link", "Bundle.link"),
        ("Observation.component", "referenceRange", "Observation.referenceRange"),
        ("Parameters.parameter", "part", "Parameters.parameter"),
        ("Patient", "contact", "Patient.contact"),
        ("Timing", "repeat", "Timing.repeat"),
        ("Bundle.entry", "resource", "Resource"),
        ("Patient", "name", "HumanName"),
    ] {
        let r4 = Definitions::r4();
        let (_, data_type) = r4.structure(structure).unwrap().member(member).unwrap();
        assert_eq!(r4.structure_of(data_type).name, expected, "{structure}.{member}");
    }
}

#[test]
fn types_specialize_their_ancestors() {
    for (name, ancestor, expected) in [
        ("Patient", "DomainResource", true),
        ("Patient", "Resource", true),
        ("Bundle", "DomainResource", false),
        ("Bundle", "Resource", true),
        ("Age", "Quantity", true),
        ("Quantity", "Age", false),
        ("Money", "Quantity", false),
        ("code", "string", true),
        ("canonical", "uri", true),
        ("uri", "string", false),
        ("positiveInt", "integer", true),
        ("Timing", "BackboneElement", true),
        ("Patient.contact", "BackboneElement", true),
        ("Timing.repeat", "BackboneElement", false),
        ("Timing.repeat", "Element", true),
        ("string", "Element", true),
        ("Unknown", "Resource", false),
        ("Unknown", "Element", false),
    ] {
        assert_eq!(Definitions::r4().is_a(name, ancestor), expected, "{name} is a {ancestor}");
    }
}

#[test]
fn required_bindings_have_their_codes() {
    for (value_set, count, code) in [
        ("administrative-gender", 4, "other"),
        ("appointmentstatus", 10, "noshow"),
        ("all-types", 213, "Any"),
        ("event-timing", 26, "AC"),
        ("issue-type", 31, "multiple-matches"),
        ("mimetypes", 0, ""),
        ("currencies", 0, ""),
        ("ucum-units", 0, ""),
    ] {
        let set = Definitions::r4().value_set(&format!("http://hl7.org/fhir/ValueSet/{value_set}")).unwrap();
        let codes: Vec<&str> = set.systems.iter().flat_map(|(_, codes)| codes).copied().collect();
        assert_eq!((codes.len(), set.is_enumerated), (count, count > 0), "{value_set}");
        assert!(!set.is_enumerated || codes.contains(&code), "{value_set} has {code}");
    }
    assert!(Definitions::r4().value_set("http://hl7.org/fhir/ValueSet/languages").is_none());
}

#[test]
fn each_invariant_is_stated_once() {
    let r4 = Definitions::r4();
    let keys = |invariants: &[&Invariant]| invariants.iter().map(|it| it.key).collect::<Vec<_>>().join(" ");
    for (structure, expected) in [
        ("Patient", "dom-2 dom-3 dom-4 dom-5 dom-6"),
        ("Patient.contact", "ele-1 pat-1"),
        ("Bundle", "bdl-1 bdl-10 bdl-11 bdl-12 bdl-2 bdl-3 bdl-4 bdl-7 bdl-9"),
        ("Extension", "ele-1 ext-1"),
        ("Age", "ele-1 qty-3 age-1"),
        ("code", "ele-1"),
        ("Task", "dom-2 dom-3 dom-4 dom-5 dom-6 inv-1"),
        ("Resource", ""),
    ] {
        assert_eq!(keys(&r4.structure(structure).unwrap().invariants), expected, "{structure}");
    }
    for (structure, element, expected) in [
        ("Patient", "name", ""),
        ("Patient", "contact", ""),
        ("Narrative", "div", "txt-1 txt-2"),
        ("Organization", "address", "org-2"),
        ("Range", "low", "sqty-1"),
    ] {
        let structure = r4.structure(structure).unwrap();
        assert_eq!(keys(&structure.element(element).unwrap().invariants), expected, "{}.{element}", structure.name);
    }
}

#[test]
fn errata_replace_what_was_published() {
    for (structure, key, expression) in [
        ("Appointment", "app-4", "cancelationReason.exists() implies (status='noshow' or status='cancelled')"),
        ("Bundle.entry", "bdl-8", "fullUrl.exists() implies fullUrl.contains('/_history/').not()"),
        ("Library", "lib-0", "name.exists() implies name.matches('[A-Z]([A-Za-z0-9_]){0,254}')"),
        ("Patient.contact", "pat-1", "name.exists() or telecom.exists() or address.exists() or organization.exists()"),
    ] {
        let invariants = &Definitions::r4().structure(structure).unwrap().invariants;
        assert_eq!(invariants.iter().find(|it| it.key == key).unwrap().expression, expression);
    }
    let mut parameters = Definitions::r4().search_parameters("QuestionnaireResponse").iter();
    let item_subject = parameters.find(|it| it.code == "item-subject").unwrap();
    assert!(item_subject.expression.contains(".exists()).answer"), "{}", item_subject.expression);
    for line in load::ERRATA.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        assert_eq!(fields.len(), 3, "expression, correction, reason: {line}");
        let is_invariant = load::INVARIANTS.contains(&format!("\t{}\t", fields[0]));
        let is_component = load::SEARCH_PARAMETERS.contains(&format!("\t{}\n", fields[0].replacen(' ', "\t", 1)));
        let is_parameter = load::SEARCH_PARAMETERS.contains(&format!("\t{}\t", fields[0]));
        assert!(is_invariant || is_component || is_parameter, "nothing is published as `{}`", fields[0]);
    }
}

#[test]
fn search_parameters_are_found_by_type_and_url() {
    let r4 = Definitions::r4();
    for (resource_type, code, expected) in [
        ("Patient", "_id", Some((SearchKind::Token, "Resource.id", 0))),
        ("Patient", "_lastUpdated", Some((SearchKind::Date, "Resource.meta.lastUpdated", 0))),
        (
            "Patient",
            "birthdate",
            Some((SearchKind::Date, "Patient.birthDate | Person.birthDate | RelatedPerson.birthDate", 0)),
        ),
        ("Patient", "general-practitioner", Some((SearchKind::Reference, "Patient.generalPractitioner", 3))),
        ("Provenance", "target", Some((SearchKind::Reference, "Provenance.target", 145))),
        ("Resource", "_tag", Some((SearchKind::Token, "Resource.meta.tag", 0))),
        ("Location", "near", Some((SearchKind::Special, "Location.position", 0))),
        ("Binary", "_text", None),
        ("Patient", "age", None),
        ("Patient", "date", None),
        ("Unknown", "_id", None),
    ] {
        let mut found = r4.search_parameters(resource_type).iter().filter(|it| it.code == code);
        let first = found.next().map(|it| (it.kind, it.expression.as_ref(), it.targets.len()));
        assert_eq!(first, expected, "{resource_type} {code}");
        assert!(found.next().is_none(), "{resource_type} {code} is there twice");
    }
    for resource_type in r4.resource_types() {
        let parameters = r4.search_parameters(resource_type);
        assert!(parameters.is_sorted_by(|a, b| a.code < b.code), "{resource_type}");
        for parameter in parameters {
            assert_eq!(r4.search_parameter(&parameter.url).unwrap().code, parameter.code);
            assert_eq!(parameter.kind == SearchKind::Composite, !parameter.components.is_empty(), "{}", parameter.url);
            for (definition, _) in &parameter.components {
                assert!(r4.search_parameter(definition).is_some(), "{} needs {definition}", parameter.url);
            }
        }
    }
}

#[test]
fn compartments_name_search_parameters() {
    let r4 = Definitions::r4();
    let codes: Vec<&str> = r4.compartments().iter().map(|it| it.code).collect();
    assert_eq!(codes, ["Device", "Encounter", "Patient", "Practitioner", "RelatedPerson"]);
    for (compartment, resource_type, expected) in [
        ("Patient", "Observation", vec!["subject", "performer"]),
        ("Patient", "Patient", vec!["link"]),
        ("Practitioner", "Practitioner", vec!["{def}"]),
        ("Patient", "Medication", vec![]),
    ] {
        let compartment = r4.compartments().iter().find(|it| it.code == compartment).unwrap();
        let found = compartment.members.iter().find(|it| it.0 == resource_type);
        assert_eq!(found.map_or(vec![], |it| it.1.clone()), expected, "{resource_type}");
    }
    for (resource_type, parameters) in r4.compartments().iter().flat_map(|it| &it.members) {
        let known = r4.search_parameters(resource_type);
        for code in parameters.iter().filter(|it| **it != "{def}") {
            assert!(known.iter().any(|it| it.code == *code), "{resource_type} {code}");
        }
    }
}

#[test]
fn search_kinds_read_back() {
    let kinds = [
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
    for (kind, code) in kinds {
        assert_eq!((kind.code(), SearchKind::parse(code)), (code, Some(kind)));
    }
    assert_eq!((SearchKind::parse("Token"), SearchKind::parse("")), (None, None));
}
