use flint_tests::{Flint, Reply};
use serde_json::{Value, json};

const ANIMALS: &str = "urn:example:animals";

fn animals() -> Value {
    json!({"resourceType": "CodeSystem", "id": "animals", "url": ANIMALS, "version": "1", "name": "Animals", "status": "active",
        "content": "complete", "hierarchyMeaning": "is-a", "caseSensitive": true,
        "property": [{"code": "legs", "type": "integer"}, {"code": "inactive", "type": "boolean"},
            {"code": "notSelectable", "type": "boolean", "uri": "http://hl7.org/fhir/concept-properties#notSelectable"}],
        "concept": [{"code": "animal", "display": "Animal", "property": [{"code": "notSelectable", "valueBoolean": true}], "concept": [
            {"code": "mammal", "display": "Mammal", "definition": "Has hair", "concept": [
                {"code": "cat", "display": "Cat", "property": [{"code": "legs", "valueInteger": 4}],
                    "designation": [{"language": "de", "value": "Katze"}]},
                {"code": "dog", "display": "Dog", "property": [{"code": "legs", "valueInteger": 4}]}]},
            {"code": "dodo", "display": "Dodo", "property": [{"code": "inactive", "valueBoolean": true}]}]}]})
}

fn filled() -> Flint {
    let flint = Flint::start();
    flint.send("PUT /CodeSystem/animals", animals()).expect(201);
    let pets = json!({"resourceType": "ValueSet", "id": "pets", "url": "http://v.example/pets", "version": "2", "name": "Pets",
        "status": "active", "compose": {"include": [{"system": ANIMALS,
        "filter": [{"property": "concept", "op": "is-a", "value": "mammal"}]}]}});
    flint.send("PUT /ValueSet/pets", pets).expect(201);
    let all = json!({"resourceType": "ValueSet", "id": "all", "url": "http://v.example/all", "status": "active",
        "compose": {"include": [{"system": ANIMALS}]}});
    flint.send("PUT /ValueSet/all", all).expect(201);
    let open = json!({"resourceType": "ValueSet", "id": "open", "url": "http://v.example/open", "status": "active",
        "compose": {"include": [{"system": "urn:example:unknown"}]}});
    flint.send("PUT /ValueSet/open", open).expect(201);
    flint
}

fn parameters(parts: &[(&str, &str, Value)]) -> Value {
    let parts = parts.iter().map(|(name, kind, value)| json!({"name": name, *kind: value}));
    json!({"resourceType": "Parameters", "parameter": parts.collect::<Vec<_>>()})
}

/// The answer in short: `name=value` of each parameter, parts in brackets.
fn told(reply: &Reply) -> String {
    let short = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let value = |part: &Value| {
        let (_, value) = part.as_object().into_iter().flatten().find(|(name, _)| name.starts_with("value"))?;
        Some(value.get("code").map_or_else(|| short(value), short))
    };
    let one = |part: &Value| {
        let name = part["name"].as_str().unwrap_or_default();
        match part["part"].as_array() {
            Some(parts) => {
                let parts: Vec<_> = parts.iter().filter_map(value).collect();
                format!("{name}({})", parts.join(" "))
            }
            None => format!("{name}={}", value(part).unwrap_or_default()),
        }
    };
    let answer = reply.json();
    answer["parameter"].as_array().into_iter().flatten().map(one).collect::<Vec<_>>().join(", ")
}

/// The codes of an expansion, those inside others in brackets.
fn codes(contains: &Value) -> String {
    let one = |code: &Value| match code.get("contains") {
        Some(inside) => format!("{}({})", code["code"].as_str().unwrap_or_default(), codes(inside)),
        None => code["code"].as_str().unwrap_or_default().to_owned(),
    };
    contains.as_array().into_iter().flatten().map(one).collect::<Vec<_>>().join(" ")
}

