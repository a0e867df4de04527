//! What callers cannot do to AuditEvents, on any path.

use fhir::IssueType::MethodNotAllowed;

use super::*;
use crate::audit::EXTENSION;
use crate::testing::{delete, patch, post, put, put_at};
use crate::{Access, Change, References};

const EVENT: &str = r#""type":{"code":"rest"},"recorded":"2027-03-01T12:00:00Z","agent":[{"requestor":true}],"source":{"observer":{"display":"x"}}"#;

fn event(id: &str, more: &str) -> String {
    format!(r#"{{"resourceType":"AuditEvent","id":"{id}"{more},{EVENT}}}"#)
}

fn house() -> House {
    let house = House::with(References::Accept);
    house.account_for("Patient/ann", "Basic/a");
    house.repository.ledger().settle(None).expect("settled");
    house
}

#[test]
fn nobody_writes_what_the_ledger_keeps() {
    let house = house();
    let ours = "AuditEvent/audit-000000000001-00000";
    let before = house.text(ours);
    let pretends = format!(r#","extension":[{{"url":"{EXTENSION}","valueString":"x"}}]"#);
    let refused = [
        put(&event("audit-000000000001-00000", "")),
        put(&event("audit-000000000002-00000", "")),
        put(&event("mine", &pretends)),
        post(&event("mine", &pretends)),
        patch(ours, r#"[{"op":"replace","path":"/outcome","value":"8"}]"#),
        patch("AuditEvent?patient=ann", r#"[{"op":"remove","path":"/extension"}]"#),
        put_at("AuditEvent?patient=ann", &event("audit-000000000001-00000", "")),
        delete(ours),
        delete("AuditEvent?patient=ann"),
    ];
    let refuses = |session: crate::Session<'_>, changes: Vec<Change>| {
        let shown = format!("{changes:?}");
        let refusal = session.transact(changes).expect_err(&shown);
        assert_eq!(refusal.outcome.issues[0].code, MethodNotAllowed, "{shown}: {}", refusal.outcome);
    };
    for change in refused {
        refuses(house.session(), vec![change.clone()]);
        refuses(house.session().importing(), vec![change.clone()]);
        refuses(house.session(), vec![put(r#"{"resourceType":"Basic","id":"1","code":{"text":"x"}}"#), change]);
    }
    assert_eq!(house.text(ours), before);
    assert!(house.verified(None).damage.is_none());
    assert!(house.session().read(&key("Basic/1")).is_err());
}

#[test]
fn events_of_others_are_kept_from_the_authenticated() {
    let house = house();
    house.hold(&[&event("other", "")]);
    house.done(put(&event("other", r#","language":"en""#)));
    house.repository.ledger().protect_all();
    let session = || house.repository.open(Access::full());
    let changes = [
        put(&event("other", r#","language":"de""#)),
        patch("AuditEvent/other", r#"[{"op":"remove","path":"/language"}]"#),
        delete("AuditEvent/other"),
    ];
    for change in changes {
        let refusal = session().transact(vec![change.clone()]).expect_err("refused");
        assert_eq!(refusal.outcome.issues[0].code, MethodNotAllowed, "{change:?}");
    }
    house.done(put(&event("another", "")));
    house.done(post(&event("x", "")));
}
