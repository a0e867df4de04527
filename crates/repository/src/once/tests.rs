use std::sync::Barrier;

use super::*;
use crate::testing::{House, delete, key, post, post_unless, put};
use crate::{Access, Change, Permission, Refusal, Requester, Rights};

const ANN: &str = r#"{"resourceType":"Patient","name":[{"family":"Smith"}]}"#;
const HOUR: Millis = 60 * 60 * 1000;

fn once(name: &str, digest: u8) -> Once {
    let name = name.to_owned();
    Once { header: "Idempotency-Key", name, digest: [digest; 32], repetition: Repetition::Told }
}

/// One request of this name, and whether it was told again.
fn send(house: &House, name: &str, digest: u8, changes: Vec<Change>) -> Result<(Vec<String>, bool), Refusal> {
    let session = house.session().once(once(name, digest));
    let changed = session.transact(changes)?;
    Ok((changed.iter().map(described).collect(), session.has_repeated()))
}

fn described(changed: &Changed) -> String {
    let version = changed.version.as_ref();
    format!("{:?} {}", changed.kind, version.map_or(String::new(), |it| format!("{}/{}", it.key, it.version)))
}

fn kept(house: &House) -> usize {
    let snapshot = house.repository.store().snapshot().expect("a store");
    snapshot.values(PREFIX.as_bytes(), None, 1_000).expect("values").len()
}

