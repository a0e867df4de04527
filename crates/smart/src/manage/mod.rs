//! The management endpoint, <https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html#metadata>: people see which apps may use which record, and
//! stop them. A patient sees all of their record, whoever allowed it, and what else they decided; everybody sees what they allowed themselves.

mod decisions;

use std::collections::BTreeMap;

use fhir::Outcome;
use repository::Key;

use crate::authorize::{is_same, words};
use crate::event::PersonAct;
use crate::exchange::Reply;
use crate::pages::{EntryView, ManageView, SignedIn, Stop, Visit};
use crate::people::{Record, day_in_words, is_proven};
use crate::scope::{Scopes, Word};
use crate::{Grant, Grants};

/// How many apps the page shows.
const ENTRIES_MAX: usize = 100;

const HERE: &str = "/auth/manage";

/// Grants that read as one: the same app, record and person.
type Same = (String, Option<String>, Option<String>, Option<String>);

impl Visit<'_> {
    /// `GET /auth/manage`.
    pub(crate) fn manage_page(&self) -> Result<Reply, Stop> {
        match self.signed_in()? {
            Some(person) => Ok(self.manage(&person, None)?),
            None => Ok(self.sign_in_for(HERE, "", "", &[])),
        }
    }

    /// `POST /auth/manage`: stops an app, with all that reads as one with the grant that is named, or ends a consent.
    pub(crate) fn withdraw(&self) -> Result<Reply, Stop> {
        let person = self.check_signed_in_form()?;
        if !self.field("consent").is_empty() {
            let ended = self.end_decision(&person, self.field("consent"))?;
            return Ok(self.manage(&person, ended.map(|title| format!("This counts no more: {title}.")))?);
        }
        let grants = self.visible(&person)?;
        let Some(named) = grants.iter().find(|grant| grant.id == self.field("grant")) else {
            return Ok(self.manage(&person, None)?);
        };
        for grant in grants.iter().filter(|grant| is_same(grant, named)) {
            self.end(&person, grant)?;
        }
        let done = format!("{} was stopped.", self.app_name(named)?);
        Ok(self.manage(&person, Some(done))?)
    }

    fn end(&self, person: &SignedIn, grant: &Grant) -> Result<(), Outcome> {
        Grants::new(self.vault(), &self.pages.setup.random).end(&grant.id)?;
        self.granted().settle(&self.records(), &self.pages.issuer(), grant, self.now)?;
        let act = PersonAct::Withdrawn {
            client: grant.client.clone(),
            grant: grant.id.clone(),
            patient: grant.patient.clone(),
        };
        self.tell(act, Some(&person.account));
        Ok(())
    }

    /// The grants that somebody made, and those on their own record. Who is not proven to be that person sees none that one who was has made.
    fn visible(&self, person: &SignedIn) -> Result<Vec<Grant>, Outcome> {
        let granted = self.granted();
        let mut grants = granted.by_account(&person.account.name, self.now)?;
        if !is_proven(person.account.vot.as_deref()) {
            grants.retain(|grant| !is_proven(grant.vot.as_deref()));
            return Ok(grants);
        }
        if let Some(user) = person.account.user().filter(|user| user.collection() == "Patient") {
            for grant in granted.on_patient(user.id(), self.now)? {
                if grants.iter().all(|held| held.id != grant.id) {
                    grants.push(grant);
                }
            }
        }
        Ok(grants)
    }

    fn manage(&self, person: &SignedIn, done: Option<String>) -> Result<Reply, Outcome> {
        let mut together: BTreeMap<Same, Vec<Grant>> = BTreeMap::new();
        for grant in self.visible(person)? {
            let same = (grant.client.clone(), grant.patient.clone(), grant.account.clone(), grant.fhir_user.clone());
            together.entry(same).or_default().push(grant);
        }
        let is_cut = together.len() > ENTRIES_MAX;
        let mut entries = Vec::new();
        for grants in together.values().take(ENTRIES_MAX) {
            entries.extend(self.entry(person, grants)?);
        }
        let decisions = self.decisions(person)?;
        let view = ManageView { frame: self.frame(Some(person)), done, entries, is_cut, decisions };
        Ok(self.page(200, &view, &[]))
    }

    fn entry(&self, person: &SignedIn, grants: &[Grant]) -> Result<Option<EntryView>, Outcome> {
        let Some(first) = grants.iter().min_by_key(|grant| grant.created) else { return Ok(None) };
        let ends: Option<Vec<i64>> = grants.iter().map(|grant| grant.expires).collect();
        let until = ends.and_then(|ends| ends.into_iter().max());
        Ok(Some(EntryView {
            app: self.app_name(first)?,
            record: self.record_name(person, first)?,
            by: self.by(person, first)?,
            since: day_in_words(first.created),
            until: until.map_or("You stop it".to_owned(), day_in_words),
            may: may(grants),
            grant: first.id.clone(),
        }))
    }

    fn app_name(&self, grant: &Grant) -> Result<String, Outcome> {
        let client = self.client(&grant.client)?;
        Ok(client.map_or_else(|| "An app that is no longer known".to_owned(), |client| client.name))
    }

    fn record_name(&self, person: &SignedIn, grant: &Grant) -> Result<String, Outcome> {
        let Some(patient) = grant.patient.as_deref().and_then(|id| Key::new("Patient", id)) else {
            return Ok("What you may see yourself".to_owned());
        };
        if person.account.user().as_ref() == Some(&patient) {
            return Ok("Your own record".to_owned());
        }
        let record = Record::read(&self.records(), &patient)?;
        Ok(record.and_then(|record| record.name()).unwrap_or_else(|| format!("Patient {}", patient.id())))
    }

    fn by(&self, person: &SignedIn, grant: &Grant) -> Result<String, Outcome> {
        if grant.account.as_ref() == Some(&person.account.name) {
            return Ok("You".to_owned());
        }
        let key = grant.fhir_user.as_deref().and_then(Key::parse);
        let record = key.map(|key| Record::read(&self.records(), &key)).transpose()?.flatten();
        let name = record.as_ref().and_then(Record::name);
        let role = record.and_then(|record| record.concept("relationship"));
        Ok(match (name, role) {
            (Some(name), Some(role)) => format!("{name} ({role}), who acts for you"),
            (Some(name), None) => name,
            (None, Some(role)) => format!("Somebody who acts for you ({role})"),
            (None, None) => "Somebody else".to_owned(),
        })
    }
}

/// What grants allow together, in plain words.
fn may(grants: &[Grant]) -> Vec<String> {
    let scopes: Vec<&str> = grants.iter().map(|grant| grant.scope.as_str()).collect();
    let Ok(scopes) = Scopes::parse(&scopes.join(" ")) else { return vec!["More than can be shown here".to_owned()] };
    let mut may: Vec<String> = scopes.data.iter().map(words).collect();
    if scopes.has(Word::OfflineAccess) {
        may.push("Keep its access while you are not using it".to_owned());
    }
    if may.is_empty() {
        may.push("Know who you are".to_owned());
    }
    may
}
