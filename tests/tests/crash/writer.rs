//! A client that writes while servers fail, and remembers what it was told.

use std::collections::BTreeMap;

use flint_tests::{Call, Client, Reply};
use serde_json::{Value, json};
use store::testing::Random;

use super::{PATIENT, SLOTS, times};

/// The system of the identifiers that name requests.
pub(crate) const TAGS: &str = "urn:crash";

pub(crate) const GENDERS: [&str; 4] = ["female", "male", "other", "unknown"];

/// One client; it goes on in the next round with what it has.
pub(crate) struct Writer {
    number: usize,
    random: Random,
    patients: Vec<String>,
    appointments: Vec<String>,
    /// What the server has answered 2xx to.
    pub(crate) acknowledged: Vec<Acknowledged>,
    /// Where the last round begins in what is acknowledged.
    pub(crate) last_round: usize,
    /// By the tag of each request with a resource: what may be there of it.
    pub(crate) requests: BTreeMap<String, Parts>,
}

/// A version that the server said it has made.
pub(crate) struct Acknowledged {
    pub(crate) key: String,
    pub(crate) version: u64,
    /// `None` when it is a deletion.
    pub(crate) resource: Option<Value>,
}

/// How many resources of one request there are to be.
pub(crate) enum Parts {
    /// The server has said so.
    Exactly(usize),
    /// The server was killed before it said anything, or does not know.
    AllOrNone(usize),
}

/// What becomes of the servers while a writer writes.
pub(crate) trait Course: Sync {
    /// Takes note of an answer.
    fn answered(&self);

    /// Whether requests may be left without an answer by now.
    fn has_begun(&self) -> bool;

    /// Whether there is more to write.
    fn goes_on(&self) -> bool;
}

/// Nobody says what became of the request.
struct Unanswered;

impl Writer {
    pub(crate) fn new(number: usize, seed: u64) -> Writer {
        Writer {
            number,
            random: Random::new(seed),
            patients: Vec::new(),
            appointments: Vec::new(),
            acknowledged: Vec::new(),
            last_round: 0,
            requests: BTreeMap::new(),
        }
    }

    /// Writes for as long as the course goes on: through one of the clients, and when that has no answer, through the next one.
    pub(crate) fn write(&mut self, clients: &[&Client], course: &dyn Course) {
        self.last_round = self.acknowledged.len();
        let mut at = self.number;
        while course.goes_on() {
            if self.write_one(clients[at % clients.len()], course).is_err() {
                at += 1;
            }
        }
    }

    fn write_one(&mut self, client: &Client, course: &dyn Course) -> Result<(), Unanswered> {
        match self.random.below(8) {
            0 => self.create(client, course),
            1 | 2 if !self.patients.is_empty() => self.update(client, course),
            3 if !self.patients.is_empty() => self.delete(client, course),
            4 if !self.appointments.is_empty() => self.cancel(client, course),
            5 | 6 => self.book(client, course),
            _ => self.transact(client, course),
        }
    }

    fn create(&mut self, client: &Client, course: &dyn Course) -> Result<(), Unanswered> {
        let tag = self.tag(1);
        let patient = self.patient(&tag);
        let reply = answer(client.call("POST /Patient").json(&patient), course)?.expect(201);
        self.requests.insert(tag, Parts::Exactly(1));
        let key = self.acknowledge(reply.json());
        self.patients.push(key);
        Ok(())
    }

    fn update(&mut self, client: &Client, course: &dyn Course) -> Result<(), Unanswered> {
        let key = self.random.pick(&self.patients).clone();
        let tag = self.tag(1);
        let mut patient = self.patient(&tag);
        patient["id"] = key.trim_start_matches("Patient/").into();
        let reply = answer(client.call(&format!("PUT /{key}")).json(&patient), course)?;
        assert!(matches!(reply.status, 200 | 201), "{reply:?}");
        self.requests.insert(tag, Parts::Exactly(1));
        self.acknowledge(reply.json());
        Ok(())
    }

    fn delete(&mut self, client: &Client, course: &dyn Course) -> Result<(), Unanswered> {
        let at = self.random.below(self.patients.len() as u64) as usize;
        let key = self.patients[at].clone();
        let reply = answer(client.call(&format!("DELETE /{key}")), course)?.expect(204);
        // Without a version it was deleted already, by a request that was not answered.
        if let Some(version) = version_of_tag(reply.header("etag")) {
            self.acknowledged.push(Acknowledged { key, version, resource: None });
        }
        self.patients.swap_remove(at);
        Ok(())
    }

