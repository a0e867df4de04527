use flint_tests::Flint;
use serde_json::{Value, json};

fn report(narrative: &str, conclusion: &str) -> Value {
    json!({"resourceType": "DiagnosticReport", "status": "final", "conclusion": conclusion,
        "code": {"coding": [{"system": "http://loinc.org", "code": "60567-5", "display": "Comprehensive pathology report"}], "text": "Biopsy"},
        "identifier": [{"type": {"text": "Accession number"}, "system": "urn:lab", "value": "A-1"}],
        "subject": {"reference": "Patient/ann"},
        "text": {"status": "generated", "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{narrative}</div>")}})
}

fn filled() -> Flint {
    let flint = Flint::start();
    let patient = json!({"resourceType": "Patient", "id": "ann", "name": [{"family": "Bell", "given": ["Ann"]}],
        "contact": [{"name": {"text": "Zoë Løkke"}}]});
    flint.send("PUT /Patient/ann", patient).expect(201);
    for (id, narrative, conclusion) in [
        ("bone", "<p>Bone: <b>metas</b>tases</p>", "malignant"),
        ("liver", "<p>Liver</p><p>M&#233;tastases</p>", "benign"),
        ("lung", "<p>Lung: clear</p>", "no metastases"),
    ] {
        let mut report = report(narrative, conclusion);
        report["id"] = json!(id);
        flint.send(&format!("PUT /DiagnosticReport/{id}"), report).expect(201);
    }
    flint
}

#[test]
fn finds_by_words() {
    let flint = filled();
    for (path, ids) in [
        ("/DiagnosticReport?_text=metastases", "bone liver"),
        ("/DiagnosticReport?_text=(bone%20OR%20liver)%20and%20metastases", "bone liver"),
        ("/DiagnosticReport?_text=metastases%20not%20bone", "liver"),
        ("/DiagnosticReport?_text=lung,liver", "liver lung"),
        ("/DiagnosticReport?_text=biopsy", ""),
        ("/DiagnosticReport?_content=biopsy%20metastases", "bone liver lung"),
        ("/DiagnosticReport?_content=benign", "liver"),
        ("/DiagnosticReport?_content=%22no%20metastases%22", "lung"),
        ("/DiagnosticReport?_content=benign&_text=lung", ""),
        ("/DiagnosticReport?patient._content=lokke", "bone liver lung"),
        ("/Patient?_content=zoe", "ann"),
        ("/Patient?_has:DiagnosticReport:patient:_text=lung", "ann"),
        ("/?_type=Patient,DiagnosticReport&_content=bell", "ann"),
        ("/DiagnosticReport?code:text=pathology%20comprehensive", "bone liver lung"),
        ("/DiagnosticReport?code:text=biopsy&_text=lung", "lung"),
        ("/DiagnosticReport?code:text=path", ""),
        ("/DiagnosticReport?identifier:text=accession", "bone liver lung"),
    ] {
        let mut found: Vec<_> = flint.get(path).expect(200).keys("match");
        found.sort();
        let found: Vec<_> = found.iter().filter_map(|key| Some(key.split_once('/')?.1)).collect();
        assert_eq!(found.join(" "), ids, "{path}");
    }
}

#[test]
fn keeps_in_step_with_every_write() {
    let flint = filled();
    let total =
        |expected: &str| _ = flint.get("/DiagnosticReport?_text=spleen").expect(200).facts(&[("/total", expected)]);
    total("0");
    let mut changed = report("<p>Spleen</p>", "new");
    changed["id"] = json!("lung");
    flint.send("PUT /DiagnosticReport/lung", changed).expect(200);
    total("1");
    flint.get("/DiagnosticReport?_text=clear").expect(200).facts(&[("/total", "0")]);
    let twice = flint.call("POST /DiagnosticReport").header("If-None-Exist", "_text=spleen");
    twice.json(&report("<p>Other</p>", "x")).send().expect(200);
    flint.call("DELETE /DiagnosticReport/lung").send().expect(204);
    total("0");
}

#[test]
fn refuses_what_it_does_not_understand() {
    let flint = filled();
    for (path, message) in [
        ("/Patient?_text=(a", "*parameter `_text` has the value `(a`, expected a `)` for each `(`*"),
        ("/Patient?_content=", "*parameter `_content` has the value ``*"),
        ("/Patient?_content=a%20or", "*parameter `_content` has the value `a or`*"),
        ("/Patient?_content:exact=a", "*modifier `:exact` of `_content` is unknown*"),
        ("/Patient?_sort=_content", "*parameter `_sort` has the value `_content`*"),
        ("/Patient?gender:text=a", "*modifier `:text` of `gender` is unknown, allowed are :missing, :not, :in,*"),
        ("/Binary?_text=a", "*parameter `_text`*"),
    ] {
        flint.get(path).expect(400).facts(&[("/issue/0/diagnostics", message)]);
    }
}