#[test]
fn expands_value_sets() {
    let flint = filled();
    for (path, total, expected) in [
        ("/ValueSet/$expand?url=http://v.example/pets", 3, "mammal cat dog"),
        ("/ValueSet/$expand?url=http://v.example/pets|2", 3, "mammal cat dog"),
        ("/ValueSet/$expand?url=http://v.example/pets&valueSetVersion=2", 3, "mammal cat dog"),
        ("/ValueSet/pets/$expand", 3, "mammal cat dog"),
        ("/ValueSet/pets/$expand?count=2", 3, "mammal cat"),
        ("/ValueSet/pets/$expand?count=2&offset=2", 3, "dog"),
        ("/ValueSet/pets/$expand?count=2&offset=9", 3, ""),
        ("/ValueSet/pets/$expand?count=0", 3, ""),
        ("/ValueSet/pets/$expand?filter=CA", 1, "cat"),
        ("/ValueSet/pets/$expand?filter=katze", 1, "cat"),
        ("/ValueSet/pets/$expand?filter=x", 0, ""),
        ("/ValueSet/all/$expand?activeOnly=true", 4, "animal mammal cat dog"),
        ("/ValueSet/all/$expand?excludeNotForUI=true", 4, "mammal cat dog dodo"),
        ("/ValueSet/all/$expand?excludeNested=false", 5, "animal(mammal(cat dog) dodo)"),
        ("/ValueSet/all/$expand?excludeNested=true&excludePostCoordinated=true", 5, "animal mammal cat dog dodo"),
        ("/ValueSet/all/$expand?exclude-system=urn:example:animals", 0, ""),
        ("/ValueSet/all/$expand?system-version=urn:example:animals|1", 5, "animal mammal cat dog dodo"),
        (
            "/ValueSet/$expand?context=http://hl7.org/fhir/StructureDefinition/Patient%23Patient.gender&contextDirection=incoming",
            4,
            "male female other unknown",
        ),
        ("/ValueSet/$expand?url=http://hl7.org/fhir/ValueSet/administrative-gender", 4, "male female other unknown"),
    ] {
        let reply = flint.get(path).expect(200);
        let expansion = &reply.json()["expansion"];
        assert_eq!(
            (codes(&expansion["contains"]), &expansion["total"]),
            (expected.to_owned(), &json!(total)),
            "{path}: {}",
            reply.text
        );
    }
    let first = flint.get("/ValueSet/pets/$expand?count=1&includeDesignations=true&includeDefinition=true").expect(200);
    first.facts(&[
        ("/resourceType", "ValueSet"),
        ("/url", "http://v.example/pets"),
        ("/compose/include/0/system", ANIMALS),
        ("/expansion/identifier", "urn:uuid:*"),
        ("/expansion/timestamp", "2027-03-01T08:0*"),
        ("/expansion/offset", "0"),
        ("/expansion/parameter/0/name", "count"),
        ("/expansion/parameter/0/valueInteger", "1"),
        ("/expansion/contains/0/display", "Mammal"),
        ("/expansion/contains/0/version", "1"),
    ]);
    let german = flint.get("/ValueSet/pets/$expand?filter=cat&displayLanguage=de&includeDesignations=true").expect(200);
    german.facts(&[
        ("/compose", "-"),
        ("/expansion/offset", "-"),
        ("/expansion/contains/0/display", "Katze"),
        ("/expansion/contains/0/designation/0/language", "de"),
    ]);
}

#[test]
fn expands_what_comes_with_the_call() {
    let flint = Flint::start();
    let value_set = json!({"resourceType": "ValueSet", "status": "draft", "compose": {"include": [{"system": ANIMALS,
        "filter": [{"property": "legs", "op": "=", "value": "4"}]}]}});
    let call = parameters(&[
        ("valueSet", "resource", value_set.clone()),
        ("tx-resource", "resource", animals()),
        ("count", "valueInteger", json!(1)),
    ]);
    let reply = flint.send("POST /ValueSet/$expand", call).expect(200);
    assert_eq!(codes(&reply.json()["expansion"]["contains"]), "cat");
    reply.facts(&[("/status", "draft"), ("/expansion/total", "2")]);
    flint.send("POST /ValueSet/$expand", value_set.clone()).expect(422);
    flint.send("PUT /CodeSystem/animals", animals()).expect(201);
    let reply = flint.send("POST /ValueSet/$expand?filter=dog", value_set).expect(200);
    assert_eq!(codes(&reply.json()["expansion"]["contains"]), "dog");
}

