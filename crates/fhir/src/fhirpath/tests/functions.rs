//! Each function of <http://hl7.org/fhirpath/N1/#functions> and <https://hl7.org/fhir/R4/fhirpath.html#functions>: what it gives, that it
//! gives nothing for nothing, and what it refuses.

use std::sync::Arc;

use super::*;
use crate::profile::Profile;
use crate::published::Published;
use crate::terminology::{Canonical, CodeSystem, Coded, Membership, Source, ValueSet};
use crate::{Library, Outcome};

/// Rows of an expression and its result; the functions that stand in them are counted.
type Table = &'static [(&'static str, &'static str)];

const EXISTENCE: Table = &[
    ("{}.empty()", "true"),
    ("name.empty()", "false"),
    ("{}.exists()", "false"),
    ("name.exists()", "true"),
    ("name.exists(use = 'usual')", "true"),
    ("name.exists(use = 'old')", "false"),
    ("name.all(given.exists())", "true"),
    ("name.all(family.exists())", "false"),
    ("{}.all(false)", "true"),
    ("true.not()", "false"),
    ("{}.not()", ""),
    ("(true | false).not()", "error: expected one item, found 2"),
    ("(true | false).allTrue()", "false"),
    ("{}.allTrue()", "true"),
    ("(true | 1).allTrue()", "error: expected only booleans, found Integer(1)"),
    ("(true | false).anyTrue()", "true"),
    ("{}.anyTrue()", "false"),
    ("(true | false).allFalse()", "false"),
    ("{}.allFalse()", "true"),
    ("(true | false).anyFalse()", "true"),
    ("{}.anyFalse()", "false"),
    ("(1 | 2).subsetOf(1 | 2 | 3)", "true"),
    ("(1 | 4).subsetOf(1 | 2 | 3)", "false"),
    ("{}.subsetOf(1)", "true"),
    ("(1 | 2).supersetOf(1)", "true"),
    ("{}.supersetOf(1)", "false"),
    ("name.count()", "2"),
    ("{}.count()", "0"),
    ("(1).combine(1).distinct()", "1"),
    ("{}.distinct()", ""),
    ("(1).combine(1).isDistinct()", "false"),
    ("{}.isDistinct()", "true"),
];

const FILTERING: Table = &[
    ("name.where(use = 'usual').given", "Annie"),
    ("name.where($index = 0).family", "Smith"),
    ("{}.where(true)", ""),
    ("name.where(given)", "error: expected one item, found 2"),
    ("name.select(given & '!')", "error: expected one item, found 2"),
    ("name.select(given.first() & '!')", "Ann!; Annie!"),
    ("{}.select(1)", ""),
    ("1.repeat(iif($this < 4, $this + 1, {}))", "2; 3; 4"),
    ("{}.repeat($this)", ""),
    ("descendants().ofType(Period)", ""),
    ("multipleBirth.ofType(integer)", "2"),
    ("multipleBirth.ofType(boolean)", ""),
    ("multipleBirth.ofType(nothing)", "error: type `nothing` is unknown"),
    ("(1 | 2 | 3).aggregate($total + $this, 0)", "6"),
    ("(1 | 5 | 3).aggregate(iif($total.empty(), $this, iif($this > $total, $this, $total)))", "5"),
    ("{}.aggregate($total + $this, 7)", "7"),
    ("(3 | 1 | 2).sort()", "1; 2; 3"),
    ("(3 | 1 | 2).sort(-$this)", "3; 2; 1"),
    ("{}.sort()", ""),
    ("(1 | 'a').sort()", "error: .."),
];

