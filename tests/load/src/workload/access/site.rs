//! A store and a server over it, and those who may ask it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use server::{Auth, Config, State};
use store::Key;

use super::consents::Consents;
use super::tokens::Askers;
use crate::connection::{Connection, get, post_form, with_token};
use crate::process::Process;
use crate::scale::Facts;
use crate::workload::search::import;

type Failure = Box<dyn std::error::Error>;

/// How old a token of the record keeper's system may become.
const RENEW: Duration = Duration::from_secs(200);

/// What stores are made from.
pub(super) struct SiteSetup<'a> {
    pub(super) flint: &'a Path,
    /// The store without consents.
    pub(super) data: &'a Path,
    /// For stores that end with this process.
    pub(super) folder: &'a Path,
    pub(super) facts: &'a Facts,
    /// The place of the patient who uses an app.
    pub(super) reader: usize,
}

/// A store with consents.
pub(super) struct Copied {
    pub(super) data: PathBuf,
    consents: Consents,
}

/// A server that everybody may ask, or that wants tokens.
pub(super) struct Site {
    pub(super) process: Process,
    guard: Option<Guard>,
}

struct Guard {
    askers: Askers,
    custodian: (String, Instant),
    app: String,
    staff: String,
    consents: Consents,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    /// Nobody in particular, where everybody may do everything.
    Anybody,
    Custodian,
    App,
    Staff,
}

impl SiteSetup<'_> {
    /// A copy of the store with consents of so many percent of the patients.
    pub(super) fn copy(&self, percent: usize, name: &str) -> Result<Copied, Failure> {
        let data = self.folder.join(name);
        std::fs::create_dir(&data)?;
        for entry in std::fs::read_dir(self.data)? {
            let entry = entry?;
            std::fs::copy(entry.path(), data.join(entry.file_name()))?;
        }
        let consents = Consents::of(self.facts, percent, self.reader);
        let file = self.folder.join(format!("{name}.ndjson"));
        std::fs::write(&file, &consents.lines)?;
        import(self.flint, &data, &file)?;
        Ok(Copied { data, consents })
    }
}

impl Site {
    /// A server of the data as it is.
    pub(super) fn open(setup: &SiteSetup<'_>) -> Result<Site, Failure> {
        Ok(Site { process: Process::flint(setup.flint, setup.data)?, guard: None })
    }

    /// A server that wants tokens, with consents of so many percent of the patients.
    pub(super) fn guarded(setup: &SiteSetup<'_>, percent: usize) -> Result<Site, Failure> {
        let Copied { data, consents } = setup.copy(percent, &format!("consents-{percent}"))?;
        let config = Config { data: data.clone(), auth: Auth::On, ..Config::default() };
        let state = State::open(config, "http://localhost/fhir".to_owned())?;
        let askers = Askers::register(&state, &setup.facts.patients[setup.reader].id())?;
        drop(state);
        let process = Process::guarded(setup.flint, &data)?;
        let redeem = &mut |form: &[(&str, &str)]| redeem(&process, form);
        let custodian = (askers.custodian(&origin(&process), redeem)?, Instant::now());
        let (app, staff) = (askers.app(redeem)?, askers.staff(redeem)?);
        let guard = Guard { askers, custodian, app, staff, consents };
        Ok(Site { process, guard: Some(guard) })
    }

    /// A request by somebody, whose token still counts for a while.
    pub(super) fn request(&mut self, asker: Asker, request: &[u8]) -> Result<Vec<u8>, Failure> {
        let Some(guard) = &mut self.guard else { return Ok(request.to_vec()) };
        if guard.custodian.1.elapsed() > RENEW {
            let redeem = &mut |form: &[(&str, &str)]| redeem(&self.process, form);
            guard.custodian = (guard.askers.custodian(&origin(&self.process), redeem)?, Instant::now());
        }
        Ok(match asker {
            Asker::Anybody => request.to_vec(),
            Asker::Custodian => with_token(request, &guard.custodian.0),
            Asker::App => with_token(request, &guard.app),
            Asker::Staff => with_token(request, &guard.staff),
        })
    }

    /// Whether consents hide a patient's record from staff.
    pub(super) fn hides(&self, patient: usize) -> bool {
        self.guard.as_ref().is_some_and(|guard| guard.consents.hides(patient))
    }

    /// The id of an Observation that staff may not see although they see others of the same patient.
    pub(super) fn labeled(&self) -> Option<String> {
        let path = self.guard.as_ref()?.consents.labeled.first()?;
        path.rsplit('/').next().map(str::to_owned)
    }

    /// Whether each sees what it may and nothing else: `keys` are of the patient with the app.
    pub(super) fn check(&mut self, keys: &[Key]) -> Result<(), Failure> {
        let seen: Vec<_> = keys.iter().map(|key| format!("/fhir/{key}")).collect();
        let labeled = self.guard.as_ref().map_or(Vec::new(), |guard| guard.consents.labeled.clone());
        for path in &seen {
            // Observations about places are open to everybody, and all others as if they were not there.
            let closed = if path.starts_with("/fhir/Observation/") { 404 } else { 401 };
            for (asker, status) in
                [(Asker::Anybody, closed), (Asker::Custodian, 200), (Asker::App, 200), (Asker::Staff, 200)]
            {
                self.expect(asker, path, status)?;
            }
        }
        for path in &labeled {
            for (asker, status) in [(Asker::Custodian, 200), (Asker::App, 404), (Asker::Staff, 404)] {
                self.expect(asker, path, status)?;
            }
        }
        Ok(())
    }

    fn expect(&mut self, asker: Asker, path: &str, expected: u16) -> Result<(), Failure> {
        let request = self.request(asker, &get(path))?;
        let mut connection = Connection::open(self.process.address)?;
        match connection.send(&request)? {
            (status, _) if status == expected => Ok(()),
            (status, body) => {
                let body = String::from_utf8_lossy(body);
                Err(format!("{asker:?} GET {path}: {status} instead of {expected}: {body}").into())
            }
        }
    }
}

fn origin(process: &Process) -> String {
    format!("http://{}", process.address)
}

fn redeem(process: &Process, form: &[(&str, &str)]) -> Result<serde_json::Value, Failure> {
    let request = post_form("/auth/token", &search::query_string(form.iter().copied()));
    let mut connection = Connection::open(process.address)?;
    let (_, body) = connection.send(&request)?;
    Ok(serde_json::from_slice(body)?)
}
