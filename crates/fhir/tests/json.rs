//! The parser beside serde_json, on generated and on published texts.

use std::io::Read;
use std::path::{Path, PathBuf};

use fhir::json::{Document, Kind, Node, Value};
use proptest::prelude::*;
use serde_json::Value as Theirs;

/// White space and JSON's own marks, so that mutations hit the grammar.
const MARKS: &[u8] = b" \t\n\r{}[]:,\"\\/-+.0123456789eEtrufalsn\x00\x1f\x7fbdDc\xc3\xa9\xff";

/// After so many bytes of published texts it is enough.
const COMPARED_MAX: usize = 8_000_000;

fn same(ours: Node<'_>, theirs: &Theirs) -> bool {
    match (ours.kind(), theirs) {
        (Kind::Object, Theirs::Object(members)) => {
            ours.members().count() == members.len()
                && ours.members().all(|(name, value)| members.get(name).is_some_and(|theirs| same(value, theirs)))
        }
        (Kind::Array, Theirs::Array(items)) => {
            ours.items().count() == items.len() && ours.items().zip(items).all(|(ours, theirs)| same(ours, theirs))
        }
        (Kind::String, Theirs::String(text)) => ours.as_str().as_deref() == Some(text) && ours.is_str(text),
        (Kind::Number, Theirs::Number(number)) => {
            let (ours, theirs) = (ours.raw().parse::<f64>().expect("a number"), number.as_f64().expect("a number"));
            (ours - theirs).abs() <= ours.abs() * 1e-14
        }
        (Kind::Boolean, Theirs::Bool(value)) => ours.as_bool() == Some(*value),
        (Kind::Null, Theirs::Null) => true,
        _ => false,
    }
}

/// Both accept the text with the same meaning, or both refuse it, but for the rules that only one has.
fn agree(bytes: &[u8]) {
    match (Document::parse(bytes), serde_json::from_slice::<Theirs>(bytes)) {
        (Ok(ours), Ok(theirs)) => assert!(same(ours.root(), &theirs), "{} differs from {theirs}", ours.text()),
        (Ok(ours), Err(error)) => {
            let error = error.to_string();
            let is_theirs = error.starts_with("number out of range") || error.starts_with("recursion limit");
            assert!(is_theirs, "{}: {error}", ours.text());
        }
        (Err(error), Ok(_)) => {
            let is_ours = error.message.ends_with("is there twice")
                || error.message.ends_with("holds a quote, a backslash or a control character");
            assert!(is_ours, "{}: {error}", String::from_utf8_lossy(bytes));
        }
        (Err(_), Err(_)) => {}
    }
}

/// The text is stable: parsed again, it is itself; and an owned value writes the same, but for escapes.
fn is_stable(document: &Document) {
    let text = document.text();
    assert_eq!(Document::parse(text.as_bytes()).expect("its own text").text(), text);
    let value = Value::from(document.root());
    let written = value.to_string();
    assert_eq!(Value::parse(&written).expect("a written value"), value);
    assert_eq!(Document::parse(written.as_bytes()).expect("a written value").text(), written);
    if !text.contains('\\') {
        assert_eq!(written, text);
    }
}

fn space() -> impl Strategy<Value = String> {
    prop_oneof![4 => Just(String::new()), 1 => "[ \t\r\n]{1,3}"]
}

fn string() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        6 => "[a-zA-Z0-9 /é😀~]{0,12}",
        1 => r#"\\["\\/bfnrt]"#,
        1 => r"\\u00[0-7][0-9a-fA-F]",
        1 => Just(r"\ud83d\uDE00".to_owned()),
    ];
    prop::collection::vec(part, 0..4).prop_map(|parts| format!("\"{}\"", parts.concat()))
}

fn json() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        "-?(0|[1-9][0-9]{0,20})",
        "-?(0|[1-9][0-9]{0,5})\\.[0-9]{1,20}",
        "-?[1-9](\\.[0-9]{1,3})?[eE][+-]?[0-9]{1,2}",
    ];
    let scalar =
        prop_oneof![Just("null".to_owned()), Just("true".to_owned()), Just("false".to_owned()), number, string(),];
    scalar.prop_recursive(6, 200, 30, |inner| {
        let spaced = (space(), inner, space()).prop_map(|(before, value, after)| before + &value + &after).boxed();
        let item = spaced.clone();
        let array = (prop::collection::vec(item, 0..8), space()).prop_map(|(items, space)| {
            if items.is_empty() { format!("[{space}]") } else { format!("[{}]", items.join(",")) }
        });
        let member = (space(), "[a-z]{1,3}|\\\\u006[1-9]|é", space(), spaced)
            .prop_map(|(before, name, after, value)| format!("{before}\"{name}\"{after}:{value}"));
        let object = prop::collection::vec(member, 1..30).prop_map(|members| format!("{{{}}}", members.join(",")));
        prop_oneof![array, object, Just("{ }".to_owned())]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_on_generated_texts(text in json()) {
        agree(text.as_bytes());
        if let Ok(document) = Document::parse(text.as_bytes()) {
            is_stable(&document);
        }
    }

    #[test]
    fn agrees_on_damaged_texts(
        text in json(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(MARKS), 0..3_u8), 1..4),
    ) {
        let mut bytes = text.into_bytes();
        for (at, mark, how) in damage {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = mark,
                1 => bytes.insert(at, mark),
                _ => drop(bytes.remove(at)),
            }
            if bytes.is_empty() {
                break;
            }
        }
        agree(&bytes);
    }

    #[test]
    fn agrees_on_any_bytes(bytes in prop::collection::vec(prop::sample::select(MARKS), 0..40)) {
        agree(&bytes);
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("a readable folder").path());
    let mut paths: Vec<_> = paths.filter(|path| path.to_string_lossy().contains(".json")).collect();
    paths.sort();
    paths
}

#[test]
fn agrees_on_published_texts() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folders = ["fhir-test-cases/r4", "fhir-test-cases/r4/examples", "surgery", "synthea"];
    let paths: Vec<_> = folders.iter().flat_map(|folder| files(&shared.join(folder))).collect();
    let (mut count, mut compared) = (0, 0);
    for path in &paths {
        if compared > COMPARED_MAX {
            break;
        }
        let bytes = std::fs::read(path).expect("a readable file");
        let mut text = bytes.clone();
        if path.extension().is_some_and(|extension| extension == "gz") {
            text.clear();
            flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut text).expect("valid gzip");
        }
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
        agree(text);
        match Document::parse(text) {
            Ok(document) => is_stable(&document),
            Err(error) => println!("{}: {error}", path.display()),
        }
        (count, compared) = (count + 1, compared + text.len());
    }
    println!("compared {count} of {} published texts", paths.len());
}
