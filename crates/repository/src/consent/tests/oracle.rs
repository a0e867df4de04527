//! What is seen of a resource, told slowly from the documents alone and from the algorithm as its text says: no policy, no data expression and
//! no filter has a part in it.

use fhir::json::{Document, Node};

use super::at;
use crate::consent::{Elevation, Implicit};
use crate::{Name, Requester};

/// All that decides.
pub(super) struct World<'a> {
    pub(super) consents: &'a [Document],
    pub(super) requester: &'a Requester,
    pub(super) now: &'a str,
    pub(super) implicit: Implicit,
    pub(super) elevations: &'a [Elevation],
}

/// How a deny is weighed.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Plain,
    Emergency,
    Named,
}

/// The elements that apply at a provision: its own, else those of the nearest one above that states them.
#[derive(Clone, Copy, Default)]
struct Stated<'a> {
    actor: Option<Node<'a>>,
    purpose: Option<Node<'a>>,
    class: Option<Node<'a>>,
    code: Option<Node<'a>>,
    label: Option<Node<'a>>,
    period: Option<Node<'a>>,
    data: Option<Node<'a>>,
    is_over: bool,
    is_research: bool,
}

impl World<'_> {
    pub(super) fn sees(&self, resource: &Document) -> bool {
        let root = resource.root();
        if self.requester.custodian || root.resource_type() == Some("Practitioner") {
            return true;
        }
        let patients = patients_of(root);
        match &self.requester.patient {
            Some(only) if self.acts_for_patient() => {
                patients.iter().all(|patient| patient != only.id() || self.shows(patient, root))
            }
            _ => patients.iter().all(|patient| self.shows(patient, root)),
        }
    }

    fn user(&self) -> String {
        self.requester.user.as_ref().map(|user| user.as_str().to_owned()).unwrap_or_default()
    }

    /// Whether it is a patient's own view, or that of who acts for one.
    fn acts_for_patient(&self) -> bool {
        let is_lay = ["Patient/", "RelatedPerson/"].iter().any(|name| self.user().starts_with(name));
        self.requester.patient.is_some() && (is_lay || !self.requester.consents.is_empty())
    }

    /// Whether one patient lets the resource be seen.
    fn shows(&self, patient: &str, resource: Node<'_>) -> bool {
        let of_patient = || self.consents.iter().map(Document::root).filter(|consent| is_about(*consent, patient));
        let asks = self.requester;
        let user = self.user();
        if self.acts_for_patient() {
            if asks.consents.is_empty() && user != format!("Patient/{patient}") {
                return false;
            }
            let permits = |key: &store::Key| {
                let mut named = of_patient().filter(|consent| text(*consent, "id") == key.id());
                named.any(|consent| self.verdict(consent, Mode::Plain, resource) == Some(true))
            };
            let denies = |consent| self.verdict(consent, Mode::Named, resource) == Some(false);
            return asks.consents.iter().all(permits) && !of_patient().any(denies);
        }
        let is_elevated = self
            .elevations
            .iter()
            .any(|it| it.user.as_str() == user && it.patient.id() == patient && at(self.now) < it.until);
        let mode = if is_elevated { Mode::Emergency } else { Mode::Plain };
        let verdicts: Vec<_> = of_patient().map(|consent| self.verdict(consent, mode, resource)).collect();
        if verdicts.contains(&Some(false)) {
            return false;
        }
        let has_base = !is_elevated && of_patient().any(|consent| self.is_base(consent));
        let implied = match self.implicit {
            _ if has_base => false,
            Implicit::Permit => true,
            Implicit::PermitNormal => is_elevated || is_normal(resource),
            Implicit::BreakGlassOnly => is_elevated,
            Implicit::Deny => false,
        };
        implied || verdicts.contains(&Some(true))
    }

    /// Whether the consent's own provision, whatever its data, is a permit for who asks.
    fn is_base(&self, consent: Node<'_>) -> bool {
        let root = consent.get("provision").expect("a provision");
        let is_permit = text(root, "type") == "permit" && root.get("modifierExtension").is_none();
        is_permit && self.is_asked(&stated(root, above(consent), self.now), true, Mode::Plain)
    }

    /// What a consent says about a resource; nothing where it is not about it.
    fn verdict(&self, consent: Node<'_>, mode: Mode, resource: Node<'_>) -> Option<bool> {
        self.judge(consent.get("provision").expect("a provision"), above(consent), mode, resource)
    }

    fn judge(&self, provision: Node<'_>, above: Stated<'_>, mode: Mode, resource: Node<'_>) -> Option<bool> {
        if provision.get("modifierExtension").is_some() {
            // Not understood: a deny anywhere in it denies the whole; it names nobody.
            return (provision.raw().contains(r#""deny""#) && mode != Mode::Named).then_some(false);
        }
        let is_permit = text(provision, "type") == "permit";
        let stated = stated(provision, above, self.now);
        let exceptions = provision.get("provision").into_iter().flat_map(Node::each);
        let verdicts: Vec<_> = exceptions.filter_map(|it| self.judge(it, stated, mode, resource)).collect();
        match verdicts.iter().min() {
            Some(verdict) => Some(*verdict),
            None => {
                let counts = self.is_asked(&stated, is_permit, mode) && holds(&stated, is_permit, resource);
                counts.then_some(is_permit)
            }
        }
    }

    /// Whether a provision is about who asks, now.
    fn is_asked(&self, stated: &Stated<'_>, is_permit: bool, mode: Mode) -> bool {
        let mut purposes: Vec<_> = self.requester.purposes.iter().flat_map(|purpose| wider(purpose)).copied().collect();
        if mode == Mode::Emergency {
            purposes.extend(wider("BTG"));
        }
        let is_named = stated.actor.is_none_or(|actors| {
            actors.each().any(|actor| match self.names(actor) {
                Some(named) => named,
                None => !is_permit,
            })
        });
        let is_purpose = match (stated.purpose, stated.is_research) {
            (Some(listed), _) => listed.each().any(|it| purposes.contains(&text(it, "code").as_str())),
            (None, true) => purposes.contains(&"HRESCH") || purposes.contains(&"HSYSADMIN"),
            (None, false) => true,
        };
        let is_wide = [stated.class, stated.code, stated.period, stated.data].iter().all(Option::is_none);
        let names_emergency = stated.purpose.is_some_and(|listed| listed.each().any(|it| text(it, "code") == "BTG"));
        let is_spared = match mode {
            Mode::Plain => false,
            Mode::Emergency => is_wide && !names_emergency,
            Mode::Named => stated.actor.is_none(),
        };
        !stated.is_over && is_named && is_purpose && (is_permit || !is_spared)
    }

    /// Whether an actor is who asks; `None` when it is not said who it is.
    fn names(&self, actor: Node<'_>) -> Option<bool> {
        let reference = actor.get("reference")?;
        let literal = reference.get("reference").map(|it| it.as_str().expect("text").into_owned());
        let identifier = reference.get("identifier").map(|it| (text(it, "system"), text(it, "value")));
        if literal.is_none() && identifier.is_none() {
            return None;
        }
        let asks = self.requester;
        let keys = asks.user.iter().chain(&asks.organization).map(|key| key.as_str());
        let named = asks.names.iter().filter_map(|name| match name {
            Name::Key(key) => Some(key.as_str()),
            Name::Identifier { .. } => None,
        });
        let mut keys = keys.chain(named);
        let has_key = literal.is_some_and(|literal| keys.any(|key| key == literal));
        let is_identifier = |name: &Name| match (name, &identifier) {
            (Name::Identifier { system, value }, Some(wanted)) => (system, value) == (&wanted.0, &wanted.1),
            _ => false,
        };
        Some(has_key || asks.names.iter().any(is_identifier))
    }
}

fn above(consent: Node<'_>) -> Stated<'_> {
    Stated { is_research: consent.raw().contains(r#""code":"research""#), ..Stated::default() }
}

fn stated<'a>(provision: Node<'a>, above: Stated<'a>, now: &str) -> Stated<'a> {
    let is_within = |period: Node<'_>| {
        let (start, end) = (period.get("start"), period.get("end"));
        start.is_none_or(|start| text_of(start).as_str() <= now) && end.is_none_or(|end| now <= text_of(end).as_str())
    };
    Stated {
        actor: provision.get("actor").or(above.actor),
        purpose: provision.get("purpose").or(above.purpose),
        class: provision.get("class").or(above.class),
        code: provision.get("code").or(above.code),
        label: provision.get("securityLabel").or(above.label),
        period: provision.get("dataPeriod").or(above.period),
        data: provision.get("data").or(above.data),
        is_over: above.is_over || !provision.get("period").is_none_or(is_within),
        is_research: above.is_research,
    }
}

/// Whether the resource is such data. A permit must be sure of it, for a deny it is enough that it may be.
fn holds(stated: &Stated<'_>, is_permit: bool, resource: Node<'_>) -> bool {
    let resource_type = resource.resource_type().expect("a type");
    let any = |listed: Option<Node<'_>>, fits: &dyn Fn(Node<'_>) -> bool| listed.is_none_or(|it| it.each().any(fits));
    let codes = || resource.path(&["code", "coding"]).into_iter().flat_map(Node::each);
    let label = |wanted: Node<'_>| {
        let wanted = text(wanted, "code");
        let has = labels_of(resource).contains(&wanted);
        match wanted.as_str() {
            "N" if is_permit => is_normal(resource),
            "N" => has || is_normal(resource),
            _ => has,
        }
    };
    let datum = |datum: Node<'_>| match text(datum, "meaning").as_str() {
        "unknown" => !is_permit,
        meaning => {
            let named = datum.path(&["reference", "reference"]).map(text_of).expect("a reference");
            let is_itself = named == format!("{resource_type}/{}", text(resource, "id"));
            let refers = |names: &[&str]| {
                let referring = names.iter().filter_map(|name| resource.get(name)).flat_map(Node::each);
                let linked = names
                    .iter()
                    .filter(|name| **name == "link")
                    .filter_map(|name| resource.get(name))
                    .flat_map(Node::each);
                let all = referring.chain(linked.filter_map(|link| link.get("other")));
                all.filter_map(|it| it.get("reference")).any(|it| text_of(it) == named)
            };
            let everything =
                ["subject", "encounter", "performer", "asserter", "for", "partOf", "author", "requester", "link"];
            match meaning {
                "instance" => is_itself,
                "related" => is_itself || refers(&["encounter", "partOf"]),
                "dependents" => is_itself || refers(&everything),
                "authoredby" => refers(&["performer", "asserter", "author", "requester"]),
                other => panic!("meaning {other}"),
            }
        }
    };
    any(stated.class, &|class| text(class, "code") == resource_type)
        && any(stated.code, &|code| {
            let wanted = code.get("coding").expect("a coding").items().next().expect("one");
            codes().any(|found| text(found, "code") == text(wanted, "code"))
        })
        && any(stated.label, &label)
        && stated.period.is_none_or(|period| is_of(period, is_permit, resource))
        && any(stated.data, &datum)
}

