//! The one refusal type of the whole server: FHIR's OperationOutcome, <https://hl7.org/fhir/R4/operationoutcome.html>.

use std::fmt;

use crate::json::quote;
use crate::place::Place;
use crate::xml::escape::{first_illegal, is_character};

/// The code system of which every error has a code in `details.coding`: the HTTP error codes of the NHS.
pub const HTTP_ERROR_CODES: &str = "https://fhir.nhs.uk/CodeSystem/http-error-codes";

/// A code system of `details.coding`: what Spine and GP Connect say.
pub const SPINE_CODES: &str = "https://fhir.nhs.uk/R4/CodeSystem/Spine-ErrorOrWarningCode";

/// Messages quote no more than this many characters of a value.
const QUOTED_MAX: usize = 80;

/// Why something was refused, or what is to be noted: one issue or more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub issues: Vec<Issue>,
}

/// One issue of an [`Outcome`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    pub severity: Severity,
    pub code: IssueType,
    /// Lower case, one clause: what was wrong, with what value, and what would be right.
    pub diagnostics: String,
    /// FHIRPath of each element concerned, such as `Patient.name[0].family`.
    pub expression: Vec<String>,
    /// `details.coding`: system and code. The code of [`HTTP_ERROR_CODES`] that goes with the issue type is added to errors, unless this is
    /// one.
    pub coding: Option<(&'static str, &'static str)>,
    /// Where the element concerned stands in the text that was sent.
    pub place: Option<Place>,
}

/// How bad an issue is, <https://hl7.org/fhir/R4/valueset-issue-severity.html>.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Fatal,
    Error,
    Warning,
    Information,
}

/// What went wrong. Each kind has one code of <https://hl7.org/fhir/R4/valueset-issue-type.html>; kinds that share a code differ in
/// what the caller may do about it, and so in the HTTP status the server gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IssueType {
    /// The text is not JSON, or not the kind of thing that was expected at all (400, `structure`).
    Syntax,
    /// The request itself is wrong: a parameter, a header, an id that contradicts the URL (400, `invalid`).
    BadRequest,
    /// Content with an unknown or misplaced element, or wrong JSON type (422, `structure`).
    Structure,
    /// A mandatory parameter is missing (400, `required`).
    RequiredParameter,
    /// A mandatory element is missing (422, `required`).
    Required,
    /// An element's value has a wrong form or range (422, `value`).
    Value,
    /// A value that no sender can mean, such as a time of writing that is yet to come (400, `value`).
    BadValue,
    /// A code is not in its required value set (422, `code-invalid`).
    CodeInvalid,
    /// An invariant does not hold (422, `invariant`).
    Invariant,
    /// Content cannot be accepted for another reason (422, `invalid`).
    Invalid,
    /// The content was understood and cannot be processed, such as a patch that does not apply (422, `processing`).
    Processing,
    /// A rule of the service refuses it (422, `business-rule`).
    BusinessRule,
    /// A reference in the content does not resolve (422, `not-found`).
    UnresolvedReference,
    /// Another request was first (409, `conflict`).
    Conflict,
    /// It is already there (409, `duplicate`).
    Duplicate,
    /// The version named by the caller is not the current one (412, `conflict`).
    Precondition,
    /// Criteria that must match at most one resource match several (412, `multiple-matches`).
    MultipleMatches,
    /// There is no such resource or route (404, `not-found`).
    NotFound,
    /// The resource was deleted (410, `deleted`).
    Deleted,
    /// The server does not do this (400, `not-supported`).
    NotSupported,
    /// The method is not allowed here (405, `not-supported`).
    MethodNotAllowed,
    /// No format that the caller accepts (406, `not-supported`).
    NotAcceptable,
    /// The body is in a format that the server does not read (415, `not-supported`).
    MediaType,
    /// The body or a value is over a stated limit (413, `too-long`).
    TooLong,
    /// A text in a resource is longer than a service passes on (400, `too-long`).
    LongText,
    /// The request would cost more than a stated limit (400, `too-costly`).
    TooCostly,
    /// What is asked for reaches further than a service goes (422, `too-costly`).
    TooWide,
    /// The caller must sign in (401, `login`).
    Login,
    /// The caller may not do this (403, `forbidden`).
    Forbidden,
    /// Too many requests (429, `throttled`).
    Throttled,
    /// It took longer than the stated limit (503, `timeout`).
    Timeout,
    /// A passing fault; the same request may succeed later (503, `transient`).
    Transient,
    /// A fault of the server (500, `exception`). The cause goes to the log, never to the caller.
    Exception,
    /// Nothing wrong: a note (200, `informational`).
    Informational,
    /// Nothing wrong: something may be left out, whether or not it is (200, `suppressed`).
    Suppressed,
}

