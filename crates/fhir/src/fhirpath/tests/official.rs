//! HL7's own test suite for R4, where its files are present. Set `FHIRPATH_FAILURES` to have the failing cases listed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::*;

/// How many cases of the suite pass at least.
const PASSED_MIN: usize = 905;

/// One case: an expression, its input, and what it must give.
struct Case {
    name: String,
    input: String,
    expression: String,
    /// `syntax`, `semantic` or `execution`; empty for an expression that has a result.
    invalid: String,
    is_predicate: bool,
    /// Type (may be empty) and text of each item.
    outputs: Vec<(String, String)>,
}

fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/fhir-test-cases/r4");
    folder.is_dir().then_some(folder)
}

#[test]
fn passes_the_official_suite() {
    let Some(folder) = folder() else {
        println!("0 cases: the official suite is not present");
        return;
    };
    let suite = std::fs::read_to_string(folder.join("fhirpath/tests-fhir-r4.xml")).expect("suite is readable");
    let cases = cases(&suite);
    let mut documents = HashMap::new();
    let (mut ran, mut passed) = (0, 0);
    for case in &cases {
        let document = documents.entry(case.input.clone()).or_insert_with(|| document(&folder, &case.input));
        let Some(document) = document else { continue };
        ran += 1;
        match run(case, document) {
            Ok(()) => passed += 1,
            Err(found) if std::env::var_os("FHIRPATH_FAILURES").is_some() => {
                println!(
                    "{}: {}\n    expected {:?} {}\n    found {found}",
                    case.name,
                    case.expression.trim(),
                    case.outputs,
                    case.invalid
                );
            }
            Err(_) => {}
        }
    }
    println!("{passed} of {ran} cases pass; the suite has {}", cases.len());
    assert!(passed >= PASSED_MIN, "only {passed} of {ran} cases pass");
}

fn run(case: &Case, document: &Document) -> Result<(), String> {
    let definitions = Definitions::r4();
    let root = ElementNode::resource(definitions, document.root()).expect("input has a type");
    let context = Context::of(definitions, Some(root), NOW);
    let is_invalid = !case.invalid.is_empty();
    let expression = match Expression::parse(&case.expression) {
        Ok(expression) => expression,
        Err(_) if is_invalid => return Ok(()),
        Err(error) => return Err(format!("{error:?}")),
    };
    let mut items = match expression.evaluate(&context, Item::Element(root)) {
        Ok(items) => items,
        Err(_) if is_invalid && case.invalid != "syntax" => return Ok(()),
        Err(error) => return Err(format!("{error:?}")),
    };
    if case.is_predicate {
        items = item::truth_item(item::truth(&items).map_err(|error| error.message)?);
    }
    let is_same = |(item, (expected_type, expected)): (&Item<'_>, &(String, String))| {
        let is_type = expected_type.is_empty() || item.type_name().eq_ignore_ascii_case(expected_type);
        is_type && item.to_string() == expected.trim_start_matches("@T").trim_start_matches('@')
    };
    if !is_invalid && items.len() == case.outputs.len() && items.iter().zip(&case.outputs).all(is_same) {
        return Ok(());
    }
    Err(format!("{items:?}"))
}

/// The input as JSON: as it is, or the sibling of an XML file.
fn document(folder: &Path, input: &str) -> Option<Document> {
    let json = match input {
        "" => "patient-example.json".to_owned(),
        name => name.replace(".xml", ".json"),
    };
    let bytes =
        [folder.to_owned(), folder.join("examples")].iter().find_map(|folder| std::fs::read(folder.join(&json)).ok());
    Document::parse(&bytes?).ok()
}

/// The cases of the suite's XML, which is regular enough to be read without a parser.
fn cases(suite: &str) -> Vec<Case> {
    let mut text = String::new();
    let mut rest = suite;
    while let Some((before, comment)) = rest.split_once("<!--") {
        text.push_str(before);
        rest = comment.split_once("-->").expect("comment is closed").1;
    }
    text.push_str(rest);
    let blocks = text.split("<test ").skip(1).map(|block| block.split("</test>").next().unwrap_or_default());
    blocks.map(case).collect()
}

fn case(block: &str) -> Case {
    let (head, body) = block.split_once('>').expect("test has a body");
    let (_, expression) = body.split_once("<expression").expect("test has an expression");
    let (expression_head, expression) = expression.split_once('>').expect("tag is closed");
    let (expression, outputs) = expression.split_once("</expression>").expect("element is closed");
    let output = |output: &str| {
        let (head, text) = output.split_once('>')?;
        let text = if head.ends_with('/') { "" } else { text.split("</output>").next()? };
        Some((attribute(head, "type"), unescape(text)))
    };
    Case {
        name: attribute(head, "name"),
        input: attribute(head, "inputfile"),
        expression: unescape(expression),
        invalid: attribute(expression_head, "invalid"),
        is_predicate: attribute(head, "predicate") == "true",
        outputs: outputs.split("<output").skip(1).filter_map(output).collect(),
    }
}

fn attribute(head: &str, name: &str) -> String {
    let value = head.split_once(&format!("{name}=\"")).and_then(|(_, rest)| rest.split_once('"'));
    unescape(value.map_or("", |(value, _)| value))
}

fn unescape(text: &str) -> String {
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    entities.iter().fold(text.to_owned(), |text, (entity, plain)| text.replace(entity, plain))
}
