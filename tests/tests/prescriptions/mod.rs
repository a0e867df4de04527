mod access;
mod issuing;
mod race;
mod refusals;
mod scenarios;

use std::time::Duration;

use flint_tests::{Call, Flint, Reply, example};
use serde_json::{Value, json};

/// An hour after the tests' clock begins.
const HOUR: Duration = Duration::from_secs(60 * 60);

const REPEAT_INFORMATION: &str =
    "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-MedicationRepeatInformation";

/// A body of examples/surgery for the reorder of a plan.
fn request(plan: &str) -> Value {
    let text = std::fs::read_to_string(example(&format!("request-reorder-{plan}.json"))).expect("an example");
    serde_json::from_str(&text).expect("JSON")
}

/// An order of a plan for p1, written at the time when the tests begin.
fn order(plan: &str) -> Value {
    let mut order = request("plan-ok");
    order["focus"]["reference"] = json!(format!("MedicationRequest/{plan}"));
    order["authoredOn"] = json!("2027-03-01T08:00:00Z");
    order
}

/// An order of an own pharmacy for this order alone.
fn order_at(plan: &str, pharmacy: &str) -> Value {
    let mut order = order(plan);
    order["input"] = request("with-one-off-pharmacy")["input"].clone();
    order["input"][0]["valueIdentifier"]["value"] = json!(pharmacy);
    order
}

/// A plan of which so many repeats are issued, of so many that it allows.
fn plan(id: &str, issued: u64, allowed: Option<u64>) -> Value {
    let seed = std::fs::read_to_string(example("seed-transaction.json")).expect("an example");
    let seed: Value = serde_json::from_str(&seed).expect("JSON");
    let entries = seed["entry"].as_array().expect("entries");
    let found = entries.iter().find(|entry| entry["resource"]["id"] == "plan-ok");
    let mut plan = found.expect("a plan")["resource"].clone();
    plan["id"] = json!(id);
    plan["extension"][0]["extension"][0]["valueUnsignedInt"] = json!(issued);
    plan["dispenseRequest"]["numberOfRepeatsAllowed"] = json!(allowed);
    if allowed.is_none() {
        plan["dispenseRequest"].as_object_mut().expect("an object").remove("numberOfRepeatsAllowed");
    }
    plan
}

fn put_plan(flint: &Flint, plan: Value) {
    let id = plan["id"].as_str().expect("an id").to_owned();
    let status = flint.send(&format!("PUT /MedicationRequest/{id}"), plan).status;
    assert!([200, 201].contains(&status), "{id}: {status}");
}

/// An order as it was when it was made elsewhere.
fn task(id: &str, plan: &str, status: &str) -> Value {
    let mut task = order(plan);
    task["id"] = json!(id);
    task["status"] = json!(status);
    task
}

/// The surgery, and resources that are imported with it.
fn surgery_with(resources: &[Value]) -> Flint {
    let directory = tempfile::TempDir::new().expect("a directory");
    let path = directory.path().join("more.ndjson");
    let lines: String = resources.iter().map(|resource| format!("{resource}\n")).collect();
    std::fs::write(&path, lines).expect("written");
    Flint::start_with(|config| config.load.extend([example("seed-transaction.json"), path]))
}

/// A PATCH of an order's status.
fn patched<'a>(call: Call<'a>, status: &str) -> Call<'a> {
    let patch = json!([{ "op": "replace", "path": "/status", "value": status }]);
    call.body("application/json-patch+json", patch.to_string())
}

fn to_status(flint: &Flint, id: &str, status: &str) -> Reply {
    patched(flint.call(&format!("PATCH /Task/{id}")), status).send()
}

/// How many repeats of a plan are issued.
fn issued(flint: &Flint, plan: &str) -> u64 {
    let plan = flint.get(&format!("/MedicationRequest/{plan}")).expect(200).json();
    let extensions = plan["extension"].as_array().expect("extensions");
    let information = extensions.iter().find(|extension| extension["url"] == REPEAT_INFORMATION);
    let parts = information.expect("repeat information")["extension"].as_array().expect("parts");
    let count = parts.iter().find(|part| part["url"] == "numberOfPrescriptionsIssued").expect("a count");
    count["valueUnsignedInt"].as_u64().expect("a number")
}

/// The prescriptions that are based on a plan.
fn prescriptions(flint: &Flint, plan: &str) -> Vec<Value> {
    let all = flint.get("/MedicationRequest?intent=order&_count=1000").expect(200).json();
    let based_on = |resource: &Value| resource["basedOn"][0]["reference"] == format!("MedicationRequest/{plan}");
    let entries = all["entry"].as_array().into_iter().flatten();
    entries.map(|entry| entry["resource"].clone()).filter(based_on).collect()
}

/// What a refusal says: status, issue type, code, element.
fn refusal(reply: &Reply) -> (u16, String, String, String) {
    let coding = reply.pointer("/issue/0/details/coding/0/code");
    (reply.status, reply.pointer("/issue/0/code"), coding, reply.pointer("/issue/0/expression/0"))
}

#[track_caller]
fn refused(reply: &Reply, status: u16, issue_type: &str, code: &str, element: &str) {
    let expected = (status, issue_type.to_owned(), code.to_owned(), element.to_owned());
    assert_eq!(refusal(reply), expected, "{}", reply.text);
}
