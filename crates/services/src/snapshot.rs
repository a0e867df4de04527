//! `$snapshot`: a StructureDefinition with the snapshot that its base and its differential make,
//! <https://hl7.org/fhir/R4/structuredefinition-operation-snapshot.html>. Nothing is written.

use std::sync::Arc;

use bytes::Bytes;
use fhir::json::Document;
use fhir::outcome::quoted;
use fhir::terminology::Canonical;
use fhir::{IssueType, Library, Outcome};
use repository::Session;

use crate::inputs::Inputs;
use crate::{Invocation, Operation, Subject};

/// Inputs `definition` and `url`; on an instance none.
pub(crate) struct Snapshot;

impl Operation for Snapshot {
    fn code(&self) -> &'static str {
        "snapshot"
    }

    fn definition(&self) -> &'static str {
        "http://hl7.org/fhir/OperationDefinition/StructureDefinition-snapshot"
    }

    fn at_types(&self) -> &'static [&'static str] {
        &["StructureDefinition"]
    }

    fn at_instances(&self) -> &'static [&'static str] {
        &["StructureDefinition"]
    }

    fn affects_state(&self) -> bool {
        false
    }

    fn run(&self, session: &Session<'_>, invocation: &Invocation) -> Result<Bytes, Outcome> {
        let library = session.library();
        let definition = match &invocation.subject {
            Subject::Instance(key) => {
                let version = session.read(key)?;
                Arc::new(Document::parse(version.body.as_deref().unwrap_or_default())?)
            }
            _ => asked(session, &library, invocation)?,
        };
        Ok(fhir::profile::snapshot(&library, &definition)?.into_text().into_string().into())
    }
}

/// The definition that was sent, or the known one of the url that was sent.
fn asked(session: &Session<'_>, library: &dyn Library, invocation: &Invocation) -> Result<Arc<Document>, Outcome> {
    let inputs = Inputs::of(invocation).known(&["definition", "url"])?;
    match (inputs.resource("definition"), inputs.text("url")?) {
        (Some(definition), None) => Ok(Arc::new(Document::parse(definition.raw().as_bytes())?)),
        (None, Some(url)) => {
            session.permit_read("StructureDefinition")?;
            let found = library.structure_definition(Canonical::parse(&url))?;
            found.ok_or_else(|| {
                let text = format!("the definition {} is not known here", quoted(&url));
                Outcome::new(IssueType::NotFound, text)
            })
        }
        _ => Err(Outcome::new(IssueType::BadRequest, "give either `definition` or `url`")),
    }
}