    /// A patient, an encounter and an observation, each of which refers to those before it.
    fn transact(&mut self, client: &Client, course: &dyn Course) -> Result<(), Unanswered> {
        let tag = self.tag(3);
        let identifier = json!([{"system": TAGS, "value": tag}]);
        let (patient, encounter) =
            ("urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", "urn:uuid:a3cbb3a5-5c3e-4e5f-9b7a-3c2f5d6e7f80");
        let mut entries = [
            entry(
                "POST",
                "Observation",
                json!({"resourceType": "Observation", "identifier": identifier, "status": "final",
                "code": {"text": "x"}, "subject": {"reference": patient}, "encounter": {"reference": encounter}}),
            ),
            entry(
                "POST",
                "Encounter",
                json!({"resourceType": "Encounter", "identifier": identifier, "status": "finished",
                "class": {"code": "AMB"}, "subject": {"reference": patient}}),
            ),
            entry("POST", "Patient", self.patient(&tag)),
        ];
        entries[1]["fullUrl"] = encounter.into();
        entries[2]["fullUrl"] = patient.into();
        let all = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
        let call = client.call("POST /").header("Prefer", "return=representation").json(&all);
        let reply = answer(call, course)?.expect(200).json();
        self.requests.insert(tag, Parts::Exactly(3));
        for entry in reply["entry"].as_array().expect("entries") {
            assert_eq!(entry["response"]["status"], "201 Created");
            self.acknowledge(entry["resource"].clone());
        }
        Ok(())
    }

    fn book(&mut self, client: &Client, course: &dyn Course) -> Result<(), Unanswered> {
        let tag = self.tag(1);
        let slot = self.random.below(SLOTS);
        let [start, end] = times(slot);
        let appointment = json!({"resourceType": "Appointment", "identifier": [{"system": TAGS, "value": tag}],
            "status": "booked", "slot": [{"reference": format!("Slot/slot-{slot}")}], "start": start, "end": end,
            "participant": [{"actor": {"reference": PATIENT}, "status": "accepted"}]});
        let reply = answer(client.call("POST /Appointment").json(&appointment), course)?;
        if reply.status == 409 {
            self.requests.insert(tag, Parts::Exactly(0));
            return Ok(());
        }
        self.requests.insert(tag, Parts::Exactly(1));
        let key = self.acknowledge(reply.expect(201).json());
        self.appointments.push(key);
        Ok(())
    }

    fn cancel(&mut self, client: &Client, course: &dyn Course) -> Result<(), Unanswered> {
        let at = self.random.below(self.appointments.len() as u64) as usize;
        let patch = r#"[{"op":"replace","path":"/status","value":"cancelled"}]"#;
        let call = client.call(&format!("PATCH /{}", self.appointments[at]));
        let reply = answer(call.body("application/json-patch+json", patch), course)?.expect(200);
        self.acknowledge(reply.json());
        self.appointments.swap_remove(at);
        Ok(())
    }

    /// The name of the next request, which will have so many resources.
    fn tag(&mut self, parts: usize) -> String {
        let tag = format!("{}-{}", self.number, self.requests.len());
        self.requests.insert(tag.clone(), Parts::AllOrNone(parts));
        tag
    }

    fn patient(&mut self, tag: &str) -> Value {
        json!({"resourceType": "Patient", "identifier": [{"system": TAGS, "value": tag}],
            "gender": self.random.pick(&GENDERS), "name": [{"family": "x".repeat(self.random.below(3000) as usize + 1)}]})
    }

    fn acknowledge(&mut self, resource: Value) -> String {
        let key = format!("{}/{}", text(&resource["resourceType"]), text(&resource["id"]));
        let version = text(&resource["meta"]["versionId"]).parse().expect("a number");
        self.acknowledged.push(Acknowledged { key: key.clone(), version, resource: Some(resource) });
        key
    }
}

/// A server that cannot do it says so, and that it may be asked again.
fn answer(call: Call<'_>, course: &dyn Course) -> Result<Reply, Unanswered> {
    let why = match call.try_send() {
        Ok(reply) if reply.status != 503 => {
            course.answered();
            return Ok(reply);
        }
        Ok(reply) => {
            assert!(!reply.header("retry-after").is_empty(), "{reply:?}");
            reply.text
        }
        Err(error) => error.to_string(),
    };
    assert!(course.has_begun(), "{why}");
    Err(Unanswered)
}

pub(crate) fn entry(method: &str, url: &str, resource: Value) -> Value {
    json!({"resource": resource, "request": {"method": method, "url": url}})
}

/// The number in `W/"3"`.
pub(crate) fn version_of_tag(etag: &str) -> Option<u64> {
    etag.strip_prefix("W/\"")?.strip_suffix('"')?.parse().ok()
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no string"))
}
