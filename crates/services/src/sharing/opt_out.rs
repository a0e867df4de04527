//! The rule OptOut: the national data opt-out and its like, <https://digital.nhs.uk/services/national-data-opt-out>.

use fhir::DateTime;
use fhir::Outcome;
use repository::{Planned, Rule, Transaction};

use super::agreement::Agreement;
use super::refusal::Reason;
use super::unique;

/// A consent of scope research that denies by a policy: there is one for each patient, policy and purpose, whatever its status, it says to the
/// minute when it was decided, and the patient decided or somebody else, not both.
#[derive(Debug)]
pub(crate) struct OptOut;

impl Rule for OptOut {
    fn name(&self) -> &'static str {
        "opt-out"
    }

    fn resource_types(&self) -> &'static [&'static str] {
        &["Consent"]
    }

    fn apply(&self, transaction: &mut Transaction<'_>, planned: &Planned) -> Result<(), Outcome> {
        let after = planned.after.as_deref().map(Agreement::new).filter(|after| after.is_opt_out());
        if let (Some(after), false) = (after, transaction.is_import()) {
            check(after)?;
        }
        unique::hold(transaction, planned, names, Reason::SecondOptOut)
    }
}

fn check(opt_out: Agreement<'_>) -> Result<(), Outcome> {
    let time = opt_out.text("dateTime");
    if DateTime::parse(&time).is_none_or(|time| time.offset().is_none()) {
        return Err(Reason::DateTime.refuse(time, "Consent.dateTime"));
    }
    match opt_out.deciders() {
        (true, Some(other)) => Err(Reason::Performers.refuse(other, "Consent.performer")),
        _ => Ok(()),
    }
}

/// A name for each policy and purpose; what was entered in error is none.
fn names(transaction: &mut Transaction<'_>, opt_out: Agreement<'_>) -> Result<Vec<String>, Outcome> {
    if !opt_out.is_opt_out() || opt_out.status() == "entered-in-error" {
        return Ok(Vec::new());
    }
    let patients = opt_out.patient(transaction)?;
    let (policies, purposes) = (opt_out.policies(), opt_out.purposes());
    // Without a purpose it is about all.
    let purposes = if purposes.is_empty() { vec!["".into()] } else { purposes };
    let pairs = policies.iter().flat_map(|policy| purposes.iter().map(move |purpose| (policy, purpose)));
    let of_patient = |(policy, purpose)| patients.iter().map(move |it| format!("opt-out/{it}/{purpose}/{policy}"));
    let mut names: Vec<_> = pairs.flat_map(of_patient).collect();
    names.sort_unstable();
    names.dedup();
    Ok(names)
}
