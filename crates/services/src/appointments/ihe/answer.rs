//! What the operations answer.

use bytes::Bytes;
use fhir::{Issue, IssueType, Outcome, Severity};
use repository::{Change, Session};

/// One resource of an answer: its key as text, and its JSON.
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) resource: String,
}

/// A searchset of these Appointments, of `total`.
pub(super) fn searchset(session: &Session<'_>, entries: &[Entry], total: u64) -> Bytes {
    let base_url = session.base_url();
    let entries = entries.iter().map(|Entry { key, resource }| {
        format!(r#"{{"fullUrl":"{base_url}/{key}","resource":{resource},"search":{{"mode":"match"}}}}"#)
    });
    let entries = entries.collect::<Vec<_>>().join(",");
    let entries = if entries.is_empty() { String::new() } else { format!(r#","entry":[{entries}]"#) };
    format!(r#"{{"resourceType":"Bundle","type":"searchset","total":{total}{entries}}}"#).into()
}

/// Makes a change and answers the Appointment as it is then, where the caller may read it.
pub(super) fn changed(session: &Session<'_>, change: Change) -> Result<Bytes, Outcome> {
    let changed = session.transact(vec![change])?;
    let mut entries = Vec::new();
    for changed in changed {
        let version = session.disclosed(changed)?.version;
        let body = version.as_ref().and_then(|version| Some((version.key.to_string(), version.body.as_ref()?)));
        entries.extend(body.map(|(key, body)| Entry { key, resource: String::from_utf8_lossy(body).into_owned() }));
    }
    Ok(searchset(session, &entries, 1))
}

/// How often a change of what is stored is composed before the caller is told that others were always first.
const TRIES_MAX: usize = 10;

/// Composes and makes a change, anew where somebody else changed what it was made of meanwhile: the caller has named no version, and is to see
/// what would be if they had come one after the other. When nothing is left to be had, or others were always first, that is [`not_available`].
pub(super) fn persistently(change: impl Fn() -> Result<Bytes, Outcome>) -> Result<Bytes, Outcome> {
    let was_late = |outcome: &Outcome| outcome.worst().is_some_and(|issue| issue.code == IssueType::Precondition);
    for _ in 1..TRIES_MAX {
        match change() {
            Err(outcome) if was_late(&outcome) => {}
            done => return done.map_err(not_available),
        }
    }
    change().map_err(not_available)
}

/// The refusal of what somebody else has by now, or changed while the operation looked at it: IHE wants it to be fatal, and not found.
pub(super) fn not_available(mut outcome: Outcome) -> Outcome {
    for issue in &mut outcome.issues {
        if issue.code == IssueType::Precondition {
            // The version that it tells of is one that the operation looked at, and not the caller.
            *issue = Issue::error(IssueType::NotFound, "another request changed the appointment at that moment");
        }
        if matches!(issue.code, IssueType::Conflict | IssueType::Deleted | IssueType::NotFound) {
            issue.code = IssueType::NotFound;
            issue.severity = Severity::Fatal;
        }
    }
    outcome
}

/// The refusal of a reference to what cannot be held or booked.
pub(super) fn gone(what: &str) -> Outcome {
    not_available(Outcome::new(IssueType::NotFound, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_race_is_as_fatal_as_a_late_call() {
        for code in [IssueType::Conflict, IssueType::Deleted, IssueType::NotFound, IssueType::Precondition] {
            let outcome = not_available(Outcome::new(code, "gone"));
            assert_eq!((outcome.issues[0].code, outcome.issues[0].severity), (IssueType::NotFound, Severity::Fatal));
        }
        let outcome = not_available(Outcome::new(IssueType::BusinessRule, "wrong"));
        assert_eq!((outcome.issues[0].code, outcome.issues[0].severity), (IssueType::BusinessRule, Severity::Error));
    }
}
