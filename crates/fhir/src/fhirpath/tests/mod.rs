//! The engine at its door.

mod definitions;
mod functions;
mod hostile;
mod official;

use super::*;
use crate::Instant;
use crate::json::Document;

const NOW: Instant = Instant(1_772_355_600_000_000);

const PATIENT: &str = r##"{"resourceType":"Patient","id":"ann","active":true,
  "text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">Ann</div>"},
  "contained":[{"resourceType":"Organization","id":"org","name":"Surgery"}],
  "extension":[{"url":"http://e.example/age","valueAge":{"value":42,"system":"http://unitsofmeasure.org","code":"a"}},
    {"url":"http://e.example/color","valueString":"red"}],
  "name":[{"use":"official","family":"Smith","given":["Ann","Marie"],"_given":[null,{"extension":[{"url":"x","valueCode":"y"}]}]},
    {"use":"usual","given":["Annie"]}],
  "telecom":[{"system":"phone","value":"1"},{"system":"email","value":"a@b.example"}],
  "gender":"female","birthDate":"1974-12-25","_birthDate":{"id":"b1","extension":[{"url":"http://e.example/time","valueDateTime":"1974-12-25T14:35:45-05:00"}]},
  "_language":{"extension":[{"url":"http://e.example/absent","valueCode":"unknown"}]},
  "deceasedBoolean":false,"multipleBirthInteger":2,
  "contact":[{"name":{"family":"Jones"},"organization":{"reference":"#org"}}],
  "generalPractitioner":[{"reference":"Practitioner/p1"},{"reference":"https://other.example/fhir/Organization/o1"},
    {"type":"PractitionerRole","identifier":{"value":"9"}},{"reference":"urn:uuid:1"}],
  "managingOrganization":{"reference":"#org"}}"##;

const OBSERVATION: &str = r#"{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"s","code":"c"}]},
  "subject":{"reference":"Patient/ann"},"effectivePeriod":{"start":"2020-01-01","end":"2021"},
  "valueQuantity":{"value":185.0,"unit":"lbs","system":"http://unitsofmeasure.org","code":"[lb_av]"},
  "component":[{"code":{"text":"a"},"valueString":"x"},{"code":{"text":"b"},"valueQuantity":{"value":1.50,"unit":"g"}}]}"#;

const BUNDLE: &str = r#"{"resourceType":"Bundle","type":"collection","entry":[
  {"fullUrl":"urn:uuid:1","resource":{"resourceType":"Patient","id":"ann","birthDate":"1974"}},
  {"fullUrl":"https://s.example/fhir/Encounter/e1","resource":{"resourceType":"Encounter","id":"e1","status":"planned","class":{"code":"AMB"},"subject":{"reference":"urn:uuid:1"}}},
  {"resource":{"resourceType":"Condition","encounter":{"reference":"Encounter/e1"},"subject":{"reference":"Patient/zoe"}}}]}"#;

/// The items as text, separated by `; `, or `error`.
fn evaluate(resource: &str, expression: &str) -> String {
    let document = Document::parse(resource.as_bytes()).expect("test resource is JSON");
    let definitions = Definitions::r4();
    let root = ElementNode::resource(definitions, document.root()).expect("test resource has a type");
    let context = Context::of(definitions, Some(root), NOW);
    let expression = match Expression::parse(expression) {
        Ok(expression) => expression,
        Err(error) => return format!("parse error at {}: {}", error.at, error.message),
    };
    match expression.evaluate(&context, Item::Element(root)) {
        Ok(items) => items.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        Err(error) => format!("error: {}", error.message),
    }
}

