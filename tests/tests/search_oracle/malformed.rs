//! Malformed values: each is a 400 that names the parameter; nothing is a 500, and no answer pretends to have been filtered.

use flint_tests::Flint;
use serde_json::json;
use store::testing::Random;

/// How many patients there are.
const PATIENTS: u64 = 7;

fn filled() -> Flint {
    let flint = Flint::start();
    for number in 0..PATIENTS {
        let patient = json!({"resourceType": "Patient", "id": format!("p{number}"), "gender": "female",
            "birthDate": format!("198{number}-01-01"), "name": [{"family": "Ash"}]});
        flint.send(&format!("PUT /Patient/p{number}"), patient).expect(201);
    }
    flint
}

/// A search of a type, and the parameter that the refusal must name.
#[rustfmt::skip]
const REFUSED: &[(&str, &str)] = &[
    ("Patient?birthdate=2013-13", "birthdate"),
    ("Patient?birthdate=2013-02-30", "birthdate"),
    ("Patient?birthdate=2013-1-1", "birthdate"),
    ("Patient?birthdate=xx2013", "birthdate"),
    ("Patient?birthdate=ge", "birthdate"),
    ("Patient?birthdate=", "birthdate"),
    ("Patient?birthdate=2013,", "birthdate"),
    ("Patient?birthdate=2013-01-01T25:00:00Z", "birthdate"),
    ("Patient?birthdate=2013-01-01T10:00:00%2B99:00", "birthdate"),
    ("Patient?birthdate=2013%00", "birthdate"),
    ("Patient?birthdate:exact=2013", "birthdate"),
    ("Patient?birthdate:missing=perhaps", "birthdate"),
    ("Patient?_lastUpdated=yesterday", "_lastUpdated"),
    ("Patient?name=", "name"),
    ("Patient?name=a,", "name"),
    ("Patient?name=a%5C", "name"),
    ("Patient?name=a%5Cb", "name"),
    ("Patient?name:contains=", "name"),
    ("Patient?name:below=a", "name"),
    ("Patient?gender=", "gender"),
    ("Patient?gender=a%7Cb%7Cc", "gender"),
    ("Patient?gender=%7C", "gender"),
    ("Patient?gender:exact=male", "gender"),
    ("Patient?identifier=%5C", "identifier"),
    ("Patient?identifier:of-type=a%7Cb", "identifier"),
    ("Patient?identifier:of-type=%7C%7C", "identifier"),
    ("Patient?organization=", "organization"),
    ("Patient?organization:Patient=x", "organization"),
    ("Patient?organization:Nothing=x", "organization"),
    ("Patient?organization.name=", "name"),
    ("Patient?organization.nothing=x", "nothing"),
    ("Patient?gender.name=x", "gender"),
    ("Patient?organization.=x", "organization"),
    ("Patient?_has:Observation:patient:date=2013-13", "date"),
    ("Patient?_has:Observation=x", "_has"),
    ("Patient?_has:Nothing:patient:code=x", "_has"),
    ("Patient?_has:Observation:code:code=x", "code"),
    ("Patient?link.link.link.link.link.link.link.link.name=x", "link"),
    ("Patient?_has:Patient:link:_has:Patient:link:_has:Patient:link:_has:Patient:link:_has:Patient:link:_has:Patient:link:name=x", "_has"),
    ("Patient?_sort=-", "_sort"),
    ("Patient?_sort=nothing", "nothing"),
    ("Patient?_count=x", "_count"),
    ("Patient?_total=some", "_total"),
    ("Patient?_include=nothing", "_include"),
    ("Patient?nothing=x", "nothing"),
    ("Patient?=x", "``"),
    ("Observation?value-quantity=abc", "value-quantity"),
    ("Observation?value-quantity=", "value-quantity"),
    ("Observation?value-quantity=5%7Ca%7Cb%7Cc", "value-quantity"),
    ("Observation?value-quantity=ge%7C%7Cmg", "value-quantity"),
    ("Observation?value-quantity=5.%7C%7Cmg", "value-quantity"),
    ("Observation?code-value-quantity=a", "code-value-quantity"),
    ("Observation?code-value-quantity=a$b", "code-value-quantity"),
    ("Observation?code-value-quantity=a$1$2", "code-value-quantity"),
    ("Observation?code-value-quantity=$1", "code-value-quantity"),
    ("RiskAssessment?probability=abc", "probability"),
    ("RiskAssessment?probability=1e", "probability"),
    ("RiskAssessment?probability=--1", "probability"),
    ("RiskAssessment?probability=1e9999", "probability"),
    ("RiskAssessment?probability=0x10", "probability"),
    ("RiskAssessment?probability=NaN", "probability"),
    ("ValueSet?url=", "url"),
    ("ValueSet?url:above=urn:oid:1.2", "url"),
    ("ValueSet?url:contains=x", "url"),
];