const SUBSETTING: Table = &[
    ("name[1].given", "Annie"),
    ("name[2]", ""),
    ("name['x']", "error: expected an integer, found String(x)"),
    ("5.single()", "5"),
    ("{}.single()", ""),
    ("(1 | 2).single()", "error: expected one item, found 2"),
    ("(1 | 2).first()", "1"),
    ("{}.first()", ""),
    ("(1 | 2).last()", "2"),
    ("{}.last()", ""),
    ("(1 | 2 | 3).tail()", "2; 3"),
    ("{}.tail()", ""),
    ("(1 | 2 | 3).skip(2)", "3"),
    ("(1 | 2).skip(-1)", "1; 2"),
    ("{}.skip(1)", ""),
    ("(1 | 2).skip({})", "error: .."),
    ("(1 | 2 | 3).take(2)", "1; 2"),
    ("(1 | 2).take(0)", ""),
    ("(1 | 2).take(9223372036854775807)", "1; 2"),
    ("{}.take(1)", ""),
    ("(1 | 2).intersect(2 | 3)", "2"),
    ("{}.intersect(1)", ""),
    ("(1 | 2).exclude(2 | 3)", "1"),
    ("{}.exclude(1)", ""),
    ("(1 | 2).union(2 | 3)", "1; 2; 3"),
    ("(1).combine(1)", "1; 1"),
    ("{}.combine({})", ""),
];

const CONVERSION: Table = &[
    ("iif(true, 1, 2)", "1"),
    ("iif({}, 1, 2)", "2"),
    ("iif(false, 1)", ""),
    ("iif(true, 1, 1 + 'a')", "1"),
    ("iif('x', 1)", "error: .."),
    ("'T'.toBoolean()", "true"),
    ("'nope'.toBoolean()", ""),
    ("0.toBoolean()", "false"),
    ("2.convertsToBoolean()", "false"),
    ("{}.convertsToBoolean()", ""),
    ("'17'.toInteger()", "17"),
    ("'1.5'.toInteger()", ""),
    ("true.toInteger()", "1"),
    ("'x'.convertsToInteger()", "false"),
    ("'1.50'.toDecimal()", "1.50"),
    ("'1e5'.convertsToDecimal()", "true"),
    ("'a'.toDecimal()", ""),
    ("1.5.toString()", "1.5"),
    ("@2015-02.toString()", "2015-02"),
    ("name.first().toString()", ""),
    ("name.first().convertsToString()", "false"),
    ("'2015-02'.toDate()", "2015-02"),
    ("'2015-02-30'.toDate()", ""),
    ("@2015-02-04T10:00:00Z.toDate()", "2015-02-04"),
    ("'2015'.convertsToDate()", "true"),
    ("'2015-02-04T10:00:00+01:00'.toDateTime()", "2015-02-04T10:00:00+01:00"),
    ("'10:00'.convertsToDateTime()", "false"),
    ("'14:30'.toTime()", "14:30"),
    ("'25:00'.toTime()", ""),
    ("'14:30'.convertsToTime()", "true"),
    ("'4 days'.toQuantity()", "4 day"),
    ("'5 \\'mg\\''.toQuantity()", "5 'mg'"),
    ("'5 \\'mg\\''.toQuantity('g')", "0.005 'g'"),
    ("'1 week'.toQuantity('days')", "7 day"),
    ("'1 year'.toQuantity('months')", "12 month"),
    ("'1 \\'a\\''.toQuantity('months')", ""),
    ("'5 \\'mg\\''.toQuantity('m')", ""),
    ("3.toQuantity()", "3 '1'"),
    ("'x'.toQuantity()", ""),
    ("'5 \\'mg\\''.convertsToQuantity('g')", "true"),
    ("'5 \\'mg\\''.convertsToQuantity('s')", "false"),
    ("{}.convertsToQuantity()", ""),
    ("(1 | 2).toString()", "error: expected one item, found 2"),
];

