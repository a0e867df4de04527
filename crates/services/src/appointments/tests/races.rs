//! Several at once.

use super::*;

#[test]
fn one_of_a_hundred_gets_the_slot() {
    let surgery = Surgery::new();
    let book = || surgery.change(post(&nine("ignored")));
    let results: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..100).map(|_| scope.spawn(book)).collect();
        workers.into_iter().map(|worker| worker.join().expect("no panic")).collect()
    });
    let (booked, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!((booked.len(), refused.len()), (1, 99));
    for outcome in refused.into_iter().filter_map(Result::err) {
        let issue = &outcome.issues[0];
        assert_eq!(
            (issue.code, issue.coding.map(|coding| coding.1)),
            (Conflict, Some("DUPLICATE_REJECTED")),
            "{outcome}"
        );
    }
    assert_eq!((surgery.slots(&["s0900"]).as_str(), surgery.versions("Slot/s0900")), ("busy", 2));
    let statistics = surgery.store.statistics().expect("statistics");
    let count =
        |name: &str| statistics.documents.iter().find(|(collection, _)| collection == name).map(|(_, count)| *count);
    assert_eq!(count("Appointment"), Some(1));
    surgery.store.verify().expect("no orphan rows");
}

#[test]
fn racing_bookings_and_cancellations_agree() {
    let surgery = Surgery::new();
    let pairs = [(["s0900", "s0910"], "09:00", "09:20"), (["s0910", "s0920"], "09:10", "09:30")];
    std::thread::scope(|scope| {
        for at in 0..16 {
            let surgery = &surgery;
            let (slots, start, end) = pairs[at % 2];
            let booked = appointment(&format!("a{at}"), "booked", &slots, start, end);
            scope.spawn(move || match surgery.change(put(&booked)) {
                Ok(_) if at < 12 => {
                    drop(surgery.change(put(&booked.replace("booked", "cancelled"))).expect("cancelled"))
                }
                Ok(_) => {}
                Err(outcome) => assert_eq!(outcome.issues[0].code, Conflict, "{outcome}"),
            });
        }
    });
    let ids = ["s0900", "s0910", "s0920"];
    for id in ids {
        let holder = surgery.holder(id);
        assert_eq!(surgery.slots(&[id]), if holder.is_some() { "busy" } else { "free" }, "{id}");
        assert!(holder.is_none_or(|holder| surgery.status(&holder) == "booked"), "{id}");
    }
    let held = ids.map(|id| surgery.holder(id));
    let fits = [[true, true, false], [false, true, true], [false, false, false]];
    assert!(fits.contains(&held.each_ref().map(Option::is_some)), "{held:?}");
    assert_eq!(
        held.iter().flatten().collect::<std::collections::BTreeSet<_>>().len(),
        held.iter().any(Option::is_some).into()
    );
    surgery.store.verify().expect("no orphan rows");
}
