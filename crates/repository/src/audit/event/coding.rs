//! The codes of AuditEvents: what an act is called.

use std::fmt::Write;

use crate::audit::Act;

pub(super) const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const REST: &str = "http://hl7.org/fhir/restful-interaction";
const BALP_AUTHZ: &str = "https://profiles.ihe.net/ITI/BALP/CodeSystem/AuthZsubType";

/// How an AuditEvent begins.
pub(super) struct Kind {
    pub(super) event: Coding,
    pub(super) subtype: Coding,
    pub(super) action: char,
    /// The profile of a success; with `Patient` before it where there is one.
    pub(super) profile: Option<&'static str>,
}

/// A code that is always the same text.
pub(super) struct Coding {
    system: &'static str,
    code: &'static str,
    display: &'static str,
}

pub(super) const fn coding(system: &'static str, code: &'static str, display: &'static str) -> Coding {
    Coding { system, code, display }
}

impl Coding {
    pub(super) fn push(&self, text: &mut String) {
        let Coding { system, code, display } = self;
        push(text, format_args!(r#"{{"system":"{system}","code":"{code}","display":"{display}"}}"#));
    }

    pub(super) fn push_concept(&self, text: &mut String) {
        text.push_str(r#"{"coding":["#);
        self.push(text);
        text.push_str("]}");
    }
}

/// What an act is called.
pub(super) fn kind(act: Act) -> Kind {
    let rest = |code: &'static str, action, profile| Kind {
        event: coding("http://terminology.hl7.org/CodeSystem/audit-event-type", "rest", "Restful Operation"),
        subtype: coding(REST, code, code),
        action,
        profile,
    };
    let other = |event, subtype, action| Kind { event, subtype, action, profile: None };
    let alert = || coding(DCM, "110113", "Security Alert");
    let authentication = || coding(DCM, "110114", "User Authentication");
    match act {
        Act::Read => rest("read", 'R', Some("Read")),
        Act::Vread => rest("vread", 'R', Some("Read")),
        Act::HistoryInstance => rest("history-instance", 'R', None),
        Act::HistoryType => rest("history-type", 'R', None),
        Act::HistorySystem => rest("history-system", 'R', None),
        Act::SearchType => rest("search-type", 'E', Some("Query")),
        Act::SearchSystem => rest("search-system", 'E', Some("Query")),
        Act::Create => rest("create", 'C', Some("Create")),
        Act::Update => rest("update", 'U', Some("Update")),
        Act::Patch => rest("patch", 'U', Some("Update")),
        Act::Delete => rest("delete", 'D', Some("Delete")),
        Act::Operation => rest("operation", 'E', None),
        Act::Export => other(coding(DCM, "110106", "Export"), coding(REST, "operation", "operation"), 'R'),
        Act::SignIn => other(authentication(), coding(DCM, "110122", "Login"), 'E'),
        Act::SignOut => other(authentication(), coding(DCM, "110123", "Logout"), 'E'),
        Act::Authenticate => other(authentication(), coding(DCM, "110126", "Node Authentication"), 'E'),
        Act::Authorize => other(alert(), authorization(), 'E'),
        Act::Revoke => other(alert(), coding(DCM, "110136", "Security Roles Changed"), 'U'),
        Act::BreakGlass => other(alert(), coding(DCM, "110127", "Emergency Override Started"), 'E'),
        Act::BreakGlassEnd => other(alert(), coding(DCM, "110138", "Emergency Override Stopped"), 'E'),
        Act::Configure => other(alert(), coding(DCM, "110129", "Security Configuration"), 'U'),
        Act::ChangeAccount => other(alert(), coding(DCM, "110137", "User Security Attributes Changed"), 'U'),
    }
}

fn authorization() -> Coding {
    coding(BALP_AUTHZ, "AuthZ-Consent", "Authorization Decision using Roles and Consent")
}

/// Adds to a text, which does not fail.
pub(super) fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("a string takes everything");
}