const STRINGS: Table = &[
    ("'abcb'.indexOf('b')", "1"),
    ("'abc'.indexOf('x')", "-1"),
    ("{}.indexOf('x')", ""),
    ("'äbä'.lastIndexOf('ä')", "2"),
    ("'äöü'.substring(1)", "öü"),
    ("'äöü'.substring(1, 1)", "ö"),
    ("'abc'.substring(5)", ""),
    ("'abc'.substring(-1)", ""),
    ("{}.substring(0)", ""),
    ("'abc'.startsWith('ab')", "true"),
    ("'abc'.startsWith('')", "true"),
    ("'abc'.endsWith('bc')", "true"),
    ("'abc'.contains('x')", "false"),
    ("{}.contains('x')", ""),
    ("1.contains('x')", "error: expected a string, found Integer(1)"),
    ("'aß'.upper()", "ASS"),
    ("'AB'.lower()", "ab"),
    ("' a '.trim()", "a"),
    ("'abcb'.replace('b', '!')", "a!c!"),
    ("'ab'.replace('', '-')", "-a-b-"),
    ("'ab'.replace({}, 'x')", ""),
    ("'abc'.matches('b')", "true"),
    ("'abc'.matches('^b')", "false"),
    ("{}.matches('b')", ""),
    ("'abc'.matchesFull('ab')", "false"),
    ("'a-b'.matchesFull('a.b')", "true"),
    ("'abc'.matches('(' & 'x')", "error: `(x` is not a usable regular expression: unclosed group"),
    ("'2015-02'.replaceMatches('(\\\\d+)-(\\\\d+)', '$2/$1')", "02/2015"),
    ("'äö'.length()", "2"),
    ("{}.length()", ""),
    ("'aö'.toChars()", "a; ö"),
    ("'a,b'.split(',')", "a; b"),
    ("{}.split(',')", ""),
    ("('a' | 'b').join('-')", "a-b"),
    ("{}.join('-')", ""),
    ("'a b'.encode('base64')", "YSBi"),
    ("'YSBi'.decode('base64')", "a b"),
    ("'zz'.decode('hex')", ""),
    ("'a'.encode('rot13')", "error: form `rot13` is none of base64, urlbase64, hex"),
    ("'<a>'.escape('html')", "&lt;a&gt;"),
    ("'&lt;'.unescape('html')", "<"),
];

const MATH: Table = &[
    ("(-5).abs()", "5"),
    ("(-5.50).abs()", "5.50"),
    ("(-5 'mg').abs()", "5 'mg'"),
    ("{}.abs()", ""),
    ("'a'.abs()", "error: expected a number, found String(a)"),
    ("1.1.ceiling()", "2"),
    ("(-1.1).ceiling()", "-1"),
    ("(-1.1).floor()", "-2"),
    ("(-1.9).truncate()", "-1"),
    ("1.5.round()", "2"),
    ("3.14159.round(2)", "3.14"),
    ("1.5.round(-1)", "error: .."),
    ("0.exp()", "1"),
    ("1.ln()", "0"),
    ("0.ln()", ""),
    ("16.log(2)", "4"),
    ("{}.log(2)", ""),
    ("2.power(3)", "8"),
    ("2.power(-1)", "0.5"),
    ("2.power(1000)", ""),
    ("(-1).power(0.5)", ""),
    ("81.sqrt()", "9"),
    ("(-1).sqrt()", ""),
    ("1.587.lowBoundary(2)", "1.58"),
    ("1.587.highBoundary()", "1.58750000"),
    ("@2014.lowBoundary(6)", "2014-01"),
    ("@T10:30.highBoundary(9)", "10:30:59.999"),
    ("1.58700.precision()", "5"),
    ("@2014-01.precision()", "6"),
    ("{}.precision()", ""),
    ("1 'cm'.comparable(1 'm')", "true"),
    ("1 'cm'.comparable(1 's')", "false"),
];

const NAVIGATION: Table = &[
    ("contact.children().count()", "2"),
    ("1.children()", ""),
    ("contact.name.descendants()", "Jones"),
    ("{}.descendants()", ""),
    ("name.trace('n').count()", "2"),
    ("name.trace({})", "error: trace() needs a name, found nothing"),
    ("now()", "2026-03-01T09:00:00.000Z"),
    ("today()", "2026-03-01"),
    ("timeOfDay()", "09:00:00.000"),
    ("name.type().name", "HumanName; HumanName"),
    ("Patient.type().baseType", "FHIR.DomainResource"),
    ("1.type().namespace & '.' & 1.type().name", "System.Integer"),
    ("1.type().baseType", "System.Any"),
    ("contact.type().element.where(name = 'telecom').type", "List<FHIR.ContactPoint>"),
    ("contact.type().element.where(name = 'gender').isOneBased", "false"),
    ("{}.type()", ""),
];