fn check(resource: &str, cases: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (expression, expected) in cases {
        let found = evaluate(resource, expression);
        let is_match = match expected.strip_suffix("..") {
            Some(beginning) => found.starts_with(beginning),
            None => found == *expected,
        };
        if !is_match {
            wrong.push(format!("{expression}\n gives    {found}\n expected {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn expressions_can_be_shared() {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<Expression>();
}

#[test]
fn follows_paths() {
    check(
        PATIENT,
        &[
            ("Patient.name.family", "Smith"),
            ("name.given", "Ann; Marie; Annie"),
            ("name[0].given[1]", "Marie"),
            ("name[2]", ""),
            ("name[-1]", ""),
            ("Practitioner.name", ""),
            ("Patient.name.family | Practitioner.name.family", "Smith"),
            ("Resource.id", "ann"),
            ("DomainResource.text.status", "generated"),
            ("FHIR.Patient.id", "ann"),
            ("`Patient`.`name`.family", "Smith"),
            ("deceased", "false"),
            ("deceasedBoolean", ""),
            ("multipleBirth", "2"),
            ("Patient.deceased.exists() and Patient.deceased != false", "false"),
            ("unknown", ""),
            ("contact.name.family", "Jones"),
            ("contained.name", "Surgery"),
            ("contained.type().name", "Organization"),
            ("birthDate.extension.url", "http://e.example/time"),
            ("birthDate.id", "b1"),
            ("birthDate.extension('http://e.example/time').value", "1974-12-25T14:35:45-05:00"),
            ("name.given.extension.value", "y"),
            ("language.exists()", "true"),
            ("language.hasValue()", "false"),
            ("birthDate.hasValue()", "true"),
            ("extension('http://e.example/age').value.type().name", "Age"),
            ("extension('http://e.example/age').value is Quantity", "true"),
            ("extension('http://e.example/color').value", "red"),
            ("name.where(use = 'usual').given", "Annie"),
            ("telecom.where(system='email').value", "a@b.example"),
            ("name.given.where(length() > 3)", "Marie; Annie"),
            ("name.select(given.first())", "Ann; Annie"),
            ("children().count() > 10", "true"),
            ("descendants().where($this is Coding).count()", "0"),
            ("language.children().count()", "1"),
            ("Patient.active.type().namespace", "FHIR"),
        ],
    );
}

#[test]
fn tells_types() {
    check(
        OBSERVATION,
        &[
            ("(Observation.value as Quantity).unit", "lbs"),
            ("Observation.value.as(Quantity).unit", "lbs"),
            ("Observation.value.ofType(Quantity).unit", "lbs"),
            ("(Observation.value as Period).start", ""),
            ("Observation.value is Quantity", "true"),
            ("Observation.value is Period", "false"),
            ("Observation.effective.as(Period).start", "2020-01-01"),
            ("(Observation.component.value as Quantity).value", "1.50"),
            ("Observation.component.value.ofType(string)", "x"),
            ("Observation.status.is(code)", "true"),
            ("Observation.status.is(string)", "true"),
            ("Observation.status.as(string)", ""),
            ("Observation.is(Resource)", "true"),
            ("Observation.as(DomainResource).status", "final"),
            ("Observation.component[0].is(BackboneElement)", "true"),
            ("Observation.status is Unknown", "error: type `Unknown` is unknown"),
            ("1 is Integer and 1.0 is System.Decimal and 'a' is String", "true"),
            ("1 is FHIR.integer", "false"),
            ("@2015T.is(DateTime)", "true"),
            ("1.type().name", "Integer"),
        ],
    );
}

#[test]
fn resolves_references() {
    check(
        PATIENT,
        &[
            ("managingOrganization.resolve().name", "Surgery"),
            ("contact.organization.resolve().id", "org"),
            ("generalPractitioner.where(resolve() is Practitioner).reference", "Practitioner/p1"),
            (
                "generalPractitioner.where(resolve() is Organization).reference",
                "https://other.example/fhir/Organization/o1",
            ),
            ("generalPractitioner.where(resolve() is PractitionerRole).identifier.value", "9"),
            ("generalPractitioner.where(resolve() is Patient)", ""),
            ("generalPractitioner.resolve().count()", "3"),
            ("generalPractitioner.resolve().name", ""),
        ],
    );
    check(
        BUNDLE,
        &[
            ("entry.resource.ofType(Encounter).subject.resolve().birthDate", "1974"),
            ("entry.resource.encounter.resolve().status", "planned"),
            ("entry.resource.subject.where(resolve() is Patient).reference", "urn:uuid:1; Patient/zoe"),
            ("Bundle.entry[0].resource.id", "ann"),
            ("entry.resource.type().name", "Patient; Encounter; Condition"),
        ],
    );
}

#[test]
fn calculates_and_compares() {
    check(
        OBSERVATION,
        &[
            ("1 + 2 * 3", "7"),
            ("(1 + 2) * 3", "9"),
            ("7 / 2", "3.5"),
            ("7 div 2", "3"),
            ("7 mod 2", "1"),
            ("1 / 0", ""),
            ("9223372036854775807 + 1", ""),
            ("'a' + 'b' & {} & 'c'", "abc"),
            ("1.0 = 1", "true"),
            ("1 < 2 and 'a' < 'b'", "true"),
            ("1 < 'a'", "error: .."),
            ("{} = 1", ""),
            ("(1 | 2) = (1 | 2)", "true"),
            ("'A' ~ 'a'", "true"),
            ("Observation.value < 200 '[lb_av]'", "true"),
            ("Observation.value = 185 '[lb_av]'", "true"),
            ("4 'g' = 4000 'mg'", "true"),
            ("2.0 'cm' * 2.0 'm' = 0.040 'm2'", "true"),
            ("1 'g' < 1 'm'", ""),
            ("7 days = 1 'wk'", "true"),
            ("1 year = 1 'a'", ""),
            ("effective.start < @2020-01-02", "true"),
            ("effective.end < @2021-06", ""),
            ("@2020-01-31 + 1 month", "2020-02-29"),
            ("@2020-01-01T10:00:00Z = @2020-01-01T12:00:00+02:00", "true"),
            ("today()", "2026-03-01"),
            ("now() > today() - 1 day", "true"),
            ("-1.abs()", "-1"),
            ("(-1).abs()", "1"),
            ("3.14159.round(3)", "3.142"),
            ("2.power(10) | 81.sqrt()", "1024; 9"),
        ],
    );
}

#[test]
fn reasons_with_three_values() {
    let values = ["true", "false", "{}"];
    let tables = [
        ("and", ["true", "false", "", "false", "false", "false", "", "false", ""]),
        ("or", ["true", "true", "true", "true", "false", "", "true", "", ""]),
        ("xor", ["false", "true", "", "true", "false", "", "", "", ""]),
        ("implies", ["true", "false", "", "true", "true", "true", "true", "", ""]),
    ];
    for (operator, results) in tables {
        for (at, expected) in results.into_iter().enumerate() {
            let expression = format!("{} {operator} {}", values[at / 3], values[at % 3]);
            assert_eq!(evaluate(PATIENT, &expression), expected, "{expression}");
        }
    }
}

#[test]
fn refuses_what_is_no_expression() {
    let cases = [
        ("", 0, "expected a term, found the end"),
        ("name.", 5, "expected a name, found the end"),
        ("name given", 5, "expected an operator or the end of the expression, found `given`"),
        ("(name", 5, "expected `)`, found the end"),
        ("name[0", 6, "expected `]`, found the end"),
        ("nothing()", 0, "function `nothing` is unknown"),
        ("name.where()", 5, "function `where` has 0 arguments, 1 would be right"),
        ("name.substring(1, 2, 3)", 5, "function `substring` has 3 arguments, 1 to 2 would be right"),
        ("1 + %", 4, "`%` must be followed by a name such as `resource`"),
        ("$that", 0, "`$that` is none of $this, $index, $total"),
        ("@2015-02-30", 0, "`@2015-02-30` is not a date or time"),
        ("@x", 1, "`@` must be followed by a date such as `2015-02-04` or a time such as `T14:30`"),
        ("'open", 0, "no closing `'`"),
        ("'\\x'", 1, "`\\x` is not an escape; a backslash itself is `\\\\`"),
        ("'\\ud800'", 1, "`\\u` names half of a surrogate pair"),
        ("1 + /* open", 4, "comment is not closed by `*/`"),
        ("a # b", 2, "character `#` is not part of FHIRPath"),
        ("x is Other.Type", 5, "type namespace `Other` is neither FHIR nor System"),
        ("99999999999999999999", 0, "number `99999999999999999999` has too many digits"),
        ("name.matches('[')", 5, "`[` is not a usable regular expression: unclosed character class"),
    ];
    for (text, at, message) in cases {
        let expected = ParseError { at, message: message.to_owned() };
        assert_eq!(Expression::parse(text).map(drop), Err(expected), "{text}");
    }
}

#[test]
fn refuses_evaluations_without_a_result() {
    check(
        PATIENT,
        &[
            ("name.single()", "error: expected one item, found 2"),
            ("name.given and true", "error: expected one item, found 3"),
            ("'a' * 2", "error: `*` is not defined for String(a) and Integer(2)"),
            ("active & 'x'", "error: `&` joins strings, found Boolean(true)"),
            ("name.take('x')", "error: expected an integer, found String(x)"),
            ("name.first().startsWith('x')", "error: expected a string, found HumanName(.."),
            ("conformsTo('http://e.example/p')", "error: profile `http://e.example/p` is unknown"),
            ("gender.memberOf('http://e.example/v')", ""),
        ],
    );
}

#[test]
fn stays_within_its_limits() {
    let nested = |depth: usize| format!("{}1{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(evaluate(PATIENT, &nested(parser::NESTING_MAX - 1)), "1");
    let too_deep = "expression nests deeper than";
    for open in ["(", "-", "a.where(", "1 + (", "a[", "iif(true, ", "a or (b and (c = (", "1 | 2 + 3 * -("] {
        let error = Expression::parse(&open.repeat(20_000)).map(drop).expect_err("is too deep");
        assert!(error.message.starts_with(too_deep) || error.at == 0, "{open}: {error:?}");
    }
    // As deep as it goes with as many levels of precedence as there are.
    let layer = "1 = 1 and true or false implies (";
    let layers = parser::NESTING_MAX - 1;
    let deepest = format!("{}true{}", layer.repeat(layers), ")".repeat(layers));
    assert!(["true", "parse error"].iter().any(|result| evaluate(PATIENT, &deepest).starts_with(result)));
    // Long, but not deep.
    assert_eq!(evaluate(PATIENT, &vec!["1"; 10_000].join("+")), "10000");
    assert_eq!(evaluate(PATIENT, &vec!["id"; 5_000].join(".")), "");
    check(
        PATIENT,
        &[
            ("id.repeat($this | ($this & 'x'))", "error: .."),
            (
                "descendants().select(%resource.descendants()).select(%resource.children()).select(%resource.children()).count()",
                "error: ..",
            ),
            (
                "('12345678'.toChars() | 'abcdefghijklmnopqrstuvwxyz'.toChars()).aggregate($total & $total & $this)",
                "error: string of ..",
            ),
        ],
    );
    let patterns = vec!["'a'.matches('\\\\d{50}')"; pattern::PATTERNS_MAX + 1].join(" or ");
    let error = Expression::parse(&patterns).map(drop).expect_err("has too many");
    assert_eq!(error.message, "expression has more than 16 regular expressions");
    check(
        PATIENT,
        &[
            ("('a' & 'b').matches('a' & 'b')", "true"),
            ("'x'.matches('\\\\w{1000}{1000}')", "parse error at 4: .."),
            (
                "(1 | 2 | 3).repeat(iif($this < 300, $this + 3, {})).where($this.toString().matches('^' & $this & '$'))",
                "error: ..",
            ),
            ("children().where('a'.replace('a', 'aaaaaaaaaaaaaaaa').matches('(a?)' & '{99}x')).count()", "0"),
        ],
    );
    let long = "x".repeat(lexer::TEXT_LENGTH_MAX + 1);
    assert_eq!(Expression::parse(&long).map(drop).expect_err("is too long").at, 0);
}
