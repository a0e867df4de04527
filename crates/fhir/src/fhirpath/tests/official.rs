//! HL7's own test suite for R4, where its files are present: every case passes but those that are wrong themselves. An expression that
//! has a result must also pass the check of its types.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::*;

/// How many cases the suite has.
const CASES: usize = 935;

/// Cases that are wrong themselves, by name, with the reason.
const WRONG: [(&str, &str); 6] = [
    ("testPlusDate19", "a tenth of a second is 100 ms, which a time with milliseconds shows"),
    ("LowBoundaryDecimal15", "the low boundary -0.0 is greater than the value, -0.0034"),
    ("HighBoundaryDecimal15", "the high boundary 0.0 is less than the value, 0.0034"),
    ("HighBoundaryDecimal16", "the same as HighBoundaryDecimal15, negated: 0.0034.highBoundary(1) is not 0.0"),
    ("HighBoundaryDateTimeMillisecond1", "the last moment of hour 08 is 08:59:59.999, not 08:00:59.999"),
    ("HighBoundaryDateTimeMillisecond3", "the last moment of hour 08 is 08:59:59.999, not 08:00:59.999"),
];

/// One case: an expression, its input, and what it must give.
struct Case {
    name: String,
    input: String,
    expression: String,
    /// `syntax`, `semantic` or `execution`; empty for an expression that has a result.
    invalid: String,
    /// `strict`, `lenient/polymorphics` or nothing.
    mode: String,
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
    let mut failed = Vec::new();
    for case in &cases {
        let document = documents.entry(case.input.clone()).or_insert_with(|| document(&folder, &case.input));
        if let Err(found) = run(case, document) {
            if !WRONG.iter().any(|(name, _)| *name == case.name) {
                let expression = case.expression.trim();
                println!(
                    "{}: {expression}\n    expected {:?} {}\n    found {found}",
                    case.name, case.outputs, case.invalid
                );
            }
            failed.push(case.name.as_str());
        }
    }
    println!("{} of {} cases pass", cases.len() - failed.len(), cases.len());
    assert_eq!(cases.len(), CASES);
    assert_eq!(failed, WRONG.map(|(name, _)| name));
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
    let problems = expression.check(definitions, root.structure).problems;
    match (is_invalid, problems.is_empty()) {
        (true, false) => return Ok(()),
        (false, false) if case.mode.is_empty() => return Err(format!("{problems:?}")),
        _ => {}
    }
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

/// The input of a case; some need none.
fn document(folder: &Path, input: &str) -> Document {
    let input = if input.is_empty() { "patient-example.xml" } else { input };
    let bytes = std::fs::read(folder.join(input)).expect("input is readable");
    match input.ends_with(".xml") {
        true => crate::xml::parse(Definitions::r4(), in_order(&String::from_utf8(bytes).expect(input)).as_bytes())
            .expect(input),
        false => Document::parse(&bytes).expect(input),
    }
}

/// The observation has its extension behind its status, which XML does not allow: it is put before it.
fn in_order(xml: &str) -> String {
    let status = "<status value=\"final\"/>";
    match (xml.find(status), xml.find("<extension "), xml.find("</extension>")) {
        (Some(at), Some(start), Some(end)) if xml.contains("<Observation ") && at < start => {
            let end = end + "</extension>".len();
            [&xml[..at], &xml[start..end], &xml[at..start], &xml[end..]].concat()
        }
        _ => xml.to_owned(),
    }
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
        mode: attribute(head, "mode"),
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
