//! The rule Apps: whoever may write consents gains nothing by it.

use fhir::Outcome;
use fhir::json::{Document, Node};
use repository::{Key, Name, Planned, Requester, Rule, Transaction};

use super::agreement::Agreement;
use super::refusal::Reason;
use crate::same::same;

/// What of a consent decides what it permits and denies.
const DECIDING: [&str; 7] =
    ["status", "scope", "patient", "policyRule", "provision", "modifierExtension", "implicitRules"];

/// Apps and systems neither permit anything to themselves, nor lift what is denied to them or to an app, nor change what a patient permits:
/// what they have they get where people sign in, and what is permitted they only end. What is permitted to themselves they do not even end, for
/// where no permit counts they may be shown more. The practice and the record keeper do all of it.
#[derive(Debug)]
pub(crate) struct Apps;

impl Rule for Apps {
    fn name(&self) -> &'static str {
        "apps-in-consents"
    }

    fn resource_types(&self) -> &'static [&'static str] {
        &["Consent"]
    }

    fn apply(&self, transaction: &mut Transaction<'_>, planned: &Planned) -> Result<(), Outcome> {
        let Some(requester) = transaction.requester().filter(|it| !it.is_practice()) else { return Ok(()) };
        let (before, after) = (planned.before.as_deref(), planned.after.as_deref());
        if transaction.is_import() || is_decided_alike(before, after) {
            return Ok(());
        }
        let asker = Asker::new(requester, transaction);
        let denies_app = |said: &Said<'_>| !said.permits && asker.is_denied(said);
        let was_active = before.filter(|before| is(before, "active")).map(said).unwrap_or_default();
        if was_active.iter().any(denies_app) {
            return Err(Reason::Lifted.refuse(&planned.key, "Consent.provision"));
        }
        if was_active.iter().any(|said| said.permits && asker.is_meant(said)) {
            return Err(Reason::Narrowing.refuse(&planned.key, "Consent.status"));
        }
        let Some(after) = after.filter(|after| is(after, "active")) else { return Ok(()) };
        let was_agreed = |before: &Document| !is(before, "draft") && !is(before, "proposed");
        if before.is_some_and(|it| was_agreed(it) && said(it).iter().any(|said| said.permits)) {
            return Err(Reason::Permitted.refuse(&planned.key, "Consent.provision"));
        }
        let said = said(after);
        match said.iter().filter(|said| said.permits).find_map(|permit| asker.gains_by(permit)) {
            Some(who) => Err(Reason::OwnPermit.refuse(who, "Consent.provision")),
            None => Ok(()),
        }
    }
}

/// Whether the same is decided before and after.
fn is_decided_alike(before: Option<&Document>, after: Option<&Document>) -> bool {
    let (Some(before), Some(after)) = (before, after) else { return false };
    DECIDING.iter().all(|name| same(before.root().get(name), after.root().get(name)))
}

fn is(consent: &Document, status: &str) -> bool {
    consent.root().get("status").is_some_and(|found| found.is_str(status))
}

/// What one provision says, whatever it is about.
struct Said<'a> {
    permits: bool,
    /// To whom, if it or one above it says so.
    actors: Option<Vec<Node<'a>>>,
}

/// All that a consent about access says, by `policyRule` where a provision does not say what it does.
fn said(consent: &Document) -> Vec<Said<'_>> {
    let mut all = Vec::new();
    let agreement = Agreement::new(consent);
    if !agreement.scopes().iter().any(|scope| scope == "patient-privacy" || scope == "research") {
        return all;
    }
    match consent.root().get("provision") {
        Some(provision) => add(provision, agreement.rule(), None, &mut all),
        None => all.extend(agreement.rule().map(|permits| Said { permits, actors: None })),
    }
    all
}

