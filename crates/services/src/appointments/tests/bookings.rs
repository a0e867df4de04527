//! What is booked and what is refused.

use super::*;

#[test]
fn refuses_what_does_not_fit() {
    let surgery = Surgery::new();
    let booked = |slots: &[&str], start, end| appointment("a", "booked", slots, start, end);
    let named = |name: &str, length: usize| {
        nine("a").replace(r#""slot""#, &format!(r#""{name}":"{}","slot""#, "é".repeat(length)))
    };
    let on_first = |text: String| text.replace("2027-03-08", "2027-03-01");
    let many = vec!["s0900"; 51];
    let cases: [(String, IssueType, &str, &str, &str); 19] = [
        (
            booked(&["s0930"], "09:30", "09:40"),
            Conflict,
            "DUPLICATE_REJECTED",
            "Appointment.slot[0]",
            "`Slot/s0930` is not free",
        ),
        (
            booked(&["s0940"], "09:40", "09:50"),
            Conflict,
            "DUPLICATE_REJECTED",
            "Appointment.slot[0]",
            "`Slot/s0940` is not free",
        ),
        (
            booked(&["s0920", "s0930"], "09:20", "09:40"),
            Conflict,
            "DUPLICATE_REJECTED",
            "Appointment.slot[1]",
            "Slot/s0930",
        ),
        (
            booked(&["none"], "09:00", "09:10"),
            UnresolvedReference,
            "REFERENCE_NOT_FOUND",
            "Appointment.slot[0].reference",
            "Slot/none",
        ),
        (
            nine("a").replace("Slot/s0900", "http://elsewhere/fhir/Slot/s0900"),
            UnresolvedReference,
            "REFERENCE_NOT_FOUND",
            "Appointment.slot[0]",
            "no slot of this server",
        ),
        (
            booked(&["s0900", "s0900"], "09:00", "09:10"),
            BusinessRule,
            "INVALID_RESOURCE",
            "Appointment.slot[1]",
            "named twice",
        ),
        (booked(&many, "09:00", "09:10"), BusinessRule, "INVALID_RESOURCE", "Appointment.slot", "`51` slots"),
        (
            booked(&["s0900"], "09:01", "09:10"),
            BusinessRule,
            "INVALID_RESOURCE",
            "Appointment.start",
            "the start `2027-03-08T09:01:00Z`",
        ),
        (
            booked(&["s0900"], "09:00", "09:15"),
            BusinessRule,
            "INVALID_RESOURCE",
            "Appointment.end",
            "the end `2027-03-08T09:15:00Z`",
        ),
        (
            booked(&["s0900", "s0910"], "09:00", "09:10"),
            BusinessRule,
            "INVALID_RESOURCE",
            "Appointment.end",
            "last slot",
        ),
        (
            booked(&["s0900", "s0920"], "09:00", "09:30"),
            BusinessRule,
            "INVALID_RESOURCE",
            "Appointment.slot[1]",
            "`Slot/s0920` does not start when",
        ),
        (
            booked(&["s0900", "phone"], "09:00", "09:20"),
            BusinessRule,
            "INVALID_RESOURCE",
            "Appointment.slot[1]",
            "another delivery channel",
        ),
        (
            booked(&["s0900", "nurse"], "09:00", "09:20"),
            BusinessRule,
            "INVALID_RESOURCE",
            "Appointment.slot[1]",
            "another service type",
        ),
        (
            booked(&["s0900", "other"], "09:00", "09:20"),
            BusinessRule,
            "INVALID_RESOURCE",
            "Appointment.slot[1]",
            "another schedule",
        ),
        (
            on_first(booked(&["past"], "11:50", "12:00")),
            BusinessRule,
            "INVALID_RESOURCE",
            "Appointment.start",
            "not in the future",
        ),
        (
            on_first(booked(&["now"], "12:00", "12:10")),
            BusinessRule,
            "INVALID_RESOURCE",
            "Appointment.start",
            "not in the future",
        ),
        (named("description", 101), BusinessRule, "INVALID_RESOURCE", "Appointment.description", "`101` characters"),
        (named("comment", 501), BusinessRule, "INVALID_RESOURCE", "Appointment.comment", "`501` characters"),
        (
            nine("a").replace("Patient/p1", "Location/loc1"),
            BusinessRule,
            "INVALID_RESOURCE",
            "Appointment.participant",
            "none of the `1` participants",
        ),
    ];
    for (resource, code, coding, expression, part) in cases {
        for change in [post(&resource), put(&resource)] {
            let outcome = surgery.change(change).expect_err(&resource);
            let issue = &outcome.issues[0];
            assert_eq!((issue.code, issue.coding.map(|coding| coding.1)), (code, Some(coding)), "{outcome}");
            assert_eq!(issue.expression, [expression], "{outcome}");
            assert!(issue.diagnostics.contains(part), "{outcome}");
        }
    }
    let ids = ["s0900", "s0910", "s0920", "s0930", "s0940", "past"];
    assert_eq!(surgery.slots(&ids), "free free free busy busy-unavailable free");
    assert!(ids.iter().all(|id| surgery.holder(id).is_none()), "what was refused holds nothing");
}

#[test]
fn accepts_what_fits() {
    let booked = |slots: &[&str], start, end| appointment("a", "booked", slots, start, end);
    let named = |name: &str, length: usize| {
        nine("a").replace(r#""slot""#, &format!(r#""{name}":"{}","slot""#, "é".repeat(length)))
    };
    // The appointment, and the slots that it takes.
    let cases: [(String, &[&str]); 16] = [
        (nine("a"), &["s0900"]),
        (booked(&["s0900", "s0910"], "09:00", "09:20"), &["s0900", "s0910"]),
        (booked(&["s0920", "s0900", "s0910"], "09:00", "09:30"), &["s0900", "s0910", "s0920"]),
        (nine("a").replace("09:00:00Z", "10:00:00+01:00"), &["s0900"]),
        (nine("a").replace("Slot/s0900", "http://localhost/fhir/Slot/s0900"), &["s0900"]),
        (
            nine("a").replace(
                r#""reference":"Patient/p1""#,
                r#""type":"Patient","identifier":{"system":"urn:n","value":"1"}"#,
            ),
            &["s0900"],
        ),
        (named("description", 100), &["s0900"]),
        (named("comment", 500), &["s0900"]),
        (booked(&[], "09:00", "09:10").replace(r#""slot":[],"#, ""), &[]),
        (appointment("a", "checked-in", &["s0900"], "09:00", "09:10"), &["s0900"]),
        (appointment("a", "arrived", &["s0900"], "09:00", "09:10"), &["s0900"]),
        (appointment("a", "fulfilled", &["past"], "11:50", "12:00").replace("2027-03-08", "2027-03-01"), &["past"]),
        (appointment("a", "cancelled", &["s0900"], "09:00", "09:10"), &[]),
        (appointment("a", "noshow", &["s0920"], "09:20", "09:30"), &["s0920"]),
        (appointment("a", "proposed", &["s0930"], "09:00", "09:40"), &[]),
        (appointment("a", "waitlist", &["past"], "09:00", "09:40"), &[]),
    ];
    for (resource, taken) in cases {
        let surgery = Surgery::new();
        surgery.change(put(&resource)).unwrap_or_else(|outcome| panic!("{resource}: {outcome}"));
        for id in ["s0900", "s0910", "s0920", "past"] {
            let (status, holder) = if taken.contains(&id) { ("busy", Some("Appointment/a")) } else { ("free", None) };
            assert_eq!(surgery.slots(&[id]), status, "{id} for {resource}");
            assert_eq!(surgery.holder(id).as_deref(), holder, "{id} for {resource}");
        }
    }
}

#[test]
fn slots_follow_their_appointment() {
    let two = appointment("a", "booked", &["s0900", "s0910"], "09:00", "09:20");
    let moved = appointment("a", "booked", &["s0910", "s0920"], "09:10", "09:30");
    let status = |status: &str| two.replace("booked", status);
    let to = |status: &str| format!(r#"[{{"op":"replace","path":"/status","value":"{status}"}}]"#);
    // What is done with the booking of s0900 and s0910, and the slots 0900, 0910 and 0920 after it.
    let cases: [(&str, Vec<Change>, &str); 11] = [
        ("nothing", vec![], "busy busy free"),
        ("sent again", vec![put(&two)], "busy busy free"),
        ("a comment", vec![put(&two.replace(r#""slot""#, r#""comment":"x","slot""#))], "busy busy free"),
        ("cancelled", vec![put(&status("cancelled"))], "free free free"),
        ("cancelled by patch", vec![patch("Appointment/a", &to("cancelled"))], "free free free"),
        ("entered in error", vec![put(&status("entered-in-error"))], "free free free"),
        ("deleted", vec![delete("Appointment/a")], "free free free"),
        ("arrived, fulfilled", vec![put(&status("arrived")), put(&status("fulfilled"))], "busy busy free"),
        ("fulfilled in error", vec![put(&status("fulfilled")), put(&status("entered-in-error"))], "free free free"),
        ("moved", vec![put(&moved)], "free busy busy"),
        (
            "slots sent again",
            vec![put(&slot("s0900", "free", "sch1", "2027-03-08T09:00:00Z", "2027-03-08T09:10:00Z"))],
            "busy busy free",
        ),
    ];
    for (what, changes, after) in cases {
        let surgery = Surgery::new();
        surgery.change(put(&two)).expect("booked");
        for change in changes {
            surgery.change(change).unwrap_or_else(|outcome| panic!("{what}: {outcome}"));
        }
        let ids = ["s0900", "s0910", "s0920"];
        assert_eq!(surgery.slots(&ids), after, "{what}");
        let held = ids.map(|id| if surgery.holder(id).is_some() { "busy" } else { "free" });
        assert_eq!(held.join(" "), after, "claims after {what}");
    }
}

#[test]
fn refuses_wrong_steps() {
    let surgery = Surgery::new();
    surgery.change(put(&nine("a"))).expect("booked");
    surgery.change(put(&appointment("b", "cancelled", &["s0910"], "09:10", "09:20"))).expect("a record");
    let cases = [
        (put(&nine("a").replace("booked", "proposed")), BusinessRule, "`from booked to proposed`"),
        (put(&nine("b")), BusinessRule, "`from cancelled to booked`"),
        (
            patch("Appointment/b", r#"[{"op":"replace","path":"/status","value":"arrived"}]"#),
            BusinessRule,
            "`from cancelled to arrived`",
        ),
        (put(&appointment("a", "booked", &["s0930"], "09:30", "09:40")), Conflict, "`Slot/s0930` is not free"),
        (put(&nine("a").replace("09:10:00Z", "09:11:00Z")), BusinessRule, "the end `2027-03-08T09:11:00Z`"),
        (delete("Slot/s0900"), Conflict, "held by `Appointment/a`"),
        (put(&nine("c")), Conflict, "`Slot/s0900` is not free"),
    ];
    for (change, code, part) in cases {
        let outcome = surgery.change(change).expect_err(part);
        assert!(outcome.issues[0].code == code && outcome.to_string().contains(part), "{outcome}");
    }
    assert_eq!(surgery.holder("s0900").as_deref(), Some("Appointment/a"));
    surgery.change(delete("Slot/s0910")).expect("a slot that nobody holds goes");
    surgery.change(put(&nine("a").replace("booked", "cancelled"))).expect("cancelled");
    surgery.change(put(&nine("c"))).expect("a slot given back is taken again");
    assert_eq!(surgery.holder("s0900").as_deref(), Some("Appointment/c"));
}

#[test]
fn transactions_of_several() {
    let free = slot("s0900", "free", "sch1", "2027-03-08T09:00:00Z", "2027-03-08T09:10:00Z");
    let busy = free.replace("free", "busy");
    let blocked = slot("s0930", "busy", "sch1", "2027-03-08T09:30:00Z", "2027-03-08T09:40:00Z");
    let past = slot("old", "busy", "sch1", "2020-03-08T09:00:00Z", "2020-03-08T09:10:00Z");
    let was = nine("old").replace("s0900", "old").replace("09:00", "08:55");
    // What comes in one transaction, whether it is accepted, and who holds s0900 and old after it.
    type Case = (&'static str, Vec<Change>, bool, [Option<&'static str>; 2]);
    let cases: [Case; 8] = [
        ("slot and booking", vec![put(&free), put(&nine("a"))], true, [Some("a"), None]),
        ("slot made busy by the caller", vec![put(&nine("a")), put(&busy)], true, [Some("a"), None]),
        (
            "slot that was busy before",
            vec![put(&appointment("b", "booked", &["s0930"], "09:30", "09:40")), put(&blocked)],
            false,
            [None, None],
        ),
        ("a record with its slot", vec![put(&past), put(&was)], true, [None, Some("old")]),
        ("one slot twice", vec![put(&nine("a")), put(&nine("b"))], false, [None, None]),
        ("a record without its slot", vec![put(&was)], false, [None, None]),
        ("slot and appointment go", vec![delete("Slot/s0920"), delete("Appointment/held")], true, [None, None]),
        ("only the slot goes", vec![delete("Slot/s0920")], false, [None, None]),
    ];
    for (what, changes, accepted, held) in cases {
        let surgery = Surgery::new();
        surgery.change(put(&appointment("held", "booked", &["s0920"], "09:20", "09:30"))).expect("booked");
        let done = surgery.repository.open(Access::full()).transact(changes);
        assert_eq!(done.is_ok(), accepted, "{what}: {done:?}");
        let held = held.map(|id| id.map(|id| format!("Appointment/{id}")));
        assert_eq!([surgery.holder("s0900"), surgery.holder("old")], held, "{what}");
    }
}

#[test]
fn reschedules_in_one_transaction() {
    let surgery = Surgery::new();
    surgery.change(put(&nine("a"))).expect("booked");
    let longer = appointment("b", "booked", &["s0900", "s0910"], "09:00", "09:20");
    let changes = vec![post(&longer), put(&nine("a").replace("booked", "cancelled"))];
    surgery.repository.open(Access::full()).transact(changes).expect("accepted");
    assert_eq!(surgery.slots(&["s0900", "s0910"]), "busy busy");
    assert_eq!(surgery.holder("s0900").as_deref(), Some("Appointment/new-1"));
}

#[test]
fn imports_records_as_they_are() {
    let surgery = Surgery::empty(References::Accept);
    let import = |resource: &str| {
        surgery.repository.open(Access::full()).importing().transact(vec![put(resource)]).expect("imported");
    };
    import(&nine("a"));
    import(&nine("b"));
    assert_eq!(surgery.holder("s0900").as_deref(), Some("Appointment/a"), "the first of two holds it");
    import(&slot("s0900", "free", "sch1", "2027-03-08T09:00:00Z", "2027-03-08T09:10:00Z"));
    assert_eq!(surgery.slots(&["s0900"]), "busy", "a slot that comes after its appointment");
    import(&slot("s0910", "free", "sch1", "2027-03-08T09:10:00Z", "2027-03-08T09:20:00Z"));
    import(&appointment("c", "booked", &["s0910"], "01:00", "02:00"));
    assert_eq!(surgery.slots(&["s0910"]), "busy", "a slot that comes before its appointment");
    import(&nine("a").replace("booked", "proposed"));
    assert_eq!(
        (surgery.slots(&["s0900"]).as_str(), surgery.holder("s0900").as_deref()),
        ("busy", Some("Appointment/b"))
    );
    import(&nine("b").replace("booked", "proposed"));
    assert_eq!((surgery.slots(&["s0900"]).as_str(), surgery.holder("s0900")), ("free", None));
}

/// Whoever is not listed is guarded by nothing: a full day refuses, also the record of what was booked elsewhere.
#[test]
fn a_full_day_says_so() {
    let surgery = Surgery::new();
    let day = 1_804_464_000_000_000_i64; // 8 March 2027.
    let lines: String = (0..1_000).map(|at| format!("{} {} Appointment/x{at}\n", day + at, day + at + 1)).collect();
    let name = format!("guard/Patient/p1/{}", day / 86_400_000_000).into_bytes();
    let batch = Batch { preconditions: Vec::new(), writes: vec![Write::Claim { name, value: lines.into_bytes() }] };
    surgery.store.commit(batch).expect("claimed");
    let busy = slot("s0900", "busy", "sch1", "2027-03-08T09:00:00Z", "2027-03-08T09:10:00Z");
    for changes in [vec![put(&nine("a"))], vec![put(&busy), put(&nine("a"))]] {
        let outcome = surgery.repository.open(Access::full()).transact(changes).expect_err("refused").outcome;
        assert!(outcome.to_string().contains("`Patient/p1` has `1000` appointments on that day"), "{outcome}");
    }
    surgery.import(&nine("a"));
}