impl IssueType {
    /// The code of R4's value set issue-type.
    pub fn code(self) -> &'static str {
        match self {
            IssueType::Syntax | IssueType::Structure => "structure",
            IssueType::BadRequest | IssueType::Invalid => "invalid",
            IssueType::RequiredParameter | IssueType::Required => "required",
            IssueType::Value | IssueType::BadValue => "value",
            IssueType::CodeInvalid => "code-invalid",
            IssueType::Invariant => "invariant",
            IssueType::Processing => "processing",
            IssueType::BusinessRule => "business-rule",
            IssueType::UnresolvedReference | IssueType::NotFound => "not-found",
            IssueType::Conflict | IssueType::Precondition => "conflict",
            IssueType::Duplicate => "duplicate",
            IssueType::MultipleMatches => "multiple-matches",
            IssueType::Deleted => "deleted",
            IssueType::NotSupported | IssueType::MethodNotAllowed | IssueType::NotAcceptable | IssueType::MediaType => {
                "not-supported"
            }
            IssueType::TooLong | IssueType::LongText => "too-long",
            IssueType::TooCostly | IssueType::TooWide => "too-costly",
            IssueType::Login => "login",
            IssueType::Forbidden => "forbidden",
            IssueType::Throttled => "throttled",
            IssueType::Timeout => "timeout",
            IssueType::Transient => "transient",
            IssueType::Exception => "exception",
            IssueType::Informational => "informational",
            IssueType::Suppressed => "suppressed",
        }
    }

    /// The code of [`HTTP_ERROR_CODES`]: that of the HTTP status, or of the nearest that has one.
    fn http_error(self) -> &'static str {
        match self {
            IssueType::Syntax
            | IssueType::BadRequest
            | IssueType::RequiredParameter
            | IssueType::BadValue
            | IssueType::LongText
            | IssueType::TooLong
            | IssueType::NotSupported
            | IssueType::TooCostly
            | IssueType::Informational
            | IssueType::Suppressed => "BAD_REQUEST",
            IssueType::Login => "UNAUTHORIZED",
            IssueType::Forbidden => "FORBIDDEN",
            IssueType::NotFound | IssueType::Deleted => "NOT_FOUND",
            IssueType::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            IssueType::NotAcceptable => "NOT_ACCEPTABLE",
            IssueType::Conflict | IssueType::Duplicate | IssueType::Precondition | IssueType::MultipleMatches => {
                "CONFLICT"
            }
            IssueType::MediaType => "UNSUPPORTED_MEDIA_TYPE",
            IssueType::Structure
            | IssueType::Required
            | IssueType::Value
            | IssueType::CodeInvalid
            | IssueType::Invariant
            | IssueType::Invalid
            | IssueType::Processing
            | IssueType::BusinessRule
            | IssueType::TooWide
            | IssueType::UnresolvedReference => "UNPROCESSABLE_ENTITY",
            IssueType::Throttled => "TOO_MANY_REQUESTS",
            IssueType::Exception => "SERVER_ERROR",
            IssueType::Timeout | IssueType::Transient => "UNAVAILABLE",
        }
    }
}

impl Severity {
    /// The code of R4's value set issue-severity.
    pub fn code(self) -> &'static str {
        match self {
            Severity::Fatal => "fatal",
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Information => "information",
        }
    }
}

impl Outcome {
    /// An outcome of one error.
    pub fn new(code: IssueType, diagnostics: impl Into<String>) -> Outcome {
        Outcome { issues: vec![Issue::error(code, diagnostics)] }
    }

    /// Names the element concerned on every issue that names none yet.
    pub fn at(mut self, expression: impl Into<String>) -> Outcome {
        let expression = expression.into();
        for issue in &mut self.issues {
            if issue.expression.is_empty() {
                issue.expression.push(expression.clone());
            }
        }
        self
    }

    /// Gives `details.coding` to every issue that has none yet.
    pub fn coded(mut self, system: &'static str, code: &'static str) -> Outcome {
        for issue in &mut self.issues {
            issue.coding.get_or_insert((system, code));
        }
        self
    }

    /// The first issue of the worst severity: what decides the HTTP status.
    pub fn worst(&self) -> Option<&Issue> {
        self.issues.iter().min_by_key(|issue| issue.severity)
    }

