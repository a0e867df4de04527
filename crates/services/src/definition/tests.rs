use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use fhir::json::{Document, Node};
use fhir::{Definitions, published};

use super::{DEFINITIONS, Definition, Holds, answered, given};
use crate::{Invocation, OPERATIONS, Services, Subject};

/// R4's own operations have R4's definitions, which this server has not.
const R4: &str = "http://hl7.org/fhir/OperationDefinition/";

fn document(text: &str) -> Document {
    Document::parse(text.as_bytes()).expect("JSON")
}

#[test]
fn every_operation_is_what_its_definition_says() {
    let definitions = Definitions::r4();
    for operation in OPERATIONS.iter().filter(|operation| !operation.definition().starts_with(R4)) {
        let url = operation.definition();
        let found = published::resource("OperationDefinition", url).unwrap_or_else(|| panic!("{url} is not there"));
        assert!(DEFINITIONS.contains_key(url), "{url} is damaged");
        let root = found.root();
        let says = |name: &str| root.get(name).and_then(Node::as_bool);
        let types: BTreeSet<_> =
            root.get("resource").into_iter().flat_map(Node::items).filter_map(Node::as_str).collect();
        let all = definitions.resource_types();
        let types: BTreeSet<&str> = match types.contains("Resource") {
            true => all.iter().copied().collect(),
            false => types.iter().map(|name| name.as_ref()).collect(),
        };
        let [at_types, at_instances] = [operation.at_types(), operation.at_instances()]
            .map(|types| types.iter().copied().collect::<BTreeSet<_>>());
        assert!(root.get("code").is_some_and(|code| code.is_str(operation.code())), "{url}: code");
        assert!(root.get("kind").is_some_and(|kind| kind.is_str("operation")), "{url}: kind");
        assert_eq!(says("affectsState"), Some(operation.affects_state()), "{url}: affectsState");
        assert_eq!(says("system"), Some(operation.at_system()), "{url}: system");
        for (name, served) in [("type", &at_types), ("instance", &at_instances)] {
            assert_eq!(says(name), Some(!served.is_empty()), "{url}: {name}");
            assert!(served.is_empty() || *served == types, "{url}: {name} at {types:?}");
        }
        assert_eq!(types, &at_types | &at_instances, "{url}: resource");
    }
}

#[test]
fn every_definition_belongs_to_an_operation() {
    let urls: BTreeSet<_> = OPERATIONS.iter().map(|operation| operation.definition()).collect();
    for url in published::urls("OperationDefinition") {
        assert!(urls.contains(url), "{url}");
    }
}

/// An operation with parameters of every kind.
const DEFINITION: &str = r#"{"resourceType":"OperationDefinition","parameter":[
    {"name":"text","use":"in","min":1,"max":"1","type":"string"},
    {"name":"count","use":"in","min":0,"max":"2","type":"unsignedInt"},
    {"name":"flag","use":"in","min":0,"max":"1","type":"boolean"},
    {"name":"link","use":"in","min":0,"max":"1","type":"uri"},
    {"name":"coding","use":"in","min":0,"max":"1","type":"Coding"},
    {"name":"patient","use":"in","min":0,"max":"1","type":"Reference","targetProfile":["http://hl7.org/fhir/StructureDefinition/Patient"]},
    {"name":"any","use":"in","min":0,"max":"1","type":"Element"},
    {"name":"free","use":"in","min":0,"max":"1","type":"BackboneElement"},
    {"name":"resource","use":"in","min":0,"max":"*","type":"Condition"},
    {"name":"group","use":"in","min":0,"max":"*","part":[
        {"name":"code","use":"in","min":1,"max":"1","type":"code"},
        {"name":"inner","use":"in","min":0,"max":"1","part":[{"name":"date","use":"in","min":1,"max":"1","type":"date"}]}]},
    {"name":"answer","use":"out","min":1,"max":"1","type":"string"},
    {"name":"part","use":"out","min":0,"max":"*","part":[{"name":"n","use":"out","min":1,"max":"1","type":"integer"}]}]}"#;

fn definition() -> Definition {
    Definition::parse(&document(DEFINITION)).expect("a definition")
}

fn called(query: &[(&str, &str)], body: Option<&str>, raw: Option<&str>) -> Invocation {
    Invocation {
        subject: Subject::System,
        parameters: query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        resource: body.map(document),
        is_async: false,
        ends: false,
        sent: None,
        raw: raw.map(|raw| Bytes::copy_from_slice(raw.as_bytes())),
        services: Arc::new(Services::default()),
    }
}

fn refused(definition: &Definition, invocation: &Invocation) -> Option<String> {
    given::check(definition, invocation).err().map(|outcome| outcome.to_string())
}