fn add<'a>(provision: Node<'a>, unstated: Option<bool>, above: Option<&Vec<Node<'a>>>, all: &mut Vec<Said<'a>>) {
    let permits = provision.get("type").map_or(unstated, |effect| Some(effect.is_str("permit")));
    let own = provision.get("actor").map(|actors| actors.each().collect());
    let actors: Option<Vec<Node<'a>>> = own.or_else(|| above.cloned());
    for exception in provision.get("provision").into_iter().flat_map(Node::each) {
        add(exception, permits, actors.as_ref(), all);
    }
    all.extend(permits.map(|permits| Said { permits, actors }));
}

/// Who asks, as consents may mean them.
struct Asker<'a> {
    names: Vec<Name>,
    /// The system of the ids by which consents name apps.
    apps: Option<String>,
    is_system: bool,
    transaction: &'a Transaction<'a>,
}

impl<'a> Asker<'a> {
    fn new(requester: &Requester, transaction: &'a Transaction<'a>) -> Asker<'a> {
        let is_own_record = requester.user.is_some() && requester.user == requester.patient;
        let own = requester.user.iter().filter(|_| !is_own_record).chain(&requester.organization);
        let identifiers = requester.identifiers.iter().cloned();
        let identifiers = identifiers.map(|(system, value)| Name::Identifier { system, value });
        // Patients see their own records whoever names them.
        let others = requester.names.iter().filter(|_| !is_own_record).cloned();
        let apps = requester.names.iter().find_map(|name| match name {
            Name::Identifier { system, value } if *value == requester.client => Some(system.clone()),
            _ => None,
        });
        Asker {
            names: own.cloned().map(Name::Key).chain(identifiers).chain(others).collect(),
            apps,
            is_system: requester.user.is_none() && requester.patient.is_none(),
            transaction,
        }
    }

    /// To whom a provision permits something that who asks has, too; `None` when that is somebody else.
    fn gains_by(&self, permit: &Said<'_>) -> Option<String> {
        let Some(actors) = &permit.actors else { return Some("everybody".to_owned()) };
        let names = |actor: &Node<'_>| self.named(*actor);
        let gains = |name: &Option<Name>| match name {
            Some(name) => self.is_own(name) || self.is_app(name),
            None => false,
        };
        actors.iter().flat_map(names).find(gains).map(|name| match name {
            Some(Name::Key(key)) => key.to_string(),
            Some(Name::Identifier { system, value }) => format!("{system}|{value}"),
            None => String::new(),
        })
    }

    /// Whether a provision denies something to who asks, or to what may be an app.
    fn is_denied(&self, deny: &Said<'_>) -> bool {
        let Some(actors) = &deny.actors else { return self.is_system };
        let is_person = |key: &Key| !["Organization", "Device"].contains(&key.collection());
        let names = |actor: &Node<'_>| self.named(*actor);
        actors.iter().flat_map(names).any(|name| match &name {
            Some(Name::Key(key)) => !is_person(key) || self.is_own(&Name::Key(key.clone())),
            Some(Name::Identifier { .. }) | None => true,
        })
    }

    /// Whether a permit is what this system or organization sees by.
    fn is_meant(&self, permit: &Said<'_>) -> bool {
        let Some(actors) = &permit.actors else { return self.is_system };
        actors.iter().flat_map(|actor| self.named(*actor)).flatten().any(|name| self.is_own(&name))
    }

    fn is_own(&self, name: &Name) -> bool {
        self.names.contains(name)
    }

    fn is_app(&self, name: &Name) -> bool {
        matches!(name, Name::Identifier { system, .. } if Some(system) == self.apps.as_ref())
    }

    /// The names of an actor; `None` for one that is not understood.
    fn named(&self, actor: Node<'_>) -> Vec<Option<Name>> {
        let literal = actor.path(&["reference", "reference"]).and_then(Node::as_str);
        let key = literal.and_then(|literal| self.transaction.local(&literal)).map(Name::Key);
        let text = |name| Some(actor.path(&["reference", "identifier", name])?.as_str()?.into_owned());
        let identifier = text("system").zip(text("value")).map(|(system, value)| Name::Identifier { system, value });
        match (key, identifier) {
            (None, None) => vec![None],
            (key, identifier) => key.into_iter().chain(identifier).map(Some).collect(),
        }
    }
}
