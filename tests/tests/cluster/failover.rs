//! The primary of three is killed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use flint_tests::Client;
use serde_json::json;

use super::Cluster;
use super::load::{self, Turn};
use crate::crash::check::check;
use crate::crash::{PATIENT, fill, times};

/// After which time writes go on: the members are told to elect a primary after four seconds without one.
const ELECTED: Duration = Duration::from_secs(60);

#[test]
fn writes_go_on_with_another_primary() {
    let Some(cluster) = Cluster::start(2, 3) else { return };
    fill(cluster.client(0));
    let mut writers = load::writers(53);
    let killed = cluster.database.primary();
    let turn = Turn::new((60, 60), ELECTED, || cluster.database.member(killed).kill());
    load::write(&mut writers, &cluster.clients(), &turn);
    assert_ne!(cluster.database.primary(), killed);
    cluster.clients().into_iter().for_each(|client| _ = check(client, &writers));
}

/// How many bookings are made at the same time.
const BOOKINGS: usize = 16;

/// How long a client waits for an answer before it sends the request again.
const IMPATIENCE: Duration = Duration::from_secs(1);

#[test]
fn a_booking_that_is_sent_again_is_made_once() {
    let Some(cluster) = Cluster::start(2, 3) else { return };
    fill(cluster.client(0));
    let clients: Vec<_> =
        cluster.clients().iter().map(|client| Client::patient(client.base_url(), IMPATIENCE)).collect();
    cluster.database.member(cluster.database.primary()).kill();
    let unanswered = AtomicUsize::new(0);
    let book = |slot: usize| {
        let [start, end] = times(slot as u64);
        let appointment = json!({"resourceType": "Appointment", "status": "booked", "start": start, "end": end,
            "slot": [{"reference": format!("Slot/slot-{slot}")}],
            "participant": [{"actor": {"reference": PATIENT}, "status": "accepted"}]});
        let begun = Instant::now();
        for client in clients.iter().cycle().skip(slot) {
            let call = client.call("POST /Appointment").header("Idempotency-Key", &format!("booking-{slot}"));
            match call.json(&appointment).try_send() {
                Ok(reply) if reply.status != 503 => return reply.expect(201).pointer("/id"),
                Ok(_) | Err(_) => _ = unanswered.fetch_add(1, Ordering::Relaxed),
            }
            assert!(begun.elapsed() < ELECTED, "slot {slot}");
        }
        unreachable!("clients come again and again")
    };
    let ids: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..BOOKINGS)
            .map(|slot| {
                let book = &book;
                scope.spawn(move || book(slot))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert!(unanswered.into_inner() > 0);
    for client in cluster.clients() {
        for (slot, id) in ids.iter().enumerate() {
            let booked = client.get(&format!("/Appointment?slot=slot-{slot}")).expect(200);
            assert_eq!(booked.keys("match"), [format!("Appointment/{id}")]);
        }
        client.get("/Appointment/_history?_count=0").expect(200).facts(&[("/total", &BOOKINGS.to_string())]);
        client.get("/Slot?status=busy&_summary=count").expect(200).facts(&[("/total", &BOOKINGS.to_string())]);
    }
}
