use super::*;
use crate::fhirpath::functions;

fn check(type_name: &str, expression: &str) -> Checked {
    let definitions = Definitions::r4();
    let structure = definitions.structure(type_name).expect("a type");
    Expression::parse(expression).expect(expression).check(definitions, structure)
}

#[test]
fn tells_the_type_of_a_result() {
    for (expression, expected) in [
        ("name", Some("HumanName[]")),
        ("name.given", Some("string[]")),
        ("Patient.name.first().family", Some("string")),
        ("name[0].given[0]", Some("string")),
        ("birthDate", Some("date")),
        ("deceased", Some("boolean|dateTime")),
        ("deceased.ofType(boolean)", Some("boolean")),
        ("contact", Some("Patient.contact[]")),
        ("contact.name.family", Some("string[]")),
        ("name.where(use = 'usual').exists()", Some("Boolean")),
        ("name.select(given | family)", Some("string[]")),
        ("name.count() + 1", Some("Integer")),
        ("1 + 1.0", Some("Decimal")),
        ("4 / 2", Some("Decimal")),
        ("'a' & 'b'", Some("String")),
        ("birthDate + 1 day", Some("date")),
        ("iif(active, 1, 'no')", Some("Integer|String")),
        ("extension('u')", Some("Extension[]")),
        ("contained", None),
        ("children()", None),
        ("%resource.name", Some("HumanName[]")),
        ("%other", None),
        ("{}", Some("{}")),
        ("link.other.resolve()", None),
        ("name.given.join(' ').length()", Some("Integer")),
    ] {
        let checked = check("Patient", expression);
        assert_eq!(checked.problems, [], "{expression}");
        assert_eq!(checked.result.as_deref(), expected, "{expression}");
    }
    assert_eq!(check("Questionnaire", "repeat(item)").result.as_deref(), Some("Questionnaire.item[]"));
    assert_eq!(check("HumanName", "family").result.as_deref(), Some("string"));
}

#[test]
fn names_what_is_wrong_and_where() {
    for (expression, at, message) in [
        ("name.given1", 5, "HumanName has no element `given1`"),
        ("name . /* x */ `given1`", 15, "HumanName has no element `given1`"),
        ("Encounter.name.given", 0, "`Encounter` stands on Patient, which it never is"),
        ("deceasedBoolean", 0, "Patient has no element `deceasedBoolean`; write `deceased.ofType(boolean)`"),
        ("(deceased as Period).end", 10, ""),
        ("(deceased as dateTime).unit", 23, "dateTime has no element `unit`"),
        ("name.where(fmily = 'x')", 11, "HumanName has no element `fmily`"),
        ("name.select(given.select(x))", 25, "string has no element `x`"),
        ("name as HumanName", 5, "`as` takes one item, HumanName may be several; ofType() takes any number"),
        ("active is Bolean", 7, "type `Bolean` is unknown"),
        ("children().skip(1)", 11, "skip() needs an order, which these items do not have"),
        ("descendants()[0]", 13, "an index needs an order, which these items do not have"),
        ("identifier.startsWith('x')", 11, "the input of startsWith() cannot be Identifier"),
        ("id.startsWith(1)", 3, "argument 1 of startsWith() cannot be Integer"),
        ("name['a']", 4, "an index cannot be String"),
        ("iif('x', 1, 2)", 0, "argument 1 of iif() cannot be String"),
        ("1 + birthDate", 2, "`+` is not defined for Integer and date"),
        ("@1974-12-25 + 7", 12, "`+` is not defined for Date and Integer"),
        ("id < 1", 3, "`<` is not defined for id and Integer"),
        ("name & 'x'", 5, "`&` is not defined for HumanName and String"),
        ("-'x'", 0, "the operand of `-` cannot be String"),
    ] {
        let problems = check("Patient", expression).problems;
        let expected = if message.is_empty() { Vec::new() } else { vec![(at, message)] };
        let found: Vec<_> = problems.iter().map(|problem| (problem.at, problem.message.as_str())).collect();
        assert_eq!(found, expected, "{expression}");
    }
}

#[test]
fn every_function_has_a_signature() {
    for function in functions::all() {
        assert!(signature::signature(function.name).is_some(), "{}", function.name);
    }
}

#[test]
fn stays_within_its_limits() {
    let many = (0..100).map(|n| format!("x{n}")).collect::<Vec<_>>().join(" | ");
    assert_eq!(check("Patient", &many).problems.len(), PROBLEMS_MAX);
    let nested = format!("{}children(){}", "repeat(".repeat(60), ")".repeat(60));
    check("Patient", &nested);
    let nested = format!("{}item{}", "repeat(item | ".repeat(30), ")".repeat(30));
    check("Questionnaire", &nested);
}