#[test]
fn names_the_parameter_of_a_bad_value() {
    let flint = filled();
    let mut wrong = Vec::new();
    for (query, name) in REFUSED {
        let reply = flint.get(&format!("/{query}"));
        let diagnostics = reply.pointer("/issue/0/diagnostics");
        if reply.status != 400 || !diagnostics.contains(name) {
            wrong.push(format!("{query}: {} `{diagnostics}`", reply.status));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{} bad values refused", REFUSED.len());
}

#[test]
fn long_and_strange_values_find_nothing() {
    let flint = filled();
    let long = "x".repeat(100_000);
    let many = vec!["x"; 50_000].join(",");
    let deep = "link.".repeat(20_000);
    let nested = |test: &str, times: usize| {
        (test.to_owned() + &format!(" or {test} and {test}").repeat(times)).replace(' ', "+")
    };
    let queries = [
        format!("name={long}"),
        format!("name={many}"),
        format!("{deep}name=x"),
        format!("{long}=x"),
        format!("birthdate={long}"),
        format!("_filter={}", nested("id eq x", 300)),
        format!("_filter={}", nested("link.id eq x", 15)),
        format!("_filter={}", nested("not(id pr true)", 15)),
        format!("_text={}", "not ".repeat(20_000) + "x"),
        format!("_text={}", vec!["x"; 20_000].join(" or ")),
        "name=%FF".to_owned(),
        "name=%C3%28".to_owned(),
        "name=%00".to_owned(),
        "name=%01%02%7F".to_owned(),
        "name=%".to_owned(),
        "name=%zz".to_owned(),
        "identifier=%E2%80%AE".to_owned(),
    ];
    for query in queries {
        let shown: String = query.chars().take(60).collect();
        let form = flint.call("POST /Patient/_search").body("application/x-www-form-urlencoded", query.clone()).send();
        assert!(form.status == 400 || form.pointer("/total") == "0", "{shown}: {} {}", form.status, form.text);
        if query.len() < 1_000 {
            let reply = flint.get(&format!("/Patient?{query}"));
            assert!(reply.status == 400 || reply.pointer("/total") == "0", "{shown}: {} {}", reply.status, reply.text);
        }
    }
}

/// What random queries are put together from.
const PIECES: [&str; 40] = [
    "name",
    "birthdate",
    "gender",
    "_id",
    "identifier",
    "organization",
    "_has:",
    "Patient",
    "link",
    ":",
    ".",
    "=",
    "=",
    "&",
    "&",
    ",",
    "%7C",
    "|",
    "$",
    "%5C",
    "%FF",
    "%00",
    "+",
    "ge",
    "2013",
    "-13",
    "T10:00",
    "Z",
    "missing",
    "exact",
    "contains",
    "not",
    "of-type",
    "_sort",
    "_count",
    "Ash",
    "female",
    "true",
    "1e400",
    "..",
];

/// How many random queries are made.
const QUERIES: usize = 400;

#[test]
fn random_queries_are_answered_or_refused() {
    let flint = filled();
    let mut random = Random::new(7);
    let mut refused = 0;
    for _ in 0..QUERIES {
        let count = 1 + random.below(9);
        let query: String = (0..count).map(|_| *random.pick(&PIECES)).collect();
        let reply = flint.call("POST /Patient/_search").body("application/x-www-form-urlencoded", query.clone()).send();
        assert!(matches!(reply.status, 200 | 400), "{query}: {} {}", reply.status, reply.text);
        refused += usize::from(reply.status == 400);
        if reply.pointer("/total") == PATIENTS.to_string() {
            // What was asked is in effect, or the answer says what was left out.
            let link = reply.link("self").expect("a link");
            let asked = query.split('&').filter(|pair| !pair.is_empty()).count();
            let applied = link.split_once('?').map_or(0, |(_, query)| query.split('&').count());
            let is_said = !reply.keys("outcome").is_empty() || reply.text.contains("\"mode\":\"outcome\"");
            assert!(applied >= asked || is_said, "{query}: {link}");
        }
    }
    println!("{QUERIES} random queries, {refused} refused");
}
