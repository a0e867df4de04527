//! Requests at the same time through two servers: who wins is the same as through one.

use serde_json::json;

use super::Cluster;
use crate::crash::writer::entry;
use crate::race::{at_once, statuses};

const SLOTS: usize = 20;

/// How many want each slot, for a patient each.
const PATIENTS: usize = 10;

fn times(slot: usize) -> [String; 2] {
    [slot, slot + 1].map(|at| format!("2999-01-01T{:02}:{:02}:00Z", at / 2, at % 2 * 30))
}

#[test]
fn each_slot_is_booked_once() {
    let Some(cluster) = Cluster::start(2, 1) else { return };
    let mut entries = vec![entry(
        "PUT",
        "Schedule/sch",
        json!({"resourceType": "Schedule", "id": "sch", "actor": [{"reference": "Patient/p0"}]}),
    )];
    entries.extend((0..PATIENTS).map(|at| {
        let id = format!("p{at}");
        entry("PUT", &format!("Patient/{id}"), json!({"resourceType": "Patient", "id": id}))
    }));
    entries.extend((0..SLOTS).map(|at| {
        let (id, [start, end]) = (format!("s{at}"), times(at));
        let slot = json!({"resourceType": "Slot", "id": id, "schedule": {"reference": "Schedule/sch"},
            "status": "free", "start": start, "end": end});
        entry("PUT", &format!("Slot/{id}"), slot)
    }));
    let all = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
    cluster.client(0).call("POST /").json(&all).send().expect(200);

    let book = |at: usize| {
        let (slot, patient) = (at % SLOTS, at / SLOTS);
        let [start, end] = times(slot);
        let appointment = json!({"resourceType": "Appointment", "status": "booked", "start": start, "end": end,
            "slot": [{"reference": format!("Slot/s{slot}")}],
            "participant": [{"actor": {"reference": format!("Patient/p{patient}")}, "status": "accepted"}]});
        cluster.client(patient % 2).call("POST /Appointment").json(&appointment)
    };
    let replies = at_once((0..SLOTS * PATIENTS).map(book).collect());
    assert_eq!(statuses(&replies), [(201, SLOTS), (409, SLOTS * (PATIENTS - 1))]);
    for (slot, client) in (0..SLOTS).zip(cluster.clients().into_iter().cycle()) {
        let won = replies.iter().skip(slot).step_by(SLOTS).filter(|reply| reply.status == 201).count();
        assert_eq!(won, 1, "Slot/s{slot}");
        let booked = client.get(&format!("/Appointment?slot=s{slot}&status=booked")).expect(200);
        booked.facts(&[("/total", "1")]);
    }
    for client in cluster.clients() {
        client.get("/Slot?status=busy&_summary=count").expect(200).facts(&[("/total", &SLOTS.to_string())]);
        client.get("/Slot?status=free&_summary=count").expect(200).facts(&[("/total", "0")]);
        client.get("/Appointment/_history?_count=0").expect(200).facts(&[("/total", &SLOTS.to_string())]);
    }
}

#[test]
fn equal_conditional_creates_make_one() {
    let Some(cluster) = Cluster::start(2, 1) else { return };
    let patient = json!({"resourceType": "Patient", "identifier": [{"system": "urn:x", "value": "1"}]});
    let create = |at: usize| {
        let call = cluster.client(at % 2).call("POST /Patient");
        call.header("If-None-Exist", "identifier=urn:x|1").json(&patient)
    };
    assert_eq!(statuses(&at_once((0..64).map(create).collect())), [(200, 63), (201, 1)]);
    for client in cluster.clients() {
        client.get("/Patient/_history?_count=0").expect(200).facts(&[("/total", "1")]);
    }
}
