//! Several processes over one store.

use super::*;

fn two() -> [House; 2] {
    let first = House::shared();
    let second = first.beside("b");
    [first, second].map(|house| {
        house.repository.ledger().start_without_maker();
        house
    })
}

#[test]
fn each_finds_what_the_others_saw() {
    let [first, second] = two();
    first.account_for("Patient/ann", "Observation/a");
    second.account_for("Patient/ann", "Observation/b");
    second.account_for("Patient/bob", "Observation/c");
    first.account_for("Patient/bob", "Observation/d");
    for house in [&second, &first] {
        house.repository.ledger().settle(Some(&key("Patient/ann"))).expect("settled");
        assert_eq!(house.events_of("patient=ann").len(), 2);
    }
    for house in [&first, &second] {
        house.repository.ledger().settle(None).expect("settled");
        assert_eq!(house.events_of("patient=bob").len(), 2);
        assert_eq!(house.repository.ledger().outstanding(), 0);
        let report = house.verified(None);
        assert_eq!((report.records, report.events, report.pending, report.damage), (4, 4, 0, None));
    }
}

#[test]
fn all_chain_and_make_at_one_time() {
    const EACH: usize = 20;
    let houses = two();
    std::thread::scope(|scope| {
        for house in &houses {
            scope.spawn(|| {
                for at in 0..EACH {
                    house.account_for("Patient/ann", &format!("Observation/o{at}"));
                    house.repository.ledger().settle(Some(&key("Patient/ann"))).expect("settled");
                }
            });
        }
    });
    for house in &houses {
        house.repository.ledger().settle(None).expect("settled");
        assert_eq!(house.events_of("patient=ann&_count=100").len(), 2 * EACH);
        assert_eq!(house.verified(None).damage, None);
    }
}

/// The journal of one says nothing about that of another.
#[test]
fn each_has_its_own_journal() {
    let first = House::shared();
    for at in 0..5 {
        first.account_for("Patient/ann", &format!("Observation/o{at}"));
    }
    let second = first.beside("b");
    let subjects = [about(Some("Patient/ann"), &[("Observation/p", 1)])];
    let ticket = second.repository.ledger().append(&[account(Act::Read, &staff(), &subjects)]);
    assert_eq!(ticket.wait(), Ok(()));
    // It ends with the account in its journal alone, or chained: either way the next one has it.
    let second = second.restarted("b");
    second.repository.ledger().settle(None).expect("settled");
    assert_eq!(second.events_of("patient=ann").len(), 6);
}
