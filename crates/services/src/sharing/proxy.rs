//! The rule Proxy: consents by which somebody acts for a patient, as NHS England's Validated Relationships have them.

use fhir::Outcome;
use repository::{Planned, Rule, Transaction};

use super::agreement::Agreement;
use super::refusal::Reason;
use super::unique;

/// From each status, those that may follow. `entered-in-error` may follow every other.
const FOLLOWING: [(&str, &[&str]); 6] = [
    ("draft", &["proposed", "active", "rejected", "inactive"]),
    ("proposed", &["active", "rejected", "inactive"]),
    ("active", &["inactive"]),
    ("inactive", &["active"]),
    ("rejected", &["proposed"]),
    ("entered-in-error", &[]),
];

/// What explains a rejection, <https://fhir.nhs.uk/England/CodeSystem/England-ConsentStatusReason>, as are those below.
const REJECTING: [&str; 9] = [
    "APPLICATION_REJECTED_NOT_NEEDED",
    "APPLICATION_REJECTED_SAFEGUARDING",
    "APPLICATION_REJECTED_IDENTITY_NOT_VERIFIED",
    "APPLICATION_REJECTED_NO_CONSENT",
    "APPLICATION_REJECTED_COERCION",
    "APPLICATION_REJECTED_PROXY_LACKS_CAPACITY",
    "APPLICATION_REJECTED_PROXY_ABROAD",
    "APPLICATION_REJECTED_NO_LEGAL_BASIS",
    "OTHER",
];

/// What explains an end.
const ENDING: [&str; 15] = [
    "ROLE_DEACTIVATED_SAFEGUARDING",
    "ROLE_DEACTIVATED_PATIENT_REQUEST",
    "ROLE_DEACTIVATED_END_DATE_REACHED",
    "ROLE_DEACTIVATED_INACTIVE_ROLE",
    "ROLE_DEACTIVATED_PATIENT_DECEASED",
    "ROLE_DEACTIVATED_PROXY_DECEASED",
    "ROLE_DEACTIVATED_FAMILIAL_REASON",
    "ROLE_DEACTIVATED_CHANGE_IN_RELATIONSHIP",
    "ROLE_DEACTIVATED_PROXY_LACKS_CAPACITY",
    "ROLE_DEACTIVATED_SYSTEM_MISUSE",
    "ROLE_SUSPENDED_PENDING_REVIEW",
    "ROLE_DEACTIVATED_PATIENT_GP_TRANSFERRED",
    "ROLE_DEACTIVATED_PROXY_GP_TRANSFERRED",
    "ROLE_DEACTIVATED_PROXY_ABROAD",
    "OTHER",
];

/// A consent for a proxy, known by the legal basis in `policyRule`, goes from status to status by the table and with a reason, and there is
/// one at a time that is proposed or active for a patient and a proxy.
#[derive(Debug)]
pub(crate) struct Proxy;

impl Rule for Proxy {
    fn name(&self) -> &'static str {
        "proxy-consent"
    }

    fn resource_types(&self) -> &'static [&'static str] {
        &["Consent"]
    }

    fn apply(&self, transaction: &mut Transaction<'_>, planned: &Planned) -> Result<(), Outcome> {
        let before = planned.before.as_deref().map(Agreement::new).filter(|before| before.is_of_proxy());
        let after = planned.after.as_deref().map(Agreement::new);
        if !transaction.is_import() {
            if let (Some(before), Some(after)) = (before, after) {
                match &planned.changed_twice {
                    Some(path) => return Err(Reason::ChangedTwice.refuse(path, "Consent")),
                    None => follow(before, after)?,
                }
            }
            if let Some(after) = after.filter(|after| after.is_of_proxy()) {
                check(after)?;
                let is_as_before = |before: Agreement<'_>| {
                    before.status() == after.status() && before.status_reason() == after.status_reason()
                };
                if !before.is_some_and(is_as_before) {
                    check_reason(after)?;
                }
            }
        }
        unique::hold(transaction, planned, names, Reason::SecondProxy)
    }
}

