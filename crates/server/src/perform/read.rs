//! Read and vread, also conditional, <https://hl7.org/fhir/R4/http.html#read>, <https://hl7.org/fhir/R4/http.html#cread>.

use hyper::StatusCode;
use repository::{Key, Version};

use super::{Call, Caller, Conditions};
use crate::project::View;
use crate::respond::{Answer, Content, Refused};

pub(super) fn read(caller: &Caller<'_>, call: &Call, key: &Key) -> Result<Answer, Refused> {
    answer(caller, call, &caller.session.read(key)?)
}

pub(super) fn vread(caller: &Caller<'_>, call: &Call, key: &Key, version: &str) -> Result<Answer, Refused> {
    answer(caller, call, &caller.session.vread(key, version)?)
}

fn answer(caller: &Caller<'_>, call: &Call, version: &Version) -> Result<Answer, Refused> {
    let view = View::of_parameters(&call.parameters)?;
    if is_known(&call.conditions, version) {
        return Ok(Answer::empty(StatusCode::NOT_MODIFIED).of(version));
    }
    let content = match &version.body {
        Some(body) => Content::Resource(view.of(body, caller.state.definitions)),
        None => Content::Nothing,
    };
    Ok(Answer { content, ..Answer::empty(StatusCode::OK) }.of(version))
}

/// Whether the caller has this version already. `If-None-Match` goes before `If-Modified-Since`, RFC 9110 section 13.2.2.
fn is_known(conditions: &Conditions, version: &Version) -> bool {
    if let Some(tags) = &conditions.if_none_match {
        return tags.split(',').any(|tag| tag.trim() == "*" || version_id(tag).parse() == Ok(version.version));
    }
    conditions.if_modified_since.is_some_and(|since| version.time <= since)
}

/// The version id in an entity tag: `3` of `W/"3"`.
pub(super) fn version_id(tag: &str) -> &str {
    let tag = tag.trim();
    tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"')
}