#[test]
fn looks_codes_up() {
    let flint = filled();
    let get = |query: &str| told(&flint.get(&format!("/CodeSystem/$lookup?{query}")).expect(200));
    let cat = "name=Animals, version=1, display=Cat";
    for (query, expected) in [
        ("system=urn:example:animals&code=cat&property=legs", format!("{cat}, property(legs 4)")),
        ("system=urn:example:animals&code=cat&version=1&property=parent&property=child", format!("{cat}, property(parent mammal Mammal)")),
        ("system=urn:example:animals&code=cat&property=designation", format!("{cat}, designation(de Katze)")),
        ("system=urn:example:animals&code=cat&property=lang.de", format!("{cat}, designation(de Katze)")),
        ("system=urn:example:animals&code=cat&property=lang.fr", cat.to_owned()),
        ("system=urn:example:animals&code=cat&displayLanguage=de&property=x", "name=Animals, version=1, display=Katze".to_owned()),
        ("system=urn:example:animals&code=mammal&property=definition&property=child", "name=Animals, version=1, display=Mammal, property(definition Has hair), property(child cat Cat), property(child dog Dog)".to_owned()),
        ("system=urn:example:animals&code=dodo&property=inactive", "name=Animals, version=1, display=Dodo, property(inactive true)".to_owned()),
        ("system=http://hl7.org/fhir/administrative-gender&code=male&property=x", "name=AdministrativeGender, version=4.0.1, display=Male".to_owned()),
    ] {
        assert_eq!(get(query), expected, "{query}");
    }
    assert!(
        get("system=urn:example:animals&code=cat").contains("property(inactive false), property(parent mammal Mammal)")
    );
    let coding = parameters(&[
        ("coding", "valueCoding", json!({"system": ANIMALS, "code": "cat"})),
        ("property", "valueCode", json!("legs")),
    ]);
    assert_eq!(told(&flint.send("POST /CodeSystem/$lookup", coding).expect(200)), format!("{cat}, property(legs 4)"));
}

#[test]
fn compares_codes() {
    let flint = filled();
    for (a, b, expected) in [
        ("mammal", "cat", "subsumes"),
        ("cat", "animal", "subsumed-by"),
        ("cat", "dog", "not-subsumed"),
        ("cat", "cat", "equivalent"),
    ] {
        for path in [
            format!("/CodeSystem/$subsumes?system={ANIMALS}&codeA={a}&codeB={b}"),
            format!("/CodeSystem/animals/$subsumes?codeA={a}&codeB={b}"),
        ] {
            assert_eq!(told(&flint.get(&path).expect(200)), format!("outcome={expected}"), "{path}");
        }
        let coding = |code: &str| json!({"system": ANIMALS, "version": "1", "code": code});
        let call = parameters(&[("codingA", "valueCoding", coding(a)), ("codingB", "valueCoding", coding(b))]);
        assert_eq!(told(&flint.send("POST /CodeSystem/$subsumes", call).expect(200)), format!("outcome={expected}"));
    }
}

