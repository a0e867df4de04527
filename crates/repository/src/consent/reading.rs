//! Reading provisions: what is written, with what is taken from above, and what is not understood.

use std::borrow::Cow;

use fhir::json::Node;
use fhir::{DateTime, Reference};
use search::Span;
use store::Key;

use super::provision::{ALWAYS, Code, Datum, Effect, Listed, Meaning, Provision, What};
use crate::Name;

const ACT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
const RESOURCE_TYPES: &str = "http://hl7.org/fhir/resource-types";
const CONSENT_ACTION: &str = "http://terminology.hl7.org/CodeSystem/consentaction";

/// All codes of it.
const ACTIONS: [&str; 5] = ["access", "collect", "correct", "disclose", "use"];

/// Where references lead.
#[derive(Clone, Copy)]
pub(super) struct Site<'a> {
    /// This server's own, without a final `/`.
    pub(super) base_url: &'a str,
}

impl Site<'_> {
    /// The resource of this server that a reference names.
    pub(super) fn local(self, reference: &str) -> Option<Key> {
        match Reference::parse(reference)? {
            Reference::Relative { resource_type, id, .. } => Key::new(resource_type, id),
            Reference::Absolute { base, resource_type, id, .. } if base == self.base_url => Key::new(resource_type, id),
            _ => None,
        }
    }

    pub(super) fn identifier(self, reference: Node<'_>) -> Option<Name> {
        let identifier = reference.get("identifier")?;
        let system = identifier.get("system")?.as_str()?.into_owned();
        Some(Name::Identifier { system, value: identifier.get("value")?.as_str()?.into_owned() })
    }
}

/// A provision with its exceptions, of which `left` may come. `unstated` is what it does when it does not say.
pub(super) fn provision(
    site: Site<'_>,
    written: Node<'_>,
    unstated: Effect,
    above: &Provision,
    depth: usize,
    left: &mut usize,
) -> Provision {
    let effect = match written.get("type").and_then(Node::as_str).as_deref() {
        Some("permit") => Effect::Permit,
        Some("deny") => Effect::Deny,
        None => unstated,
        Some(_) => return Provision::absolute(),
    };
    let Some(period) = period(written.get("period"), above.period) else {
        return not_understood(written, unstated, above);
    };
    if is_modified(written) {
        return not_understood(written, unstated, above);
    }
    let mut read = Provision {
        effect,
        period,
        actors: stated(written, "actor", |actor| actors(site, actor)).or_else(|| above.actors.clone()),
        purposes: stated(written, "purpose", |purpose| one(self::purpose(purpose))).or_else(|| above.purposes.clone()),
        actions: stated(written, "action", |action| codings(action, self::action)).or_else(|| above.actions.clone()),
        what: what(site, written, &above.what),
        is_absolute: false,
        exceptions: Vec::new(),
    };
    for exception in written.get("provision").into_iter().flat_map(Node::each) {
        let is_whole = exception.get("type").is_some();
        let exception = match left.checked_sub(1) {
            Some(fewer) if depth > 1 && is_whole => {
                *left = fewer;
                provision(site, exception, Effect::Silent, &read, depth - 1, left)
            }
            _ => Provision::absolute(),
        };
        read.exceptions.push(exception);
    }
    read
}

/// What is left of a provision that says something unknown: a permit, and one that says nothing itself, permits nothing, nor do its
/// exceptions; a deny in it denies the whole.
pub(super) fn not_understood(written: Node<'_>, unstated: Effect, above: &Provision) -> Provision {
    match denies(written, unstated) {
        true => Provision::absolute(),
        false => Provision { effect: Effect::Silent, exceptions: Vec::new(), ..above.clone() },
    }
}

/// Whether anything in it does not permit. An exception that does not say what it does may deny.
fn denies(written: Node<'_>, unstated: Effect) -> bool {
    let permits = match written.get("type") {
        Some(effect) => effect.is_str("permit"),
        None => unstated != Effect::Deny,
    };
    let mut exceptions = written.get("provision").into_iter().flat_map(Node::each);
    !permits || exceptions.any(|exception| denies(exception, Effect::Deny))
}

/// Whether it, or an actor or datum in it, is changed in meaning by an extension.
fn is_modified(written: Node<'_>) -> bool {
    let parts = ["actor", "data"].into_iter().filter_map(|name| written.get(name)).flat_map(Node::each);
    parts.chain([written]).any(|part| part.get("modifierExtension").is_some())
}

