//! The authorization endpoint, <https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html>: sign in, choose a patient, consent, code.
//!
//! Invariants:
//! - An app that is not known, or an address that is not exactly one of its own, gets no redirect.
//! - What is granted lies below what the app asks for, what it may have, what the person may grant, and what they ticked.
//! - Each step reads the whole request again: what a form sends is believed in nothing that the steps before it decided.

mod consent;
mod grants;
mod launch;
mod patients;
mod request;
mod sharing;
mod words;

use fhir::Outcome;
use repository::{Key, Millis, parse_query_string};

use self::patients::{Candidate, FOUND_MAX, Wanted};
use self::request::{AuthorizeRequest, Refused};
use crate::event::PersonAct;
use crate::exchange::Reply;
use crate::pages::{ChoiceView, Frame, PatientView, Problem, SearchView, SignedIn, Stop, Visit, first};
use crate::people::{Record, ceiling};
use crate::record::Stored;
use crate::scope::{Level, Scopes, Word};
use crate::{Client, Clients};

pub(crate) use grants::{Granted, is_same, lasting};
pub use launch::Launch;
pub(crate) use sharing::grant_system;

pub(crate) use words::words;

/// How long the id of a client may be that is looked up, in bytes.
const CLIENT_ID_BYTES_MAX: usize = 200;

const UNKNOWN_APP: &str = "We cannot send you to this app";

/// A request, who is asked, and what they could grant.
struct Asked {
    request: AuthorizeRequest,
    person: SignedIn,
    /// Of what is asked for, what the client may have and the person grant.
    scopes: Scopes,
    launch: Option<Stored<Launch>>,
}