/// Whether a resource is of a time. All dates of this test are days.
fn is_of(period: Node<'_>, is_permit: bool, resource: Node<'_>) -> bool {
    let (start, end) = (text(period, "start"), text(period, "end"));
    let lies = |from: &str, to: &str| match is_permit {
        true => start.as_str() <= from && to <= end.as_str(),
        false => from <= end.as_str() && start.as_str() <= to,
    };
    let member = |name: &str| resource.get(name).map(text_of);
    match resource.resource_type().expect("a type") {
        "Patient" => {
            let updated = resource.path(&["meta", "lastUpdated"]).map(text_of).expect("a time");
            start.as_str() <= &updated[..10] && &updated[..10] <= end.as_str()
        }
        "Encounter" => match resource.get("period") {
            Some(own) => lies(&text(own, "start"), &text(own, "end")),
            None => !is_permit,
        },
        _ => {
            let dates: Vec<_> = ["effectiveDateTime", "onsetDateTime", "recordedDate", "authoredOn"]
                .into_iter()
                .filter_map(member)
                .collect();
            dates.iter().any(|date| lies(date, date)) || dates.is_empty() && !is_permit
        }
    }
}

/// The patients whose records a resource is part of.
fn patients_of(resource: Node<'_>) -> Vec<String> {
    let names = ["subject", "performer", "asserter", "for", "requester"];
    let mut references: Vec<_> = names.into_iter().filter_map(|name| resource.get(name)).flat_map(Node::each).collect();
    if let Some(links) = resource.get("link") {
        references.extend(links.each().filter_map(|link| link.get("other")));
    }
    let texts = references.into_iter().filter_map(|it| it.get("reference")).map(text_of);
    let mut patients: Vec<_> = texts.filter_map(|it| it.strip_prefix("Patient/").map(str::to_owned)).collect();
    if resource.resource_type() == Some("Patient") {
        patients.push(text(resource, "id"));
    }
    patients
}

