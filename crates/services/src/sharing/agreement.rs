//! A Consent as the rules read it.

use std::borrow::Cow;

use fhir::json::{Document, Node};
use repository::Transaction;

/// Who may decide for somebody, and why.
const PROXY_BASIS: &str = "https://fhir.nhs.uk/England/CodeSystem/England-NHSProxyLegalBasis";

/// Why a proxy consent has its status.
const STATUS_REASON: &str = "https://fhir.nhs.uk/England/StructureDefinition/Extension-England-Consent-Status-Reason";

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

    /// Whether its status has a reason that has no code, and no words either.
    pub(super) fn lacks_words(self) -> bool {
        let concept = self.reason().and_then(|reason| reason.get("valueCodeableConcept"));
        let words = concept.and_then(|concept| concept.get("text")).and_then(Node::as_str);
        let is_blank = words.is_none_or(|words| words.trim().is_empty());
        is_blank && codes(concept).any(|code| code == OTHER)
    }

    fn reason(self) -> Option<Node<'a>> {
        let extensions = self.0.get("extension").into_iter().flat_map(Node::each);
        let mut reasons = extensions.filter(|it| it.get("url").is_some_and(|url| url.is_str(STATUS_REASON)));
        reasons.next()
    }

    /// The name of the patient.
    pub(super) fn patient(self, transaction: &Transaction<'_>) -> Option<String> {
        name(transaction, self.0.get("patient")?)
    }

    /// The names of those it is about; of who made it where it names nobody.
    pub(super) fn proxies(self, transaction: &Transaction<'_>) -> Vec<String> {
        let actors = self.0.path(&["provision", "actor"]).into_iter().flat_map(Node::each);
        let actors = actors.filter_map(|actor| actor.get("reference"));
        let named: Vec<_> = actors.filter_map(|reference| name(transaction, reference)).collect();
        if !named.is_empty() {
            return named;
        }
        self.performers().filter_map(|reference| name(transaction, reference)).collect()
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

/// By which somebody is told from others: the resource of this server, else the identifier.
fn name(transaction: &Transaction<'_>, reference: Node<'_>) -> Option<String> {
    let literal = reference.get("reference").and_then(Node::as_str);
    if let Some(key) = literal.and_then(|literal| transaction.local(&literal)) {
        return Some(key.as_str().to_owned());
    }
    let identifier = reference.get("identifier")?;
    Some(format!("{}|{}", identifier.get("system")?.as_str()?, identifier.get("value")?.as_str()?))
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
