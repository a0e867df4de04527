mod apps;
mod bookings;
mod guards;
mod holds;
mod model;
mod operations;
mod seats;

use flint_tests::{Call, Flint, Reply};
use serde_json::{Value, json};

/// The extension that says until when an appointment holds its slots.
const HELD_UNTIL: &str = "https://flint.example/fhir/StructureDefinition/held-until";

const CAPACITY: &str = "http://fhir-registry.smarthealthit.org/StructureDefinition/slot-capacity";

/// A time on the day of the surgery's slots.
fn at(time: &str) -> String {
    format!("2027-03-08T{time}:00Z")
}

/// A slot of that day.
fn slot(id: &str, schedule: &str, status: &str, (start, end): (&str, &str)) -> Value {
    json!({"resourceType": "Slot", "id": id, "schedule": {"reference": format!("Schedule/{schedule}")},
        "status": status, "start": at(start), "end": at(end)})
}

/// The slot with this capacity.
fn seating(mut slot: Value, capacity: Value) -> Value {
    slot["extension"] = json!([{"url": CAPACITY, "valueInteger": capacity}]);
    slot
}

/// An appointment of a patient on that day.
fn appointment(status: &str, patient: &str, slots: &[&str], (start, end): (&str, &str)) -> Value {
    let slots: Vec<_> = slots.iter().map(|slot| json!({"reference": format!("Slot/{slot}")})).collect();
    let mut appointment = json!({"resourceType": "Appointment", "status": status, "start": at(start), "end": at(end),
        "participant": [{"actor": {"reference": format!("Patient/{patient}")}, "status": "accepted"}]});
    if !slots.is_empty() {
        appointment["slot"] = json!(slots);
    }
    appointment
}

/// Nine o'clock in the surgery.
fn nine(status: &str, patient: &str) -> Value {
    appointment(status, patient, &["s0900"], ("09:00", "09:10"))
}

fn put(flint: &Flint, resource: Value) -> Reply {
    let text = |name: &str| resource[name].as_str().expect("text").to_owned();
    let line = format!("PUT /{}/{}", text("resourceType"), text("id"));
    flint.send(&line, resource)
}

fn post<'a>(flint: &'a Flint, appointment: &Value) -> Call<'a> {
    flint.call("POST /Appointment").json(appointment)
}

fn to_status<'a>(flint: &'a Flint, id: &str, status: &str) -> Call<'a> {
    let patch = format!(r#"[{{"op":"replace","path":"/status","value":"{status}"}}]"#);
    flint.call(&format!("PATCH /Appointment/{id}")).body("application/json-patch+json", patch)
}

/// Patients of these ids.
fn register(flint: &Flint, ids: &[String]) {
    let entry = |id: &String| {
        json!({"resource": {"resourceType": "Patient", "id": id},
            "request": {"method": "PUT", "url": format!("Patient/{id}")}})
    };
    let entries: Vec<_> = ids.iter().map(entry).collect();
    flint.send("POST /", json!({"resourceType": "Bundle", "type": "transaction", "entry": entries})).expect(200);
}

/// Slots and appointments together, in one transaction.
fn together(resources: &[Value]) -> Value {
    let entry = |resource: &Value| {
        let name = resource["resourceType"].as_str().expect("a type");
        let request = match resource["id"].as_str() {
            Some(id) => json!({"method": "PUT", "url": format!("{name}/{id}")}),
            None => json!({"method": "POST", "url": name}),
        };
        json!({"resource": resource, "request": request})
    };
    let entries: Vec<_> = resources.iter().map(entry).collect();
    json!({"resourceType": "Bundle", "type": "transaction", "entry": entries})
}

fn status_of(flint: &Flint, key: &str) -> String {
    flint.get(&format!("/{key}")).expect(200).pointer("/status")
}
