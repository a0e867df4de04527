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
    assert_eq!(checked, 5);
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
