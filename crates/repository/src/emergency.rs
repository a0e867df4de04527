//! Breaking the glass: a practitioner who declares an emergency sees what consents hide, for a limited time, for a reason that is kept, and
//! the patient is told.

use fhir::json::{Document, Node, quote};
use fhir::{DateTime, Instant, IssueType, Outcome};
use store::{Key, Millis, Snapshot, Version, Write};

use crate::audit::{Account, Act, Datum, Subject};
use crate::consent::Elevation;
use crate::session::parse_stored;
use crate::{Access, Change, Planned, Requester, Rule, Session, Transaction, fault};

/// How long an emergency lasts, in milliseconds.
pub const EMERGENCY_DURATION: Millis = 60 * 60 * 1000;

/// The longest reason, in bytes.
pub const REASON_MAX: usize = 1_000;

/// How many emergencies one person may have declared at one time.
pub const EMERGENCIES_MAX: usize = 20;

/// Before the names of declared emergencies in the store: who declared them, and about whom.
const PREFIX: &str = "emergency/";

/// How many of one person's are looked at. Those that are over are cleared by the next declaration.
const LOOKS_MAX: usize = 2 * EMERGENCIES_MAX;

/// The purpose of use of who broke the glass, of v3-ActReason.
pub(crate) const BREAK_GLASS: &str = "BTG";

/// The extension of what the server wrote to tell a patient.
const NOTICE: &str = "https://flint.example/fhir/StructureDefinition/server-notice";

/// An emergency that was declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emergency {
    /// The first moment at which it is over.
    pub until: Instant,
    /// What tells the patient.
    pub communication: Key,
}

impl Session<'_> {
    /// Declares an emergency: from the next request on who asks sees this patient's record as
    /// [`Implicit::BreakGlassOnly`](crate::Implicit::BreakGlassOnly) says. It is on the patient's record and in the audit when this returns.
    pub fn break_glass(&self, patient: &Key, reason: &str) -> Result<Emergency, Outcome> {
        let (requester, user) = self.declarer()?;
        // The record is seen as far as the scopes reach; who may not read any patient has no use for an emergency.
        self.access.permit(crate::Act::Read, "Patient")?;
        check_reason(reason)?;
        let snapshot = self.snapshot()?;
        let head = snapshot.head(patient).map_err(fault::outcome)?;
        if head.is_none_or(|head| head.deleted) {
            return Err(Outcome::new(IssueType::NotFound, format!("there is no `{patient}`")));
        }
        let now = self.now().as_millis();
        let until = Instant::from_millis(now + EMERGENCY_DURATION);
        let mut writes = self.declaration(&*snapshot, user, patient, until)?;
        drop(snapshot);
        let subjects = [Subject { patient: Some(patient.clone()), data: Vec::<Datum>::new() }];
        let account =
            Account { act: Act::BreakGlass, note: reason, subjects: &subjects, ..self.told(requester, self.operation) };
        writes.extend(self.repository.ledger().writes(&[account]));
        let document = Document::parse(communication(patient, user, reason, now).as_bytes())?;
        let change = Change::Create { resource_type: "Communication", document, if_none_exist: None, full_url: None };
        let writer = Session { once: self.once.clone(), notifies: true, ..self.repository.open(Access::full()) };
        let changed = writer.transact_with(vec![change], &writes)?;
        self.repository.ledger().wake();
        let version = changed.into_iter().find_map(|changed| changed.version);
        let version = version.ok_or_else(|| fault::exception("a communication was not written"))?;
        Ok(Emergency { until: end(&version)?, communication: version.key })
    }

    /// Who declares: a practitioner with rights beyond one patient's own.
    fn declarer(&self) -> Result<(&Requester, &Key), Outcome> {
        let forbidden =
            || Outcome::new(IssueType::Forbidden, "only a practitioner who is signed in may declare an emergency");
        let requester = self.requester().filter(|_| self.access.only_patient().is_none()).ok_or_else(forbidden)?;
        Ok((requester, declarer(requester).ok_or_else(forbidden)?))
    }

    fn declaration(
        &self,
        snapshot: &dyn Snapshot,
        user: &Key,
        patient: &Key,
        until: Instant,
    ) -> Result<Vec<Write>, Outcome> {
        let (over, standing): (Vec<_>, Vec<_>) =
            read(snapshot, user)?.into_iter().partition(|elevation| elevation.until <= self.now());
        if standing.iter().filter(|elevation| elevation.patient != *patient).count() >= EMERGENCIES_MAX {
            let text =
                format!("`{user}` has declared {EMERGENCIES_MAX} emergencies within the hour; no more are taken");
            return Err(Outcome::new(IssueType::Throttled, text));
        }
        let over = over.into_iter().filter(|elevation| elevation.patient != *patient);
        let mut writes: Vec<_> = over.map(|over| Write::Release { name: name(user, &over.patient) }).collect();
        let value = until.as_millis().to_be_bytes().to_vec();
        writes.push(Write::Set { name: name(user, patient), value });
        Ok(writes)
    }
}