#[test]
fn checks_codes() {
    let flint = filled();
    let pets = format!("/ValueSet/$validate-code?url=http://v.example/pets&system={ANIMALS}");
    let system = format!("/CodeSystem/$validate-code?url={ANIMALS}");
    for (path, expected) in [
        (format!("{pets}&code=cat"), "result=true, display=Cat"),
        (format!("{pets}&code=cat&display=cat"), "result=true, display=Cat"),
        (format!("{pets}&code=cat&display=Katze"), "result=true, display=Cat"),
        (format!("{pets}&code=cat&display=Dog"), "result=false, message=*, display=Cat"),
        (format!("{pets}&code=cat&displayLanguage=de"), "result=true, display=Katze"),
        (format!("{pets}&code=dodo"), "result=false, message=*"),
        (format!("{pets}&code=cow"), "result=false, message=*"),
        (format!("/ValueSet/pets/$validate-code?system={ANIMALS}&code=dog"), "result=true, display=Dog"),
        (format!("/ValueSet/all/$validate-code?system={ANIMALS}&code=dodo"), "result=true, message=code `dodo` is inactive, display=Dodo"),
        (format!("/ValueSet/all/$validate-code?system={ANIMALS}&code=animal"), "result=true, display=Animal"),
        (format!("/ValueSet/all/$validate-code?system={ANIMALS}&code=animal&abstract=false"), "result=false, message=code `animal` only groups others, and `abstract` is false, display=Animal"),
        ("/ValueSet/$validate-code?context=http://hl7.org/fhir/StructureDefinition/Patient%23Patient.gender&code=male".to_owned(), "result=true, display=Male"),
        ("/ValueSet/$validate-code?url=http://hl7.org/fhir/ValueSet/administrative-gender&system=http://hl7.org/fhir/administrative-gender&code=x".to_owned(), "result=false, message=*"),
        (format!("{system}&code=cat"), "result=true, display=Cat"),
        (format!("{system}&code=cow"), "result=false, message=*"),
        (format!("{system}&code=cat&display=Dog"), "result=false, message=*, display=Cat"),
        ("/CodeSystem/animals/$validate-code?code=dog".to_owned(), "result=true, display=Dog"),
        ("/CodeSystem/$validate-code?url=http://unitsofmeasure.org&code=mg/dL".to_owned(), "result=true*"),
        ("/CodeSystem/$validate-code?url=http://unitsofmeasure.org&code=furlong".to_owned(), "result=false, message=*"),
    ] {
        let found = told(&flint.get(&path).expect(200));
        let fits = match expected.split_once('*') {
            Some((start, end)) => found.starts_with(start) && found.ends_with(end),
            None => found == expected,
        };
        assert!(fits, "{path}: {found}");
    }
    let concept = |codes: &[&str]| {
        let codings: Vec<_> = codes.iter().map(|code| json!({"system": ANIMALS, "code": code})).collect();
        parameters(&[
            ("codeableConcept", "valueCodeableConcept", json!({"coding": codings, "text": "x"})),
            ("url", "valueUri", json!("http://v.example/pets")),
        ])
    };
    for (codes, expected) in
        [(&["dodo", "cat"][..], "result=true, display=Cat"), (&["dodo", "cow"], "result=false, message=")]
    {
        let found = told(&flint.send("POST /ValueSet/$validate-code", concept(codes)).expect(200));
        assert!(found.starts_with(expected), "{codes:?}: {found}");
    }
    let inline = parameters(&[
        ("codeSystem", "resource", animals()),
        ("coding", "valueCoding", json!({"system": ANIMALS, "code": "cat"})),
    ]);
    assert_eq!(
        told(&Flint::start().send("POST /CodeSystem/$validate-code", inline).expect(200)),
        "result=true, display=Cat"
    );
}

fn sounds() -> Value {
    json!({"resourceType": "ConceptMap", "id": "sounds", "url": "http://v.example/sounds", "version": "1", "status": "active",
        "sourceUri": "http://v.example/pets", "group": [{"source": ANIMALS, "target": "urn:example:sounds", "element": [
            {"code": "cat", "target": [{"code": "meow", "display": "Meow", "equivalence": "equivalent"}, {"code": "purr", "equivalence": "wider",
                "dependsOn": [{"property": "urn:mood", "system": "urn:moods", "value": "good"}],
                "product": [{"property": "urn:loud", "value": "little"}]}]},
            {"code": "dodo", "target": [{"equivalence": "unmatched"}]}]}]})
}