#[test]
fn a_repetition_is_told_what_was_done() {
    let house = House::new();
    house.hold(&[r#"{"resourceType":"Patient","id":"old"}"#, r#"{"resourceType":"Patient","id":"gone"}"#]);
    let changes = || {
        vec![
            post(ANN),
            put(r#"{"resourceType":"Patient","id":"old","active":true}"#),
            delete("Patient/gone"),
            delete("Patient/never"),
            post_unless(ANN, "_id=old"),
        ]
    };
    let first = send(&house, "k", 1, changes()).expect("done");
    assert_eq!(
        first.0,
        [
            "Created Patient/new-1/1",
            "Updated Patient/old/2",
            "Deleted Patient/gone/2",
            "NothingToDelete ",
            "Existing Patient/old/2"
        ]
    );
    assert!(!first.1);
    // What happened since makes no difference.
    house.hold(&[
        r#"{"resourceType":"Patient","id":"old","active":false}"#,
        r#"{"resourceType":"Patient","id":"gone"}"#,
    ]);
    assert_eq!(send(&house, "k", 1, changes()).expect("told"), (first.0.clone(), true));
    let house = house.reopened();
    assert_eq!(send(&house, "k", 1, changes()).expect("told"), (first.0, true));
    assert_eq!(house.search("Patient", "family=Smith").expect("found").matches.len(), 1);
}

#[test]
fn another_request_of_the_name_is_refused() {
    let house = House::new();
    send(&house, "k", 1, vec![post(ANN)]).expect("done");
    let refused = send(&house, "k", 2, vec![post(ANN)]).expect_err("another body").outcome;
    assert_eq!(refused.issues[0].code, IssueType::BusinessRule);
    assert!(refused.to_string().contains("Idempotency-Key `k`"), "{refused}");
    let refused = send(&house, "k", 1, vec![post(ANN), post(ANN)]).expect_err("other changes").outcome;
    assert_eq!(refused.issues[0].code, IssueType::Duplicate);
    let session = house.session().once(Once { repetition: Repetition::Refused, ..once("k", 1) });
    let refused = session.transact(vec![post(ANN)]).expect_err("repeated").outcome;
    assert_eq!(refused.issues[0].coding, Some((HTTP_ERROR_CODES, "REC_CONFLICT")));
    assert!(!session.has_repeated());
    assert!(!send(&house, "l", 2, vec![post(ANN)]).expect("another name").1);
}

#[test]
fn of_what_is_refused_nothing_is_kept() {
    let house = House::new();
    let wrong = || vec![post(ANN), post(r#"{"resourceType":"Patient","gender":"none"}"#)];
    send(&house, "k", 1, wrong()).expect_err("no such gender");
    assert_eq!(kept(&house), 0);
    assert!(!send(&house, "k", 2, vec![post(ANN)]).expect("done").1);
    assert_eq!(kept(&house), 1);
}

#[test]
fn each_commit_of_a_request_is_done_once() {
    let house = House::new();
    let second = || put(r#"{"resourceType":"Patient","id":"b"}"#);
    let session = house.session().once(once("k", 1));
    session.transact(vec![post(ANN)]).expect("done");
    // Here the server ended: of two commits one was made.
    let again = house.session().once(once("k", 1));
    assert_eq!(described(&again.transact(vec![post(ANN)]).expect("told")[0]), "Created Patient/new-1/1");
    assert_eq!(described(&again.transact(vec![second()]).expect("done")[0]), "Created Patient/b/1");
    let whole = house.session().once(once("k", 1));
    whole.transact(vec![post(ANN)]).expect("told");
    assert_eq!(described(&whole.transact(vec![second()]).expect("told")[0]), "Created Patient/b/1");
    assert_eq!(kept(&house), 2);
}

#[test]
fn entries_are_done_once_by_themselves() {
    let house = House::new();
    let batch = || house.session().once(once("k", 1));
    let first = batch();
    first.entry(1).transact(vec![post(ANN)]).expect("done");
    let second = batch();
    assert_eq!(described(&second.entry(0).transact(vec![post(ANN)]).expect("done")[0]), "Created Patient/new-2/1");
    assert!(!second.has_repeated());
    assert_eq!(described(&second.entry(1).transact(vec![post(ANN)]).expect("told")[0]), "Created Patient/new-1/1");
    assert!(second.has_repeated());
}

#[test]
fn a_name_is_free_again_after_a_day_and_its_trace_goes() {
    let house = House::new();
    send(&house, "k", 1, vec![post(ANN)]).expect("done");
    house.advance(23 * HOUR);
    assert!(send(&house, "k", 1, vec![post(ANN)]).expect("told").1);
    house.advance(HOUR);
    assert_eq!(
        send(&house, "k", 2, vec![post(ANN)]).expect("done"),
        (vec!["Created Patient/new-2/1".to_owned()], false)
    );
    assert_eq!(kept(&house), 2);
    for day in 0..3 {
        (0..3).for_each(|at| assert!(!send(&house, &format!("{day}-{at}"), 1, vec![post(ANN)]).expect("done").1));
        house.advance(24 * HOUR);
        send(&house, &format!("end of {day}"), 1, vec![post(ANN)]).expect("done");
    }
    // Those of this day and the day before.
    assert_eq!(kept(&house), 5);
}

#[test]
fn of_parallel_requests_one_writes() {
    let house = House::new();
    let barrier = Barrier::new(8);
    let answers: Vec<_> = std::thread::scope(|scope| {
        let one = || {
            barrier.wait();
            send(&house, "k", 1, vec![post(ANN)]).expect("done or told")
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert_eq!(answers.iter().filter(|(_, repeated)| !repeated).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|(changed, _)| *changed == answers[0].0), "{answers:?}");
    assert_eq!(house.search("Patient", "family=Smith").expect("found").matches.len(), 1);
}

#[test]
fn a_name_is_the_requesters_own() {
    let house = House::new();
    let as_client = |client: &str, rights: Rights| {
        let requester = Requester { client: client.to_owned(), custodian: true, ..Requester::default() };
        house.repository.open(Access::limited([("Patient", rights)], requester)).once(once("k", 1))
    };
    let writes = |client: &str| {
        let session = as_client(client, Rights::default().with(Act::ALL.into_iter().collect(), &Permission::Whole));
        described(&session.transact(vec![post(ANN)]).expect("done")[0])
    };
    let (first, second) = (writes("a"), writes("b"));
    assert_ne!(first, second);
    assert_eq!(writes("a"), first);
    let count = || house.search("Patient", "family=Smith").expect("found").matches.len();
    assert_eq!(count(), 2);
    let refused = as_client("a", Rights::default()).transact(vec![post(ANN)]).expect_err("no right any more");
    assert_eq!(refused.outcome.issues[0].code, IssueType::Forbidden);
    assert_eq!(count(), 2);
}

#[test]
fn reads_what_it_wrote() {
    let lines = KINDS.map(|(kind, _)| Line { kind, version: Some((key("Patient/a"), 7)) });
    for line in lines.into_iter().chain([Line { kind: ChangeKind::NothingToDelete, version: None }]) {
        assert_eq!(Line::parse(line.text().trim_end()), Some(line));
    }
    for damaged in ["", "abc", "abc x\n", "abc 1\nmade Patient/a 1\n", "abc 1\ncreated Patient/a x\n"] {
        assert!(read(damaged.as_bytes()).is_err(), "{damaged:?}");
    }
    assert_eq!(read(b"abc 1\n"), Ok(Kept { digest: "abc".to_owned(), time: 1, lines: Vec::new() }));
}