impl Visit<'_> {
    /// `GET` and `POST /auth/authorize`.
    pub(crate) fn authorize(&self, parameters: &[(String, String)]) -> Result<Reply, Stop> {
        let request = self.request(parameters)?;
        let person = self.person_for(&request)?;
        let asked = self.asked(request, person)?;
        self.go_on(&asked, None)
    }

    /// `POST /auth/authorize/search`: staff look for a patient.
    pub(crate) fn search_patients(&self) -> Result<Reply, Stop> {
        let asked = self.asked_by_form()?;
        if !asked.person.account.is_staff() {
            return Err(Stop::stale_form());
        }
        let search = SearchView {
            nhs_number: self.field("nhs-number").to_owned(),
            family: self.field("family").to_owned(),
            born: self.field("born").to_owned(),
        };
        let wanted = match Wanted::read(&search) {
            Ok(wanted) => wanted,
            Err((field, text)) => {
                let problem = Problem { field, text: text.to_owned() };
                return Ok(self.patient_page(&asked, search, None, Some(problem)));
            }
        };
        let found = self.search(&asked, &wanted)?;
        Ok(self.patient_page(&asked, search, Some(found), None))
    }

    /// `POST /auth/authorize/patient`: a record was chosen.
    pub(crate) fn choose_patient(&self) -> Result<Reply, Stop> {
        let asked = self.asked_by_form()?;
        self.go_on(&asked, Some(self.field("patient")))
    }

    /// `POST /auth/authorize/consent`: the person allows or refuses.
    pub(crate) fn decide(&self) -> Result<Reply, Stop> {
        let asked = self.asked_by_form()?;
        if self.field("decision") != "allow" {
            self.sessions().answer(&self.cookie)?;
            self.tell(PersonAct::Refused { client: asked.request.client.id.clone() }, Some(&asked.person.account));
            return Err(asked.refuse("access_denied", "the person did not allow it"));
        }
        let patient = self.patient(&asked, Some(self.field("patient")).filter(|id| !id.is_empty()))?;
        let scopes = self.ticked(&asked.scopes);
        if scopes.data.is_empty() && !asked.scopes.data.is_empty() {
            let text = "Choose at least one thing that it may do, or choose “Do not allow”".to_owned();
            return self.consent_page(&asked, patient.as_ref(), Some(Problem { field: "scope", text }));
        }
        let until = match asked.person.account.is_staff() {
            true => None,
            false => consent::until(self.field("until"), self.now).map_err(|()| Stop::stale_form())?,
        };
        self.grant(asked, patient, scopes, until)
    }

    /// The parameters that pages were asked with, as forms carry them.
    fn asked_by_form(&self) -> Result<Asked, Stop> {
        self.check_form()?;
        let parameters = parse_query_string(self.field("request")).map_err(|_| Stop::stale_form())?;
        let request = self.request(&parameters)?;
        let person = self.person_for(&request)?;
        self.asked(request, person)
    }

    /// The request of an app. That it is refused is told.
    fn request(&self, parameters: &[(String, String)]) -> Result<AuthorizeRequest, Stop> {
        self.read_request(parameters)?.map_err(|refused| {
            let (error, stop) = match refused {
                Refused::Here(error, text) => (error, Stop::Page { status: 400, title: UNKNOWN_APP, text }),
                Refused::There(target, error, text) => (error, Stop::Reply(target.refuse(error, &text))),
            };
            self.tell_refused(first(parameters, "client_id"), error, None);
            stop
        })
    }

    fn read_request(&self, parameters: &[(String, String)]) -> Result<Result<AuthorizeRequest, Refused>, Outcome> {
        let client = self.client(first(parameters, "client_id"))?;
        let (issuer, base_url) = (self.pages.issuer(), &self.pages.setup.base_url);
        Ok(AuthorizeRequest::read(parameters, &issuer, base_url, client))
    }

    /// Sends somebody back to the app without what it asked for, and tells of it.
    fn refuse(&self, request: &AuthorizeRequest, person: &SignedIn, error: &'static str, text: &str) -> Stop {
        self.tell_refused(&request.client.id, error, Some(person));
        Stop::Reply(request.target.refuse(error, text))
    }

    fn tell_refused(&self, client: &str, error: &'static str, person: Option<&SignedIn>) {
        let client = if client.len() <= CLIENT_ID_BYTES_MAX { client.to_owned() } else { String::new() };
        self.tell(PersonAct::RequestRefused { client, error }, person.map(|person| &person.account));
    }

    /// The client of this id.
    pub(crate) fn client(&self, id: &str) -> Result<Option<Client>, Outcome> {
        match id.len() {
            1..=CLIENT_ID_BYTES_MAX => Clients::new(self.vault(), &self.pages.setup.random).find(id),
            _ => Ok(None),
        }
    }

    /// The name of the app that a page to go on to is about, and where that may lead.
    pub(crate) fn app_of_next(&self, next: &str) -> (Option<String>, Vec<String>) {
        let request = self.request_of_next(next);
        request.map_or((None, Vec::new()), |request| (Some(request.client.name), request.target.sources()))
    }

    /// Whether a page to go on to is for an app that wants people to sign in anew.
    pub(crate) fn wants_login(&self, next: &str) -> bool {
        self.request_of_next(next).is_some_and(|request| request.prompt.login || request.max_age.is_some())
    }

    fn request_of_next(&self, next: &str) -> Option<AuthorizeRequest> {
        let parameters = parse_query_string(next.strip_prefix("/auth/authorize?")?).ok()?;
        self.read_request(&parameters).ok()?.ok()
    }

    /// Who answers: signed in, and as freshly as the app wants it.
    fn person_for(&self, request: &AuthorizeRequest) -> Result<SignedIn, Stop> {
        let next = format!("/auth/authorize?{}", request.text);
        let is_old = |person: &SignedIn| {
            let age = self.now - person.session.auth_time;
            (request.prompt.login || request.max_age.is_some_and(|most| age > most)) && !person.is_fresh_for(&next)
        };
        match self.signed_in()?.filter(|person| !is_old(person)) {
            Some(person) => Ok(person),
            None if request.prompt.none => {
                Err(Stop::Reply(request.target.refuse("login_required", "nobody is signed in")))
            }
            None => {
                let targets = request.target.sources();
                Err(Stop::Reply(self.sign_in_for(&next, &request.login_hint, &request.client.name, &targets)))
            }
        }
    }

    fn asked(&self, request: AuthorizeRequest, person: SignedIn) -> Result<Asked, Stop> {
        let launch = self.launch(&request, &person)?;
        if let Some(found) = &launch {
            self.check_encounter(&request, &person, &found.value)?;
        }
        let user = person.account.user();
        let most = ceiling(user.as_ref().map(|user| user.collection()), person.account.vot.as_deref());
        let most = Scopes::parse(&most).unwrap_or_default();
        let mut scopes = request.scopes.within(&most);
        if launch.is_none() {
            scopes.words.remove(&Word::Launch);
        }
        if launch.as_ref().is_none_or(|found| found.value.encounter.is_none()) {
            scopes.words.remove(&Word::LaunchEncounter);
        }
        if scopes.is_empty() {
            let text = "the person who signed in may grant nothing of what is asked for";
            return Err(self.refuse(&request, &person, "invalid_scope", text));
        }
        Ok(Asked { request, person, scopes, launch })
    }

    fn launch(&self, request: &AuthorizeRequest, person: &SignedIn) -> Result<Option<Stored<Launch>>, Stop> {
        let Some(key) = &request.launch else { return Ok(None) };
        let refuse = |error, text| Err(self.refuse(request, person, error, text));
        if !request.scopes.has(Word::Launch) {
            return refuse("invalid_request", "`launch` is there without the scope `launch`");
        }
        match Launch::find(self.vault(), key, &request.client.id, self.now)? {
            None => refuse("invalid_request", "`launch` is not known, too old, or used already"),
            Some(found) if found.value.fhir_user.is_some() && found.value.fhir_user != person.account.fhir_user => {
                refuse("access_denied", "the app was opened by somebody else")
            }
            found => Ok(found),
        }
    }

    /// Refuses to open an app with an encounter that is not one of the patient's.
    fn check_encounter(&self, request: &AuthorizeRequest, person: &SignedIn, launch: &Launch) -> Result<(), Stop> {
        let Some(id) = &launch.encounter else { return Ok(()) };
        let encounter = Key::new("Encounter", id).map(|key| Record::read(&self.records(), &key)).transpose()?.flatten();
        let patient = launch.patient.as_ref().and_then(|id| Key::new("Patient", id));
        match patient.is_some() && encounter.and_then(|encounter| encounter.reference("subject")) == patient {
            true => Ok(()),
            false => Err(self.refuse(request, person, "access_denied", "the encounter is none of the patient's")),
        }
    }

    /// The next step once somebody is signed in: the page for it, or the code.
    fn go_on(&self, asked: &Asked, chosen: Option<&str>) -> Result<Reply, Stop> {
        let patient = self.patient(asked, chosen)?;
        if let Some(until) = self.remembered(asked, patient.as_ref())? {
            let request = asked.request.clone();
            let person = self.person_for(&request)?;
            let scopes = asked.scopes.clone();
            return self.grant(self.asked(request, person)?, patient, scopes, until);
        }
        if asked.request.prompt.none {
            return Err(asked.refuse("consent_required", "the person has to be asked"));
        }
        self.consent_page(asked, patient.as_ref(), None)
    }

    /// The record that the app is opened with; `None` where it needs none.
    fn patient(&self, asked: &Asked, chosen: Option<&str>) -> Result<Option<Candidate>, Stop> {
        let launched = asked.launch.as_ref().and_then(|found| found.value.patient.as_deref());
        if let Some(id) = launched {
            let candidate = self.candidate(asked, id)?;
            let text = "the person may not open the app with this patient";
            let refuse = || self.refuse(&asked.request, &asked.person, "access_denied", text);
            return candidate.map(Some).ok_or_else(refuse);
        }
        if !asked.scopes.has(Word::LaunchPatient) && !asked.scopes.has_level(Level::Patient) {
            return Ok(None);
        }
        if let Some(id) = chosen {
            let text = "Choose one of the records".to_owned();
            let again =
                || self.patient_page(asked, SearchView::default(), None, Some(Problem { field: "patient", text }));
            let candidate = self.candidate(asked, id)?;
            return candidate.map(Some).ok_or_else(|| Stop::Reply(again()));
        }
        let mut candidates = match asked.person.account.is_staff() {
            true => None,
            false => Some(self.candidates(&asked.person.account)?),
        };
        match &mut candidates {
            Some(candidates) if candidates.is_empty() => {
                let text = "there is no record that the person may open the app with";
                Err(self.refuse(&asked.request, &asked.person, "access_denied", text))
            }
            Some(candidates) if candidates.len() == 1 => Ok(candidates.pop()),
            _ if asked.request.prompt.none => {
                Err(asked.refuse("interaction_required", "the person has to choose a patient"))
            }
            _ => Err(Stop::Reply(self.patient_page(asked, SearchView::default(), candidates, None))),
        }
    }

    fn patient_page(
        &self,
        asked: &Asked,
        search: SearchView,
        found: Option<Vec<Candidate>>,
        problem: Option<Problem>,
    ) -> Reply {
        let is_staff = asked.person.account.is_staff();
        let candidates = match found {
            Some(found) => found,
            None if is_staff => Vec::new(),
            None => self.candidates(&asked.person.account).unwrap_or_default(),
        };
        let has_searched =
            is_staff && problem.is_none() && (!search.nhs_number.is_empty() || !search.family.is_empty());
        let problem = problem.map(|problem| match problem.field {
            "patient" if is_staff => {
                Problem { field: "nhs-number", text: "Search for the patient and choose one".to_owned() }
            }
            _ => problem,
        });
        let view = PatientView {
            frame: Frame { is_error: problem.is_some(), ..self.frame(Some(&asked.person)) },
            problem,
            app: asked.request.client.name.clone(),
            is_staff,
            request: asked.request.text.clone(),
            search,
            found: has_searched.then(|| found_words(candidates.len())),
            choices: candidates.iter().enumerate().map(choice).collect(),
        };
        let status = if view.frame.is_error { 400 } else { 200 };
        self.page(status, &view, &asked.request.target.sources())
    }
}

impl Asked {
    fn refuse(&self, error: &str, description: &str) -> Stop {
        Stop::Reply(self.request.target.refuse(error, description))
    }
}

/// The first input has the id that problems lead to.
fn choice((at, candidate): (usize, &Candidate)) -> ChoiceView {
    ChoiceView {
        field: if at == 0 { "patient".to_owned() } else { format!("patient-{at}") },
        id: candidate.id().to_owned(),
        name: candidate.name(),
        hint: candidate.hint(),
    }
}

fn found_words(count: usize) -> String {
    match count {
        0 => "Nobody was found".to_owned(),
        1 => "1 patient was found".to_owned(),
        FOUND_MAX => format!("The first {FOUND_MAX} patients"),
        count => format!("{count} patients were found"),
    }
}

/// The end of a grant: `None` when it has none.
type Until = Option<Millis>;