/// The practitioner who asks: nobody else declares emergencies.
pub(crate) fn declarer(requester: &Requester) -> Option<&Key> {
    requester.user.as_ref().filter(|_| requester.is_staff())
}

/// The emergencies that a requester has declared and that are not over.
pub(crate) fn elevations(
    snapshot: &dyn Snapshot,
    requester: &Requester,
    now: Instant,
) -> Result<Vec<Elevation>, Outcome> {
    let Some(user) = declarer(requester) else { return Ok(Vec::new()) };
    Ok(read(snapshot, user)?.into_iter().filter(|elevation| now < elevation.until).collect())
}

fn read(snapshot: &dyn Snapshot, user: &Key) -> Result<Vec<Elevation>, Outcome> {
    let prefix = prefix(user);
    let values = snapshot.values(&prefix, None, LOOKS_MAX).map_err(fault::outcome)?;
    let elevation = |(name, value): (Vec<u8>, Vec<u8>)| {
        let patient = Key::parse(std::str::from_utf8(&name[prefix.len()..]).ok()?)?;
        let until = Instant::from_millis(i64::from_be_bytes(value.try_into().ok()?));
        Some(Elevation { user: user.clone(), patient, until })
    };
    Ok(values.into_iter().filter_map(elevation).collect())
}

fn prefix(user: &Key) -> Vec<u8> {
    format!("{PREFIX}{user}/").into_bytes()
}

fn name(user: &Key, patient: &Key) -> Vec<u8> {
    [prefix(user), patient.as_str().as_bytes().to_vec()].concat()
}

fn check_reason(reason: &str) -> Result<(), Outcome> {
    if reason.trim().is_empty() {
        return Err(Outcome::new(IssueType::Required, "an emergency needs its reason").at("Parameters.parameter"));
    }
    match reason.len() > REASON_MAX {
        true => Err(Outcome::new(IssueType::TooLong, format!("the reason has more than {REASON_MAX} bytes"))),
        false => Ok(()),
    }
}

/// When an emergency is over that was declared by this communication, be it now or by the same request before.
fn end(communication: &Version) -> Result<Instant, Outcome> {
    let document = parse_stored(&communication.key, communication.body.as_deref().unwrap_or_default())?;
    let sent = document.root().get("sent").and_then(Node::as_str);
    let sent =
        sent.and_then(|sent| DateTime::parse(&sent)).ok_or_else(|| fault::exception("a communication has no time"))?;
    Ok(Instant::from_millis(sent.range().0.as_millis() + EMERGENCY_DURATION))
}

/// What tells the patient.
fn communication(patient: &Key, user: &Key, reason: &str, now: Millis) -> String {
    let text = format!(
        "Your record was opened in an emergency, beyond what you agreed to. The reason given: {}",
        reason.trim()
    );
    format!(
        r#"{{"resourceType":"Communication","extension":[{{"url":"{NOTICE}","valueCode":"break-glass"}}],"status":"completed","category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/communication-category","code":"alert"}}]}}],"priority":"urgent","subject":{{"reference":"{patient}"}},"sent":"{}","recipient":[{{"reference":"{patient}"}}],"sender":{{"reference":"{user}"}},"reasonCode":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/v3-ActReason","code":"{BREAK_GLASS}"}}]}}],"payload":[{{"contentString":{}}}]}}"#,
        Instant::from_millis(now),
        quote(&text),
    )
}

/// What the server wrote to tell a patient is nobody's to write, change or delete: least of all theirs of whom it tells.
pub(crate) struct Notices;

impl Rule for Notices {
    fn name(&self) -> &'static str {
        "notices"
    }

    fn resource_types(&self) -> &'static [&'static str] {
        &["Communication"]
    }

    fn apply(&self, transaction: &mut Transaction<'_>, planned: &Planned) -> Result<(), Outcome> {
        let is_own = transaction.session.notifies || transaction.is_import();
        if is_own || ![&planned.before, &planned.after].into_iter().flatten().any(|it| is_notice(it)) {
            return Ok(());
        }
        let text =
            format!("`{}` is what this server told a patient; nobody writes, changes or deletes that", planned.key);
        Err(Outcome::new(IssueType::MethodNotAllowed, text))
    }
}

fn is_notice(communication: &Document) -> bool {
    let extensions = communication.root().get("extension").into_iter().flat_map(Node::each);
    extensions.filter_map(|extension| extension.get("url")).any(|url| url.is_str(NOTICE))
}