/// Parameters with the needed `text` and these.
fn with(parameters: &str) -> String {
    format!(r#"{{"resourceType":"Parameters","parameter":[{{"name":"text","valueString":"a"}},{parameters}]}}"#)
}

#[test]
fn takes_what_is_defined() {
    let definition = definition();
    let query = [("text", "a"), ("count", "0"), ("count", "7"), ("flag", "true"), ("link", "urn:x")];
    assert_eq!(refused(&definition, &called(&query, None, None)), None);
    assert_eq!(refused(&definition, &called(&query, Some(r#"{"resourceType":"Condition"}"#), None)), None);
    assert_eq!(refused(&definition, &called(&query, None, Some("raw"))), None);
    for parameters in [
        r#"{"name":"count","valueUnsignedInt":1},{"name":"count","valueUnsignedInt":2}"#,
        r#"{"name":"link","valueCanonical":"http://a.example|1"}"#,
        r#"{"name":"coding","valueCoding":{"system":"urn:s","code":"c"}}"#,
        r#"{"name":"patient","valueReference":{"reference":"Patient/p1"}}"#,
        r#"{"name":"patient","valueReference":{"identifier":{"value":"1"}}}"#,
        r#"{"name":"any","valueQuantity":{"value":1}}"#,
        r#"{"name":"free","part":[{"name":"x","valueString":"y"}]}"#,
        r#"{"name":"resource","resource":{"resourceType":"Condition"}},{"name":"resource","resource":{"resourceType":"Condition"}}"#,
        r#"{"name":"resource","extension":[{"url":"urn:json","valueString":"{}"}]}"#,
        r#"{"name":"group","part":[{"name":"code","valueCode":"a"},{"name":"inner","part":[{"name":"date","valueDate":"2027-03-01"}]}]}"#,
    ] {
        assert_eq!(refused(&definition, &called(&[], Some(&with(parameters)), None)), None, "{parameters}");
    }
}

#[test]
fn refuses_queries_that_are_not_defined() {
    let definition = definition();
    let cases: [(&[(&str, &str)], &str); 9] = [
        (&[], "required: the input `text` is missing"),
        (&[("text", "a"), ("txt", "b")], "invalid: the operation has no input `txt`; it has text, count, "),
        (&[("text", "a"), ("text", "b")], "invalid: the input `text` is given more than once"),
        (&[("text", "")], "invalid: the input `text` has a wrong value: the string is empty"),
        (
            &[("text", "a"), ("count", "1"), ("count", "2"), ("count", "3")],
            "invalid: the input `count` is given 3 times; at most 2",
        ),
        (
            &[("text", "a"), ("count", "-1")],
            "invalid: the input `count` has a wrong value: `-1` is not of type unsignedInt",
        ),
        (
            &[("text", "a"), ("flag", "yes")],
            "invalid: the input `flag` has a wrong value: `yes` is not of type boolean: true or false",
        ),
        (
            &[("text", "a"), ("coding", "c")],
            "invalid: the input `coding` has elements, and so is sent in a Parameters resource",
        ),
        (
            &[("text", "a"), ("group", "c")],
            "invalid: the input `group` has elements, and so is sent in a Parameters resource",
        ),
    ];
    for (query, expected) in cases {
        let told = refused(&definition, &called(query, None, None)).unwrap_or_default();
        assert!(told.starts_with(expected), "{query:?}: {told}");
    }
}

#[test]
fn refuses_bodies_that_are_not_defined() {
    let definition = definition();
    let cases = [
        (r#"{"valueString":"x"}"#, "a parameter must have a `name`"),
        (r#"{"name":"other","valueString":"x"}"#, "the operation has no input `other`"),
        (r#"{"name":"text","valueString":"x"}"#, "the input `text` is given more than once"),
        (r#"{"name":"count"}"#, "the input `count` is empty; it must have `valueUnsignedInt`"),
        (r#"{"name":"count","valueInteger":1}"#, "the input `count` has `valueInteger`; it takes `valueUnsignedInt`"),
        (r#"{"name":"count","valueNone":1}"#, "the input `count` has `valueNone`; it takes `valueUnsignedInt`"),
        (r#"{"name":"count","valueUnsignedInt":-1}"#, "the input `count` has a wrong value: "),
        (r#"{"name":"count","valueUnsignedInt":"1"}"#, "the input `count` has a wrong value: "),
        (
            r#"{"name":"count","valueUnsignedInt":1,"part":[]}"#,
            "the input `count` has both `valueUnsignedInt` and `part`",
        ),
        (r#"{"name":"coding","valueCoding":{"cod":"c"}}"#, "the input `coding` has a wrong value: "),
        (r#"{"name":"coding","valueCoding":"c"}"#, "the input `coding` has a wrong value: "),
        (
            r#"{"name":"coding","resource":{"resourceType":"Condition"}}"#,
            "the input `coding` has `resource`; it takes `valueCoding`",
        ),
        (
            r#"{"name":"patient","valueReference":{"reference":"Group/g"}}"#,
            "the input `patient` refers to `Group/g`; it takes Patient",
        ),
        (
            r#"{"name":"resource","resource":{"resourceType":"Patient"}}"#,
            "the input `resource` holds `Patient`; it takes a `resource` of the type Condition",
        ),
        (r#"{"name":"resource","resource":7}"#, "the input `resource` holds no resource"),
        (
            r#"{"name":"resource","valueString":"x"}"#,
            "the input `resource` has `valueString`; it takes a `resource` of the type Condition",
        ),
        (r#"{"name":"group","valueCode":"a"}"#, "the input `group` has `valueCode`; it takes parts: code, inner"),
        (r#"{"name":"group","part":[]}"#, "the input `group.code` is missing"),
        (r#"{"name":"group","part":[{"name":"x"}]}"#, "the input `group` has no part `x`; it has code, inner"),
        (
            r#"{"name":"group","part":[{"name":"code","valueCode":"a"},{"name":"inner","part":[{"name":"date","valueDate":"1 March"}]}]}"#,
            "the input `group.inner.date` has a wrong value: ",
        ),
    ];
    for (parameters, expected) in cases {
        let told = refused(&definition, &called(&[], Some(&with(parameters)), None)).unwrap_or_default();
        assert!(told.contains(expected), "{parameters}: {told}");
    }
    let alone = refused(&definition, &called(&[("text", "a")], Some(r#"{"resourceType":"Patient"}"#), None));
    assert!(alone.is_some_and(|told| told.contains("the input `resource` is `Patient`; it takes a Condition")));
    let place = given::check(&definition, &called(&[], Some(&with(r#"{"name":"count","valueInteger":1}"#)), None));
    assert_eq!(place.expect_err("refused").issues[0].expression, ["Parameters.parameter[1]"]);
}

#[test]
fn a_resource_alone_needs_one_place() {
    let definition = Definition { inputs: Vec::new(), outputs: Vec::new() };
    let told = refused(&definition, &called(&[], Some(r#"{"resourceType":"Patient"}"#), None));
    assert!(told.is_some_and(|told| told.contains("takes its inputs as Parameters, not as `Patient`")));
}

#[test]
fn answers_are_as_defined() {
    let definition = definition();
    let check = |definition: &Definition, answer: &str| answered::check(definition, answer.as_bytes());
    let parameters = |parameters: &str| format!(r#"{{"resourceType":"Parameters","parameter":[{parameters}]}}"#);
    let answer = r#"{"name":"answer","valueString":"a"}"#;
    assert_eq!(check(&definition, &parameters(answer)), Ok(()));
    for (wrong, expected) in [
        ("{}".to_owned(), "it is no resource, not Parameters"),
        (r#"{"resourceType":"Bundle"}"#.to_owned(), "it is `Bundle`, not Parameters"),
        (r#"{"resourceType":"Parameters"}"#.to_owned(), "the output `answer` is missing"),
        (parameters(&format!("{answer},{answer}")), "the output `answer` is given more than once"),
        (
            parameters(&format!(r#"{answer},{{"name":"part","part":[{{"name":"m"}}]}}"#)),
            "the output `part` has no part `m`",
        ),
        (
            parameters(&format!(r#"{answer},{{"name":"part","part":[{{"name":"n","valueString":"1"}}]}}"#)),
            "it takes `valueInteger`",
        ),
    ] {
        let told = check(&definition, &wrong).expect_err(&wrong);
        assert!(told.contains(expected), "{wrong}: {told}");
    }
    let returns = r#"{"parameter":[{"name":"return","use":"out","min":1,"max":"1","type":"Bundle"}]}"#;
    let returns = Definition::parse(&document(returns)).expect("a definition");
    assert!(check(&returns, r#"{"resourceType":"Bundle"}"#).is_ok());
    assert!(check(&returns, &parameters(answer)).is_err_and(|told| told == "it is `Parameters`, not a Bundle"));
}

#[test]
fn a_damaged_definition_is_none() {
    for parameter in [
        r#"{"name":"a","use":"in","min":0}"#,
        r#"{"name":"a","use":"in","min":0,"max":"1"}"#,
        r#"{"name":"a","use":"in","min":0,"max":"1","type":"Nothing"}"#,
        r#"{"name":"a","use":"in","max":"1","type":"string"}"#,
        r#"{"use":"in","min":0,"max":"1","type":"string"}"#,
    ] {
        let text = format!(r#"{{"parameter":[{parameter}]}}"#);
        assert!(Definition::parse(&document(&text)).is_none(), "{parameter}");
    }
    assert!(matches!(definition().inputs[6].holds, Holds::Value(structure, _) if structure.name == "Element"));
}
