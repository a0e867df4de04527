//! Expressions that nobody would write: whatever the text, parsing and evaluation end with a result or a refusal.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::*;

/// Pieces of expressions, most of which fit together.
const PIECES: [&str; 96] = [
    "name",
    "given",
    "value",
    "birthDate",
    "extension",
    "Patient",
    "Observation",
    "descendants()",
    "children()",
    "$this",
    "$index",
    "$total",
    "%resource",
    "%context",
    "%rootResource",
    "%x",
    "{}",
    "true",
    "1",
    "0",
    "-1",
    "9223372036854775807",
    "1.50",
    "1e",
    "'a'",
    "'\\u00e4'",
    "'",
    "@2015",
    "@2015-02-04T14:34:28.123+10:00",
    "@T12:00",
    "@9999-12-31",
    "4 days",
    "5 'mg'",
    "1 '10*99'",
    "3 years",
    ".where(",
    ".select(",
    ".repeat(",
    ".all(",
    ".aggregate(",
    ".iif(",
    ".exists(",
    ".sort(-",
    ".trace('t', ",
    ".first()",
    ".last()",
    ".count()",
    ".toString()",
    ".toQuantity('kg')",
    ".replace('', 'xyz')",
    ".matches('(a*)*')",
    ".replaceMatches('.', '$0$0')",
    ".split('')",
    ".toChars()",
    ".join(",
    ".substring(",
    ".indexOf(",
    ".power(",
    ".round(",
    ".lowBoundary(",
    ".highBoundary()",
    ".precision()",
    ".ofType(",
    ".as(",
    ".is(",
    ".type()",
    ".resolve()",
    ".memberOf(",
    ".conformsTo(",
    ".subsumes(",
    ".combine(",
    ".union(",
    "[",
    "]",
    "(",
    ")",
    ",",
    ".",
    " and ",
    " or ",
    " implies ",
    " xor ",
    " = ",
    " ~ ",
    " != ",
    " < ",
    " >= ",
    " in ",
    " contains ",
    " is ",
    " as ",
    " + ",
    " - ",
    " * ",
    " / ",
    " | ",
];

/// The same cases on every run.
fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

fn survives(text: &str) {
    let document = Document::parse(PATIENT.as_bytes()).expect("JSON");
    let definitions = Definitions::r4();
    let root = ElementNode::resource(definitions, document.root()).expect("a resource");
    let context = Context::of(definitions, Some(root), NOW);
    match Expression::parse(text) {
        Ok(expression) => {
            expression.check(definitions, root.structure);
            let _ = expression.outside();
            // Few steps: that they end is what is tested, not how many there are.
            let mut steps = Steps(20_000);
            let (result, _) = expression.trace(&context, Some(Item::Element(root)), &mut steps);
            if let Err(error) = result {
                assert!(error.at.is_none_or(|at| text.is_char_boundary(at)), "{text}: {error:?}");
            }
        }
        Err(error) => assert!(text.is_char_boundary(error.at), "{text}: {error:?}"),
    }
}

#[test]
fn any_text_is_parsed_or_refused() {
    let text = proptest::collection::vec(any::<char>(), 0..40).prop_map(|chars| chars.into_iter().collect::<String>());
    runner(2_000)
        .run(&text, |text| {
            survives(&text);
            Ok(())
        })
        .expect("no text does harm");
}

#[test]
fn any_pieces_of_expressions_end() {
    let pieces = proptest::collection::vec(0..PIECES.len(), 1..24);
    runner(4_000)
        .run(&pieces, |pieces| {
            let text: String = pieces.iter().map(|at| PIECES[*at]).collect();
            survives(&text);
            // What is open is closed, so that more of it is evaluated.
            let open = text.matches('(').count().saturating_sub(text.matches(')').count());
            survives(&format!("{}1{}", text, ")".repeat(open)));
            Ok(())
        })
        .expect("no expression does harm");
}

#[test]
fn extremes_are_refused_or_empty() {
    for text in [
        "(-9223372036854775807 - 1) div -1",
        "(-9223372036854775807 - 1).abs()",
        "-(-9223372036854775807 - 1)",
        "9223372036854775807.power(9223372036854775807)",
        "1.power(9223372036854775807)",
        "1.0.round(2147483647)",
        "1.0.round(9223372036854775807)",
        "1.lowBoundary(2147483647)",
        "0.000000000000000000000000000001.highBoundary(31)",
        "99999999999999999999999999999999999999.0 * 99999999999999999999999999999999999999.0",
        "99999999999999999999999999999999999999.0 + 0.00000000000000000000000000001",
        "1 / 99999999999999999999999999999999999999.0",
        "1 'Ym' * 1 'Ym' * 1 'Ym' * 1 'Ym' * 1 'Ym'",
        "@9999-12-31 + 9223372036854775807 years",
        "@0001-01-01 - 1 day",
        "@2015 + 99999999999999999999999999999999999999.5 months",
        "@T23:59:59.999 + 9223372036854775807 hours",
        "'a'.substring(9223372036854775807, 9223372036854775807)",
        "name.skip(9223372036854775807) | name.take(-9223372036854775807)",
        "name[9223372036854775807]",
        "'x'.matches('a{1000}{1000}{1000}')",
        "'x'.matches('((((((((((a{9}){9}){9}){9}){9}){9}){9}){9}){9}){9}')",
        "('a' & 'b').matches('(' & 'a*)*b')",
        "'99999999999999999999999999999999999999999'.toInteger()",
        "'1e2147483647'.toDecimal() + 1",
        "'1e-2147483648'.toDecimal() * '1e-2147483648'.toDecimal()",
        "5 'mg' = 5 '[degF]' or 1 'Cel' ~ 1 'K'",
        "@2015-02-04T14:34:28Z = @2015-02-04T14:34:28.9999999999999999999999Z",
    ] {
        survives(text);
    }
}
