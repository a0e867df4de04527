//! `$export` at its three levels: it takes a job on.

use fhir::{IssueType, Outcome};
use repository::Session;

use super::asked::{Asked, Level};
use super::job::Job;
use crate::{Answered, Invocation, Operation, Subject};

/// Of everything.
pub(crate) struct Export;

/// Of all patients, or of the one to whom the caller is limited.
pub(crate) struct PatientExport;

/// Of the members of a Group.
pub(crate) struct GroupExport;

impl Operation for Export {
    fn code(&self) -> &'static str {
        "export"
    }

    fn definition(&self) -> &'static str {
        "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export"
    }

    fn at_system(&self) -> bool {
        true
    }

    fn affects_state(&self) -> bool {
        false
    }

    fn answer(&self, session: &Session<'_>, invocation: &Invocation) -> Result<Answered, Outcome> {
        begin(session, invocation)
    }
}

impl Operation for PatientExport {
    fn code(&self) -> &'static str {
        "export"
    }

    fn definition(&self) -> &'static str {
        "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/patient-export"
    }

    fn at_types(&self) -> &'static [&'static str] {
        &["Patient"]
    }

    fn affects_state(&self) -> bool {
        false
    }

    fn answer(&self, session: &Session<'_>, invocation: &Invocation) -> Result<Answered, Outcome> {
        begin(session, invocation)
    }
}

impl Operation for GroupExport {
    fn code(&self) -> &'static str {
        "export"
    }

    fn definition(&self) -> &'static str {
        "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/group-export"
    }

    fn at_instances(&self) -> &'static [&'static str] {
        &["Group"]
    }

    fn affects_state(&self) -> bool {
        false
    }

    fn answer(&self, session: &Session<'_>, invocation: &Invocation) -> Result<Answered, Outcome> {
        begin(session, invocation)
    }
}

fn begin(session: &Session<'_>, invocation: &Invocation) -> Result<Answered, Outcome> {
    if !invocation.is_async {
        let text = "an export is answered later: it is asked for with the header `Prefer: respond-async`";
        return Err(Outcome::new(IssueType::BadRequest, text));
    }
    let level = match &invocation.subject {
        Subject::System => Level::System,
        Subject::Type(_) => Level::Patients,
        Subject::Instance(group) => Level::Group(group.clone()),
    };
    let asked = Asked::of(session, level, invocation)?;
    let id = Job::begin(session, asked)?;
    Ok(Answered::Accepted(Some(format!("$export-status?job={id}"))))
}
