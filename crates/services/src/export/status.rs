//! `$export-status`: how far an export is, its files, and its end.

use fhir::json::quote;
use fhir::outcome::quoted;
use fhir::{IssueType, Outcome};
use repository::{Session, query_string};

use super::job::Job;
use crate::inputs::Inputs;
use crate::{Answered, Gives, Invocation, Operation};

/// Inputs `job`, the manifest of which it gives, and `file`, the number of one of its files. DELETE ends the job.
pub(crate) struct ExportStatus;

impl Operation for ExportStatus {
    fn code(&self) -> &'static str {
        "export-status"
    }

    fn definition(&self) -> &'static str {
        "https://flint.example/fhir/OperationDefinition/export-status"
    }

    fn at_system(&self) -> bool {
        true
    }

    fn affects_state(&self) -> bool {
        false
    }

    fn can_end(&self) -> bool {
        true
    }

    fn gives(&self, query: &[(String, String)]) -> Gives {
        let media_type = match query.iter().any(|(name, _)| name == "file") {
            true => "application/fhir+ndjson",
            false => "application/json",
        };
        Gives::File { media_type, max_age: None }
    }

    fn answer(&self, session: &Session<'_>, invocation: &Invocation) -> Result<Answered, Outcome> {
        let inputs = Inputs::of_query(&invocation.parameters);
        let mut job = Job::find(session, &inputs.needed("job")?)?;
        if invocation.ends {
            job.end(session)?;
            return Ok(Answered::Accepted(None));
        }
        if let Some(number) = inputs.number("file")? {
            let unknown =
                || Outcome::new(IssueType::NotFound, format!("the export has no file {}", quoted(&number.to_string())));
            let span = job.files.get(number).ok_or_else(unknown)?;
            return Ok(Answered::Bytes(job.file(session, span)?.into()));
        }
        if !job.left.is_empty() {
            job.look_on(session)?;
            job.keep(session)?;
        }
        Ok(match job.left.is_empty() {
            true => Answered::Bytes(manifest(session, &job, &inputs.needed("job")?).into()),
            false => Answered::Waiting(format!("{} files, {} types left", job.files.len(), job.left.len())),
        })
    }
}

fn manifest(session: &Session<'_>, job: &Job, id: &str) -> String {
    let base_url = session.base_url();
    let path = job.asked.level.path();
    let separator = if path.is_empty() { "" } else { "/" };
    let parameters = query_string(job.asked.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let request = format!("{base_url}/{path}{separator}$export?{parameters}");
    let output = job.files.iter().enumerate().map(|(number, span)| {
        let url = format!("{base_url}/$export-status?job={id}&file={number}");
        format!(r#"{{"type":"{}","url":{}}}"#, span.resource_type, quote(&url))
    });
    format!(
        r#"{{"transactionTime":"{}","request":{},"requiresAccessToken":{},"output":[{}],"error":[]}}"#,
        job.begun.to_rfc3339(),
        quote(&request),
        session.requester().is_some(),
        output.collect::<Vec<_>>().join(",")
    )
}