#[test]
fn translates_codes() {
    let flint = filled();
    flint.send("PUT /ConceptMap/sounds", sounds()).expect(201);
    let cat = format!("system={ANIMALS}&code=cat");
    let (meow, needs) =
        ("match(equivalent meow http://v.example/sounds|1)", "message=further mappings of `cat` depend on urn:mood");
    for (path, expected) in [
        (format!("/ConceptMap/$translate?url=http://v.example/sounds&{cat}"), format!("result=true, {needs}, {meow}")),
        (format!("/ConceptMap/$translate?url=http://v.example/sounds&conceptMapVersion=1&{cat}"), format!("result=true, {needs}, {meow}")),
        (format!("/ConceptMap/sounds/$translate?{cat}"), format!("result=true, {needs}, {meow}")),
        (format!("/ConceptMap/$translate?{cat}"), format!("result=true, {needs}, {meow}")),
        (format!("/ConceptMap/$translate?{cat}&targetsystem=urn:example:sounds&source=ValueSet/pets"), format!("result=true, {needs}, {meow}")),
        (format!("/ConceptMap/$translate?{cat}&targetsystem=urn:other"), "result=false, message=no concept map that fits has a mapping for `cat`".to_owned()),
        (format!("/ConceptMap/$translate?{cat}&source=http://v.example/all"), "result=false, message=no concept map that fits has a mapping for `cat`".to_owned()),
        (format!("/ConceptMap/sounds/$translate?system={ANIMALS}&code=dodo"), "result=false, message=the concept map has nothing that matches `dodo`, match(unmatched http://v.example/sounds|1)".to_owned()),
        ("/ConceptMap/sounds/$translate?system=urn:example:sounds&code=meow&reverse=true".to_owned(), "result=true, match(equivalent cat http://v.example/sounds|1)".to_owned()),
    ] {
        let found = told(&flint.get(&path).expect(200)).replace("sounds)", "sounds|1)");
        assert_eq!(found, expected, "{path}");
    }
    let concept = json!({"coding": [{"system": "urn:x", "code": "y"}, {"system": ANIMALS, "code": "cat"}]});
    let mood = json!({"name": "dependency", "part": [{"name": "element", "valueUri": "urn:mood"},
        {"name": "concept", "valueCodeableConcept": {"coding": [{"system": "urn:moods", "code": "good"}]}}]});
    let mut call =
        parameters(&[("codeableConcept", "valueCodeableConcept", concept), ("conceptMap", "resource", sounds())]);
    call["parameter"].as_array_mut().expect("a list").push(mood);
    let reply = flint.send("POST /ConceptMap/$translate", call).expect(200);
    reply.facts(&[
        ("/parameter/0/valueBoolean", "true"),
        ("/parameter/3/part/0/valueCode", "wider"),
        ("/parameter/3/part/2/part/1/valueCoding/code", "little"),
    ]);
    for (path, status, message) in [
        (
            "/ConceptMap/$translate?code=cat".to_owned(),
            400,
            "a code is translated with its system: `system` must be given",
        ),
        (format!("/ConceptMap/$translate?{cat}&url=urn:none"), 404, "the concept map `urn:none` is not known here"),
        (
            format!("/ConceptMap/$translate?{cat}&url=http://v.example/sounds&conceptMapVersion=2"),
            404,
            "the concept map `http://v.example/sounds|2` is not known here",
        ),
        (format!("/ConceptMap/none/$translate?{cat}"), 404, "there is no `ConceptMap/none`"),
        (
            format!("/ConceptMap/sounds/$translate?{cat}&url=urn:none"),
            400,
            "`ConceptMap/sounds` is the concept map, and another one is given beside it",
        ),
        (
            format!("/ConceptMap/sounds/$translate?{cat}&reverse=maybe"),
            400,
            "the input `reverse` is `maybe`, not true or false",
        ),
        (format!("/ConceptMap/sounds/$translate?{cat}&dependency=x"), 400, "the input `dependency` has no coded value"),
        (
            "/ConceptMap/sounds/$translate".to_owned(),
            400,
            "one of `code`, `coding`, `codeableConcept` must be given, and no more than one",
        ),
    ] {
        flint.get(&path).expect(status).facts(&[("/issue/0/diagnostics", message)]);
    }
}

