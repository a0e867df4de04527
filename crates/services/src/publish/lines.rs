//! The lines of a file.

use std::borrow::Cow;
use std::collections::HashMap;

use fhir::json::{Document, Node};
use fhir::{DateTime, Instant, IssueType, Outcome};
use repository::{Session, Version, query_string};

use super::split::{LINES_MAX, Span};
use crate::appointments::{BOOKABLE_BY, is_open};

/// What is published, a kind of file each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Published {
    Location,
    HealthcareService,
    PractitionerRole,
    Schedule,
    Slot,
}

/// The elements of schedules and slots that are published: remarks are not for everybody.
const ELEMENTS: [&str; 15] = [
    "resourceType",
    "id",
    "meta",
    "identifier",
    "active",
    "serviceCategory",
    "serviceType",
    "specialty",
    "appointmentType",
    "schedule",
    "actor",
    "planningHorizon",
    "status",
    "start",
    "end",
];

/// And their extensions: how one meets, how many fit, and where to book.
const EXTENSIONS: [&str; 4] = [
    "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-DeliveryChannel",
    "http://fhir-registry.smarthealthit.org/StructureDefinition/slot-capacity",
    "http://fhir-registry.smarthealthit.org/StructureDefinition/booking-deep-link",
    "http://fhir-registry.smarthealthit.org/StructureDefinition/booking-phone",
];

/// Who may be an actor of a schedule that is published. A schedule of a patient is nobody else's business.
const ACTORS: [&str; 5] = ["Device", "HealthcareService", "Location", "Practitioner", "PractitionerRole"];

impl Published {
    pub(super) const ALL: [Published; 5] = [
        Published::Location,
        Published::HealthcareService,
        Published::PractitionerRole,
        Published::Schedule,
        Published::Slot,
    ];

    pub(super) fn resource_type(self) -> &'static str {
        match self {
            Published::Location => "Location",
            Published::HealthcareService => "HealthcareService",
            Published::PractitionerRole => "PractitionerRole",
            Published::Schedule => "Schedule",
            Published::Slot => "Slot",
        }
    }

    /// The query of the file's URL.
    pub(super) fn file(self, span: Span) -> String {
        let (from, to) = (span.from.to_rfc3339(), span.to.to_rfc3339());
        query_string([("file", self.resource_type()), ("from", from.as_str()), ("to", to.as_str())])
    }

    /// What may be published of this range: some of it turns out not to be, when its schedule is looked at.
    pub(super) fn query(self, span: Span, now: Instant) -> String {
        let (from, to, now) = (span.from.to_rfc3339(), span.to.to_rfc3339(), now.to_rfc3339());
        let named = "_has:Schedule:actor:active:not=false";
        match self {
            Published::Location => format!("_lastUpdated=ge{from}&_lastUpdated=lt{to}&status:not=inactive&{named}"),
            Published::HealthcareService => {
                format!("_lastUpdated=ge{from}&_lastUpdated=lt{to}&active:not=false&bookable-by:missing=true&{named}")
            }
            Published::PractitionerRole => {
                format!("_lastUpdated=ge{from}&_lastUpdated=lt{to}&active:not=false&{named}")
            }
            Published::Schedule => {
                format!("_lastUpdated=ge{from}&_lastUpdated=lt{to}&active:not=false&bookable-by:missing=true")
            }
            Published::Slot => {
                format!("start=ge{from}&start=lt{to}&start=gt{now}&status=free&bookable-by:missing=true")
            }
        }
    }
}

/// The file of this URL's query, as NDJSON.
pub(super) fn file(session: &Session<'_>, published: Published, span: Span) -> Result<String, Outcome> {
    let query = published.query(span, session.now());
    let found = session.lookup(published.resource_type(), &query, LINES_MAX + 1)?;
    if found.len() > LINES_MAX {
        let text =
            format!("from `from` to `to` there are more than {LINES_MAX} lines; the manifest names files that fit");
        return Err(Outcome::new(IssueType::TooCostly, text));
    }
    let mut schedules = Schedules { session, open: HashMap::new() };
    let mut text = String::new();
    for version in &found {
        if let Some(line) = line(&mut schedules, published, version)? {
            text.push_str(&line);
            text.push('\n');
        }
    }
    Ok(text)
}

