use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use flint_tests::{Call, Flint, Reply};
use serde_json::{Value, json};
use store::testing::Random;

use super::super::{HELD_UNTIL, appointment, to_status, together};
use super::visit::until;
use super::world::{self, CAPACITY_MAX, GUEST, PATIENTS, PLACES, Ticking};

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Deed {
    Book,
    Hold,
    OperationHold,
    OperationBook,
    Confirm,
    OperationConfirm,
    Cancel,
    CancelRead,
    Delete,
    Reschedule,
    Move,
    Progress,
    Send,
    Withdraw,
    Bring,
    Look,
    Join,
    Wish,
    Leave,
    Accept,
    Decline,
}

/// How often each is done among the others.
pub(super) const DEEDS: [(Deed, u64); 21] = [
    (Deed::Book, 16),
    (Deed::Hold, 14),
    (Deed::OperationHold, 5),
    (Deed::OperationBook, 5),
    (Deed::Confirm, 12),
    (Deed::OperationConfirm, 5),
    (Deed::Cancel, 6),
    (Deed::CancelRead, 5),
    (Deed::Delete, 3),
    (Deed::Reschedule, 8),
    (Deed::Move, 8),
    (Deed::Progress, 3),
    (Deed::Send, 8),
    (Deed::Withdraw, 1),
    (Deed::Bring, 4),
    (Deed::Look, 6),
    (Deed::Join, 14),
    (Deed::Wish, 5),
    (Deed::Leave, 3),
    (Deed::Accept, 8),
    (Deed::Decline, 6),
];

/// How many of the newest appointments are thought of.
const THOUGHT_OF: usize = 10;

/// Once in so many requests some time goes by, in seconds up to this.
const WAITS: (u64, u64) = (16, 200);

/// Within so many looks at the clock: about what all clients' requests of a moment take.
const LEAPS_AFTER: u64 = 60;

/// The ids of the appointments that all know of.
#[derive(Default)]
pub(super) struct Board(Mutex<Vec<String>>);

impl Board {
    fn note(&self, key: &str) {
        let Some(id) = key.strip_prefix("Appointment/") else { return };
        let mut ids = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !ids.iter().any(|known| known == id) {
            ids.push(id.to_owned());
        }
    }

    fn pick(&self, random: &mut Random) -> Option<String> {
        let ids = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = &ids[ids.len().saturating_sub(THOUGHT_OF)..];
        (!newest.is_empty()).then(|| random.pick(newest).clone())
    }
}

/// What a client did, and what it was told.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) deed: Deed,
    pub(super) asked: String,
    /// When it was asked, or before.
    pub(super) sent: String,
    pub(super) status: u16,
    pub(super) body: Value,
    /// The versions that it tells of: key, number, and content, which is null where it is deleted.
    pub(super) told: Vec<(String, u64, Value)>,
}

/// Who makes one request after the other.
pub(super) struct Client<'a> {
    pub(super) flint: &'a Flint,
    clock: &'a Ticking,
    board: &'a Board,
    pub(super) random: Random,
    seed: u64,
    pub(super) answers: Vec<Answer>,
}

