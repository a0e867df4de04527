//! What patients have decided themselves about their records: the consents that count, and their end.
//!
//! No app lifts what is denied to apps, nor ends what it is narrowed by. Here it is the patient who asks, and no app.

use fhir::Outcome;
use fhir::json::Node;
use fhir::patch::JsonPatch;
use repository::{Change, Key, Patch, Target, query_string};

use crate::authorize::grant_system;
use crate::event::PersonAct;
use crate::pages::{DecisionView, SignedIn, Visit};
use crate::people::{Record, date_in_words, is_proven, local, string};

/// How many consents of a patient are looked at.
const CONSENTS_MAX: usize = 200;

/// The scopes of consents that decide who sees what.
const SCOPES: [&str; 2] = ["patient-privacy", "research"];

/// Why somebody may act for a patient; only what is by the patient's consent is the patient's to end.
const PROXY_BASIS: &str = "https://fhir.nhs.uk/England/CodeSystem/England-NHSProxyLegalBasis";
const BY_CONSENT: &str = "consent";

/// Sets a consent inactive.
const END: &str = r#"[{"op":"replace","path":"/status","value":"inactive"}]"#;

/// The same for one by which somebody acts for the patient, whose status comes with a reason.
const END_PROXY: &str = r#"[{"op":"replace","path":"/status","value":"inactive"},{"op":"add","path":"/extension/-","value":{
    "url":"https://fhir.nhs.uk/England/StructureDefinition/Extension-England-Consent-Status-Reason",
    "valueCodeableConcept":{"coding":[{"system":"https://fhir.nhs.uk/England/CodeSystem/England-ConsentStatusReason",
    "code":"ROLE_DEACTIVATED_PATIENT_REQUEST"}]}}}]"#;

/// Purposes of use, in plain words.
const PURPOSES: [(&str, &str); 6] = [
    ("TREAT", "Your care"),
    ("ETREAT", "Emergencies"),
    ("BTG", "Emergencies"),
    ("PATRQT", "What you ask for"),
    ("HRESCH", "Research"),
    ("HPAYMT", "Payment"),
];

/// What makes a provision be about a part of a record.
const NARROWING: [&str; 5] = ["class", "code", "securityLabel", "data", "dataPeriod"];

