//! A terminology server elsewhere, for the value sets and code systems that are not known here. Where a value set is known here and only its
//! code system is not, the definition goes with the question, since the other server need not have it.

use std::borrow::Cow;
use std::sync::Arc;

use fhir::json::{Document, Node, quote};
use fhir::terminology::{Canonical, Coded, Membership};
use fhir::{IssueType, Outcome};

/// Asks another terminology server. Only codes, their systems, versions and displays go there, and value sets: what they are called, and how
/// they are defined.
pub trait TerminologyServer: Send + Sync {
    /// Its base URL, for messages.
    fn url(&self) -> &str;

    /// Its answer to an operation, such as `ValueSet/$validate-code`, with these inputs: a Parameters resource as JSON.
    /// What it refuses keeps its kind; [`IssueType::Transient`] when it cannot be reached or does not answer in time.
    fn ask(&self, operation: &str, inputs: &str) -> Result<Arc<Document>, Outcome>;
}

/// Whether a code is in a value set, as the other server says.
pub(super) fn member(
    server: &dyn TerminologyServer,
    value_set: Canonical<'_>,
    definition: Option<&Document>,
    coded: &Coded<'_>,
) -> Membership {
    match checked(server, value_set, definition, coded) {
        Ok(membership) => membership,
        Err(outcome) => Membership::Unknown(outcome.to_string()),
    }
}

fn checked(
    server: &dyn TerminologyServer,
    value_set: Canonical<'_>,
    definition: Option<&Document>,
    coded: &Coded<'_>,
) -> Result<Membership, Outcome> {
    let Some(system) = coded.system else {
        let text =
            format!("`{}` has no system, and without one it cannot be asked for at `{}`", coded.code, server.url());
        return Ok(Membership::Unknown(text));
    };
    let first = Answer::ask(server, &inputs(value_set, definition, system, coded))?;
    match (first.result, coded.display) {
        (true, _) => Ok(Membership::In { display: first.display, wrong_display: None }),
        // It may be the text alone that is wrong.
        (false, Some(_)) => {
            let second =
                Answer::ask(server, &inputs(value_set, definition, system, &Coded { display: None, ..*coded }))?;
            Ok(match second.result {
                true => Membership::In { display: second.display, wrong_display: Some(first.message) },
                false => Membership::NotIn(second.message),
            })
        }
        (false, None) => Ok(Membership::NotIn(first.message)),
    }
}

struct Answer {
    result: bool,
    display: Option<String>,
    message: String,
}

impl Answer {
    fn ask(server: &dyn TerminologyServer, inputs: &str) -> Result<Answer, Outcome> {
        let document = server.ask("ValueSet/$validate-code", inputs)?;
        let value = |name: &str| -> Option<Node<'_>> {
            let mut parameters = document.root().get("parameter").into_iter().flat_map(Node::items);
            let part = parameters.find(|part| part.get("name").and_then(Node::as_str).as_deref() == Some(name))?;
            part.members().find(|(name, _)| name.starts_with("value")).map(|(_, value)| value)
        };
        let text = |name: &str| value(name).and_then(Node::as_str).map(Cow::into_owned);
        let result = value("result").and_then(Node::as_bool).ok_or_else(|| {
            let text = format!("the answer of the terminology server `{}` has no `result`", server.url());
            Outcome::new(IssueType::Transient, text)
        })?;
        let message = text("message").unwrap_or_else(|| format!("`{}` says that the code is not in it", server.url()));
        Ok(Answer { result, display: text("display"), message })
    }
}

