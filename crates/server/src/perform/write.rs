//! Create, update, patch and delete, also conditional: each a [`Change`], <https://hl7.org/fhir/R4/http.html#create>.

use fhir::{Issue, IssueType, Outcome};
use hyper::StatusCode;
use repository::{Change, ChangeKind, Changed};

use super::patch::{as_array, patch};
use super::read::version_id;
use super::{Call, Caller, Conditions, Payload};
use crate::interaction::Interaction;
use crate::negotiate::Returns;
use crate::respond::{Answer, Content, Refused};

pub(super) fn write(caller: &Caller<'_>, call: Call) -> Result<Answer, Refused> {
    let returns = call.preferences.returns.unwrap_or(Returns::Representation);
    let payload = match &call.interaction {
        Interaction::Patch(_) => as_array(caller.state.repository.registry().dialect(), call.payload)?,
        _ => call.payload,
    };
    let change = change(call.interaction, &call.conditions, payload, None)?;
    let changed = caller.session.transact(vec![change]).map_err(|refusal| refusal.outcome)?;
    match changed.into_iter().next() {
        Some(changed) => Ok(answer(caller, changed, returns)?),
        None => Err(Outcome::new(IssueType::Exception, "a transaction of one change has no result").into()),
    }
}

/// The change that a write asks for. `full_url` is its Bundle entry's.
pub(crate) fn change(
    interaction: Interaction,
    conditions: &Conditions,
    payload: Payload,
    full_url: Option<String>,
) -> Result<Change, Outcome> {
    let if_match = || conditions.if_match.as_deref().map(required_version).transpose();
    match interaction {
        Interaction::Create(resource_type) => Ok(Change::Create {
            resource_type,
            document: payload.document()?,
            if_none_exist: conditions.if_none_exist.as_deref().map(criteria),
            full_url,
        }),
        Interaction::Update(target) => Ok(Change::Update {
            target,
            document: payload.document()?,
            if_match: if_match()?,
            if_none_match: if_none_match(conditions)?,
            full_url,
        }),
        Interaction::Patch(target) => Ok(Change::Patch { target, patch: patch(payload)?, if_match: if_match()? }),
        Interaction::Delete(target) => Ok(Change::Delete { target, if_match: if_match()? }),
        _ => Err(Outcome::new(IssueType::Exception, "what is no write became a change")),
    }
}

/// What a change came to.
pub(super) fn answer(caller: &Caller<'_>, changed: Changed, returns: Returns) -> Result<Answer, Outcome> {
    let changed = match returns {
        Returns::Representation => caller.session.disclosed(changed)?,
        Returns::OperationOutcome | Returns::Minimal => changed,
    };
    let Changed { kind, version, issues } = changed;
    let created = matches!(kind, ChangeKind::Created);
    let gone = matches!(kind, ChangeKind::Deleted | ChangeKind::NothingToDelete);
    let content = match returns {
        Returns::OperationOutcome => Content::Outcome(outcome(kind, issues)),
        Returns::Representation => match version.as_ref().and_then(|version| version.body.clone()) {
            Some(body) if !gone => Content::Resource(body),
            _ => Content::Nothing,
        },
        Returns::Minimal => Content::Nothing,
    };
    let status = match (&content, created) {
        (_, true) => StatusCode::CREATED,
        (Content::Nothing, _) if gone => StatusCode::NO_CONTENT,
        _ => StatusCode::OK,
    };
    let answer = Answer { content, ..Answer::empty(status) };
    let Some(version) = version else { return Ok(answer) };
    let location = (created || kind == ChangeKind::Existing)
        .then(|| format!("{}/_history/{}", version.key.as_str(), version.version));
    Ok(Answer { location, ..answer }.of(&version))
}

fn outcome(kind: ChangeKind, mut issues: Vec<Issue>) -> Outcome {
    let done = match kind {
        ChangeKind::Created => "created",
        ChangeKind::Updated => "updated",
        ChangeKind::Unchanged => "equal to the current version, so nothing was changed",
        ChangeKind::Existing => "there is one already, so none was created",
        ChangeKind::Deleted => "deleted",
        ChangeKind::NothingToDelete => "there was nothing to delete",
    };
    issues.push(Issue::information(done));
    Outcome { issues }
}

fn required_version(tag: &str) -> Result<String, Outcome> {
    let id = version_id(tag);
    if id.is_empty() || id.contains([',', '"']) {
        let text = format!("If-Match `{tag}` names no version: it must be one ETag such as `W/\"3\"`, or `*`");
        return Err(Outcome::new(IssueType::BadRequest, text));
    }
    Ok(id.to_owned())
}

fn if_none_match(conditions: &Conditions) -> Result<bool, Outcome> {
    match conditions.if_none_match.as_deref().map(str::trim) {
        None => Ok(false),
        Some("*") => Ok(true),
        Some(other) => {
            let text = format!("If-None-Match `{other}` on a write: only `*` is served");
            Err(Outcome::new(IssueType::BadRequest, text))
        }
    }
}

/// If-None-Exist holds a query, which some clients send with its `?` or the whole URL.
fn criteria(text: &str) -> String {
    text.split_once('?').map_or(text, |(_, query)| query).to_owned()
}
