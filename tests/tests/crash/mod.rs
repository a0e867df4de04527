pub(crate) mod check;
pub(crate) mod writer;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use flint_tests::{Client, Process, is_database};
use serde_json::{Value, json};
use store::testing::Random;
use store::{Embedded, SystemClock};
use tempfile::TempDir;

use self::writer::{Course, Writer, entry};

const ROUNDS: usize = 12;
const WRITERS: usize = 4;
const SLOTS: u64 = 24;

/// After how many answers at most a round's server is killed.
const PATIENCE_MAX: u64 = 80;

/// Who all observations are about, and for whom all slots are booked.
pub(crate) const PATIENT: &str = "Patient/patient";

#[test]
fn loses_nothing_and_halves_nothing() {
    let directory = TempDir::new().expect("a directory");
    let mut random = Random::new(31);
    let mut writers: Vec<_> = (0..WRITERS).map(|number| Writer::new(number, random.number())).collect();
    let mut seen = 0;
    for round in 0..=ROUNDS {
        let (process, client) = Process::start(directory.path());
        if round == 0 {
            fill(&client);
        }
        seen = check::check(&client, &writers);
        if round == ROUNDS {
            break;
        }
        let killer = Killer { answers: AtomicU64::new(1 + random.below(PATIENCE_MAX)), process: Mutex::new(process) };
        std::thread::scope(|scope| {
            for writer in &mut writers {
                let (client, killer) = (&client, &killer);
                scope.spawn(move || writer.write(&[client], killer));
            }
        });
        verify(directory.path());
    }
    let answered: usize = writers.iter().map(|writer| writer.acknowledged.len()).sum();
    println!("killed {ROUNDS} times; {answered} acknowledged versions and {} others are all there", seen - answered);
}

/// Ends the server's process when it has given a number of answers.
struct Killer {
    answers: AtomicU64,
    process: Mutex<Process>,
}

impl Course for Killer {
    fn answered(&self) {
        let before = self.answers.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if before == Ok(1) {
            self.process.lock().expect("nobody panicked").kill();
        }
    }

    fn has_begun(&self) -> bool {
        self.answers.load(Ordering::SeqCst) == 0
    }

    fn goes_on(&self) -> bool {
        !self.has_begun()
    }
}

/// That the parts of an embedded store agree.
fn verify(directory: &Path) {
    if is_database() {
        return;
    }
    let store = Embedded::open(directory, Arc::new(SystemClock)).expect("a store that opens");
    store.verify().expect("a store whose parts agree");
}

/// A patient, and slots one after the other in a year that no clock reaches.
pub(crate) fn fill(client: &Client) {
    let schedule = json!({"resourceType": "Schedule", "id": "schedule", "actor": [{"reference": PATIENT}]});
    let mut entries = vec![
        entry("PUT", PATIENT, json!({"resourceType": "Patient", "id": "patient"})),
        entry("PUT", "Schedule/schedule", schedule),
    ];
    entries.extend((0..SLOTS).map(|number| {
        let (id, [start, end]) = (format!("slot-{number}"), times(number));
        let slot = json!({"resourceType": "Slot", "id": id, "schedule": {"reference": "Schedule/schedule"},
            "status": "free", "start": start, "end": end});
        entry("PUT", &format!("Slot/{id}"), slot)
    }));
    let all = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
    client.call("POST /").json(&all).send().expect(200);
}

pub(crate) fn times(slot: u64) -> [Value; 2] {
    [slot, slot + 1].map(|hour| format!("2999-01-{:02}T{:02}:00:00Z", 1 + hour / 24, hour % 24).into())
}
