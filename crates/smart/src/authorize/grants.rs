//! What people granted: written with what it rests on, found again by who granted it and by whose record it is.
//!
//! A grant is named twice more in the vault, `granted/account/<name>/<id>` and `granted/patient/<id>/<id>`, before a code for it is issued: none
//! escapes the page on which it is withdrawn.

use std::collections::BTreeSet;

use fhir::{IssueType, Outcome};
use repository::{Edit, Key, Millis, Session, Vault};

use super::consent::is_known_address;
use super::patients::Candidate;
use super::request::AuthorizeRequest;
use super::sharing::{NewSharing, Sharing, active_of, withdraw};
use super::{Asked, Until};
use crate::event::PersonAct;
use crate::exchange::Reply;
use crate::pages::{SignedIn, Stop, Visit};
use crate::people::{Account, is_proven};
use crate::scope::{Level, Scopes};
use crate::secret::{Random, new_name};
use crate::{CODE_AGE_MAX, Client, Codes, Grant, Grants};

/// How many names of grants are read from the vault at once.
const LIST_PAGE: usize = 500;

/// The grants of people.
pub(crate) struct Granted<'a> {
    vault: Vault<'a>,
    grants: Grants<'a>,
}

impl<'a> Granted<'a> {
    pub(crate) fn new(vault: Vault<'a>, random: &'a Random) -> Granted<'a> {
        Granted { vault, grants: Grants::new(vault, random) }
    }

    /// Those that somebody made.
    pub(crate) fn by_account(&self, account: &str, now: Millis) -> Result<Vec<Grant>, Outcome> {
        self.listed(&format!("granted/account/{account}/"), now)
    }

    /// Those on the record of a patient, whoever made them.
    pub(crate) fn on_patient(&self, patient: &str, now: Millis) -> Result<Vec<Grant>, Outcome> {
        self.listed(&format!("granted/patient/{patient}/"), now)
    }

    fn listed(&self, prefix: &str, now: Millis) -> Result<Vec<Grant>, Outcome> {
        Ok(self.entries(prefix, now)?.into_iter().map(|(grant, _)| grant).collect())
    }

    /// The grants that are named so, with what stands beside their names; names of what is gone are cleared.
    fn entries(&self, prefix: &str, now: Millis) -> Result<Vec<(Grant, Vec<u8>)>, Outcome> {
        let (mut entries, mut gone) = (Vec::new(), Vec::new());
        let mut after: Option<String> = None;
        loop {
            let page = self.vault.list(prefix, after.as_deref(), LIST_PAGE)?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            for (name, value) in page {
                match self.grants.find(&name[prefix.len()..], now)? {
                    Some(grant) => entries.push((grant, value)),
                    None => gone.push(Edit::remove(name)),
                }
            }
        }
        if !gone.is_empty() {
            self.vault.edit(gone)?;
        }
        Ok(entries)
    }

    /// Clears those that `grant` stands for as well: the same app, record and person, no more than it allows, and no token left that counts.
    fn clear_former(&self, grant: &Grant, now: Millis) -> Result<(), Outcome> {
        let Some(account) = &grant.account else { return Ok(()) };
        let scopes = Scopes::parse(&grant.scope).unwrap_or_default();
        let is_covered = |former: &Grant| {
            former.id != grant.id
                && is_same(former, grant)
                && Scopes::parse(&former.scope).is_ok_and(|former| scopes.cover(&former))
                && former.expires.unwrap_or(Millis::MAX) <= grant.expires.unwrap_or(Millis::MAX)
                && former.consents.iter().all(|consent| grant.consents.contains(consent))
        };
        let entries = self.entries(&format!("granted/account/{account}/"), now)?;
        let mut edits = Vec::new();
        for (former, _) in entries.iter().filter(|(former, lasts)| is_covered(former) && is_over(lasts, now)) {
            edits.push(self.grants.removal(former));
            edits.extend(names(former).map(Edit::remove));
        }
        if !edits.is_empty() {
            self.vault.edit(edits)?;
        }
        Ok(())
    }

    /// Keeps a grant, to be found again.
    pub(crate) fn add(&self, grant: &Grant) -> Result<(), Outcome> {
        self.grants.add(grant)?;
        let of_patient = name_on_patient(grant).map(|name| Edit::set(name, []));
        let of_account = lasting(grant, grant.created + CODE_AGE_MAX);
        self.vault.edit(of_patient.into_iter().chain(of_account).collect()).map(|_| ())
    }

    /// Does what the end of a grant asks for: Consents that were written for grants, and on which no other rests, are active no longer.
    pub(crate) fn settle(
        &self,
        records: &Session<'_>,
        issuer: &str,
        ended: &Grant,
        now: Millis,
    ) -> Result<(), Outcome> {
        self.vault.edit(names(ended).map(Edit::remove).collect())?;
        let others = match &ended.patient {
            Some(patient) => self.on_patient(patient, now)?,
            None => Vec::new(),
        };
        let alone =
            ended.consents.iter().filter(|consent| others.iter().all(|other| !other.consents.contains(consent)));
        for consent in alone.filter_map(|consent| Key::parse(consent)) {
            withdraw(records, issuer, &consent)?;
        }
        Ok(())
    }
}