/// Refuses what NHS England's API refuses of a consent, whatever it was before. The reason for its first status may be left out.
fn check(agreement: Agreement<'_>) -> Result<(), Outcome> {
    match () {
        () if agreement.lacks_words() => Err(Reason::NoText.refuse("OTHER", "Consent.extension")),
        () if agreement.status() == "active" && !agreement.has_grantor() => {
            Err(Reason::Grantor.refuse("active", "Consent.organization"))
        }
        () => Ok(()),
    }
}

/// Refuses a reason that is none of those for the status.
fn check_reason(agreement: Agreement<'_>) -> Result<(), Outcome> {
    let (status, reasons) = (agreement.status(), agreement.status_reasons());
    match agreement.status_reason() {
        Some(_) if reasons.is_empty() => Err(Reason::Unexplained.refuse(status, "Consent.extension")),
        _ => match reasons.iter().find(|reason| !explains(reason, &status)) {
            Some(reason) => Err(Reason::Explanation.refuse(format_args!("{reason} for {status}"), "Consent.extension")),
            None => Ok(()),
        },
    }
}

/// Whether a reason is one for the status. Nobody says which those of an error are, but that an application which was withdrawn is one.
fn explains(reason: &str, status: &str) -> bool {
    let proposing = ["APPLICATION_SUBMITTED", "APPLICATION_RESUBMITTED"].contains(&reason);
    match status {
        "draft" | "proposed" => proposing,
        "active" => ["ROLE_CREATED", "ROLE_ACTIVATED", "ROLE_REACTIVATED"].contains(&reason),
        "rejected" => REJECTING.contains(&reason),
        "inactive" => ENDING.contains(&reason),
        _ => reason == "APPLICATION_WITHDRAWN" || REJECTING.contains(&reason) || ENDING.contains(&reason),
    }
}

/// Refuses a change of status that the table does not have, or without a new reason. What lets somebody act for a patient stays known as that:
/// else it could go round the table as another consent.
fn follow(before: Agreement<'_>, after: Agreement<'_>) -> Result<(), Outcome> {
    let (from, to) = (before.status(), after.status());
    if !after.is_of_proxy() {
        return Err(Reason::Basis.refuse(from, "Consent.policyRule"));
    }
    if from == to {
        return Ok(());
    }
    permit(&from, &to)?;
    let reason = after.status_reason();
    match reason.is_none() || reason == before.status_reason() {
        true => Err(Reason::Unexplained.refuse(to, "Consent.status")),
        false => Ok(()),
    }
}

fn permit(from: &str, to: &str) -> Result<(), Outcome> {
    let following = FOLLOWING.iter().find(|(status, _)| *status == from).map_or(&[][..], |(_, following)| following);
    match to == "entered-in-error" || following.contains(&to) {
        true => Ok(()),
        false => Err(Reason::Transition.refuse(format_args!("from {from} to {to}"), "Consent.status")),
    }
}

/// A name for each pair of names of the patient and a proxy, while the consent is alive.
fn names(transaction: &mut Transaction<'_>, agreement: Agreement<'_>) -> Result<Vec<String>, Outcome> {
    if !agreement.is_of_proxy() || !["active", "proposed"].contains(&agreement.status().as_ref()) {
        return Ok(Vec::new());
    }
    let (patients, proxies) = (agreement.patient(transaction)?, agreement.proxies(transaction)?);
    let pairs = patients.iter().flat_map(|patient| proxies.iter().map(move |proxy| (patient, proxy)));
    Ok(pairs.map(|(patient, proxy)| format!("proxy-consent/{patient}/{proxy}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_states() {
        let allowed = [
            ("draft", "proposed active rejected inactive entered-in-error"),
            ("proposed", "active rejected inactive entered-in-error"),
            ("active", "inactive entered-in-error"),
            ("inactive", "active entered-in-error"),
            ("rejected", "proposed entered-in-error"),
            ("entered-in-error", "entered-in-error"),
        ];
        for (from, allowed) in allowed {
            for (to, _) in FOLLOWING {
                let expected = allowed.split(' ').any(|status| status == to);
                assert_eq!(permit(from, to).is_ok(), expected, "{from} to {to}");
            }
        }
    }
}