/// The alternatives of an element; `None` when it is absent.
fn stated<T>(written: Node<'_>, name: &str, read: impl Fn(Node<'_>) -> Listed<T>) -> Option<Listed<T>> {
    let mut all = Listed { known: Vec::new(), has_others: false };
    for item in written.get(name)?.each() {
        let Listed { known, has_others } = read(item);
        all.known.extend(known);
        all.has_others |= has_others;
    }
    Some(all)
}

fn one<T>(read: Option<T>) -> Listed<T> {
    Listed { has_others: read.is_none(), known: read.into_iter().collect() }
}

fn codings<T>(concept: Node<'_>, read: impl Fn(Node<'_>) -> Option<T>) -> Listed<T> {
    let read: Vec<_> = concept.get("coding").into_iter().flat_map(Node::each).map(read).collect();
    Listed {
        has_others: read.is_empty() || read.iter().any(Option::is_none),
        known: read.into_iter().flatten().collect(),
    }
}

/// The part of `above` in which a period lies; `None` for one that is not understood.
fn period(written: Option<Node<'_>>, above: Span) -> Option<Span> {
    let Some(written) = written else { return Some(above) };
    let (start, end) = span(written)?;
    Some((start.max(above.0), end.min(above.1)))
}

/// A Period with at least one side; dates count from their first moment to their last, those without a zone in UTC.
fn span(period: Node<'_>) -> Option<Span> {
    let side = |name| period.get(name).map(|side| side.as_str().and_then(|text| Some(DateTime::parse(&text)?.range())));
    match (side("start"), side("end")) {
        (None, None) => None,
        (start, end) => Some((
            start.map_or(Some(ALWAYS.0), |side| Some(side?.0))?,
            end.map_or(Some(ALWAYS.1), |side| Some(side?.1))?,
        )),
    }
}

/// The names of one actor; an identifier names them as well as a literal reference does.
fn actors(site: Site<'_>, actor: Node<'_>) -> Listed<Name> {
    let Some(reference) = actor.get("reference") else { return one(None) };
    let text = reference.get("reference").and_then(Node::as_str);
    let key = text.as_deref().and_then(|text| site.local(text)).map(Name::Key);
    let known: Vec<_> = key.into_iter().chain(site.identifier(reference)).collect();
    Listed { has_others: known.is_empty(), known }
}

fn purpose(coding: Node<'_>) -> Option<String> {
    let Code { system, code } = self::code(coding)?;
    match system.as_deref() {
        None | Some(ACT_REASON) => Some(code),
        Some(system) => Some(format!("{system}|{code}")),
    }
}

fn action(coding: Node<'_>) -> Option<String> {
    let Code { system, code } = self::code(coding)?;
    let is_known = ACTIONS.contains(&code.as_str()) && system.is_none_or(|system| system == CONSENT_ACTION);
    is_known.then_some(code)
}

/// A Coding; terminology's systems are known by their `http` form, however they are written.
fn code(coding: Node<'_>) -> Option<Code> {
    let code = coding.get("code")?.as_str()?.into_owned();
    let system = coding.get("system").and_then(Node::as_str);
    let system = system.map(|system| match system.strip_prefix("https://terminology.hl7.org/") {
        Some(rest) => Cow::Owned(format!("http://terminology.hl7.org/{rest}")),
        None => system,
    });
    Some(Code { system: system.map(Cow::into_owned), code })
}

fn class(coding: Node<'_>) -> Option<String> {
    let Code { system, code } = self::code(coding)?;
    (system.as_deref() == Some(RESOURCE_TYPES)).then_some(code)
}

fn datum(site: Site<'_>, data: Node<'_>) -> Option<Datum> {
    let meaning = match data.get("meaning")?.as_str()?.as_ref() {
        "instance" => Meaning::Instance,
        "related" => Meaning::Related,
        "dependents" => Meaning::Dependents,
        "authoredby" => Meaning::AuthoredBy,
        _ => return None,
    };
    let key = site.local(&data.path(&["reference", "reference"])?.as_str()?)?;
    Some(Datum { meaning, key })
}

fn what(site: Site<'_>, written: Node<'_>, above: &What) -> What {
    let moments = |(start, end): Span| (start.0, end.0);
    What {
        classes: stated(written, "class", |coding| one(class(coding))).or_else(|| above.classes.clone()),
        codes: stated(written, "code", |concept| codings(concept, code)).or_else(|| above.codes.clone()),
        labels: stated(written, "securityLabel", |coding| one(code(coding))).or_else(|| above.labels.clone()),
        period: written.get("dataPeriod").map(|period| span(period).map(moments)).or(above.period),
        data: stated(written, "data", |data| one(datum(site, data))).or_else(|| above.data.clone()),
    }
}