#[test]
fn refuses_wrong_calls() {
    let flint = filled();
    let lookup = format!("/CodeSystem/$lookup?system={ANIMALS}");
    let check = format!("/ValueSet/$validate-code?url=http://v.example/pets&system={ANIMALS}");
    for (path, status, message) in [
        (
            "/ValueSet/$expand".to_owned(),
            400,
            "one of `url`, `valueSet` and `context` must say which value set is meant",
        ),
        (
            "/ValueSet/$expand?url=http://v.example/none".to_owned(),
            404,
            "the value set `http://v.example/none` is not known here",
        ),
        (
            "/ValueSet/$expand?url=http://v.example/pets|3".to_owned(),
            404,
            "the value set `http://v.example/pets|3` is not known here",
        ),
        (
            "/ValueSet/$expand?url=http://v.example/pets|2&valueSetVersion=3".to_owned(),
            400,
            "`valueSetVersion` is `3`, and `url` names another version",
        ),
        ("/ValueSet/none/$expand".to_owned(), 404, "there is no `ValueSet/none`"),
        ("/ValueSet/open/$expand".to_owned(), 422, "*`urn:example:unknown`*"),
        (
            "/ValueSet/pets/$expand?url=http://v.example/pets".to_owned(),
            400,
            "`ValueSet/pets` is the value set, and another one is given beside it",
        ),
        ("/ValueSet/pets/$expand?count=-1".to_owned(), 400, "the input `count` is `-1`, not a number from 0 on"),
        ("/ValueSet/pets/$expand?count=1&count=2".to_owned(), 400, "the input `count` is given more than once"),
        (
            "/ValueSet/pets/$expand?offset=99999999999".to_owned(),
            400,
            "the input `offset` is `99999999999`, not a number from 0 on",
        ),
        ("/ValueSet/pets/$expand?activeOnly=yes".to_owned(), 400, "the input `activeOnly` is `yes`, not true or false"),
        (
            "/ValueSet/pets/$expand?date=2020".to_owned(),
            400,
            "the input `date` is not served: definitions are applied as they are now, not as they were at a time",
        ),
        ("/ValueSet/pets/$expand?colour=red".to_owned(), 400, "the operation has no input `colour`*"),
        ("/ValueSet/pets/$expand?contextDirection=incoming".to_owned(), 400, "`contextDirection` needs `context`"),
        (
            "/ValueSet/pets/$expand?system-version=urn:example:animals".to_owned(),
            400,
            "the input `system-version` is `urn:example:animals`, not `system|version`",
        ),
        ("/ValueSet/pets/$expand?force-system-version=urn:example:animals|9".to_owned(), 422, "*"),
        (
            "/ValueSet/$expand?context=Patient".to_owned(),
            400,
            "the input `context` is `Patient`, not a StructureDefinition's url, `#` and an element",
        ),
        (
            "/ValueSet/$expand?context=http://hl7.org/fhir/StructureDefinition/Patient%23Patient.name".to_owned(),
            404,
            "the element `Patient.name` is bound to no value set",
        ),
        (
            "/ValueSet/$expand?context=http://hl7.org/fhir/StructureDefinition/Patient%23Patient.x".to_owned(),
            404,
            "*has no element `Patient.x`",
        ),
        (format!("{lookup}&code=cow"), 404, "*no code `cow`*"),
        (lookup.clone(), 400, "one of `code`, `coding` must be given, and no more than one"),
        (format!("{lookup}&code=cat&version=9"), 404, "*urn:example:animals|9*"),
        (format!("{lookup}&code=cat&date=2020-01-01"), 400, "the input `date` is not served*"),
        (
            format!("{lookup}&coding=x"),
            400,
            "the input `coding` has elements, and so is sent in a Parameters resource, not in the query",
        ),
        ("/CodeSystem/$lookup?code=cat".to_owned(), 400, "a code is looked up in its system: `system` must be given"),
        ("/CodeSystem/$lookup?system=urn:x&code=cat".to_owned(), 404, "*`urn:x` is not known here*"),
        (
            "/CodeSystem/animals/$lookup?code=cat".to_owned(),
            404,
            "operation `$lookup` is not served at `CodeSystem/animals/$lookup`",
        ),
        (
            format!("/CodeSystem/$subsumes?system={ANIMALS}&codeA=cat"),
            400,
            "one of `codeB`, `codingB` must be given, and no more than one",
        ),
        (format!("/CodeSystem/$subsumes?system={ANIMALS}&codeA=cat&codeB=cow"), 404, "*no code `cow`*"),
        (
            "/CodeSystem/$subsumes?codeA=cat&codeB=cow".to_owned(),
            400,
            "codes are compared in their system: `system` must be given",
        ),
        ("/CodeSystem/$subsumes?system=urn:x&codeA=cat&codeB=cow".to_owned(), 404, "*`urn:x` is not known here*"),
        (check.clone(), 400, "one of `code`, `coding`, `codeableConcept` must be given, and no more than one"),
        (format!("{check}&code=cat&abstract=1"), 400, "the input `abstract` is `1`, not true or false"),
        (
            "/ValueSet/pets/$validate-code?code=cat".to_owned(),
            400,
            "a code is checked with its system: `system` must be given, or `context`",
        ),
        (
            "/ValueSet/$validate-code?url=http://v.example/none&system=urn:x&code=cat".to_owned(),
            404,
            "the value set `http://v.example/none` is not known here",
        ),
        (
            "/ValueSet/$validate-code?url=http://v.example/open&system=urn:example:unknown&code=cat".to_owned(),
            422,
            "*`urn:example:unknown`*",
        ),
        (
            "/CodeSystem/$validate-code?code=cat".to_owned(),
            400,
            "one of `url` and `codeSystem` must say which code system is meant",
        ),
        ("/CodeSystem/$validate-code?url=urn:x&code=cat".to_owned(), 404, "the code system `urn:x` is not known here"),
    ] {
        flint
            .get(&path)
            .expect(status)
            .facts(&[("/resourceType", "OperationOutcome"), ("/issue/0/diagnostics", message)]);
    }
    for (path, call, status, message) in [
        ("CodeSystem/$lookup", animals(), 400, "the operation takes its inputs as Parameters, not as `CodeSystem`"),
        (
            "ValueSet/pets/$expand",
            parameters(&[("filter", "valueCoding", json!({"code": "cat"}))]),
            400,
            "the input `filter` must have a value that is a text",
        ),
        ("ValueSet/$expand", animals(), 400, "the input `valueSet` is no ValueSet"),
        (
            "ValueSet/$expand",
            parameters(&[
                ("tx-resource", "resource", json!({"resourceType": "Patient"})),
                ("url", "valueUri", json!("urn:x")),
            ]),
            400,
            "the input `tx-resource` has `Patient`, not a CodeSystem or ValueSet",
        ),
        (
            "CodeSystem/$lookup",
            parameters(&[("coding", "valueString", json!("x"))]),
            400,
            "the input `coding` must have a value with elements",
        ),
        (
            "CodeSystem/$lookup",
            parameters(&[("coding", "valueCoding", json!({"system": ANIMALS}))]),
            400,
            "a coding of the input `coding` has no code",
        ),
        (
            "ValueSet/pets/$validate-code",
            parameters(&[("codeableConcept", "valueCodeableConcept", json!({"text": "x"}))]),
            400,
            "the input `codeableConcept` has no coding",
        ),
        (
            "CodeSystem/$subsumes",
            parameters(&[
                ("codingA", "valueCoding", json!({"system": "urn:a", "code": "1"})),
                ("codingB", "valueCoding", json!({"system": "urn:b", "code": "1"})),
            ]),
            400,
            "codes of two systems are not compared, here `urn:a` and `urn:b`",
        ),
    ] {
        flint.send(&format!("POST /{path}"), call).expect(status).facts(&[("/issue/0/diagnostics", message)]);
    }
    flint.call("PUT /ValueSet/$expand").json(&animals()).send().expect(405);
}

