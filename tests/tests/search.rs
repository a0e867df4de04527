use flint_tests::Flint;
use serde_json::json;

/// Ann, Ben and Cyd, each with as many observations as their place.
fn filled() -> Flint {
    let flint = Flint::start();
    for (at, name) in ["Ann", "Ben", "Cyd"].iter().enumerate() {
        let patient = json!({"resourceType": "Patient", "id": name, "active": at != 1,
            "name": [{"family": "Ash", "given": [name]}], "birthDate": format!("198{at}-01-01"),
            "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"}});
        flint.send(&format!("PUT /Patient/{name}"), patient).expect(201);
        for number in 0..=at {
            let observation = json!({"resourceType": "Observation", "status": "final",
                "code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]},
                "subject": {"reference": format!("Patient/{name}")},
                "effectiveDateTime": format!("2027-02-0{}T08:00:00Z", number + 1),
                "valueQuantity": {"value": 120 + number, "unit": "mm[Hg]", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}});
            flint.send("POST /Observation", observation).expect(201);
        }
    }
    flint
}

#[test]
fn answers_with_a_searchset() {
    let flint = filled();
    let reply = flint.get("/Patient?family=ash&_sort=-birthdate").expect(200).facts(&[
        ("/resourceType", "Bundle"),
        ("/type", "searchset"),
        ("/total", "3"),
        ("/entry/0/fullUrl", &format!("{}/Patient/Cyd", flint.base_url())),
        ("/entry/0/search/mode", "match"),
        ("/entry/0/resource/id", "Cyd"),
        ("/link/0/relation", "self"),
        ("/link/0/url", "*/fhir/Patient?family=ash&_sort=-birthdate&_count=50"),
    ]);
    assert_eq!(reply.keys("match"), ["Patient/Cyd", "Patient/Ben", "Patient/Ann"]);
    assert_eq!(reply.link("next"), None);
    let whole =
        "family:exact=Ash&_sort=-birthdate,_id&_total=accurate&_elements=name&_revinclude=Observation:subject&_count=2";
    flint.get(&format!("/Patient?{whole}")).expect(200).facts(&[("/link/0/url", &format!("*/Patient?{whole}"))]);
    let base_url = flint.base_url();
    for line in ["GET ", "GET /", "POST /_search"] {
        flint
            .call(line)
            .body("application/x-www-form-urlencoded", "")
            .send()
            .expect(200)
            .facts(&[("/link/0/url", &format!("{base_url}?_count=50"))]);
    }
    flint.get("/Patient?family=nobody").expect(200).facts(&[("/total", "0"), ("/entry", "-")]);
}

#[test]
fn finds_at_every_level() {
    let flint = filled();
    let cases = [
        ("GET /Patient", "3"),
        ("GET /?_type=Patient,Observation", "9"),
        ("GET /Observation?subject=Patient/Cyd", "3"),
        ("GET /Observation?subject:Patient=Cyd&date=ge2027-02-02", "2"),
        ("GET /Patient/Cyd/Observation", "3"),
        ("GET /Patient/Cyd/Observation?date=2027-02-01", "1"),
        ("GET /Patient/Cyd/*", "4"),
        ("GET /Patient/Nobody/Observation", "0"),
        ("POST /Patient/_search?active=true", "2"),
        ("POST /Patient/Cyd/Observation/_search", "3"),
        ("POST /_search?_type=Patient", "3"),
        ("GET /Patient?_id=Ann,Ben", "2"),
        ("GET /Patient?active=false", "1"),
        ("GET /Patient?given:exact=Ann", "1"),
        ("GET /Observation?value-quantity=gt120", "3"),
        ("GET /Patient?_has:Observation:subject:date=2027-02-02", "2"),
        ("GET /Observation?subject.given=Ben", "2"),
    ];
    for (line, total) in cases {
        let call = flint.call(line);
        let call = match line.strip_prefix("POST") {
            Some(_) => call.body("application/x-www-form-urlencoded", ""),
            None => call,
        };
        call.send().expect(200).facts(&[("/total", total)]);
    }
}

#[test]
fn joins_form_and_url() {
    let flint = filled();
    let form = flint.call("POST /Patient/_search?active=true");
    let posted = form.body("application/x-www-form-urlencoded", "given=Ann&_sort=_id").send().expect(200);
    posted.facts(&[("/total", "1"), ("/link/0/url", "*/Patient?active=true&given=Ann&_sort=_id&_count=50")]);
    flint.call("POST /Patient/_search").body("application/json", "{}").send().expect(415);
    flint.call("POST /Patient/_search").body("application/x-www-form-urlencoded", vec![0xff]).send().expect(400);
}

