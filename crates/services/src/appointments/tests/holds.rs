//! Holds that are over.

use super::*;

/// A hold of p1's until noon.
fn hold(id: &str, slots: &[&str], start: &str, end: &str) -> String {
    let extension = r#""extension":[{"url":"https://flint.example/fhir/StructureDefinition/held-until","valueInstant":"2027-03-01T12:00:00Z"}],"status""#;
    appointment(id, "pending", slots, start, end).replace(r#""status":"pending""#, &format!(r#"{extension}:"pending""#))
}

#[test]
fn nobody_goes_on_with_a_hold_that_is_over() {
    let surgery = Surgery::new();
    // Nobody has swept.
    surgery.import(&hold("a", &["s0900"], "09:00", "09:10"));
    assert_eq!(
        (surgery.slots(&["s0900"]).as_str(), surgery.holder("s0900").as_deref()),
        ("busy-tentative", Some("Appointment/a tentative"))
    );
    for status in ["booked", "pending"] {
        let outcome = surgery.change(put(&nine("a").replace("booked", status))).expect_err(status);
        assert!(outcome.issues[0].code == Conflict && outcome.to_string().contains("which is over"), "{outcome}");
    }
    // The patient is free.
    let elsewhere = appointment("b", "booked", &[], "09:00", "09:10").replace(r#""slot":[],"#, "");
    surgery.change(put(&elsewhere)).expect("the patient is free");
    surgery.change(put(&nine("a").replace("booked", "cancelled"))).expect("cancelled");
    assert_eq!((surgery.slots(&["s0900"]).as_str(), surgery.holder("s0900")), ("free", None));
}

/// The clock that is asked for the time of a commit: time goes by while a hold is committed. Its rule was asked before, and a sweep looks meanwhile.
struct AtCommit {
    watch: Arc<Watch>,
    sweeps: Mutex<Option<(Arc<Services>, Weak<Repository>)>>,
}

impl Clock for AtCommit {
    fn now(&self) -> Millis {
        let sweeps = self.sweeps.lock().expect("nobody panicked").take();
        if let Some((services, repository)) = sweeps {
            self.watch.0.store(NOON + 600_000, Ordering::Release);
            services.sweep(&repository.upgrade().expect("it is asked")).expect("nothing to end");
        }
        self.watch.now()
    }
}

#[test]
fn a_hold_that_is_over_when_it_is_committed_ends() {
    let watch = Arc::new(Watch(AtomicI64::new(NOON)));
    let at_commit = Arc::new(AtCommit { watch: watch.clone(), sweeps: Mutex::default() });
    let surgery = Surgery::with(References::Accept, watch, at_commit.clone());
    surgery.hold(&[
        r#"{"resourceType":"Patient","id":"p1"}"#,
        &slot("s0900", "free", "sch1", "2027-03-08T09:00:00Z", "2027-03-08T09:10:00Z"),
    ]);
    assert_eq!(surgery.sweep(0), (0, false, 0), "nothing to end");
    let sweeps = (surgery.services.clone(), Arc::downgrade(&surgery.repository));
    *at_commit.sweeps.lock().expect("nobody panicked") = Some(sweeps);
    surgery.change(put(&nine("a").replace("booked", "pending"))).expect("held for five minutes");
    assert_eq!(surgery.slots(&["s0900"]), "busy-tentative");
    assert!(surgery.services.is_sweep_due(surgery.repository.now()));
    assert_eq!(surgery.sweep(600_000), (0, false, 0), "ended");
    assert_eq!((surgery.slots(&["s0900"]), surgery.status("Appointment/a")), ("free".into(), "cancelled".into()));
}

#[test]
fn the_slot_of_a_hold_that_is_over_is_to_be_had_before_it_is_swept() {
    let surgery = Surgery::new();
    surgery.import(&hold("a", &["s0900"], "09:00", "09:10"));
    surgery.change(put(&nine("b"))).expect("the slot is free");
    assert_eq!(
        (surgery.slots(&["s0900"]).as_str(), surgery.holder("s0900").as_deref()),
        ("busy", Some("Appointment/b"))
    );
    surgery.change(put(&nine("c"))).expect_err("now it is taken");
    assert_eq!(surgery.sweep(0), (0, false, 0));
    assert_eq!((surgery.status("Appointment/a"), surgery.slots(&["s0900"])), ("cancelled".into(), "busy".into()));
    surgery.import(&hold("d", &["s0910"], "09:10", "09:20"));
    surgery.change(delete("Slot/s0910")).expect("nobody holds it any more");
    assert_eq!(surgery.sweep(1000), (0, false, 0), "the reference of a hold to a slot that is gone keeps nothing");
}

#[test]
fn of_holds_that_are_over_the_first_gives_its_seat_to_who_comes() {
    let surgery = Surgery::empty(References::Accept);
    let seats = r#""extension":[{"url":"http://fhir-registry.smarthealthit.org/StructureDefinition/slot-capacity","valueInteger":3}],"status""#;
    let group = slot("s0900", "free", "sch1", "2027-03-08T09:00:00Z", "2027-03-08T09:10:00Z");
    surgery.import(&group.replace(r#""status""#, seats));
    for id in ["d", "e", "f"] {
        surgery.import(&format!(r#"{{"resourceType":"Patient","id":"{id}"}}"#));
    }
    for (id, until) in [("b", "11:59"), ("a", "11:58"), ("c", "12:10")] {
        surgery.import(&hold(id, &["s0900"], "09:00", "09:10").replace("12:00:00Z", &format!("{until}:00Z")));
    }
    let held = || {
        let snapshot = surgery.store.snapshot().expect("a snapshot");
        let seats = (0..4).filter_map(|seat| snapshot.value(format!("slot/s0900/{seat}").as_bytes()).expect("a value"));
        let owner = |value: Vec<u8>| String::from_utf8(value).expect("text").replace("Appointment/", "");
        let mut owners: Vec<_> = seats.map(owner).collect();
        owners.sort();
        owners.join(", ")
    };
    assert_eq!(held(), "a tentative, b tentative, c tentative");
    let come = |id: &str| surgery.change(put(&nine(id).replace("Patient/p1", &format!("Patient/{id}"))));
    come("d").expect("in the place of a");
    assert_eq!(held(), "b tentative, c tentative, d");
    come("e").expect("in the place of b");
    assert_eq!((held().as_str(), surgery.slots(&["s0900"]).as_str()), ("c tentative, d, e", "busy-tentative"));
    assert_eq!(come("f").expect_err("c is not over").issues[0].code, Conflict);
    assert_eq!(surgery.sweep(0).0, 1, "a and b end");
    assert_eq!((held().as_str(), surgery.slots(&["s0900"]).as_str()), ("c tentative, d, e", "busy-tentative"));
    assert_eq!(surgery.sweep(600_000).0, 0);
    assert_eq!((held().as_str(), surgery.slots(&["s0900"]).as_str()), ("d, e", "free"));
}

#[test]
fn a_hold_that_could_not_be_ended_is_tried_again() {
    let surgery = Surgery::new();
    surgery.import(&hold("obstacle", &["s0900"], "09:00", "09:10"));
    surgery.import(&hold("b", &["s0910"], "09:10", "09:20"));
    assert_eq!(surgery.sweep(0), (1, false, 1), "one keeps nothing from the other");
    assert_eq!(surgery.slots(&["s0900", "s0910"]), "busy-tentative free");
    assert_eq!(surgery.sweep(999), (1, false, 0), "not yet");
    assert_eq!(surgery.sweep(1_000), (1, false, 1));
    assert_eq!(surgery.sweep(2_999), (1, false, 0), "later every time");
    surgery.obstacle.store(false, Ordering::Release);
    assert_eq!(surgery.sweep(3_000), (0, false, 0));
    assert_eq!(surgery.slots(&["s0900", "s0910"]), "free free");
}

#[test]
fn a_sweep_ends_so_many_holds_and_the_next_goes_on() {
    let surgery = Surgery::new();
    for at in 0..60 {
        surgery.import(&hold(&format!("obstacle-{at}"), &["s0900"], "09:00", "09:10"));
        surgery.import(&hold(&format!("h{at}"), &["s0910"], "09:10", "09:20"));
    }
    let mut left = Vec::new();
    for _ in 0..3 {
        left.push(surgery.sweep(0));
    }
    assert_eq!(left.iter().map(|(_, has_more, _)| *has_more).collect::<Vec<_>>(), [true, true, false], "{left:?}");
    assert_eq!(left.iter().map(|(.., failed)| failed).sum::<usize>(), 60, "{left:?}");
    assert_eq!(left[2].0, 60, "those that fail keep no other: {left:?}");
    surgery.obstacle.store(false, Ordering::Release);
    assert_eq!(surgery.sweep(999), (60, false, 0));
    assert_eq!(surgery.sweep(1_000), (10, true, 0));
    assert_eq!(surgery.sweep(1_000), (0, false, 0));
}
