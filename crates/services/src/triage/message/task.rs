//! The task of who receives a referral.

use fhir::Outcome;
use fhir::json::{Document, Node, Value, quote};
use repository::{Change, Key, Session, Target, query_string};

use super::header::Header;

const CODE: &str = "http://hl7.org/fhir/CodeSystem/task-code";
const FULFILL: &str = "fulfill";

/// Statuses of a task that is still to be done, or being done.
const OPEN: &str = "requested,received,accepted,ready,in-progress,on-hold";

/// A referral has at most so many tasks that are looked at.
const TASKS_MAX: usize = 100;

/// The task of the service to do what a referral asks for.
pub(super) fn created(
    session: &Session<'_>,
    header: &Header<'_>,
    referral: Node<'_>,
    service: &Key,
) -> Result<Value, Outcome> {
    let member =
        |name: &str, node: Option<Node<'_>>| node.map_or(String::new(), |it| format!(r#","{name}":{}"#, it.raw()));
    let text = format!(
        r#"{{"resourceType":"Task","status":"requested","intent":"order","code":{{"coding":[{{"system":"{CODE}","code":"{FULFILL}"}}]}},"focus":{{"reference":{}}}{},"authoredOn":"{}"{},"owner":{{"reference":"{service}"}}}}"#,
        quote(&header.focus),
        member("for", referral.get("subject")),
        session.now(),
        member("requester", header.node.get("sender")),
    );
    Ok(Value::parse(&text)?)
}

/// Writes a new task.
pub(super) fn create(task: &Value) -> Result<Change, Outcome> {
    let document = Document::parse(task.to_string().as_bytes())?;
    Ok(Change::Create { resource_type: "Task", document, if_none_exist: None, full_url: None })
}

/// The open tasks of a referral that was taken back, cancelled.
pub(super) fn cancelled(session: &Session<'_>, referral: &Key) -> Result<Vec<Change>, Outcome> {
    let (focus, code) = (referral.to_string(), search::token(CODE, FULFILL));
    let query = query_string([("focus", focus.as_str()), ("code", code.as_str()), ("status", OPEN)]);
    let open = session.lookup("Task", &query, TASKS_MAX)?;
    let changes = open.into_iter().map(|version| {
        let mut task = Value::from(Document::parse(version.body.as_deref().unwrap_or_default())?.root());
        task.set("status", "cancelled");
        Ok(Change::Update {
            target: Target::Key(version.key.clone()),
            document: Document::parse(task.to_string().as_bytes())?,
            if_match: Some(format!("W/\"{}\"", version.version)),
            if_none_match: false,
            full_url: None,
        })
    });
    changes.collect()
}