impl Visit<'_> {
    /// The consents of the patient who is signed in, as the page shows them.
    pub(super) fn decisions(&self, person: &SignedIn) -> Result<Vec<DecisionView>, Outcome> {
        self.decided(person)?.iter().map(|consent| self.decision(consent)).collect()
    }

    /// Ends one of them; says which, `None` where there is none of this id.
    pub(super) fn end_decision(&self, person: &SignedIn, id: &str) -> Result<Option<String>, Outcome> {
        let decided = self.decided(person)?;
        let Some(consent) = decided.iter().find(|consent| consent.key.id() == id) else { return Ok(None) };
        let title = self.decision(consent)?.title;
        let text = if bases(consent).is_empty() { END } else { END_PROXY };
        let patch = Patch::Json(JsonPatch::parse(text.as_bytes()).expect("the patch is well formed"));
        let change = Change::Patch { target: Target::Key(consent.key.clone()), patch, if_match: None };
        self.records().transact(vec![change])?;
        self.tell(PersonAct::DecisionEnded { consent: consent.key.to_string() }, Some(&person.account));
        Ok(Some(title))
    }

    /// The consents that a patient decided and may end. Whoever is not proven to be the patient sees none, as of apps.
    fn decided(&self, person: &SignedIn) -> Result<Vec<Record>, Outcome> {
        let patient = person.account.user().filter(|user| user.collection() == "Patient");
        let Some(patient) = patient.filter(|_| is_proven(person.account.vot.as_deref())) else { return Ok(Vec::new()) };
        let query = query_string([("patient", patient.as_str()), ("status", "active")]);
        let found = self.records().lookup("Consent", &query, CONSENTS_MAX)?;
        let consents: Vec<_> = found.iter().map(Record::of).collect::<Result<_, _>>()?;
        let written_here = grant_system(&self.pages.issuer());
        Ok(consents.into_iter().filter(|consent| is_decided_by(consent, &patient, &written_here)).collect())
    }

    fn decision(&self, consent: &Record) -> Result<DecisionView, Outcome> {
        let root = consent.root();
        let provision = root.get("provision");
        let is_deny = match provision.and_then(|provision| provision.get("type")) {
            Some(effect) => effect.is_str("deny"),
            None => has_code(root.get("policyRule"), &["OPTOUT", "OPTOUTE"]),
        };
        let mut names = Vec::new();
        for actor in each(provision, "actor") {
            names.extend(actor.get("reference").map(|reference| self.actor(reference)).transpose()?);
        }
        let with = if names.is_empty() { "others".to_owned() } else { names.join(", ") };
        let narrows = |provision: Node<'_>| NARROWING.iter().any(|name| provision.get(name).is_some());
        let part = if provision.is_some_and(narrows) { "A part of your record" } else { "Your record" };
        let exceptions = if each(provision, "provision").next().is_some() { ", with exceptions" } else { "" };
        let is_research = has_code(root.get("scope"), &["research"]);
        let purposes: Vec<_> = each(provision, "purpose").filter_map(|purpose| in_words(purpose)).collect();
        let until = provision.and_then(|provision| string(provision.get("period")?, "end"));
        let day = |text: String| date_in_words(&text);
        Ok(DecisionView {
            title: format!("{} with {with}", if is_deny { "Not shared" } else { "Shared" }),
            what: format!("{part}{exceptions}"),
            purposes: match (is_research, purposes.is_empty()) {
                (true, _) => Some("Research and planning".to_owned()),
                (false, true) => None,
                (false, false) => Some(purposes.join(", ")),
            },
            since: string(root, "dateTime").and_then(day),
            until: until.and_then(day).unwrap_or_else(|| "You end it".to_owned()),
            consent: consent.key.id().to_owned(),
        })
    }

    /// By the name that is known here, before what the consent calls them.
    fn actor(&self, reference: Node<'_>) -> Result<String, Outcome> {
        let record = local(reference).map(|key| Record::read(&self.records(), &key)).transpose()?.flatten();
        let name = record.as_ref().and_then(|record| record.name().or_else(|| string(record.root(), "name")));
        let role = || Some(format!("somebody who acts for you ({})", record.as_ref()?.concept("relationship")?));
        let identifier = || string(reference.get("identifier")?, "value");
        let said = name.or_else(role).or_else(|| string(reference, "display")).or_else(identifier);
        Ok(said.unwrap_or_else(|| "somebody else".to_owned()))
    }
}

/// Whether it decides who sees what, is the patient's own, is no other's to end, and was not written for an app that is stopped instead.
fn is_decided_by(consent: &Record, patient: &Key, written_here: &str) -> bool {
    let mut performers = each(Some(consent.root()), "performer");
    has_code(consent.root().get("scope"), &SCOPES)
        && performers.any(|performer| local(performer).as_ref() == Some(patient))
        && consent.reference("patient").as_ref() == Some(patient)
        && bases(consent).iter().all(|basis| basis == BY_CONSENT)
        && consent.identifiers(written_here).is_empty()
}

/// Why somebody may act for the patient by this; empty where nobody does.
fn bases(consent: &Record) -> Vec<String> {
    let codings = each(consent.root().get("policyRule"), "coding");
    let of_proxy = codings.filter(|coding| coding.get("system").is_some_and(|system| system.is_str(PROXY_BASIS)));
    of_proxy.map(|coding| string(coding, "code").unwrap_or_default()).collect()
}

fn in_words(purpose: Node<'_>) -> Option<String> {
    let code = string(purpose, "code")?;
    let known = PURPOSES.iter().find(|(own, _)| *own == code).map(|(_, words)| (*words).to_owned());
    known.or_else(|| string(purpose, "display")).or(Some(code))
}

fn has_code(concept: Option<Node<'_>>, codes: &[&str]) -> bool {
    each(concept, "coding").any(|coding| string(coding, "code").is_some_and(|code| codes.contains(&code.as_str())))
}

fn each<'n>(node: Option<Node<'n>>, name: &str) -> impl Iterator<Item = Node<'n>> + use<'n> {
    node.and_then(|node| node.get(name)).into_iter().flat_map(Node::each)
}