#[test]
fn says_what_it_can() {
    let flint = filled();
    let reply = flint.get("/metadata?mode=terminology").expect(200);
    reply.facts(&[
        ("/resourceType", "TerminologyCapabilities"),
        ("/kind", "instance"),
        ("/expansion/paging", "true"),
        ("/codeSearch", "all"),
    ]);
    let document = fhir::json::Document::parse(flint.get("/metadata?mode=terminology").text.as_bytes()).expect("JSON");
    assert_eq!(fhir::validate::validate(fhir::Definitions::r4(), &document), []);
    let reply = flint.get("/metadata?mode=terminology");
    let json = reply.json();
    let find = |url: &str| json["codeSystem"].as_array().into_iter().flatten().find(|it| it["uri"] == url).cloned();
    assert_eq!(find(ANIMALS).expect("loaded")["version"][0]["code"], "1");
    assert!(find("http://hl7.org/fhir/administrative-gender").is_some());
    let operations = flint.get("/metadata").json();
    let of = |name: &str| {
        let resources = operations["rest"][0]["resource"].as_array().into_iter().flatten();
        let mut codes: Vec<_> = resources
            .filter(|it| it["type"] == name)
            .flat_map(|it| it["operation"].as_array().into_iter().flatten())
            .map(|it| it["definition"].as_str().unwrap_or_default().rsplit('/').next().unwrap_or_default().to_owned())
            .collect();
        codes.retain(|code| code.starts_with(name));
        codes.sort();
        codes.join(" ")
    };
    assert_eq!(of("ConceptMap"), "ConceptMap-translate");
    assert_eq!(of("CodeSystem"), "CodeSystem-lookup CodeSystem-subsumes CodeSystem-validate-code");
    assert_eq!(of("ValueSet"), "ValueSet-expand ValueSet-validate-code");
}
