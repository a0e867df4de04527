use flint_tests::Flint;
use serde_json::json;

/// Two patients: ann with three versions, the last a deletion; bob with one. A second lies between one and the next.
fn filled() -> Flint {
    let flint = Flint::start();
    flint.send("PUT /Patient/ann", json!({"resourceType": "Patient", "id": "ann"})).expect(201);
    flint.send("POST /Patient", json!({"resourceType": "Patient"})).expect(201);
    flint.send("PUT /Patient/ann", json!({"resourceType": "Patient", "id": "ann", "active": true})).expect(200);
    flint.call("DELETE /Patient/ann").send().expect(204);
    flint.send("POST /Organization", json!({"resourceType": "Organization", "name": "x"})).expect(201);
    flint
}

#[test]
fn lists_versions_newest_first() {
    let flint = filled();
    flint.get("/Patient/ann/_history").expect(200).facts(&[
        ("/type", "history"),
        ("/total", "3"),
        ("/entry/0/fullUrl", "*/fhir/Patient/ann"),
        ("/entry/0/resource", "-"),
        ("/entry/0/request/method", "DELETE"),
        ("/entry/0/request/url", "Patient/ann"),
        ("/entry/0/response/status", "204*"),
        ("/entry/0/response/etag", "W/\"3\""),
        ("/entry/0/response/lastModified", "2027-03-01T08:00:04.000Z"),
        ("/entry/1/resource/active", "true"),
        ("/entry/1/request/method", "PUT"),
        ("/entry/1/response/status", "200*"),
        ("/entry/2/response/status", "201*"),
        ("/entry/3", "-"),
    ]);
    flint.get("/Patient/_history").expect(200).facts(&[
        ("/total", "4"),
        ("/entry/2/request/method", "POST"),
        ("/entry/2/request/url", "Patient"),
    ]);
    flint.get("/_history").expect(200).facts(&[("/total", "5"), ("/entry/0/resource/name", "x")]);
    flint.get("/Patient/never/_history").expect(404);
}

#[test]
fn pages() {
    let flint = filled();
    let mut url = "/_history?_count=2".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = flint.get(&url).expect(200).facts(&[("/total", "5"), ("/link/1/relation", "first")]);
        let entries = page.json()["entry"].as_array().expect("entries").clone();
        assert!(entries.len() <= 2);
        seen.extend(entries.iter().map(|entry| entry["response"]["lastModified"].to_string()));
        match page.link("next") {
            Some(next) => url = next,
            None => break,
        }
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.is_sorted_by(|newer, older| newer > older), "{seen:?}");
}

#[test]
fn narrows_by_time() {
    let flint = filled();
    let cases = [
        ("/Patient/_history?_since=2027-03-01T08:00:03Z", "2"),
        ("/Patient/_history?_since=2027-03-01T09:00:03%2B01:00", "2"),
        ("/Patient/_history?_since=2027-03-01T09:00:03+01:00", "2"),
        ("/Patient/_history?_before=2027-03-01T08:00:03Z", "2"),
        ("/_history?_since=2028", "0"),
        ("/Patient/ann/_history?_at=2027-03-01T08:00:02Z", "1"),
        ("/Patient/ann/_history?_at=2027-03-01", "3"),
        ("/Patient/ann/_history?_at=2027-02", "0"),
        ("/Patient/ann/_history?_count=0", "3"),
        ("/Patient/ann/_history?_summary=count", "3"),
        ("/Patient/ann/_history?_unknown=1", "3"),
    ];
    for (url, total) in cases {
        flint.get(url).expect(200).facts(&[("/total", total)]);
    }
    for url in [
        "/_history?_since=x",
        "/_history?_count=x",
        "/_history?_list=x",
        "/_history?_summary=x",
        "/_history?nothing=1",
        "/_history?_at=2027",
        "/_history?_page=x",
    ] {
        flint.get(url).expect(400);
    }
}
