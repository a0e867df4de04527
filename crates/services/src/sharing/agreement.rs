//! A Consent as the rules read it.

use std::borrow::Cow;

use fhir::Outcome;
use fhir::json::{Document, Node};
use repository::{Key, Transaction};
use search::NHS_NUMBER;

/// Who may decide for somebody, and why.
const PROXY_BASIS: &str = "https://fhir.nhs.uk/England/CodeSystem/England-NHSProxyLegalBasis";

/// Why a proxy consent has its status.
const STATUS_REASON: &str = "https://fhir.nhs.uk/England/StructureDefinition/Extension-England-Consent-Status-Reason";

/// The system of the codes of reasons.
const STATUS_REASONS: &str = "https://fhir.nhs.uk/England/CodeSystem/England-ConsentStatusReason";

/// Who granted it, as R5 has it: NHS England writes it with `https`.
const GRANTOR: &str = "://hl7.org/fhir/5.0/StructureDefinition/extension-Consent.grantor";

/// The system of the codes that NHS organizations have.
const ODS: &str = "https://fhir.nhs.uk/Id/ods-organization-code";

/// The code of a reason that only words tell.
const OTHER: &str = "OTHER";

/// A Consent.
#[derive(Clone, Copy)]
pub(super) struct Agreement<'a>(Node<'a>);

impl<'a> Agreement<'a> {
    pub(super) fn new(document: &'a Document) -> Agreement<'a> {
        Agreement(document.root())
    }

    pub(super) fn text(self, name: &str) -> Cow<'a, str> {
        self.0.get(name).and_then(Node::as_str).unwrap_or_default()
    }

    pub(super) fn status(self) -> Cow<'a, str> {
        self.text("status")
    }

    pub(super) fn has_patient(self) -> bool {
        self.0.get("patient").is_some()
    }

    /// The codes of `scope`.
    pub(super) fn scopes(self) -> Vec<Cow<'a, str>> {
        codes(self.0.get("scope")).collect()
    }

    /// Whether `policyRule` permits or denies; `None` when it says neither.
    pub(super) fn rule(self) -> Option<bool> {
        let rules: Vec<_> = codes(self.0.get("policyRule")).collect();
        let has = |rule: [&str; 2]| rules.iter().any(|code| rule.contains(&code.as_ref()));
        match (has(["OPTOUT", "OPTOUTE"]), has(["OPTIN", "OPTINR"])) {
            (true, _) => Some(false),
            (false, true) => Some(true),
            (false, false) => None,
        }
    }

    /// Whether it lets somebody act for the patient.
    pub(super) fn is_of_proxy(self) -> bool {
        let codings = self.0.path(&["policyRule", "coding"]).into_iter().flat_map(Node::each);
        codings.filter_map(|coding| coding.get("system")).any(|system| system.is_str(PROXY_BASIS))
    }

    /// Whether it refuses the use of data for research and planning.
    pub(super) fn is_opt_out(self) -> bool {
        let denies = self.0.path(&["provision", "type"]).is_some_and(|effect| effect.is_str("deny"));
        denies && self.scopes().iter().any(|scope| scope == "research") && !self.policies().is_empty()
    }

    /// Why it has its status, as written.
    pub(super) fn status_reason(self) -> Option<&'a str> {
        self.reason().map(Node::raw)
    }

    /// The codes of why it has its status.
    pub(super) fn status_reasons(self) -> Vec<Cow<'a, str>> {
        let concept = self.reason().and_then(|reason| reason.get("valueCodeableConcept"));
        let codings = concept.and_then(|concept| concept.get("coding")).into_iter().flat_map(Node::each);
        let is_ours = |coding: &Node<'_>| coding.get("system").is_none_or(|system| system.is_str(STATUS_REASONS));
        codings.filter(is_ours).filter_map(|coding| coding.get("code")?.as_str()).collect()
    }

    /// Whether its status has a reason that has no code, and no words either.
    pub(super) fn lacks_words(self) -> bool {
        let concept = self.reason().and_then(|reason| reason.get("valueCodeableConcept"));
        let words = concept.and_then(|concept| concept.get("text")).and_then(Node::as_str);
        let is_blank = words.is_none_or(|words| words.trim().is_empty());
        is_blank && codes(concept).any(|code| code == OTHER)
    }

    /// The last one: a patch adds the reason for a status behind those for others.
    fn reason(self) -> Option<Node<'a>> {
        self.extensions().filter(|it| it.get("url").is_some_and(|url| url.is_str(STATUS_REASON))).last()
    }

    fn extensions(self) -> impl Iterator<Item = Node<'a>> {
        self.0.get("extension").into_iter().flat_map(Node::each)
    }

    /// Whether it says which organization granted it: as R5 does, by its code, or by R4's own element.
    pub(super) fn has_grantor(self) -> bool {
        let is_grantor = |url: Node<'_>| {
            let url = url.as_str().unwrap_or_default();
            url.strip_prefix("https").or_else(|| url.strip_prefix("http")) == Some(GRANTOR)
        };
        let grantors = self.extensions().filter(|it| it.get("url").is_some_and(is_grantor));
        let mut references = grantors.filter_map(|it| it.get("valueReference"));
        let names_one = |reference: Node<'_>| match reference.get("identifier") {
            Some(identifier) => {
                identifier.get("system").is_some_and(|system| system.is_str(ODS)) && identifier.get("value").is_some()
            }
            None => kind(reference).as_deref() == Some("Organization"),
        };
        self.0.get("organization").is_some() || references.any(names_one)
    }

    /// Whether it is active and decides who sees a record.
    pub(super) fn is_about_access(self) -> bool {
        self.status() == "active" && self.scopes().iter().any(|scope| scope == "patient-privacy" || scope == "research")
    }

    /// Whose record it is about, by one name however it is written: the resource of this server, else the identifier.
    pub(super) fn whose(self, transaction: &mut Transaction<'_>) -> Result<Option<String>, Outcome> {
        let Some(patient) = self.0.get("patient") else { return Ok(None) };
        let literal = patient.get("reference").and_then(Node::as_str);
        if let Some(key) = literal.and_then(|literal| transaction.local(&literal)) {
            return Ok(Some(key.to_string()));
        }
        let text = |name| patient.path(&["identifier", name])?.as_str();
        let (Some(system), Some(value)) = (text("system"), text("value")) else { return Ok(None) };
        let identified = transaction.identified("Patient", &system, &value)?;
        Ok(Some(identified.map_or_else(|| format!("{system}|{value}"), |key| key.to_string())))
    }

    /// All names of the patient.
    pub(super) fn patient(self, transaction: &mut Transaction<'_>) -> Result<Vec<String>, Outcome> {
        self.0.get("patient").map_or(Ok(Vec::new()), |reference| names(transaction, reference))
    }

    /// All names of those it is about; of who made it where it names nobody.
    pub(super) fn proxies(self, transaction: &mut Transaction<'_>) -> Result<Vec<String>, Outcome> {
        let actors = self.0.path(&["provision", "actor"]).into_iter().flat_map(Node::each);
        let mut named = Vec::new();
        for reference in actors.filter_map(|actor| actor.get("reference")) {
            named.extend(names(transaction, reference)?);
        }
        if named.is_empty() {
            for reference in self.performers() {
                named.extend(names(transaction, reference)?);
            }
        }
        Ok(named)
    }

    /// The URIs of its policies.
    pub(super) fn policies(self) -> Vec<Cow<'a, str>> {
        let policies = self.0.get("policy").into_iter().flat_map(Node::each);
        policies.filter_map(|policy| policy.get("uri")?.as_str()).collect()
    }

    /// The codes of the purposes it is about.
    pub(super) fn purposes(self) -> Vec<Cow<'a, str>> {
        let purposes = self.0.path(&["provision", "purpose"]).into_iter().flat_map(Node::each);
        purposes.filter_map(|purpose| purpose.get("code")?.as_str()).collect()
    }

    /// Whether the patient is among those who made it, and somebody else who is not.
    pub(super) fn deciders(self) -> (bool, Option<String>) {
        let kinds: Vec<_> = self.performers().filter_map(kind).collect();
        let other = kinds.iter().find(|kind| *kind != "Patient").cloned();
        (kinds.iter().any(|kind| kind == "Patient"), other)
    }

    fn performers(self) -> impl Iterator<Item = Node<'a>> {
        self.0.get("performer").into_iter().flat_map(Node::each)
    }
}