    /// The OperationOutcome resource as minified JSON.
    pub fn to_json(&self) -> String {
        let issues = self.issues.iter().map(Issue::to_json).collect::<Vec<_>>().join(",");
        format!(r#"{{"resourceType":"OperationOutcome","issue":[{issues}]}}"#)
    }
}

impl Issue {
    /// An error.
    pub fn error(code: IssueType, diagnostics: impl Into<String>) -> Issue {
        let (severity, diagnostics) = (Severity::Error, diagnostics.into());
        Issue { severity, code, diagnostics, expression: Vec::new(), coding: None, place: None }
    }

    /// A warning.
    pub fn warning(code: IssueType, diagnostics: impl Into<String>) -> Issue {
        Issue { severity: Severity::Warning, ..Issue::error(code, diagnostics) }
    }

    /// A note.
    pub fn information(diagnostics: impl Into<String>) -> Issue {
        Issue { severity: Severity::Information, ..Issue::error(IssueType::Informational, diagnostics) }
    }

    /// Names the element concerned.
    pub fn at(mut self, expression: impl Into<String>) -> Issue {
        self.expression.push(expression.into());
        self
    }

    /// The same issue where the resource it is about stands inside another: `Patient.name` below `Bundle.entry[0].resource`.
    pub fn below(mut self, place: &str) -> Issue {
        for expression in &mut self.expression {
            let inside = expression.find('.').map_or("", |dot| &expression[dot..]);
            *expression = format!("{place}{inside}");
        }
        self
    }

