//! What a caller may try to learn whether something is there.

use flint_tests::{Bearer, Reply};
use serde_json::{Value, json};

/// A request in which `{id}` stands for that of what may be there.
pub(super) struct Probe {
    pub(super) line: String,
    header: Option<(&'static str, &'static str)>,
    body: String,
}

impl Probe {
    pub(super) fn send(&self, bearer: &Bearer<'_>, id: &str) -> Reply {
        let call = bearer.call(&self.line.replace("{id}", id));
        // Who shows no token is refused before the body is read, and the connection is of no use any more.
        let call = if bearer.token.is_empty() { call.header("Connection", "close") } else { call };
        let call = self.header.iter().fold(call, |call, (name, value)| call.header(name, value));
        let body = self.body.replace("{id}", id);
        match body.chars().next() {
            None => call.send(),
            Some('[') => call.body("application/json-patch+json", body).send(),
            Some(_) => call.body("application/fhir+json", body).send(),
        }
    }
}

/// All that is tried on a resource of a type, whose content is this, by somebody who sees this patient.
pub(super) fn all(name: &str, content: &Value, patient: &str) -> Vec<Probe> {
    let mut content = content.clone();
    content["id"] = json!("{id}");
    if content["identifier"].is_array() {
        content["identifier"][0]["value"] = json!(format!("{name}-{{id}}"));
    }
    let content = content.to_string();
    let patch = r#"[{"op":"add","path":"/language","value":"en"}]"#.to_owned();
    let naming = json!({ "resourceType": "Observation", "status": "final", "code": { "text": "x" }, "subject": { "reference": patient },
        "focus": [{ "reference": format!("{name}/{{id}}") }] });
    let searched = json!({ "resourceType": "Observation", "status": "final", "code": { "text": "x" }, "subject": { "reference": patient },
        "focus": [{ "reference": format!("{name}?identifier=urn:t|{name}-{{id}}") }] });
    let batch = json!({ "resourceType": "Bundle", "type": "batch", "entry": [
        { "request": { "method": "GET", "url": format!("{name}/{{id}}") } },
        { "request": { "method": "GET", "url": format!("{name}/{{id}}/_history") } },
        { "request": { "method": "DELETE", "url": format!("{name}/{{id}}") } } ] });
    let probe =
        |line: &str, header, body: &str| Probe { line: line.replace("TYPE", name), header, body: body.to_owned() };
    vec![
        probe("GET /TYPE/{id}", Some(("If-None-Match", "W/\"1\"")), ""),
        probe("GET /TYPE/{id}/_history/1", None, ""),
        probe("PUT /TYPE/{id}", None, &content),
        probe("PUT /TYPE/{id}", Some(("If-Match", "W/\"1\"")), &content),
        probe("PUT /TYPE/{id}", Some(("If-Match", "W/\"7\"")), &content),
        probe("PUT /TYPE/{id}", Some(("If-None-Match", "*")), &content),
        probe("PATCH /TYPE/{id}", None, &patch),
        probe("PATCH /TYPE/{id}", Some(("If-Match", "W/\"7\"")), &patch),
        probe("PATCH /TYPE?identifier=urn:t%7CTYPE-{id}", None, &patch),
        probe("DELETE /TYPE/{id}", None, ""),
        probe("DELETE /TYPE/{id}", Some(("If-Match", "W/\"7\"")), ""),
        probe("DELETE /TYPE?identifier=urn:t%7CTYPE-{id}", None, ""),
        probe("POST /TYPE/{id}/$validate?mode=update", None, &content),
        probe("POST /TYPE/{id}/$validate?mode=delete", None, &content),
        probe("GET /TYPE/{id}/$fhirpath?expression=id", None, ""),
        probe("POST /Observation/$validate?mode=create", None, &naming.to_string()),
        probe("POST /Observation/$validate?mode=create", None, &searched.to_string()),
        probe("POST /", None, &batch.to_string()),
        probe("GET /Condition?_list={id}&_total=accurate", None, ""),
        probe("GET /TYPE?_filter=id%20eq%20{id}&_total=accurate", None, ""),
        probe("GET /TYPE?_id={id}&_explain=true", None, ""),
    ]
}
