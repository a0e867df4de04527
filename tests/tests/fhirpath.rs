use flint_tests::Flint;
use serde_json::{Value, json};

fn ann() -> Value {
    json!({"resourceType": "Patient", "id": "ann", "active": true, "birthDate": "1974-12-25",
        "name": [{"use": "official", "family": "Smith", "given": ["Ann", "Marie"]}, {"use": "usual", "given": ["Annie"]}],
        "contact": [{"gender": "male", "name": {"family": "Jones"}}], "managingOrganization": {"reference": "Organization/org"}})
}

fn filled() -> Flint {
    let flint = Flint::start();
    flint
        .send("PUT /Organization/org", json!({"resourceType": "Organization", "id": "org", "name": "Surgery"}))
        .expect(201);
    flint.send("PUT /Patient/ann", ann()).expect(201);
    flint
}

/// Each result as `place: type=value@path; ..`.
fn results(answer: &Value) -> Vec<String> {
    let parameters = answer["parameter"].as_array().expect("parameters").iter();
    parameters.filter(|parameter| parameter["name"] == "result").map(result).collect()
}

fn result(result: &Value) -> String {
    let parts: Vec<_> = result["part"].as_array().into_iter().flatten().map(part).collect();
    match result["valueString"].as_str() {
        Some(place) => format!("{place}: {}", parts.join("; ")),
        None => parts.join("; "),
    }
}

fn part(part: &Value) -> String {
    let extension = |name: &str| {
        let extensions = part["extension"].as_array().into_iter().flatten();
        let mut found = extensions.filter(|it| it["url"].as_str().is_some_and(|url| url.ends_with(name)));
        found.next().and_then(|it| it["valueString"].as_str()).map(str::to_owned)
    };
    let name = part["name"].as_str().expect("a name");
    if name == "trace" {
        return format!("trace {}", result(part));
    }
    let members = part.as_object().expect("a part").iter();
    let value = members.filter(|(name, _)| name.starts_with("value") || *name == "resource").map(|(_, value)| value);
    let value = value.map(ToString::to_string).next().or(extension("json-value")).unwrap_or_default();
    let path = extension("resource-path").map(|path| format!("@{path}")).unwrap_or_default();
    format!("{name}={value}{path}")
}

