//! From an [`Answer`] to an entry.

use std::fmt::Write;

use bytes::Bytes;
use fhir::Instant;
use fhir::json::quote;

use super::super::Caller;
use super::super::pages::push_bytes;
use crate::respond::{Answer, Content};

/// Writes the entry that tells what one of the request came to.
pub(super) fn write_entry(out: &mut String, caller: &Caller<'_>, answer: Answer) {
    let Answer { status, content, etag, modified, location, told_at, .. } = answer;
    out.push('{');
    if let Content::Resource(body) = &content {
        write_resource(out, caller, body, location.as_deref());
    }
    let _ = write!(out, r#""response":{{"status":"{status}""#);
    if let Some(location) = location.or(told_at) {
        let _ = write!(out, r#","location":{}"#, quote(&location));
    }
    if let Some(etag) = etag.as_ref().and_then(|etag| etag.to_str().ok()) {
        let _ = write!(out, r#","etag":{}"#, quote(etag));
    }
    if let Some(modified) = modified {
        let _ = write!(out, r#","lastModified":"{}""#, Instant::from_millis(modified));
    }
    if let Content::Outcome(outcome) = &content {
        let _ = write!(out, r#","outcome":{}"#, outcome.to_json());
    }
    out.push_str("}}");
}

fn write_resource(out: &mut String, caller: &Caller<'_>, body: &Bytes, location: Option<&str>) {
    if let Some((key, _)) = location.and_then(|location| location.split_once("/_history/")) {
        let _ = write!(out, r#""fullUrl":"{}/{key}","#, caller.state.base_url);
    }
    out.push_str(r#""resource":"#);
    push_bytes(out, body);
    out.push(',');
}
