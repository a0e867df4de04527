//! Tampering shows, each kind of it, and is named.

use super::*;
use crate::audit::block::{Block, HEAD};
use crate::audit::{Damage, Place};

/// Three blocks of one record each; their AuditEvents are made.
fn house() -> House {
    let house = House::new();
    for of in ["Basic/a", "Basic/b", "Basic/c"] {
        house.account_for("Patient/ann", of);
    }
    house.repository.ledger().settle(None).expect("settled");
    house
}

fn block(house: &House, sequence: u64) -> Vec<u8> {
    let value = house.repository.store().snapshot().expect("a snapshot").value(&Block::name(sequence));
    value.expect("readable").expect("there")
}

fn set(sequence: u64, value: Vec<u8>) -> Write {
    Write::Set { name: Block::name(sequence), value }
}

/// With one byte of a record changed.
fn forged(house: &House, sequence: u64) -> Vec<u8> {
    let mut bytes = block(house, sequence);
    let at = bytes.windows(6).position(|window| window == b"Basic/").expect("a record");
    bytes[at + 6] = b'x';
    bytes
}

#[test]
fn names_what_was_changed() {
    let place = |block| Place { block, position: 0 };
    let event = |block| key(&format!("AuditEvent/{}", place(block).id()));
    type Tamper = fn(&House) -> Vec<Write>;
    let cases: [(&str, Tamper, Damage); 12] = [
        ("a record changed", |house| vec![set(2, forged(house, 2))], Damage::EventChanged(place(2))),
        (
            "a record and its event changed",
            |house| vec![set(2, forged(house, 2)), put(key("AuditEvent/audit-000000000002-00000"), 2, "{}")],
            Damage::EventChanged(place(2)),
        ),
        ("a block removed", |_| vec![Write::Release { name: Block::name(2) }], Damage::BlockMissing(2)),
        ("the first block removed", |_| vec![Write::Release { name: Block::name(1) }], Damage::BlockMissing(1)),
        ("blocks swapped", |house| vec![set(1, block(house, 2)), set(2, block(house, 1))], Damage::BlockDamaged(1)),
        ("a block cut", |house| vec![set(2, block(house, 2)[..9].to_vec())], Damage::BlockDamaged(2)),
        (
            "a block repeated",
            |house| {
                let again = Block { sequence: 3, ..Block::decode(&block(house, 2)).expect("whole") };
                vec![set(3, again.encode())]
            },
            Damage::ChainBroken(3),
        ),
        (
            "an event changed",
            |house| {
                let read = house.session().read(&key("AuditEvent/audit-000000000002-00000")).expect("there");
                let body = String::from_utf8(read.body.expect("a body").to_vec()).expect("text");
                let body = body
                    .replace("Practitioner/joy", "Practitioner/jay")
                    .replace(r#""versionId":"1""#, r#""versionId":"2""#);
                vec![put(read.key, 2, &body)]
            },
            Damage::EventChanged(place(2)),
        ),
        (
            "an event deleted",
            |_| vec![Write::Delete { key: key("AuditEvent/audit-000000000003-00000"), version: 2, mark: 4 }],
            Damage::EventMissing(place(3)),
        ),
        (
            "an event of no record",
            |_| vec![put(key("AuditEvent/audit-000000000003-00001"), 1, "{}")],
            Damage::EventForeign(key("AuditEvent/audit-000000000003-00001")),
        ),
        (
            "an event of no block",
            |_| vec![put(key("AuditEvent/audit-000000000000-00000"), 1, "{}")],
            Damage::EventForeign(key("AuditEvent/audit-000000000000-00000")),
        ),
        (
            "an event that pretends",
            |_| {
                let body = format!(r#"{{"extension":[{{"url":"{}"}}]}}"#, crate::audit::EXTENSION);
                vec![put(key("AuditEvent/x"), 1, &body)]
            },
            Damage::EventForeign(key("AuditEvent/x")),
        ),
    ];
    assert_eq!(event(3), key("AuditEvent/audit-000000000003-00000"));
    for (what, tamper, damage) in cases {
        let house = house();
        let head = house.repository.ledger().head().expect("a head");
        let report = house.verified(Some(head));
        assert_eq!((report.records, report.events, report.head, report.damage), (3, 3, head, None), "{what}");
        house.write(tamper(&house));
        assert_eq!(house.verified(None).damage, Some(damage), "{what}");
    }
}

/// With the events taken away too, so that only the chain can tell.
#[test]
fn the_chain_shows_changed_records() {
    for (sequence, damage) in
        [(1, "block 2 does not follow"), (2, "block 3 does not follow"), (3, "its end was changed")]
    {
        let house = House::without_maker();
        for of in ["Basic/a", "Basic/b", "Basic/c"] {
            house.account_for("Patient/ann", of);
        }
        house.write(vec![set(sequence, forged(&house, sequence))]);
        let found = house.verified(None).damage.expect("damage").to_string();
        assert!(found.contains(damage), "{sequence}: {found}");
    }
}

#[test]
fn a_noted_head_shows_a_cut_end() {
    let house = house();
    let noted = house.repository.ledger().head().expect("a head");
    let second = Head { sequence: 2, hash: Block::hash(&block(&house, 2)) };
    assert_eq!(house.verified(Some(second)).damage, None, "an old head still stands in the chain");
    // Whoever has the store in hand can cut the chain without a trace in it.
    house.write(vec![
        Write::Release { name: Block::name(3) },
        Write::Set { name: HEAD.to_vec(), value: second.value() },
        Write::Set { name: b"audit/made".to_vec(), value: 2_u64.to_be_bytes().to_vec() },
        Write::Delete { key: key("AuditEvent/audit-000000000003-00000"), version: 2, mark: 4 },
    ]);
    assert_eq!(house.verified(None).damage, None);
    assert_eq!(house.verified(Some(noted)).damage, Some(Damage::NotAsNoted(noted)));
    let other = Head { hash: [7; 32], ..second };
    assert_eq!(house.verified(Some(other)).damage, Some(Damage::NotAsNoted(other)));
    // A head that was not adapted tells as well.
    house.write(vec![Write::Set { name: HEAD.to_vec(), value: noted.value() }]);
    assert_eq!(house.verified(None).damage, Some(Damage::HeadDiffers { kept: noted, found: second }));
}
