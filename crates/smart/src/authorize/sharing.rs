//! The Consent resources that a grant rests on, as IHE's Privacy Consent on FHIR writes them, <https://profiles.ihe.net/ITI/PCF/>.

use fhir::json::{Document, Node, Value};
use fhir::patch::JsonPatch;
use fhir::{Instant, IssueType, Outcome};
use repository::{Change, Key, Millis, Patch, Session, Target, query_string};

use crate::Client;
use crate::people::{Record, end_of, local, start_of, string};

/// How many consents of a patient are looked at.
const CONSENTS_MAX: usize = 200;

/// What our own profile asks: stored at each server.
const PROFILE: &str = "https://flint.example/fhir/StructureDefinition/nhs-sharing-consent";

/// An active Consent that permits.
pub(crate) struct Sharing {
    pub(crate) key: Key,
    /// When it ends.
    pub(crate) until: Option<Millis>,
    recipients: Vec<Recipient>,
}

#[derive(Debug, PartialEq, Eq)]
enum Recipient {
    Key(Key),
    /// `system|value`.
    Identifier(String),
}

/// What a Consent for an app says.
pub(crate) struct NewSharing<'a> {
    pub(crate) issuer: &'a str,
    /// The id of the grant that it is written for.
    pub(crate) grant: &'a str,
    pub(crate) client: &'a Client,
    pub(crate) patient: &'a Record,
    /// Who agrees.
    pub(crate) performer: &'a Key,
    pub(crate) now: Millis,
    pub(crate) until: Option<Millis>,
}

/// The Consents of a patient that are active now and permit something.
pub(crate) fn active_of(session: &Session<'_>, patient: &str, now: Millis) -> Result<Vec<Sharing>, Outcome> {
    let query = query_string([("patient", patient), ("status", "active")]);
    let mut sharing = Vec::new();
    for version in session.lookup("Consent", &query, CONSENTS_MAX)? {
        sharing.extend(Sharing::of(&Record::of(&version)?, now));
    }
    Ok(sharing)
}

impl Sharing {
    /// What a Consent permits now; `None` when that is nothing.
    fn of(consent: &Record, now: Millis) -> Option<Sharing> {
        let root = consent.root();
        let provision = root.get("provision")?;
        let has_code = |concept: Node<'_>, code: &str| {
            concept
                .get("coding")
                .is_some_and(|coding| coding.each().any(|one| one.get("code").is_some_and(|own| own.is_str(code))))
        };
        let is_active = root.get("status")?.is_str("active") && has_code(root.get("scope")?, "patient-privacy");
        let permits = provision.get("type")?.is_str("permit");
        let period = provision.get("period");
        let bound = |name| period.and_then(|period| string(period, name));
        // A bound that cannot be read binds always.
        let has_begun = bound("start").is_none_or(|start| start_of(&start).is_some_and(|start| start <= now));
        let until = bound("end").map(|end| end_of(&end).unwrap_or(0));
        let has_ended = until.is_some_and(|until| until <= now);
        if !is_active || !permits || !has_begun || has_ended {
            return None;
        }
        let actors = provision.get("actor").into_iter().flat_map(|actors| actors.each());
        let actors = actors.filter(|actor| actor.get("role").is_some_and(|role| has_code(role, "IRCP")));
        let recipients = actors.filter_map(|actor| Recipient::of(actor.get("reference")?)).collect();
        Some(Sharing { key: consent.key.clone(), until, recipients })
    }

    /// Whether somebody is named by a resource of this server.
    pub(crate) fn permits_key(&self, key: &Key) -> bool {
        self.recipients.iter().any(|recipient| matches!(recipient, Recipient::Key(own) if own == key))
    }

    /// Whether an app is named, by its organization or by one of its identifiers.
    pub(crate) fn permits_client(&self, client: &Client, issuer: &str) -> bool {
        let organization = client.organization.as_deref().and_then(Key::parse);
        let own = own_identifier(client, issuer);
        self.recipients.iter().any(|recipient| match recipient {
            Recipient::Key(key) => organization.as_ref() == Some(key),
            Recipient::Identifier(name) => *name == own || client.identifiers.contains(name),
        })
    }
}

impl Recipient {
    fn of(reference: Node<'_>) -> Option<Recipient> {
        if let Some(key) = local(reference) {
            return Some(Recipient::Key(key));
        }
        let identifier = reference.get("identifier")?;
        Some(Recipient::Identifier(format!("{}|{}", string(identifier, "system")?, string(identifier, "value")?)))
    }
}

fn own_identifier(client: &Client, issuer: &str) -> String {
    format!("{issuer}/clients|{}", client.id)
}