impl<'a> Client<'a> {
    pub(super) fn new(flint: &'a Flint, clock: &'a Ticking, board: &'a Board, seed: u64) -> Client<'a> {
        Client { flint, clock, board, random: Random::new(seed), seed, answers: Vec::new() }
    }

    pub(super) fn act(&mut self) {
        if self.random.one_in(WAITS.0) {
            let time = Duration::from_secs(1 + self.random.below(WAITS.1));
            self.clock.leap(time, self.random.below(LEAPS_AFTER));
        }
        match self.deed() {
            deed @ (Deed::Book | Deed::Hold | Deed::OperationHold | Deed::OperationBook) => self.begin(deed),
            deed @ (Deed::Send | Deed::Withdraw) => self.practice(deed),
            Deed::Bring => self.bring(),
            Deed::Join => self.join(),
            deed @ (Deed::Wish | Deed::Leave | Deed::Accept | Deed::Decline) => self.wait(deed),
            deed => match self.pick() {
                Some(id) => self.go_on(deed, &id),
                None => self.begin(Deed::Book),
            },
        }
    }

    fn deed(&mut self) -> Deed {
        let mut left = self.random.below(DEEDS.iter().map(|(_, weight)| weight).sum());
        for (deed, weight) in DEEDS {
            match left.checked_sub(weight) {
                Some(less) => left = less,
                None => return deed,
            }
        }
        Deed::Look
    }

    /// Asks for an appointment.
    fn begin(&mut self, deed: Deed) {
        let patient = *self.random.pick(&PATIENTS);
        match deed {
            Deed::OperationHold | Deed::OperationBook => {
                let slot = self.random.pick(&PLACES).id;
                let (operation, patient) = match deed {
                    Deed::OperationHold => ("hold", ("patient-reference", json!(format!("Patient/{patient}")))),
                    _ => ("book", ("patient-resource", json!({"resourceType": "Patient", "id": patient}))),
                };
                let asked = inputs(&[("appointment-reference", json!(format!("Appointment/slot-{slot}"))), patient]);
                self.ask(deed, &format!("POST /Appointment/${operation}"), asked);
            }
            _ => {
                let wanted = self.wanted(if deed == Deed::Hold { "pending" } else { "booked" }, patient);
                self.ask(deed, "POST /Appointment", wanted);
            }
        }
    }

    /// An appointment in random slots.
    fn wanted(&mut self, status: &str, patient: &str) -> Value {
        let (slots, time) = world::some(&mut self.random);
        let mut wanted = appointment(status, patient, &slots, time);
        if self.random.one_in(6) {
            let guest = json!({"actor": {"reference": GUEST}, "status": "accepted"});
            wanted["participant"].as_array_mut().expect("a list").push(guest);
        }
        if status == "pending" && self.random.one_in(2) {
            let until = self.clock.after(Duration::from_secs(1 + self.random.below(890)));
            wanted["extension"] = json!([{"url": HELD_UNTIL, "valueInstant": until}]);
        }
        wanted
    }

    /// What a practice does with its slots.
    fn practice(&mut self, deed: Deed) {
        let place = self.random.pick(&PLACES);
        let status = match self.random.one_in(3) {
            true => *self.random.pick(&["busy", "busy-unavailable", "busy-tentative", "entered-in-error"]),
            false => "free",
        };
        let slot = match self.random.one_in(3) {
            true => place.sent(status, 1 + self.random.below(CAPACITY_MAX as u64) as usize, &self.name()),
            false => place.sent_free(&self.name()),
        };
        match deed {
            Deed::Send => self.ask(deed, &format!("PUT /Slot/{}", place.id), slot),
            _ => self.ask(deed, &format!("DELETE /Slot/{}", place.id), Value::Null),
        }
    }

    /// Sends a slot that was booked elsewhere, with who booked it. It takes as many as any: a smaller one would be overbooked by those who came here.
    fn bring(&mut self) {
        let (place, patient) = (self.random.pick(&PLACES), *self.random.pick(&PATIENTS));
        let slot = place.sent("busy", CAPACITY_MAX, &self.name());
        let bundle = together(&[slot, appointment("booked", patient, &[place.id], place.time)]);
        let call = self.flint.call("POST /").header("Prefer", "return=representation").json(&bundle);
        self.send(Deed::Bring, format!("POST / {bundle}"), call);
    }

    /// A name for what is sent next that nothing else has.
    fn name(&self) -> String {
        format!("{}-{}", self.seed, self.answers.len())
    }

    /// Does something with an appointment.
    fn go_on(&mut self, deed: Deed, id: &str) {
        let line = format!("PUT /Appointment/{id}");
        match deed {
            Deed::Confirm => self.give_status(deed, id, "booked"),
            Deed::Cancel => self.give_status(deed, id, "cancelled"),
            Deed::Progress => {
                let status = *self.random.pick(&["checked-in", "arrived", "noshow", "fulfilled", "entered-in-error"]);
                self.give_status(deed, id, status);
            }
            Deed::OperationConfirm => {
                let asked = inputs(&[("appointment-reference", json!(format!("Appointment/{id}")))]);
                self.ask(deed, "POST /Appointment/$book", asked);
            }
            Deed::Delete => self.ask(deed, &format!("DELETE /Appointment/{id}"), Value::Null),
            _ => {
                let Some(read) = self.look(id) else { return };
                match deed {
                    Deed::CancelRead => {
                        let call = self.flint.call(&line).header("If-Match", &tag(&read)).json(&cancelled(&read));
                        self.send(deed, line, call);
                    }
                    // What waits, or is offered, is moved to no slot: those who do that are the waiters.
                    Deed::Move if ["waitlist", "proposed"].iter().any(|status| read["status"] == *status) => {}
                    Deed::Move => self.shift(&line, &read),
                    Deed::Reschedule => self.reschedule(id, &read),
                    _ => {}
                }
            }
        }
    }

    /// One of the newest appointments.
    pub(super) fn pick(&mut self) -> Option<String> {
        self.board.pick(&mut self.random)
    }

    pub(super) fn look(&mut self, id: &str) -> Option<Value> {
        let line = format!("GET /Appointment/{id}");
        let reply = self.send(Deed::Look, line.clone(), self.flint.call(&line));
        (reply.status == 200).then(|| reply.json())
    }

    /// Moves an appointment to other slots, and perhaps gives it to another patient.
    fn shift(&mut self, line: &str, read: &Value) {
        let patient = match self.random.one_in(4) {
            true => (*self.random.pick(&PATIENTS)).to_owned(),
            false => patient_of(read),
        };
        let status = read["status"].as_str().expect("a status").to_owned();
        let mut moved = self.wanted(&status, &patient);
        if until(read).is_some() {
            moved["extension"] = read["extension"].clone();
        }
        if self.random.one_in(4) {
            for name in ["slot", "start", "end"] {
                match read.get(name) {
                    Some(value) => moved[name] = value.clone(),
                    None => drop(moved.as_object_mut().expect("an object").remove(name)),
                }
            }
        }
        moved["id"] = read["id"].clone();
        let call = self.flint.call(line).json(&moved);
        let call = if self.random.one_in(2) { call.header("If-Match", &tag(read)) } else { call };
        self.send(Deed::Move, format!("{line} {moved}"), call);
    }

    /// Cancels an appointment and books another for the same patient, in one transaction.
    fn reschedule(&mut self, id: &str, read: &Value) {
        let wanted = self.wanted("booked", &patient_of(read));
        let mut cancel =
            json!({"resource": cancelled(read), "request": {"method": "PUT", "url": format!("Appointment/{id}")}});
        if self.random.one_in(2) {
            cancel["request"]["ifMatch"] = json!(tag(read));
        }
        let book = json!({"resource": wanted, "request": {"method": "POST", "url": "Appointment"}});
        let entries = if self.random.one_in(2) { json!([cancel, book]) } else { json!([book, cancel]) };
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
        let call = self.flint.call("POST /").header("Prefer", "return=representation").json(&bundle);
        self.send(Deed::Reschedule, format!("POST / {bundle}"), call);
    }

    pub(super) fn give_status(&mut self, deed: Deed, id: &str, status: &str) {
        self.send(deed, format!("PATCH /Appointment/{id} {status}"), to_status(self.flint, id, status));
    }

    pub(super) fn ask(&mut self, deed: Deed, line: &str, body: Value) {
        let call = self.flint.call(line);
        let call = if body.is_null() { call } else { call.json(&body) };
        self.send(deed, format!("{line} {body}"), call);
    }

    pub(super) fn send(&mut self, deed: Deed, asked: String, call: Call<'_>) -> Reply {
        let sent = self.clock.after(Duration::ZERO);
        let reply = call.send();
        let told = if reply.status < 300 { told(&asked, &reply) } else { Vec::new() };
        for (key, ..) in &told {
            self.board.note(key);
        }
        self.answers.push(Answer { deed, asked, sent, status: reply.status, body: reply.json(), told });
        reply
    }
}

pub(super) fn cancelled(read: &Value) -> Value {
    let mut cancelled = read.clone();
    cancelled["status"] = json!("cancelled");
    cancelled["cancelationReason"] = json!({"text": "better"});
    cancelled
}

pub(super) fn patient_of(appointment: &Value) -> String {
    let participants = appointment["participant"].as_array().into_iter().flatten();
    let mut actors = participants.filter_map(|it| it.pointer("/actor/reference")?.as_str());
    actors.find_map(|actor| actor.strip_prefix("Patient/")).expect("a patient").to_owned()
}

pub(super) fn tag(resource: &Value) -> String {
    format!("W/{}", resource["meta"]["versionId"])
}

fn inputs(parts: &[(&str, Value)]) -> Value {
    let part = |(name, value): &(&str, Value)| match value {
        Value::String(reference) => json!({"name": name, "valueReference": {"reference": reference}}),
        resource => json!({"name": name, "resource": resource}),
    };
    json!({"resourceType": "Parameters", "parameter": parts.iter().map(part).collect::<Vec<_>>()})
}

/// The versions that an answer tells of.
fn told(asked: &str, reply: &Reply) -> Vec<(String, u64, Value)> {
    let number = |tag: &str| tag.trim_start_matches("W/").trim_matches('"').parse().ok();
    let body = reply.json();
    if body["resourceType"] != "Bundle" {
        let (key, content) = match (body["resourceType"].as_str(), body["id"].as_str()) {
            (Some(name), Some(id)) if name != "OperationOutcome" => (format!("{name}/{id}"), body),
            _ => (asked.split([' ', '/']).skip(2).take(2).collect::<Vec<_>>().join("/"), Value::Null),
        };
        return number(reply.header("etag")).map(|number| (key, number, content)).into_iter().collect();
    }
    let entry = |entry: &Value| {
        let resource = &entry["resource"];
        let text = |pointer| resource.pointer(pointer).and_then(Value::as_str).expect("text");
        let key = format!("{}/{}", text("/resourceType"), text("/id"));
        (key, text("/meta/versionId").parse().expect("a number"), resource.clone())
    };
    body["entry"].as_array().into_iter().flatten().map(entry).collect()
}
