//! The rule Limit: how many consents about access one patient has.

use fhir::Outcome;
use repository::{Key, POLICIES_MAX, Planned, Rule, Transaction};

use super::agreement::Agreement;
use super::refusal::Reason;

/// How many of them one app or system writes for one patient: less than a patient may have, so that none uses up what is left for the others.
const OF_CLIENT_MAX: usize = 50;

/// How many consents of one patient are listed: imports may bring more than one may have.
const LISTED_MAX: usize = 2 * POLICIES_MAX;

/// The longest name of a patient, in bytes.
const NAME_MAX: usize = 500;

/// A patient has at most [`POLICIES_MAX`] active consents about access, for with more of them nobody's access could be judged, and an app or a
/// system writes no more than some of them.
///
/// Each patient has a list of them under one name, so that two that are written at the same time see one another. What is over is dropped from
/// it when the list is full.
#[derive(Debug)]
pub(crate) struct Limit;

/// One consent in the list, with the client that wrote it: empty for the practice's.
struct Listed {
    key: Key,
    client: String,
}

impl Rule for Limit {
    fn name(&self) -> &'static str {
        "number-of-consents"
    }

    fn resource_types(&self) -> &'static [&'static str] {
        &["Consent"]
    }

    fn apply(&self, transaction: &mut Transaction<'_>, planned: &Planned) -> Result<(), Outcome> {
        let Some(patient) = counted(transaction, planned.after.as_deref().map(Agreement::new))? else { return Ok(()) };
        let name = format!("consents/{patient}");
        if name.len() > NAME_MAX {
            return if transaction.is_import() {
                Ok(())
            } else {
                Err(Reason::Name.refuse(name.len(), "Consent.patient"))
            };
        }
        let held = transaction.claimed(name.as_bytes())?.and_then(|held| String::from_utf8(held).ok());
        let mut listed: Vec<_> = held.iter().flat_map(|held| held.lines()).filter_map(Listed::read).collect();
        if listed.iter().any(|one| one.key == planned.key) {
            return Ok(());
        }
        let client = match transaction.requester().filter(|requester| !requester.is_practice()) {
            Some(requester) => requester.client.replace(char::is_control, " "),
            None => String::new(),
        };
        let is_full = |listed: &[Listed]| {
            let own = || listed.iter().filter(|one| one.client == client).count();
            match () {
                () if listed.len() >= POLICIES_MAX => Some(POLICIES_MAX),
                () if !client.is_empty() && own() >= OF_CLIENT_MAX => Some(OF_CLIENT_MAX),
                () => None,
            }
        };
        if is_full(&listed).is_some() {
            let mut standing = Vec::new();
            for one in listed {
                let consent = transaction.read(&one.key)?;
                if counted(transaction, consent.as_deref().map(Agreement::new))?.as_ref() == Some(&patient) {
                    standing.push(one);
                }
            }
            listed = standing;
        }
        match is_full(&listed) {
            Some(max) if !transaction.is_import() => return Err(Reason::Number.refuse(max, "Consent.patient")),
            Some(_) if listed.len() >= LISTED_MAX => {}
            _ => listed.push(Listed { key: planned.key.clone(), client }),
        }
        let lines: Vec<_> = listed.iter().map(|one| format!("{} {}", one.key, one.client)).collect();
        transaction.exchange(name.into_bytes(), Some(lines.join("\n").into_bytes()))
    }
}

impl Listed {
    fn read(line: &str) -> Option<Listed> {
        let (key, client) = line.split_once(' ')?;
        Some(Listed { key: Key::parse(key)?, client: client.to_owned() })
    }
}

/// The patient about whose record a consent decides; `None` when it decides nothing.
fn counted(transaction: &mut Transaction<'_>, consent: Option<Agreement<'_>>) -> Result<Option<String>, Outcome> {
    match consent.filter(|consent| consent.is_about_access()) {
        Some(consent) => consent.whose(transaction),
        None => Ok(None),
    }
}