const OF_FHIR: Table = &[
    ("extension('http://e.example/color').value", "red"),
    ("extension('none')", ""),
    ("birthDate.hasExtension('http://e.example/time')", "true"),
    ("language.hasValue()", "false"),
    ("gender.getValue()", "female"),
    ("language.getValue()", ""),
    ("managingOrganization.resolve().name", "Surgery"),
    ("{}.resolve()", ""),
    ("text.div.htmlChecks()", "true"),
    ("'<p>'.htmlChecks()", "true"),
    ("checkModifiers('u').id", "ann"),
    ("gender.memberOf('http://hl7.org/fhir/ValueSet/administrative-gender')", "true"),
    ("'other'.memberOf('http://hl7.org/fhir/ValueSet/administrative-gender|4.0.1')", "true"),
    ("'it'.memberOf('http://hl7.org/fhir/ValueSet/administrative-gender')", "false"),
    ("gender.memberOf(%`vs-administrative-gender`)", "true"),
    ("gender.memberOf('http://e.example/v')", ""),
    ("{}.memberOf('http://hl7.org/fhir/ValueSet/administrative-gender')", ""),
    ("gender.subsumes(gender)", ""),
    ("{}.subsumedBy(gender)", ""),
    ("Patient.conformsTo('http://hl7.org/fhir/StructureDefinition/Patient')", "true"),
    ("Patient.conformsTo('http://hl7.org/fhir/StructureDefinition/Observation')", "false"),
    ("Patient.conformsTo('http://e.example/p')", "error: profile `http://e.example/p` is unknown"),
    ("birthDate.elementDefinition()", ""),
    ("name.slice('http://e.example/p', 'official')", "error: profile `http://e.example/p` is unknown"),
    ("name.slice({}, 'official')", ""),
];