#[test]
fn pages_forth_and_back() {
    let flint = filled();
    let mut url = "/Observation?_count=2&_sort=date&_format=json".to_owned();
    let mut pages = Vec::new();
    loop {
        let page = flint.get(&url).expect(200).facts(&[("/total", "6"), ("/link/0/url", "*_format=json*")]);
        pages.push(page.keys("match"));
        assert_eq!(page.link("previous").is_some(), pages.len() > 1);
        match page.link("next") {
            Some(next) => url = next,
            None => break,
        }
        // What comes meanwhile and belongs to an earlier page neither repeats nor hides anything.
        let early = json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"},
            "effectiveDateTime": "2020-01-01"});
        if pages.len() == 1 {
            flint.send("POST /Observation", early).expect(201);
        }
    }
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 2]);
    let mut all: Vec<_> = pages.concat();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 6);
    let back = flint.get(&flint.get(&url).link("previous").expect("a page before")).expect(200);
    assert_eq!(back.keys("match"), pages[1]);
    let first = flint.get(&url).link("first").expect("a first page");
    flint.get(&first).expect(200).facts(&[("/total", "7")]);
}

#[test]
fn outlives_a_restart_between_pages() {
    let flint = filled();
    let next = flint.get("/Observation?_count=4").expect(200).link("next").expect("more");
    let (_, path) = next.split_once("/fhir").expect("a base URL");
    let path = path.to_owned();
    let flint = flint.restart();
    assert_eq!(flint.get(&path).expect(200).keys("match").len(), 2);
    flint.get(&path.replace("_page=", "_page=A")).expect(400);
    flint.get(&path.replace("/Observation", "/Patient")).expect(400);
}

#[test]
fn counts() {
    let flint = filled();
    let cases = [
        ("/Patient?_summary=count", "3", "-"),
        ("/Patient?_count=0", "3", "-"),
        ("/Patient?_count=0&_total=none", "3", "-"),
        ("/Patient?_total=none&_count=1", "-", "match"),
        ("/Patient?_total=accurate&_count=1", "3", "match"),
        ("/Patient?_total=estimate&_count=1", "3", "match"),
    ];
    for (url, total, mode) in cases {
        flint.get(url).expect(200).facts(&[("/total", total), ("/entry/0/search/mode", mode)]);
    }
    flint.get("/Patient?_count=100000").expect(200).facts(&[("/link/0/url", "*_count=1000")]);
    flint.get("/Patient?_count=x").expect(400);
    flint.get("/Patient?_count=-1").expect(400);
}

#[test]
fn includes() {
    let flint = filled();
    let reply = flint.get("/Observation?_include=Observation:subject&date=2027-02-03").expect(200);
    assert_eq!(reply.keys("match").len(), 1);
    assert_eq!(reply.keys("include"), ["Patient/Cyd"]);
    reply.facts(&[("/total", "1")]);
    let reply = flint.get("/Patient?_id=Ben&_revinclude=Observation:subject").expect(200);
    assert_eq!((reply.keys("match").len(), reply.keys("include").len()), (1, 2));
}

#[test]
fn shows_parts() {
    let flint = filled();
    let cases = [
        ("_summary=true", "/name/0/family", "/text"),
        ("_summary=text", "/text/status", "/name"),
        ("_summary=data", "/name/0/family", "/text"),
        ("_elements=birthDate", "/birthDate", "/name"),
    ];
    for (view, shown, hidden) in cases {
        let read = flint.get(&format!("/Patient/Ann?{view}")).expect(200);
        read.facts(&[(shown, "*"), (hidden, "-"), ("/meta/tag/0/code", "SUBSETTED"), ("/id", "Ann")]);
        let found = flint.get(&format!("/Patient?_id=Ann&{view}")).expect(200);
        let hidden = format!("/entry/0/resource{hidden}");
        found.facts(&[(&hidden, "-"), ("/entry/0/resource/meta/tag/0/code", "SUBSETTED")]);
    }
    flint.get("/Patient/Ann?_summary=false").expect(200).facts(&[("/meta/tag", "-"), ("/text/status", "generated")]);
    flint.get("/Patient/Ann?_summary=some").expect(400);
    let part = flint.get("/Patient/Ann?_elements=birthDate").json();
    flint.send("PUT /Patient/Ann", part).expect(422);
}

#[test]
fn says_what_it_does_not_know() {
    let flint = filled();
    for url in ["/Patient?nothing=1", "/Patient?family:nothing=1", "/Patient?birthdate=x", "/Patient?_sort=nothing"] {
        flint.get(url).expect(400).facts(&[("/resourceType", "OperationOutcome")]);
    }
    let lenient = flint.call("GET /Patient?nothing=1").header("Prefer", "handling=lenient").send().expect(200);
    lenient.facts(&[
        ("/total", "3"),
        ("/entry/3/search/mode", "outcome"),
        ("/entry/3/resource/issue/0/severity", "warning"),
        ("/link/0/url", "*/Patient?_count=50"),
    ]);
    flint.get("/Patient?_totalMethod=count").expect(200).facts(&[("/total", "3"), ("/entry/3/search/mode", "outcome")]);
}
