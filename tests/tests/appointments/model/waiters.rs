use serde_json::{Value, json};

use super::super::to_status;
use super::clients::{Client, Deed, patient_of, tag};
use super::replay::REPLACES;
use super::world::{self, PATIENTS};

/// What those ask for who wait.
impl Client<'_> {
    pub(super) fn join(&mut self) {
        let inconvenient = if self.random.one_in(3) { self.pick() } else { None };
        let read = inconvenient.and_then(|id| self.look(&id));
        let patient = read.as_ref().map_or_else(|| (*self.random.pick(&PATIENTS)).to_owned(), patient_of);
        let mut wanted = self.waiting(&patient);
        if let Some(id) = read.as_ref().and_then(|read| read["id"].as_str()) {
            let reference = json!({"reference": format!("Appointment/{id}")});
            wanted["extension"] = json!([{"url": REPLACES, "valueReference": reference}]);
        }
        self.ask(Deed::Join, "POST /Appointment", wanted);
    }

    /// An appointment that waits for something.
    fn waiting(&mut self, patient: &str) -> Value {
        let mut waiting = world::wish(&mut self.random);
        let patient = json!({"actor": {"reference": format!("Patient/{patient}")}, "status": "accepted"});
        waiting["participant"].as_array_mut().expect("a list").insert(0, patient);
        waiting["resourceType"] = json!("Appointment");
        waiting["status"] = json!("waitlist");
        waiting
    }

    /// Does something with an appointment that is found waiting, or offered.
    pub(super) fn wait(&mut self, deed: Deed) {
        let status = match deed {
            Deed::Accept | Deed::Decline => "proposed",
            Deed::Leave => "waitlist,proposed",
            _ => "waitlist",
        };
        let line = format!("GET /Appointment?status={status}&_count=100");
        let found = self.send(Deed::Look, line.clone(), self.flint.call(&line)).json();
        let Some(entries) = found["entry"].as_array().filter(|entries| !entries.is_empty()) else { return };
        let read = self.random.pick(entries)["resource"].clone();
        let id = read["id"].as_str().expect("an id").to_owned();
        match deed {
            Deed::Wish => self.wish(&id, &read),
            Deed::Leave => self.give_status(deed, &id, "cancelled"),
            _ => self.answer(deed, &id, &read),
        }
    }

    /// Deletes whatever waits, and then whatever is offered. Not cancels: what replaces something that was deleted is changed no more.
    pub(super) fn all_leave(&mut self) {
        for status in ["waitlist", "proposed"] {
            let found = self.flint.get(&format!("/Appointment?status={status}&_count=1000")).expect(200);
            for key in found.keys("match") {
                self.ask(Deed::Delete, &format!("DELETE /{key}"), Value::Null);
            }
        }
    }

    /// Waits for something else from now on; once in a while whoever was offered something meanwhile declines it so.
    fn wish(&mut self, id: &str, read: &Value) {
        let mut waiting = self.waiting(&patient_of(read));
        waiting["id"] = json!(id);
        waiting["extension"] = read["extension"].clone();
        let line = format!("PUT /Appointment/{id}");
        let call = self.flint.call(&line).json(&waiting);
        let call = if self.random.one_in(2) { call.header("If-Match", &tag(read)) } else { call };
        self.send(Deed::Wish, format!("{line} {waiting}"), call);
    }

    /// Answers an offer, in each of the ways that there are.
    fn answer(&mut self, deed: Deed, id: &str, read: &Value) {
        let accepts = deed == Deed::Accept;
        match self.random.below(4) {
            0 => {
                let status = if accepts { "booked" } else { "waitlist" };
                self.send(deed, format!("PATCH /Appointment/{id} {status}"), to_status(self.flint, id, status));
            }
            1 if !accepts => {
                let line = format!("PATCH /Appointment/{id}");
                let patch = r#"[{"op":"replace","path":"/participant/0/status","value":"declined"}]"#;
                let call = self.flint.call(&line).body("application/json-patch+json", patch);
                self.send(deed, format!("{line} {patch}"), call);
            }
            _ => {
                let answer = if accepts { "accepted" } else { "declined" };
                let response = json!({"resourceType": "AppointmentResponse", "participantStatus": answer,
                    "appointment": {"reference": format!("Appointment/{id}")},
                    "actor": {"reference": format!("Patient/{}", patient_of(read))}});
                self.ask(deed, "POST /AppointmentResponse", response);
            }
        }
    }
}
