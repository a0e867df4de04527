use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use fhir::Instant;
use flint_tests::Flint;
use serde_json::{Value, json};
use server::{Clock, Millis};
use store::testing::Random;

use super::super::{at, seating, slot, together};

pub(super) const PATIENTS: [&str; 8] = ["p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7"];

/// The practitioner of both schedules `a` and `b`, of one in a role.
pub(super) const BOTH: &str = "Practitioner/d0";

/// The role in which that practitioner is in schedule `b`.
pub(super) const ROLE: &str = "PractitionerRole/r0";

/// The practitioner of schedule `c`, who is asked to some appointments of the other.
pub(super) const GUEST: &str = "Practitioner/d1";

/// Who is in which schedule.
const SCHEDULES: [(&str, &str); 3] = [("a", BOTH), ("b", ROLE), ("c", GUEST)];

/// For whom, and for what kind of service, somebody waits.
const WISHES: [(Option<&str>, Option<&str>); 7] = [
    (Some(BOTH), None),
    (Some(ROLE), None),
    (Some(GUEST), None),
    (None, Some("gp")),
    (None, Some("nurse")),
    (Some(BOTH), Some("gp")),
    (Some(GUEST), Some("gp")),
];

/// When the time begins and ends in which somebody can come.
const PERIODS: [(Option<&str>, Option<&str>); 6] = [
    (Some("2027-03-08"), Some("2027-03-08")),
    (Some("2027-03-07T23:00:00Z"), None),
    (None, Some("2027-03-08")),
    (None, Some("2027-03-08T09:20:00Z")),
    (Some("2027-03-08T09:05:00Z"), Some("2027-03-08T09:30:00Z")),
    (Some("2027-03-08T09:20:00Z"), Some("2027-03-09")),
];

/// How many a slot takes at most.
pub(super) const CAPACITY_MAX: usize = 3;

/// A slot.
pub(super) struct Place {
    pub(super) id: &'static str,
    pub(super) schedule: &'static str,
    pub(super) time: (&'static str, &'static str),
    capacity: usize,
}

const fn place(id: &'static str, schedule: &'static str, time: (&'static str, &'static str), capacity: usize) -> Place {
    Place { id, schedule, time, capacity }
}

/// Side by side in each schedule, in order.
pub(super) const PLACES: [Place; 10] = [
    place("a0", "a", ("09:00", "09:10"), 1),
    place("a1", "a", ("09:10", "09:20"), 1),
    place("a2", "a", ("09:20", "09:30"), 2),
    place("a3", "a", ("09:30", "09:40"), 1),
    place("b0", "b", ("09:05", "09:15"), 2),
    place("b1", "b", ("09:15", "09:25"), 1),
    place("b2", "b", ("09:25", "09:35"), 3),
    place("c0", "c", ("09:00", "09:10"), 1),
    place("c1", "c", ("09:10", "09:20"), 3),
    place("c2", "c", ("09:20", "09:30"), 1),
];

/// The slot with this key.
pub(super) fn of(key: &str) -> &'static Place {
    PLACES.iter().find(|place| key.strip_prefix("Slot/") == Some(place.id)).expect("one of the few")
}

impl Place {
    pub(super) fn practitioner(&self) -> &'static str {
        if self.schedule == "c" { GUEST } else { BOTH }
    }

    /// When it begins and ends.
    pub(super) fn times(&self) -> (String, String) {
        (at(self.time.0), at(self.time.1))
    }

    /// Whom the schedule names.
    pub(super) fn actor(&self) -> &'static str {
        SCHEDULES.iter().find(|(id, _)| *id == self.schedule).expect("one of the few").1
    }

    /// The kind of service: of `a` and `b` the slots say it, of `c` the schedule.
    pub(super) fn kind(&self) -> &'static str {
        if self.schedule == "c" { "nurse" } else { "gp" }
    }

    /// As a practice sends it; what it says is told again by the comment.
    pub(super) fn sent(&self, status: &str, capacity: usize, comment: &str) -> Value {
        let mut slot = seating(slot(self.id, self.schedule, status, self.time), json!(capacity));
        if self.schedule != "c" {
            slot["serviceType"] = service_type(self.kind());
        }
        slot["comment"] = json!(format!("{status} {comment}"));
        slot
    }

    pub(super) fn sent_free(&self, comment: &str) -> Value {
        self.sent("free", self.capacity, comment)
    }
}