#[test]
fn evaluates_at_every_level() {
    let flint = filled();
    let with = |more: Value| {
        let mut parameters = vec![json!({"name": "resource", "resource": ann()})];
        parameters.extend(more.as_array().expect("a list").iter().cloned());
        json!({"resourceType": "Parameters", "parameter": parameters})
    };
    let text = |name: &str, text: &str| json!({"name": name, "valueString": text});
    let xml = json!([{"name": "resource", "extension": [{"url": "http://fhir.forms-lab.com/StructureDefinition/xml-value",
        "valueString": "<Patient xmlns='http://hl7.org/fhir'><id value='x'/></Patient>"}]}, text("expression", "id")]);
    let xml = json!({"resourceType": "Parameters", "parameter": xml});
    let variables = json!([text("expression", "name.where(use = %use).given & %n"),
        {"name": "variables", "part": [{"name": "use", "valueCode": "usual"}, {"name": "n", "valueString": "!"}]}]);
    let cases: Vec<(&str, Option<Value>, &[&str])> = vec![
        ("GET /$fhirpath?expression=2%20%2B%202", None, &["integer=4"]),
        ("GET /$fhirpath?expression=%7B%7D", None, &[]),
        ("GET /$fhirpath?expression=%25resource", None, &[]),
        ("GET /Patient/ann/$fhirpath?expression=name.family", None, &[r#"string="Smith"@Patient.name[0].family"#]),
        (
            "GET /Patient/ann/$fhirpath?expression=given.join('%20')&context=name",
            None,
            &[r#"Patient.name[0]: string="Ann Marie""#, r#"Patient.name[1]: string="Annie""#],
        ),
        ("GET /Patient/ann/$fhirpath?expression=family&context=name[1]", None, &["Patient.name[1]: "]),
        (
            "GET /Patient/ann/$fhirpath?expression=contact",
            None,
            &[r#"Patient.contact={"gender":"male","name":{"family":"Jones"}}@Patient.contact[0]"#],
        ),
        ("GET /Patient/ann/$fhirpath?expression=managingOrganization.resolve().name", None, &[r#"string="Surgery""#]),
        ("GET /Patient/ann/$fhirpath?expression=generalPractitioner.resolve()", None, &[]),
        (
            "GET /Patient/ann/$fhirpath?expression=name.trace('n',given).count()",
            None,
            &[
                r#"integer=2; trace n: string="Ann"@Patient.name[0].given[0]; string="Marie"@Patient.name[0].given[1]; string="Annie"@Patient.name[1].given[0]"#,
            ],
        ),
        (
            "GET /Patient/ann/$fhirpath?expression=gender.memberOf('http://hl7.org/fhir/ValueSet/administrative-gender')",
            None,
            &[],
        ),
        (
            "GET /Patient/ann/$fhirpath?expression=contact.gender.memberOf('http://hl7.org/fhir/ValueSet/administrative-gender')",
            None,
            &["boolean=true"],
        ),
        (
            "GET /Patient/ann/$fhirpath?expression=birthDate.elementDefinition().path",
            None,
            &[r#"string="Patient.birthDate""#],
        ),
        ("POST /Patient/ann/$fhirpath?expression=active", None, &["boolean=true@Patient.active"]),
        ("POST /$fhirpath?expression=id", Some(ann()), &[r#"id="ann"@Patient.id"#]),
        ("POST /$fhirpath", Some(with(json!([text("expression", "birthDate + 1 month")]))), &[r#"date="1975-01-25""#]),
        ("POST /$fhirpath", Some(with(variables)), &[r#"string="Annie!""#]),
        ("POST /$fhirpath", Some(xml), &[r#"id="x"@Patient.id"#]),
        (
            "POST /$fhirpath",
            Some(with(json!([text(
                "expression",
                "5 'mg' | 4 days | 3 'tablet' | '' | now().type() | 2147483648 | @2015-02-04T14"
            )]))),
            &[
                r#"Quantity={"code":"mg","system":"http://unitsofmeasure.org","unit":"mg","value":5}; Quantity={"unit":"day","value":4}; Quantity={"unit":"tablet","value":3}; empty-string=""; TypeInfo={"namespace":"System","name":"DateTime"}; integer=2147483648; dateTime="2015-02-04T14""#,
            ],
        ),
    ];
    for (call, body, expected) in cases {
        let request = flint.call(call);
        let reply = match &body {
            Some(body) => request.json(body).send(),
            None => request.send(),
        };
        assert_eq!(results(&reply.expect(200).json()), expected, "{call} {body:?}");
    }
}

#[test]
fn tells_what_was_asked() {
    let flint = filled();
    let answer = flint.get("/Patient/ann/$fhirpath?expression=name.fmily&validate=true").expect(200);
    let parts = answer.json()["parameter"][0]["part"].as_array().expect("parts").clone();
    let names: Vec<_> = parts.iter().map(|part| part["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["evaluator", "expression", "resource", "validation"]);
    assert_eq!(parts[1]["valueString"], "name.fmily");
    assert_eq!(parts[2]["resource"]["id"], "ann");
    assert_eq!(parts[3]["resource"]["issue"][0]["diagnostics"], "at 5: HumanName has no element `fmily`");
    let answer = flint.get("/Patient/ann/$fhirpath?expression=name.given").expect(200);
    answer
        .facts(&[("/parameter/0/part/3/name", "expectedReturnType"), ("/parameter/0/part/3/valueString", "string[]")]);
}

#[test]
fn refuses_what_has_no_answer() {
    let flint = filled();
    for (path, status, message) in [
        ("/$fhirpath", 422, "the input `expression` is missing"),
        ("/$fhirpath?expression=1&x=2", 400, "the operation has no input `x`*"),
        ("/$fhirpath?expression=1&expression=2", 400, "*`expression` is given more than once"),
        (
            "/$fhirpath?expression=1&validate=maybe",
            400,
            "the input `validate` has a wrong value: `maybe` is not of type boolean: true or false",
        ),
        ("/$fhirpath?expression=1&terminologyserver=x", 400, "the input `terminologyserver` is not served*"),
        (
            "/$fhirpath?expression=%27%C3%A4%27%20%2B",
            400,
            "the input `expression` has an error at 5: expected a term, found the end",
        ),
        (
            "/$fhirpath?expression=nothing()",
            400,
            "the input `expression` has an error at 0: function `nothing` is unknown",
        ),
        ("/$fhirpath?expression=1&context=(", 400, "the input `context` has an error at 1: *"),
        (
            "/Patient/ann/$fhirpath?expression=name.single()",
            422,
            "the input `expression` has an error at 5: expected one item, found 2",
        ),
        (
            "/Patient/ann/$fhirpath?expression=1%20%2B%20%25x",
            422,
            "the input `expression` has an error at 4: variable `%x` is unknown",
        ),
        (
            "/Patient/ann/$fhirpath?expression=conformsTo('http://e.example/p')",
            422,
            "*at 0: profile `http://e.example/p` is unknown",
        ),
        ("/Patient/none/$fhirpath?expression=1", 404, "*"),
    ] {
        let reply = flint.get(path).expect(status);
        reply.facts(&[("/resourceType", "OperationOutcome"), ("/issue/0/diagnostics", message)]);
    }
    flint.send("POST /$fhirpath?expression=id", json!({"resourceType": "Nothing"})).expect(422);
}