/// Whether two grants read as one: the same app, record and person.
pub(crate) fn is_same(one: &Grant, other: &Grant) -> bool {
    let same =
        |grant: &Grant| (grant.client.clone(), grant.patient.clone(), grant.account.clone(), grant.fhir_user.clone());
    same(one) == same(other)
}

/// Notes until when a token or a code may count that rests on a grant, beside its name; for a system's nothing is noted.
pub(crate) fn lasting(grant: &Grant, until: Millis) -> Option<Edit> {
    Some(Edit::set(name_by_account(grant)?, until.to_string()))
}

/// Whether no token counts any longer by what was noted; where nothing was, one may.
fn is_over(lasts: &[u8], now: Millis) -> bool {
    let until = std::str::from_utf8(lasts).ok().and_then(|until| until.parse::<Millis>().ok());
    until.is_some_and(|until| until <= now)
}

fn names(grant: &Grant) -> impl Iterator<Item = String> {
    name_by_account(grant).into_iter().chain(name_on_patient(grant))
}

fn name_by_account(grant: &Grant) -> Option<String> {
    grant.account.as_ref().map(|account| format!("granted/account/{account}/{}", grant.id))
}

fn name_on_patient(grant: &Grant) -> Option<String> {
    grant.patient.as_ref().map(|patient| format!("granted/patient/{patient}/{}", grant.id))
}

/// What a grant rests on.
#[derive(Default)]
struct Basis {
    consents: Vec<String>,
    /// When the first of it ends.
    until: Until,
}