#[test]
fn functions_give_what_they_say() {
    let tables = [EXISTENCE, FILTERING, SUBSETTING, CONVERSION, STRINGS, MATH, NAVIGATION, OF_FHIR];
    for table in tables {
        check(PATIENT, table);
    }
    let is_called = |name: &str| {
        let call = format!("{name}(");
        let is_call = |expression: &str| {
            expression
                .match_indices(&call)
                .any(|(at, _)| !expression[..at].ends_with(|c: char| c.is_ascii_alphabetic()))
        };
        tables.iter().flat_map(|table| table.iter()).any(|(expression, _)| is_call(expression))
    };
    let missing: Vec<_> = crate::fhirpath::functions::all().map(|it| it.name).filter(|name| !is_called(name)).collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn modifier_extensions_must_be_understood() {
    let patient = r#"{"resourceType":"Patient","id":"a","modifierExtension":[{"url":"u"},{"url":"v"}]}"#;
    check(
        patient,
        &[
            ("checkModifiers('u', 'v').id", "a"),
            ("checkModifiers('u,v').id", "a"),
            ("checkModifiers('u').id", "error: modifier extension `v` is none of those that are understood"),
        ],
    );
}

#[test]
fn elements_have_definitions() {
    let document = Document::parse(PATIENT.as_bytes()).expect("JSON");
    let definitions = Definitions::r4();
    let root = ElementNode::resource(definitions, document.root());
    let targets = Targets::new(&crate::published::Published);
    let context = Context { resolver: Some(&targets), ..Context::of(definitions, root, NOW) };
    for (text, expected) in [
        ("birthDate.elementDefinition().short", "The date of birth for the individual"),
        ("elementDefinition().path", "Patient"),
        ("contact.organization.elementDefinition().path", "Patient.contact.organization"),
        ("deceased.elementDefinition().type.code", "boolean; dateTime"),
        ("(name | 1).elementDefinition().max", "*; *"),
    ] {
        let expression = Expression::parse(text).expect(text);
        let found = expression.evaluate(&context, Item::Element(root.expect("a resource")));
        let found: Vec<_> = found.expect("a result").iter().map(ToString::to_string).collect();
        assert_eq!(found.join("; "), expected, "{text}");
    }
}

/// R4's own definitions and one profile.
struct WithProfile(Document);

impl Source for WithProfile {
    fn code_system(&self, canonical: Canonical<'_>) -> Result<Option<Arc<CodeSystem>>, Outcome> {
        Published.code_system(canonical)
    }

    fn value_set(&self, canonical: Canonical<'_>) -> Result<Option<Arc<ValueSet>>, Outcome> {
        Published.value_set(canonical)
    }
}

impl Library for WithProfile {
    fn structure_definition(&self, canonical: Canonical<'_>) -> Result<Option<Arc<Document>>, Outcome> {
        Published.structure_definition(canonical)
    }

    fn profile(&self, canonical: Canonical<'_>) -> Result<Option<Arc<Profile>>, Outcome> {
        match canonical.url == "http://e.example/named" {
            true => Profile::compile(self, &self.0).map(Some),
            false => Published.profile(canonical),
        }
    }

    fn questionnaire(&self, canonical: Canonical<'_>) -> Result<Option<Arc<Document>>, Outcome> {
        Published.questionnaire(canonical)
    }

    fn member(&self, value_set: Canonical<'_>, coded: &Coded<'_>) -> Membership {
        Published.member(value_set, coded)
    }

    fn resource(&self, reference: &str) -> Option<Arc<Document>> {
        Published.resource(reference)
    }
}

#[test]
fn profiles_are_asked() {
    let profile = r#"{"resourceType":"StructureDefinition","url":"http://e.example/named","name":"Named","status":"active",
        "kind":"resource","abstract":false,"type":"Patient","derivation":"constraint",
        "baseDefinition":"http://hl7.org/fhir/StructureDefinition/Patient","differential":{"element":[
        {"id":"Patient","path":"Patient","constraint":[{"key":"p-1","severity":"error","human":"itself",
            "expression":"conformsTo('http://e.example/named') or true"}]},
        {"id":"Patient.name","path":"Patient.name","slicing":{"discriminator":[{"type":"value","path":"use"}],"rules":"open"}},
        {"id":"Patient.name:official","path":"Patient.name","sliceName":"official","min":1},
        {"id":"Patient.name:official.use","path":"Patient.name.use","min":1,"fixedCode":"official"}]}}"#;
    let library = WithProfile(Document::parse(profile.as_bytes()).expect("JSON"));
    let definitions = Definitions::r4();
    let patients = [PATIENT, r#"{"resourceType":"Patient","id":"bob","name":[{"use":"usual","family":"X"}]}"#];
    let cases = [
        ("name.slice('http://e.example/named', 'official').family", ["Smith", ""]),
        ("conformsTo('http://e.example/named')", ["true", "false"]),
        ("telecom.slice('http://e.example/named', 'official').exists()", ["error", "false"]),
        ("name.slice('http://e.example/named', 'other')", ["error", "error"]),
    ];
    for (patient, which) in patients.into_iter().zip(0..) {
        let document = Document::parse(patient.as_bytes()).expect("JSON");
        let root = ElementNode::resource(definitions, document.root()).expect("a resource");
        let context = Context { library: Some(&library), ..Context::of(definitions, Some(root), NOW) };
        for (text, expected) in cases {
            let expression = Expression::parse(text).expect(text);
            let found = match expression.evaluate(&context, Item::Element(root)) {
                Ok(items) => items.iter().map(ToString::to_string).collect(),
                Err(_) => "error".to_owned(),
            };
            assert_eq!(found, expected[which], "{text} of {patient}");
        }
    }
}

#[test]
fn codes_stand_above_codes() {
    let code =
        |code: &str| format!(r#"{{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"{code}"}}"#);
    let observation = format!(
        r#"{{"resourceType":"Observation","code":{{"coding":[{}]}},"category":[{{"coding":[{}]}},{{"coding":[{{"system":"x","code":"IMP"}}]}},{{"text":"none"}}]}}"#,
        code("_ActEncounterCode"),
        code("IMP")
    );
    check(
        &observation,
        &[
            ("code.subsumes(code)", "true"),
            ("code.subsumes(category[0])", "true"),
            ("code.subsumedBy(category[0])", "false"),
            ("category[0].subsumedBy(code)", "true"),
            ("code.coding.subsumes(category[0].coding)", "true"),
            ("code.subsumes(category[1])", "false"),
            ("code.subsumes(category[2])", "false"),
            ("category[1].subsumes(category[1])", "true"),
            ("code.subsumes(category)", "error: expected one item, found 3"),
        ],
    );
}

#[test]
fn variables_are_given_or_known() {
    let document = Document::parse(PATIENT.as_bytes()).expect("JSON");
    let definitions = Definitions::r4();
    let root = ElementNode::resource(definitions, document.root());
    let variables = [("two", vec![Item::Integer(1), Item::Integer(2)]), ("a b", vec![Item::Boolean(true)])];
    let context = Context { variables: &variables, ..Context::of(definitions, root, NOW) };
    for (text, expected) in [
        ("%two", "1; 2"),
        ("%`a b`", "true"),
        ("%sct & '|' & %loinc & '|' & %ucum", "http://snomed.info/sct|http://loinc.org|http://unitsofmeasure.org"),
        ("%`ext-x` | %'vs-y'", "http://hl7.org/fhir/StructureDefinition/x; http://hl7.org/fhir/ValueSet/y"),
        ("%resource.id = %rootResource.id and %context.id = id", "true"),
        ("1 + %three", "error at 4: variable `%three` is unknown"),
    ] {
        let expression = Expression::parse(text).expect(text);
        let found = match expression.evaluate(&context, Item::Element(root.expect("a resource"))) {
            Ok(items) => items.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
            Err(error) => format!("error at {}: {}", error.at.expect("a place"), error.message),
        };
        assert_eq!(found, expected, "{text}");
    }
    let nothing = Context::of(definitions, None, NOW);
    for (text, expected) in [("%resource", 0), ("%context", 0), ("$this", 0), ("name", 0), ("2 + 2", 1)] {
        let expression = Expression::parse(text).expect(text);
        let (items, _) = expression.trace(&nothing, None, &mut Steps::default());
        assert_eq!(items.expect("a result").len(), expected, "{text}");
    }
}

#[test]
fn traces_are_kept_for_those_who_ask() {
    let document = Document::parse(PATIENT.as_bytes()).expect("JSON");
    let definitions = Definitions::r4();
    let root = ElementNode::resource(definitions, document.root()).expect("a resource");
    let context = Context::of(definitions, Some(root), NOW);
    let expression =
        Expression::parse("name.trace('names', given).family.trace('family') | 1.single().trace('x') + 'a'");
    let expression = expression.expect("FHIRPath");
    let mut steps = Steps::default();
    let (result, traces) = expression.trace(&context, Some(Item::Element(root)), &mut steps);
    assert_eq!(result.expect_err("no sum").at, Some(74));
    let traces: Vec<_> = traces.iter().map(|trace| format!("{} {:?}", trace.name, trace.items)).collect();
    let given = "names [string(Ann), string(Marie), string(Annie)]";
    assert_eq!(traces, [given, "family [string(Smith)]", "x [Integer(1)]"]);
    let mut few = Steps(50_000);
    let endless = Expression::parse("descendants().select(%resource.descendants()).count()").expect("FHIRPath");
    let mut rounds = 0;
    while endless.trace(&context, Some(Item::Element(root)), &mut few).0.is_ok() {
        rounds += 1;
        assert!(rounds < 10_000, "the steps of several evaluations are one number");
    }
}