/// Some slots that lie side by side, and when they begin and end.
pub(super) fn some(random: &mut Random) -> (Vec<&'static str>, (&'static str, &'static str)) {
    let first = random.below(PLACES.len() as u64) as usize;
    let length = *random.pick(&[1, 1, 1, 2, 2, 3]);
    let run = PLACES[first..].iter().take(length).take_while(|place| place.schedule == PLACES[first].schedule);
    let run: Vec<_> = run.collect();
    (run.iter().map(|place| place.id).collect(), (run[0].time.0, run[run.len() - 1].time.1))
}

/// What somebody waits for: for whom, for what kind of service, when, and for how long; without the patient.
pub(super) fn wish(random: &mut Random) -> Value {
    let (actor, kind) = *random.pick(&WISHES);
    let actors = actor.iter().map(|actor| json!({"actor": {"reference": actor}, "status": "accepted"}));
    let periods = (0..*random.pick(&[1, 1, 1, 2])).map(|_| {
        let (start, end) = *random.pick(&PERIODS);
        let bounds = [("start", start), ("end", end)].into_iter();
        bounds.filter_map(|(name, bound)| Some((name, bound?))).collect::<BTreeMap<_, _>>()
    });
    let periods: Vec<_> = periods.collect();
    let mut wish = json!({"participant": actors.collect::<Vec<_>>(), "requestedPeriod": periods});
    if let Some(kind) = kind {
        wish["serviceType"] = service_type(kind);
    }
    if random.one_in(6) {
        wish["minutesDuration"] = json!(*random.pick(&[5, 10, 20]));
    }
    wish
}

fn service_type(kind: &str) -> Value {
    json!([{"coding": [{"system": "urn:kind", "code": kind}]}])
}

/// Writes it all.
pub(super) fn fill(flint: &Flint) {
    let mut all: Vec<_> = PATIENTS.iter().map(|id| json!({"resourceType": "Patient", "id": id})).collect();
    for id in ["d0", "d1"] {
        all.push(json!({"resourceType": "Practitioner", "id": id}));
    }
    all.push(json!({"resourceType": "PractitionerRole", "id": "r0", "practitioner": {"reference": BOTH}}));
    for (id, actor) in SCHEDULES {
        let mut schedule = json!({"resourceType": "Schedule", "id": id, "actor": [{"reference": actor}]});
        if id == "c" {
            schedule["serviceType"] = service_type("nurse");
        }
        all.push(schedule);
    }
    all.extend(PLACES.iter().map(|place| place.sent_free("at first")));
    flint.send("POST /", together(&all)).expect(200);
}

/// A clock of which each reading is a millisecond after the one before, or much more: time goes by between two looks of one request as well.
pub(super) struct Ticking {
    time: AtomicI64,
    /// After how many more readings it leaps, and by how much.
    leaps_after: AtomicI64,
    leap: AtomicI64,
}

impl Default for Ticking {
    /// A week before the slots.
    fn default() -> Ticking {
        Ticking { time: AtomicI64::new(1_803_888_000_000), leaps_after: AtomicI64::new(0), leap: AtomicI64::new(0) }
    }
}

impl Clock for Ticking {
    fn now(&self) -> Millis {
        let leap =
            if self.leaps_after.fetch_sub(1, Ordering::SeqCst) == 1 { self.leap.load(Ordering::SeqCst) } else { 0 };
        self.time.fetch_add(1 + leap, Ordering::SeqCst) + 1 + leap
    }
}

impl Ticking {
    pub(super) fn advance(&self, time: Duration) {
        self.time.fetch_add(time.as_millis() as Millis, Ordering::SeqCst);
    }

    /// Lets time go by between two of the next readings, in place of what was to go by so.
    pub(super) fn leap(&self, time: Duration, after: u64) {
        self.leap.store(time.as_millis() as Millis, Ordering::SeqCst);
        self.leaps_after.store(1 + after as i64, Ordering::SeqCst);
    }

    /// A time from now on, as text that sorts like the time it says.
    pub(super) fn after(&self, time: Duration) -> String {
        Instant::from_millis(self.time.load(Ordering::SeqCst) + time.as_millis() as Millis).to_string()
    }
}