impl<'a> Visit<'a> {
    pub(crate) fn granted(&self) -> Granted<'a> {
        Granted::new(self.vault(), &self.pages.setup.random)
    }

    /// The Consents by which a patient's record is shared with an app already, the one that ends first before the others. A grant rests on all
    /// of them: whoever writes another one takes no exception away.
    pub(super) fn sharing_with(&self, client: &Client, patient: &Candidate) -> Result<Vec<Sharing>, Outcome> {
        let issuer = self.pages.issuer();
        let mut sharing = active_of(&self.records(), patient.id(), self.now)?;
        sharing.retain(|sharing| sharing.permits_client(client, &issuer));
        sharing.sort_by_key(|sharing| sharing.until.unwrap_or(Millis::MAX));
        Ok(sharing)
    }

    /// Until when the same was allowed before, so that nobody need be asked again; `None` when somebody must.
    pub(super) fn remembered(&self, asked: &Asked, patient: Option<&Candidate>) -> Result<Option<Until>, Outcome> {
        if asked.request.prompt.consent || !is_known_address(&asked.request.target.redirect_uri) {
            return Ok(None);
        }
        let granted = self.granted().by_account(&asked.person.account.name, self.now)?;
        let user = acting(&asked.person.account, patient);
        let is_same = |grant: &&Grant| {
            asked.person.account.counts(grant.auth_time)
                && grant.client == asked.request.client.id
                && grant.patient.as_deref() == patient.map(Candidate::id)
                && grant.fhir_user.as_deref() == user.as_ref().map(Key::as_str)
                && Scopes::parse(&grant.scope).is_ok_and(|scopes| scopes.cover(&asked.scopes))
        };
        let mut same: Vec<&Grant> = granted.iter().filter(is_same).collect();
        if let Some(patient) = patient {
            let active = active_of(&self.records(), patient.id(), self.now)?;
            let active: BTreeSet<&str> = active.iter().map(|sharing| sharing.key.as_str()).collect();
            same.retain(|grant| grant.consents.iter().all(|consent| active.contains(consent.as_str())));
        }
        let longest = same.into_iter().max_by_key(|grant| grant.expires.unwrap_or(Millis::MAX));
        Ok(longest.map(|grant| grant.expires))
    }

    /// Writes what was granted and sends the browser to the app with a code.
    pub(super) fn grant(
        &self,
        asked: Asked,
        patient: Option<Candidate>,
        scopes: Scopes,
        until: Until,
    ) -> Result<Reply, Stop> {
        let Asked { request, person, launch, .. } = asked;
        let launched = launch.as_ref().map(|found| found.value.clone()).unwrap_or_default();
        if let Some(found) = launch
            && !self.vault().edit(vec![found.take()])?
        {
            return Err(self.refuse(&request, &person, "invalid_request", "`launch` was used at the same moment"));
        }
        let (account, client) = (&person.account, &request.client);
        let id = new_name(&self.pages.setup.random);
        let user = acting(account, patient.as_ref());
        let basis = match (&patient, &user) {
            (Some(patient), Some(user)) if !account.is_staff() && scopes.has_level(Level::Patient) => {
                let basis = self.basis(client, account, patient, user, &id, until);
                basis.map_err(|outcome| self.not_shared(&request, &person, outcome))?
            }
            _ => Basis { consents: Vec::new(), until },
        };
        let grant = Grant {
            id,
            client: client.id.clone(),
            account: Some(account.name.clone()),
            subject: account.subject.clone(),
            fhir_user: user.map(|user| user.as_str().to_owned()),
            patient: patient.map(|patient| patient.id().to_owned()),
            encounter: launched.encounter.clone(),
            context: context(&launched),
            scope: scopes.to_string(),
            purposes: purposes(client, account),
            consents: basis.consents,
            auth_time: person.session.auth_time,
            vot: account.vot.clone(),
            created: self.now,
            expires: basis.until,
        };
        self.granted().add(&grant)?;
        self.granted().clear_former(&grant, self.now)?;
        let codes = Codes::new(self.vault(), &self.pages.setup.random);
        let (uri, nonce) = (&request.target.redirect_uri, request.nonce.as_deref());
        let code = codes.issue(&grant, uri, &request.code_challenge, nonce, self.now)?;
        self.sessions().answer(&self.cookie)?;
        self.tell(
            PersonAct::Granted {
                client: grant.client,
                grant: grant.id,
                patient: grant.patient,
                scope: grant.scope,
                consents: grant.consents,
            },
            Some(account),
        );
        Ok(request.target.accept(&code))
    }

    /// Why a record cannot be shared: where a rule refuses another consent, the app is told.
    fn not_shared(&self, request: &AuthorizeRequest, person: &SignedIn, outcome: Outcome) -> Stop {
        match outcome.issues.iter().all(|issue| issue.code == IssueType::BusinessRule) {
            true => {
                self.refuse(request, person, "access_denied", "the record can be shared no further: too many consents")
            }
            false => outcome.into(),
        }
    }

    /// The Consents that an app's access to a record rests on: the patient's for the app, taken or written now, and the one for the proxy. Who is
    /// not proven to be that person has none written: it would share the whole record, with whatever else is of the app's organization.
    fn basis(
        &self,
        client: &Client,
        account: &Account,
        patient: &Candidate,
        user: &Key,
        grant: &str,
        until: Until,
    ) -> Result<Basis, Outcome> {
        let mut basis = Basis { consents: Vec::new(), until };
        if let Some(proxy) = &patient.proxy {
            basis.rest_on(&proxy.consent, proxy.until);
        }
        let sharing = self.sharing_with(client, patient)?;
        sharing.iter().for_each(|sharing| basis.rest_on(&sharing.key, sharing.until));
        match sharing.is_empty() {
            false => {}
            true if !is_proven(account.vot.as_deref()) => {}
            true => {
                let sharing = NewSharing {
                    issuer: &self.pages.issuer(),
                    grant,
                    client,
                    patient: &patient.record,
                    performer: user,
                    now: self.now,
                    until: basis.until,
                };
                let key = sharing.write(&self.records())?;
                basis.rest_on(&key, basis.until);
            }
        }
        Ok(basis)
    }
}

impl Basis {
    fn rest_on(&mut self, consent: &Key, until: Until) {
        self.consents.push(consent.as_str().to_owned());
        self.until = match (self.until, until) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
}

/// As whom somebody acts on a record: for another, as the related person whom the Consent names.
fn acting(account: &Account, patient: Option<&Candidate>) -> Option<Key> {
    let proxy = patient.and_then(|patient| patient.proxy.as_ref());
    proxy.map(|proxy| proxy.related_person.clone()).or_else(|| account.user())
}

fn purposes(client: &Client, account: &Account) -> Vec<String> {
    match client.purposes.as_slice() {
        [] if account.is_staff() => vec!["TREAT".to_owned()],
        [] => vec!["PATRQT".to_owned()],
        purposes => purposes.to_vec(),
    }
}

/// The launch context beside patient and encounter.
fn context(launch: &super::Launch) -> Option<String> {
    let mut context = serde_json::Map::new();
    context.extend(launch.need_patient_banner.map(|need| ("need_patient_banner".to_owned(), need.into())));
    context.extend(launch.intent.clone().map(|intent| ("intent".to_owned(), intent.into())));
    (!context.is_empty()).then(|| serde_json::Value::Object(context).to_string())
}