/// The system of the identifiers that name the grant which a Consent was written for.
pub(crate) fn grant_system(issuer: &str) -> String {
    format!("{issuer}/grants")
}

impl NewSharing<'_> {
    /// Writes it; returns its key.
    pub(crate) fn write(&self, session: &Session<'_>) -> Result<Key, Outcome> {
        let text = self.resource();
        let document = Document::parse(text.as_bytes())
            .map_err(|error| Outcome::new(IssueType::Exception, format!("the consent is not JSON: {error}")))?;
        let change = Change::Create { resource_type: "Consent", document, if_none_exist: None, full_url: None };
        let changed = session.transact(vec![change])?;
        let version = changed.into_iter().next().and_then(|changed| changed.version);
        let version = version.ok_or_else(|| Outcome::new(IssueType::Exception, "a create made no version"))?;
        Ok(version.key)
    }

    fn resource(&self) -> String {
        let text = |text: &str| Value::String(text.to_owned());
        let list = |value: Value| Value::Array(vec![value]);
        let object = |members: Vec<(&str, Value)>| {
            Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
        };
        let concept = |system: &str, code: &str, display: &str| {
            let coding = vec![("system", text(system)), ("code", text(code)), ("display", text(display))];
            object(vec![("coding", list(object(coding)))])
        };
        let reference = |key: &Key| object(vec![("reference", text(key.as_str()))]);
        let identifier = |system: &str, value: &str| object(vec![("system", text(system)), ("value", text(value))]);
        let time = |millis: Millis| text(&Instant::from_millis(millis).to_rfc3339());

        let named = vec![("display", text(&self.client.name))];
        let recipient = match self.client.organization.as_deref().and_then(Key::parse) {
            Some(organization) => [vec![("reference", text(organization.as_str()))], named].concat(),
            None => {
                let own = identifier(&format!("{}/clients", self.issuer), &self.client.id);
                [vec![("identifier", own)], named].concat()
            }
        };
        let role =
            concept("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP", "information recipient");
        let mut period = vec![("start", time(self.now))];
        period.extend(self.until.map(|until| ("end", time(until))));
        let purpose = identifier_code("http://terminology.hl7.org/CodeSystem/v3-ActReason", "PATRQT");
        let provision = object(vec![
            ("type", text("permit")),
            ("period", object(period)),
            ("actor", list(object(vec![("role", role), ("reference", object(recipient))]))),
            ("purpose", list(purpose)),
        ]);
        let keeper = self.patient.reference("managingOrganization").or_else(|| self.practice());
        let mut members = vec![("resourceType", text("Consent"))];
        // The profile asks for the keeper of the record.
        members.extend(keeper.as_ref().map(|_| ("meta", object(vec![("profile", list(text(PROFILE)))]))));
        members.extend([
            ("identifier", list(identifier(&grant_system(self.issuer), self.grant))),
            ("status", text("active")),
            (
                "scope",
                concept("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy", "Privacy Consent"),
            ),
            (
                "category",
                list(concept("http://terminology.hl7.org/CodeSystem/v3-ActCode", "INFA", "information access")),
            ),
            ("patient", reference(&self.patient.key)),
            ("dateTime", time(self.now)),
            ("performer", list(reference(self.performer))),
        ]);
        members.extend(keeper.map(|keeper| ("organization", list(reference(&keeper)))));
        let policy = format!("{}/manage", self.issuer);
        members.extend([("policy", list(object(vec![("uri", text(&policy))]))), ("provision", provision)]);
        object(members).to_string()
    }

    /// The organization where the patient is registered.
    fn practice(&self) -> Option<Key> {
        let practices = self.patient.root().get("generalPractitioner")?;
        practices.each().filter_map(local).find(|key| key.collection() == "Organization")
    }
}

fn identifier_code(system: &str, code: &str) -> Value {
    let mut coding = Value::object();
    coding.set("system", Value::String(system.to_owned()));
    coding.set("code", Value::String(code.to_owned()));
    coding
}

/// Sets a Consent inactive, if it was written for a grant and is active: those that people wrote themselves stay.
pub(crate) fn withdraw(session: &Session<'_>, issuer: &str, key: &Key) -> Result<(), Outcome> {
    let Some(consent) = Record::read(session, key)? else { return Ok(()) };
    let is_active = consent.root().get("status").is_some_and(|status| status.is_str("active"));
    if !is_active || consent.identifiers(&grant_system(issuer)).is_empty() {
        return Ok(());
    }
    let patch = JsonPatch::parse(br#"[{"op":"replace","path":"/status","value":"inactive"}]"#);
    let patch = Patch::Json(patch.expect("the patch is well formed"));
    let change = Change::Patch { target: Target::Key(key.clone()), patch, if_match: None };
    session.transact(vec![change])?;
    Ok(())
}
