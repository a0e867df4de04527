//! The official test cases, where they are at hand.

use std::path::Path;

use crate::Definitions;
use crate::json::Document;
use crate::patch::PathPatch;
use crate::xml;

fn read(name: &str) -> Option<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/fhir-test-cases/r4/patch");
    std::fs::read_to_string(folder.join(name)).ok()
}

/// The inside of the first element of that name.
fn inside<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0.trim())
}

#[test]
fn path_patches() {
    let Some(text) = read("fhir-patch-tests.xml") else { return println!("no FHIRPath Patch cases at hand: skipped") };
    let definitions = Definitions::r4();
    let resource = |text: &str| xml::parse(definitions, text.as_bytes());
    let mut count = 0;
    for case in text.split("<case ").skip(1) {
        let name = case.split('"').nth(1).unwrap_or_default();
        let input = resource(inside(case, "input").expect("an input")).expect(name);
        let diff = resource(inside(case, "diff").expect("a diff")).expect(name);
        let patched = PathPatch::parse(&diff).and_then(|patch| patch.apply(definitions, &input));
        match inside(case, "output") {
            Some(output) => {
                let expected = resource(output).expect(name);
                let patched = patched.unwrap_or_else(|outcome| panic!("{name}: {outcome}"));
                // The narratives differ in how a quote is written.
                let written =
                    |document: &Document| xml::write(definitions, document).map(|xml| xml.replace("&quot;", "\""));
                assert_eq!(written(&patched), written(&expected), "{name}");
            }
            None => assert!(patched.is_err(), "{name}"),
        }
        count += 1;
    }
    println!("{count} official cases of FHIRPath Patch");
}
