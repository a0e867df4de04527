//! Which resource somebody is for whom a provider vouches.

use fhir::Outcome;
use repository::{Session, query_string};

use super::identity::Identity;
use super::provider::{Provider, Who};
use crate::people::{NHS_NUMBER, Record, string};

/// The system of the user ids of the NHS Spine Directory Service.
const SDS_USER_ID: &str = "https://fhir.nhs.uk/Id/sds-user-id";

/// How many records of one identifier are looked at.
const FOUND_MAX: usize = 10;

/// What came of looking for somebody.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Match {
    /// `Patient/p1`.
    One(String),
    /// Nobody has to be found: who is not proven to be a patient has no record.
    NotNeeded,
    /// None, several, or one that contradicts.
    No,
}

/// Finds the resource of somebody.
pub(super) fn find(records: &Session<'_>, provider: &Provider, identity: &Identity) -> Result<Match, Outcome> {
    match &provider.who {
        Who::Patients { .. } => patient(records, identity),
        Who::Staff { claim } => match identity.claim(claim).filter(|id| is_plain(id)) {
            Some(id) => Ok(only(found(records, "Practitioner", SDS_USER_ID, id)?)),
            None => Ok(Match::No),
        },
    }
}

fn patient(records: &Session<'_>, identity: &Identity) -> Result<Match, Outcome> {
    let level = identity.vot.as_deref().and_then(|vot| vot.split('.').next()).unwrap_or_default();
    let number = identity.claim("nhs_number").map(|number| number.replace(' ', ""));
    let number = number.filter(|number| is_plain(number));
    let (Some(number), "P9" | "P5") = (number, level) else {
        return Ok(if level == "P9" { Match::No } else { Match::NotNeeded });
    };
    let patients = found(records, "Patient", NHS_NUMBER, &number)?;
    if patients.iter().any(|patient| contradicts(patient, identity)) {
        return Ok(Match::No);
    }
    if patients.is_empty() {
        // Somebody who is no patient here may act for one. Which of several records of theirs is named does not matter.
        let mut related = found(records, "RelatedPerson", NHS_NUMBER, &number)?;
        related.truncate(1);
        return Ok(match (only(related), level) {
            (Match::No, "P5") => Match::NotNeeded,
            (found, _) => found,
        });
    }
    Ok(only(patients))
}

/// Letters and digits alone: nothing that means more in a search.
fn is_plain(value: &str) -> bool {
    (1..=64).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn found(records: &Session<'_>, resource_type: &str, system: &str, value: &str) -> Result<Vec<Record>, Outcome> {
    let identifier = format!("{system}|{value}");
    let query = query_string([("identifier", identifier.as_str()), ("active:not", "false")]);
    records.lookup(resource_type, &query, FOUND_MAX)?.iter().map(Record::of).collect()
}

fn contradicts(patient: &Record, identity: &Identity) -> bool {
    match (string(patient.root(), "birthDate"), identity.claim("birthdate")) {
        (Some(here), Some(there)) => here != there,
        _ => false,
    }
}

fn only(records: Vec<Record>) -> Match {
    match records.as_slice() {
        [one] => Match::One(one.key.as_str().to_owned()),
        _ => Match::No,
    }
}