fn line(schedules: &mut Schedules<'_>, published: Published, version: &Version) -> Result<Option<String>, Outcome> {
    let body = version.body.as_deref().unwrap_or_default();
    let is_shown = match published {
        Published::Schedule => schedules.is_open(version.key.as_str())?,
        Published::Slot => {
            let slot = Document::parse(body)?;
            let schedule = slot.root().path(&["schedule", "reference"]).and_then(Node::as_str).unwrap_or_default();
            is_open(&slot, schedules.session.now()) && schedules.is_open(&schedule)?
        }
        _ => return Ok(Some(String::from_utf8_lossy(body).into_owned())),
    };
    Ok(if is_shown { Some(shown(&Document::parse(body)?)) } else { None })
}

/// What is published of a schedule or slot.
fn shown(document: &Document) -> String {
    let extensions = document.root().get("extension").into_iter().flat_map(Node::each);
    let extensions =
        extensions.filter(|it| EXTENSIONS.iter().any(|url| it.get("url").is_some_and(|it| it.is_str(url))));
    let extensions: Vec<_> = extensions.map(Node::raw).collect();
    let members = document.root().members().filter(|(name, _)| ELEMENTS.contains(name));
    let members = members.map(|(name, value)| format!(r#""{name}":{}"#, value.raw()));
    let extension = (!extensions.is_empty()).then(|| format!(r#""extension":[{}]"#, extensions.join(",")));
    format!("{{{}}}", members.chain(extension).collect::<Vec<_>>().join(","))
}

/// The schedules that were looked at.
struct Schedules<'a> {
    session: &'a Session<'a>,
    open: HashMap<String, bool>,
}

impl Schedules<'_> {
    /// Whether a schedule of this server is open to everybody.
    fn is_open(&mut self, reference: &str) -> Result<bool, Outcome> {
        if let Some(open) = self.open.get(reference) {
            return Ok(*open);
        }
        let open = self.look(reference)?;
        self.open.insert(reference.to_owned(), open);
        Ok(open)
    }

    fn look(&self, reference: &str) -> Result<bool, Outcome> {
        let Some(schedule) = self.read(reference)? else { return Ok(false) };
        if is_over_or_kept(&schedule) {
            return Ok(false);
        }
        for actor in schedule.root().get("actor").into_iter().flat_map(Node::each) {
            let reference = actor.get("reference").and_then(Node::as_str).unwrap_or_default();
            let named = actor.get("type").and_then(Node::as_str);
            let resource_type =
                self.session.local(&reference).map(|key| Cow::Owned(key.collection().to_owned())).or(named);
            let Some(resource_type) = resource_type.filter(|name| ACTORS.contains(&name.as_ref())) else {
                return Ok(false);
            };
            if resource_type == "HealthcareService"
                && let Some(service) = self.read(&reference)?
                && is_over_or_kept(&service)
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn read(&self, reference: &str) -> Result<Option<Document>, Outcome> {
        let Some(key) = self.session.local(reference) else { return Ok(None) };
        match self.session.read(&key) {
            Ok(version) => Ok(Some(Document::parse(version.body.as_deref().unwrap_or_default())?)),
            Err(outcome)
                if outcome.issues.iter().all(|it| [IssueType::NotFound, IssueType::Deleted].contains(&it.code)) =>
            {
                Ok(None)
            }
            Err(outcome) => Err(outcome),
        }
    }
}

fn is_over_or_kept(document: &Document) -> bool {
    let root = document.root();
    let mut extensions = root.get("extension").into_iter().flat_map(Node::each);
    root.get("active").and_then(Node::as_bool) == Some(false)
        || extensions.any(|extension| extension.get("url").is_some_and(|url| url.is_str(BOOKABLE_BY)))
}

/// The instant that a text of a URL says.
pub(super) fn instant(text: &str) -> Option<Instant> {
    fhir::is_instant(text).then(|| DateTime::parse(text).map(|time| time.range().0)).flatten()
}
