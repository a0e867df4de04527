//! Expressions, as `$fhirpath`, SearchParameters and profiles bring them.

use fhir::fhirpath::{Context, ElementNode, Expression, Item};
use fhir::json::Document;
use fhir::published::Published;
use fhir::{Definitions, Instant};

use super::{EXAMPLES, Target};

pub(super) const TARGET: Target = Target {
    name: "fhirpath",
    corpus: || EXPRESSIONS.iter().map(|text| text.as_bytes().to_vec()).collect(),
    words: &[
        "(",
        ")",
        "[",
        "]",
        "{}",
        ".",
        "|",
        "+",
        "-",
        "*",
        "/",
        "&",
        "'",
        "`",
        "\\u00",
        "@2015-02",
        "@T25:61",
        "1 'mg'",
        "4 days",
        "99999999999999999999",
        "0.0000000000000000000000000001",
        "$this",
        "$index",
        "$total",
        "%resource",
        "%context",
        "div 0",
        "mod 0",
        " and ",
        " is ",
        " as ",
        "repeat($this)",
        "descendants()",
        "combine($this | $this)",
        "matches('(a+)+$')",
        "replaceMatches('.*', '$0$0')",
        "power(9999)",
        "select($this)",
        "aggregate($this + $total, 0)",
        "ofType(Quantity)",
        "resolve()",
        "memberOf('u')",
        "toQuantity('g')",
        "--",
        "not()",
        "extension('u')",
        "type()",
        "iif(true, ",
        "substring(-1, 99999999999)",
        "children()",
        "trace('t')",
        "lowBoundary(99)",
        "join(',')",
    ],
    run,
};

const EXPRESSIONS: [&str; 14] = [
    "Patient.name.given",
    "name.where(use = 'official').given.first() + ' ' & name.family",
    "identifier.where(system = 'https://fhir.nhs.uk/Id/nhs-number').value.matches('^[0-9]{10}$')",
    "birthDate < today() - 18 years and birthDate.toString().length() = 10",
    "(1 | 2 | 3).aggregate($this + $total, 0) = 6",
    "descendants().ofType(Identifier).select(value.toInteger() mod 11)",
    "repeat(contact | link).all($this is BackboneElement)",
    "Observation.value.as(Quantity).value > 10 'mg'",
    "'abc'.substring(1, 1).replace('b', 'xyz').toChars().join('-')",
    "iif(active, name.count(), -1.50) / 3.0",
    "@2015-02-04T14:34:28.123+10:00.lowBoundary(8) ~ @2015-02",
    "generalPractitioner.resolve().is(Organization) implies managingOrganization.reference.exists()",
    "extension('u').value.exists() or modifierExtension.empty() xor deceased is boolean",
    "telecom.combine(address).skip(1).take(2).tail().isDistinct().not()",
];

fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok(expression) = Expression::parse(text) else { return };
    let definitions = Definitions::r4();
    for example in [EXAMPLES[0], EXAMPLES[5]] {
        let document = Document::parse(example.as_bytes()).expect("an example");
        let root = ElementNode::resource(definitions, document.root()).expect("a resource");
        let context = Context {
            definitions,
            resource: root,
            root_resource: root,
            resolver: None,
            library: Some(&Published),
            variables: &[],
            now: Instant(0),
        };
        if let Ok(found) = expression.evaluate(&context, Item::Element(root)) {
            drop(found.iter().map(Item::to_string).collect::<Vec<_>>());
        }
    }
}