fn codes(concept: Option<Node<'_>>) -> impl Iterator<Item = Cow<'_, str>> {
    let codings = concept.and_then(|concept| concept.get("coding")).into_iter().flat_map(Node::each);
    codings.filter_map(|coding| coding.get("code")?.as_str())
}

/// Those whom an NHS number may name.
const NUMBERED: [&str; 2] = ["Patient", "RelatedPerson"];

/// All names by which somebody is told from others: the resource of this server and its NHS numbers, or the identifier and, for an NHS
/// number, those who have it.
fn names(transaction: &mut Transaction<'_>, reference: Node<'_>) -> Result<Vec<String>, Outcome> {
    let literal = reference.get("reference").and_then(Node::as_str);
    if let Some(key) = literal.and_then(|literal| transaction.local(&literal)) {
        let numbers = numbers(transaction, &key)?;
        return Ok([vec![key.as_str().to_owned()], numbers].concat());
    }
    let text = |name| reference.path(&["identifier", name])?.as_str();
    let (Some(system), Some(value)) = (text("system"), text("value")) else { return Ok(Vec::new()) };
    let mut names = vec![format!("{system}|{value}")];
    if system == NHS_NUMBER {
        for resource_type in NUMBERED {
            let identified = transaction.identified(resource_type, NHS_NUMBER, &value)?;
            names.extend(identified.map(|key| key.as_str().to_owned()));
        }
    }
    Ok(names)
}

/// The NHS numbers of a resource, as names.
fn numbers(transaction: &mut Transaction<'_>, key: &Key) -> Result<Vec<String>, Outcome> {
    let document = transaction.read(key)?;
    let identifiers = document.iter().filter_map(|it| it.root().get("identifier")).flat_map(Node::each);
    let numbers = identifiers.filter(|it| it.get("system").is_some_and(|system| system.is_str(NHS_NUMBER)));
    let values = numbers.filter_map(|number| number.get("value")?.as_str());
    Ok(values.map(|value| format!("{NHS_NUMBER}|{value}")).collect())
}

/// The type of what a reference leads to.
fn kind(reference: Node<'_>) -> Option<String> {
    let stated = reference.get("type").and_then(Node::as_str).map(Cow::into_owned);
    let literal = reference.get("reference").and_then(Node::as_str);
    let literal = literal.and_then(|literal| match fhir::Reference::parse(&literal)? {
        fhir::Reference::Relative { resource_type, .. } | fhir::Reference::Absolute { resource_type, .. } => {
            Some(resource_type.to_owned())
        }
        _ => None,
    });
    literal.or(stated)
}