fn inputs(value_set: Canonical<'_>, definition: Option<&Document>, system: &str, coded: &Coded<'_>) -> String {
    let named = definition.is_none();
    let inputs = [
        ("url", "valueUri", Some(value_set.url).filter(|_| named)),
        ("valueSetVersion", "valueString", value_set.version.filter(|_| named)),
        ("code", "valueCode", Some(coded.code)),
        ("system", "valueUri", Some(system)),
        ("systemVersion", "valueString", coded.version),
        ("display", "valueString", coded.display),
    ];
    let inputs = inputs.into_iter().filter_map(|(name, kind, value)| Some((name, kind, value?)));
    let inputs = inputs.map(|(name, kind, value)| format!(r#"{{"name":"{name}","{kind}":{}}}"#, quote(value)));
    let definition = definition.map(|it| format!(r#"{{"name":"valueSet","resource":{}}}"#, it.text()));
    let inputs: Vec<_> = definition.into_iter().chain(inputs).collect();
    format!(r#"{{"resourceType":"Parameters","parameter":[{}]}}"#, inputs.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says yes to `a` unless its text is not `Alpha`, no to `b`, and is down for the rest.
    struct Stub;

    impl TerminologyServer for Stub {
        fn url(&self) -> &str {
            "http://t.example/fhir"
        }

        fn ask(&self, operation: &str, inputs: &str) -> Result<Arc<Document>, Outcome> {
            assert_eq!(operation, "ValueSet/$validate-code");
            let has = |text: &str| inputs.contains(text);
            let answer = match () {
                () if has(r#""valueCode":"a""#) && (has("Alpha") || !has("display")) => {
                    r#"{"name":"result","valueBoolean":true},{"name":"display","valueString":"Alpha"}"#
                }
                () if has(r#""valueCode":"a""#) => {
                    r#"{"name":"result","valueBoolean":false},{"name":"message","valueString":"wrong text"}"#
                }
                () if has(r#""valueCode":"b""#) => {
                    r#"{"name":"result","valueBoolean":false},{"name":"message","valueString":"not there"}"#
                }
                () if has(r#""valueCode":"c""#) => r#"{"name":"x"}"#,
                () => return Err(Outcome::new(IssueType::Transient, "down")),
            };
            let answer = format!(r#"{{"resourceType":"Parameters","parameter":[{answer}]}}"#);
            Ok(Arc::new(Document::parse(answer.as_bytes()).expect("JSON")))
        }
    }

    #[test]
    fn tells_the_answers_apart() {
        let found = |wrong: Option<&str>| Membership::In {
            display: Some("Alpha".to_owned()),
            wrong_display: wrong.map(str::to_owned),
        };
        for (system, code, display, expected) in [
            (Some("urn:s"), "a", None, found(None)),
            (Some("urn:s"), "a", Some("Alpha"), found(None)),
            (Some("urn:s"), "a", Some("Beta"), found(Some("wrong text"))),
            (Some("urn:s"), "b", None, Membership::NotIn("not there".to_owned())),
            (Some("urn:s"), "b", Some("Beta"), Membership::NotIn("not there".to_owned())),
        ] {
            let coded = Coded { system, code, display, version: None };
            assert_eq!(member(&Stub, Canonical::parse("urn:v|1"), None, &coded), expected, "{code} {display:?}");
        }
        for (system, code) in [(Some("urn:s"), "c"), (Some("urn:s"), "d"), (None, "a")] {
            let coded = Coded { system, code, ..Coded::default() };
            assert!(matches!(member(&Stub, Canonical::parse("urn:v"), None, &coded), Membership::Unknown(_)), "{code}");
        }
    }

    #[test]
    fn writes_only_what_is_there() {
        let coded = Coded { system: Some("urn:s"), code: "\"a", version: None, display: None };
        let code = r#"{"name":"code","valueCode":"\"a"},{"name":"system","valueUri":"urn:s"}"#;
        let definition = r#"{"resourceType":"ValueSet","url":"urn:v"}"#;
        let document = Document::parse(definition.as_bytes()).expect("JSON");
        for (definition, expected) in [
            (None, r#"{"name":"url","valueUri":"urn:v"}"#.to_owned()),
            (Some(&document), format!(r#"{{"name":"valueSet","resource":{definition}}}"#)),
        ] {
            assert_eq!(
                inputs(Canonical::parse("urn:v"), definition, "urn:s", &coded),
                format!(r#"{{"resourceType":"Parameters","parameter":[{expected},{code}]}}"#)
            );
        }
    }
}
