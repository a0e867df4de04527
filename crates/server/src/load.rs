//! What an empty store is filled with before the first request: `--load`.

use std::path::{Path, PathBuf};

use hyper::header::HeaderValue;
use repository::Access;

use crate::interaction::Interaction;
use crate::listen::StartError;
use crate::negotiate::{General, Preferences};
use crate::perform::{Call, Caller, Conditions, Payload, perform};
use crate::respond::Content;
use crate::state::State;

/// Performs the Bundles in these files as if they were posted, unless the store holds something already.
pub(crate) fn load(state: &State, paths: &[PathBuf]) -> Result<(), StartError> {
    for path in paths {
        let refuse = |cause: String| StartError::Load(path.clone(), cause);
        let statistics = state.repository.store().statistics().map_err(|error| refuse(error.to_string()))?;
        if path == &paths[0] && !statistics.documents.is_empty() {
            tracing::info!("nothing is loaded: the store is not empty");
            return Ok(());
        }
        perform_file(state, path).map_err(refuse)?;
    }
    Ok(())
}

fn perform_file(state: &State, path: &Path) -> Result<(), String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let call = Call {
        interaction: Interaction::Bundle,
        parameters: Vec::new(),
        general: General::default(),
        conditions: Conditions::default(),
        preferences: Preferences::default(),
        payload: Payload::Bytes(bytes.into()),
    };
    let request_id = HeaderValue::from_static("load");
    let session = state.repository.open(Access::full());
    match perform(&Caller { state, session, request_id: &request_id }, call) {
        Ok(answer) if !matches!(answer.content, Content::Outcome(_)) => Ok(()),
        Ok(answer) => Err(format!("it was answered with {}", answer.status)),
        Err(refused) => Err(refused.outcome.to_string()),
    }
}
