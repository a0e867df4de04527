//! A Consent resource as a policy, <https://hl7.org/fhir/R4/consent.html>, <https://profiles.ihe.net/ITI/PCF/>.
//!
//! Each provision is the exception to the one above it, and takes from it what it does not state itself: `deny PSY` below `permit for TREAT
//! from app1` is about what app1 asks for TREAT; `permit R for BTG` below `permit N for TREAT` is about R for BTG. Elements of one provision
//! hold together, the values of one element are alternatives, and what is absent everywhere restricts nothing. A period is never left by an
//! exception.
//!
//! What cannot be understood fails safe: such a permit permits nothing, such a deny denies the whole to everybody.

use fhir::Reference;
use fhir::json::Node;
use store::Key;

use super::provision::{Effect, Provision};
use super::reading::{self, Site};
use crate::Name;

/// How deep provisions may stand in one another.
pub const PROVISION_DEPTH_MAX: usize = 8;

/// How many provisions one consent may have.
pub const PROVISIONS_MAX: usize = 100;

/// Purposes that a consent about research is about when it names none.
const RESEARCH: [&str; 2] = ["HRESCH", "HSYSADMIN"];

/// What an active Consent says about access to a record.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) key: Key,
    /// Whose record.
    pub(crate) patient: Name,
    pub(crate) root: Provision,
}

impl Policy {
    /// Reads a Consent. `None` for one that decides nothing about access: not active, about nobody, of a scope such as treatment or advance
    /// care directives, or without provision and rule.
    pub(crate) fn read(key: &Key, consent: Node<'_>, base_url: &str) -> Option<Policy> {
        if !consent.get("status").is_some_and(|status| status.is_str("active")) {
            return None;
        }
        let scope = Scope::read(consent)?;
        let site = Site { base_url };
        let patient = patient(consent.get("patient")?, site)?;
        let mut above = Provision { effect: Effect::Silent, ..Provision::default() };
        if scope == Scope::Research {
            above.purposes = Some(RESEARCH.iter().map(|code| (*code).to_owned()).collect());
        }
        let is_modified = consent.get("modifierExtension").is_some() || consent.get("implicitRules").is_some();
        let rule = rule(consent);
        let mut left = PROVISIONS_MAX;
        let root = match consent.get("provision") {
            Some(provision) if is_modified => reading::not_understood(provision, rule, &above),
            Some(provision) => reading::provision(site, provision, rule, &above, PROVISION_DEPTH_MAX, &mut left),
            None if is_modified && rule == Effect::Deny => Provision::absolute(),
            None if is_modified => above,
            // That a consent is implied says nothing of what anybody sees.
            None if rule == Effect::Silent => return None,
            None => Provision { effect: rule, ..above },
        };
        Some(Policy { key: key.clone(), patient, root })
    }
}

/// What a consent is about.
#[derive(Clone, Copy, PartialEq)]
enum Scope {
    Privacy,
    Research,
}

impl Scope {
    fn read(consent: Node<'_>) -> Option<Scope> {
        let codings = || consent.path(&["scope", "coding"]).into_iter().flat_map(Node::each);
        let has = |code: &str| codings().any(|coding| coding.get("code").is_some_and(|found| found.is_str(code)));
        match (has("patient-privacy"), has("research")) {
            (true, _) => Some(Scope::Privacy),
            (false, true) => Some(Scope::Research),
            (false, false) => None,
        }
    }
}

/// By a literal reference, else by an identifier.
fn patient(reference: Node<'_>, site: Site<'_>) -> Option<Name> {
    let text = reference.get("reference").and_then(Node::as_str);
    let key = text.as_deref().and_then(|text| site.local(text)).filter(|key| key.collection() == "Patient");
    match (key, text.as_deref().and_then(Reference::parse)) {
        (Some(key), _) => Some(Name::Key(key)),
        // Somebody of another server is nobody here, whatever else is said.
        (None, Some(Reference::Absolute { .. })) => None,
        (None, _) => site.identifier(reference),
    }
}

/// What `policyRule` says where the provision does not: opt-in or opt-out, <https://terminology.hl7.org/ValueSet-v3-ActConsentDirective.html>.
fn rule(consent: Node<'_>) -> Effect {
    let codings = consent.path(&["policyRule", "coding"]).into_iter().flat_map(Node::each);
    let effects = codings.filter_map(|coding| match coding.get("code")?.as_str()?.as_ref() {
        "OPTIN" | "OPTINR" => Some(Effect::Permit),
        "OPTOUT" | "OPTOUTE" => Some(Effect::Deny),
        _ => None,
    });
    effects.reduce(Effect::stricter).unwrap_or(Effect::Silent)
}

#[cfg(test)]
mod tests {
    use fhir::json::Document;

    use super::*;

    #[test]
    fn a_consent_without_provision_says_something_by_its_rule_only() {
        let key = Key::new("Consent", "c").expect("a key");
        for (rule, more, is_policy) in [
            ("IMPLIED", "", false),
            ("OPTIN", "", true),
            ("OPTOUT", "", true),
            ("IMPLIED", r#","provision":{}"#, true),
            ("IMPLIED", r#","modifierExtension":[{"url":"urn:x"}]"#, true),
        ] {
            let text = format!(
                r#"{{"resourceType":"Consent","status":"active","scope":{{"coding":[{{"code":"patient-privacy"}}]}},"patient":{{"reference":"Patient/p"}},"policyRule":{{"coding":[{{"code":"{rule}"}}]}}{more}}}"#
            );
            let document = Document::parse(text.as_bytes()).expect("JSON");
            assert_eq!(Policy::read(&key, document.root(), "http://b").is_some(), is_policy, "{rule} {more}");
        }
    }
}