    fn to_json(&self) -> String {
        let mut json = String::from("{");
        let mut diagnostics = self.diagnostics.clone();
        if let Some(Place { line, column }) = self.place {
            let extension = |what: &str, value: usize| {
                format!(
                    r#"{{"url":"http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-{what}","valueInteger":{value}}}"#
                )
            };
            json += &format!(r#""extension":[{},{}],"#, extension("line", line), extension("col", column));
            diagnostics += &format!(" (line {line}, column {column})");
        }
        let (severity, code, text) = (self.severity.code(), self.code.code(), string(&self.diagnostics));
        let http = (HTTP_ERROR_CODES, self.code.http_error());
        let is_added = self.severity <= Severity::Error && self.coding.is_none_or(|(system, _)| system != http.0);
        let codings = self.coding.into_iter().chain(is_added.then_some(http));
        let codings = codings.map(|(system, code)| format!(r#"{{"system":{},"code":{}}}"#, quote(system), quote(code)));
        let codings = codings.collect::<Vec<_>>().join(",");
        let coding = if codings.is_empty() { String::new() } else { format!(r#""coding":[{codings}],"#) };
        json += &format!(r#""severity":"{severity}","code":"{code}","details":{{{coding}"text":{text}}}"#);
        json += &format!(r#","diagnostics":{}"#, string(&diagnostics));
        if !self.expression.is_empty() {
            let expressions = self.expression.iter().map(|text| string(text)).collect::<Vec<_>>().join(",");
            json += &format!(r#","expression":[{expressions}]"#);
        }
        json.push('}');
        json
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, issue) in self.issues.iter().enumerate() {
            if at > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{}: {}", issue.code.code(), issue.diagnostics)?;
            if let Some(expression) = issue.expression.first() {
                write!(f, " ({expression})")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Outcome {}

impl From<Issue> for Outcome {
    fn from(issue: Issue) -> Outcome {
        Outcome { issues: vec![issue] }
    }
}

/// A string of FHIR, which has none of the characters that XML cannot hold: messages tell of what was sent.
fn string(text: &str) -> String {
    match first_illegal(text) {
        None => quote(text),
        Some(_) => quote(&text.replace(|character| !is_character(character), "\u{fffd}")),
    }
}

/// A value for a message: in backticks, on one line, and cut when long.
pub fn quoted(value: &str) -> String {
    let mut quoted = String::from("`");
    let mut rest = value.chars();
    for character in rest.by_ref().take(QUOTED_MAX) {
        match character.is_control() {
            true => quoted.extend(character.escape_default()),
            false => quoted.push(character),
        }
    }
    let end = if rest.as_str().is_empty() { "`" } else { "..`" };
    quoted + end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Definitions;
    use crate::json::Document;
    use crate::validate::validate;

    const ALL: [IssueType; 33] = [
        IssueType::TooWide,
        IssueType::RequiredParameter,
        IssueType::Syntax,
        IssueType::BadRequest,
        IssueType::Structure,
        IssueType::Required,
        IssueType::Value,
        IssueType::CodeInvalid,
        IssueType::Invariant,
        IssueType::Invalid,
        IssueType::Processing,
        IssueType::BusinessRule,
        IssueType::UnresolvedReference,
        IssueType::Conflict,
        IssueType::Duplicate,
        IssueType::Precondition,
        IssueType::MultipleMatches,
        IssueType::NotFound,
        IssueType::Deleted,
        IssueType::NotSupported,
        IssueType::MethodNotAllowed,
        IssueType::NotAcceptable,
        IssueType::MediaType,
        IssueType::TooLong,
        IssueType::TooCostly,
        IssueType::Login,
        IssueType::Forbidden,
        IssueType::Throttled,
        IssueType::Timeout,
        IssueType::Transient,
        IssueType::Exception,
        IssueType::Informational,
        IssueType::Suppressed,
    ];

    #[test]
    fn every_outcome_is_valid() {
        for code in ALL {
            for severity in [Severity::Fatal, Severity::Error, Severity::Warning, Severity::Information] {
                let issue = Issue { severity, ..Issue::error(code, "a \"b\" \\ é") }.at("Patient.name[0]");
                let outcome = Outcome::from(issue).coded("http://x.example/codes", "y");
                let document = Document::parse(outcome.to_json().as_bytes()).expect("valid JSON");
                assert_eq!(validate(Definitions::r4(), &document), [], "{outcome}");
            }
        }
    }

    #[test]
    fn writes_what_is_given() {
        let outcome =
            Outcome { issues: vec![Issue::warning(IssueType::Value, "w"), Issue::error(IssueType::Required, "e")] };
        assert_eq!(outcome.worst().map(|issue| issue.diagnostics.as_str()), Some("e"));
        let outcome = Outcome { issues: vec![Issue::information("n").at("Patient"), outcome.issues[1].clone()] };
        let outcome = outcome.at("Patient.id").coded("s", "c");
        assert_eq!(outcome.to_string(), "informational: n (Patient); required: e (Patient.id)");
        let issues = r#"{"severity":"information","code":"informational","details":{"coding":[{"system":"s","code":"c"}],"text":"n"},"diagnostics":"n","expression":["Patient"]},{"severity":"error","code":"required","details":{"coding":[{"system":"s","code":"c"},{"system":"https://fhir.nhs.uk/CodeSystem/http-error-codes","code":"UNPROCESSABLE_ENTITY"}],"text":"e"},"diagnostics":"e","expression":["Patient.id"]}"#;
        assert_eq!(outcome.to_json(), format!(r#"{{"resourceType":"OperationOutcome","issue":[{issues}]}}"#));
        let said = Outcome::new(IssueType::Duplicate, "n").coded(HTTP_ERROR_CODES, "REC_CONFLICT").to_json();
        assert!(
            said.contains(&format!(r#""coding":[{{"system":"{HTTP_ERROR_CODES}","code":"REC_CONFLICT"}}],"#)),
            "{said}"
        );
        let place = Some(Place { line: 3, column: 14 });
        let placed = Outcome { issues: vec![Issue { place, ..Issue::error(IssueType::Value, "v").at("Patient.id") }] };
        assert!(placed.to_json().contains(r#""text":"v"},"diagnostics":"v (line 3, column 14)""#));
        assert!(placed.to_json().contains(r#"operationoutcome-issue-col","valueInteger":14}"#));
        assert_eq!(validate(Definitions::r4(), &Document::parse(placed.to_json().as_bytes()).expect("JSON")), []);
        let plain = Outcome::new(IssueType::NotFound, "n").to_json();
        assert_eq!(
            plain,
            r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"not-found","details":{"coding":[{"system":"https://fhir.nhs.uk/CodeSystem/http-error-codes","code":"NOT_FOUND"}],"text":"n"},"diagnostics":"n"}]}"#
        );
    }

    #[test]
    fn tells_nothing_that_xml_cannot_hold() {
        let outcome = Outcome::new(IssueType::Value, "a\u{1}\u{fffe}b\nc").at("x\u{0}");
        let document = Document::parse(outcome.to_json().as_bytes()).expect("JSON");
        let xml = crate::xml::write(Definitions::r4(), &document).expect("XML");
        assert!(xml.contains("a\u{fffd}\u{fffd}b&#10;c"), "{xml}");
    }

    #[test]
    fn quotes_values() {
        let long = "é".repeat(QUOTED_MAX);
        let cases = [
            ("3", "`3`".to_owned()),
            ("", "``".to_owned()),
            ("a\n\u{0}", "`a\\n\\u{0}`".to_owned()),
            (&long, format!("`{long}`")),
            (&format!("{long}x"), format!("`{long}..`")),
        ];
        for (value, expected) in cases {
            assert_eq!(quoted(value), expected);
        }
    }
}