fn is_about(consent: Node<'_>, patient: &str) -> bool {
    let named = consent.path(&["patient", "reference"]).map(text_of);
    let scopes = [r#""code":"patient-privacy""#, r#""code":"research""#];
    let counts = scopes.iter().any(|scope| consent.get("scope").expect("a scope").raw().contains(scope));
    counts && text(consent, "status") == "active" && named == Some(format!("Patient/{patient}"))
}

fn labels_of(resource: Node<'_>) -> Vec<String> {
    let labels = resource.path(&["meta", "security"]).into_iter().flat_map(Node::each);
    labels.map(|label| text(label, "code")).collect()
}

fn is_normal(resource: Node<'_>) -> bool {
    !labels_of(resource).iter().any(|label| ["R", "V", "PSY", "HIV", "ETHUD"].contains(&label.as_str()))
}

fn wider(purpose: &str) -> &'static [&'static str] {
    match purpose {
        "TREAT" => &["TREAT"],
        "BTG" => &["BTG", "ETREAT", "TREAT"],
        "HRESCH" => &["HRESCH"],
        "CLINTRCH" => &["CLINTRCH", "HRESCH"],
        "HSYSADMIN" => &["HSYSADMIN", "HOPERAT"],
        "PATRQT" => &["PATRQT"],
        other => panic!("purpose {other}"),
    }
}

fn text(node: Node<'_>, name: &str) -> String {
    node.get(name).map(text_of).unwrap_or_default()
}

fn text_of(node: Node<'_>) -> String {
    node.as_str().expect("text").into_owned()
}
