//! `$bulk-publish`.

use bytes::Bytes;
use fhir::{IssueType, Outcome};
use repository::Session;

use super::lines::{Published, file, instant};
use super::manifest::manifest;
use super::split::{SECOND, Span};
use crate::inputs::Inputs;
use crate::{Gives, Invocation, Operation};

/// <https://build.fhir.org/ig/HL7/bulk-data/publish.html>
pub(super) const DEFINITION: &str = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/bulk-publish";

/// How long caches keep a manifest and a file, in seconds, and how long the server keeps a manifest: clients ask every one to five minutes.
const MAX_AGE: u32 = 60;

/// Without inputs the manifest; `file`, `from` and `to` as in its URLs give a file. `_since` is taken, and all is given nevertheless.
pub(crate) struct BulkPublish;

impl Operation for BulkPublish {
    fn code(&self) -> &'static str {
        "bulk-publish"
    }

    fn definition(&self) -> &'static str {
        DEFINITION
    }

    fn at_system(&self) -> bool {
        true
    }

    fn affects_state(&self) -> bool {
        false
    }

    fn is_open(&self) -> bool {
        true
    }

    fn gives(&self, query: &[(String, String)]) -> Gives {
        let media_type = match query.iter().any(|(name, _)| name == "file") {
            true => "application/fhir+ndjson",
            false => "application/json",
        };
        Gives::File { media_type, max_age: Some(MAX_AGE) }
    }

    fn run(&self, session: &Session<'_>, invocation: &Invocation) -> Result<Bytes, Outcome> {
        let inputs = Inputs::of_query(&invocation.parameters);
        let session = session.publicly();
        let Some(name) = inputs.text("file")? else {
            let make = || manifest(&session, session.base_url());
            return invocation.services.published.manifest(session.now(), i64::from(MAX_AGE) * SECOND, make);
        };
        let published = Published::ALL.into_iter().find(|published| published.resource_type() == name);
        let published = published.ok_or_else(|| refuse("file", &name, "the type of a file of the manifest"))?;
        let time = |name| {
            let text = inputs.text(name)?.unwrap_or_default();
            instant(&text).ok_or_else(|| refuse(name, &text, "an instant, as in the URLs of the manifest"))
        };
        Ok(file(&session, published, Span { from: time("from")?, to: time("to")? })?.into())
    }
}

fn refuse(name: &str, value: &str, form: &str) -> Outcome {
    let value = fhir::outcome::quoted(value);
    Outcome::new(IssueType::BadRequest, format!("the input `{name}` is {value}, expected {form}"))
}
