//! The pages as browsers meet them, over a store on disk with the surgery of `examples/surgery`.

mod authorize;
mod consent;
mod headers;
mod manage;
mod oidc;
mod patients;
mod sign_in;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use fhir::Definitions;
use fhir::json::Document;
use repository::{
    Access, Change, Edit, Key, Millis, References, Repository, Setup, Target, Validation, parse_query_string,
    query_string,
};
use store::{Clock, Embedded};
use tempfile::TempDir;

use super::{Pages, PagesSetup, first};
use crate::event::{PersonAct, PersonEvent, PersonEvents};
use crate::exchange::{Reply, Request};
use crate::people::{Account, People, hash_password};
use crate::secret::Random;
use crate::{Client, ClientAuth, Grant};

/// Monday 2027-03-01, 12:00 UTC.
pub(super) const NOON: Millis = 1_803_902_400_000;

pub(super) const PASSWORD: &str = "correct horse battery";
pub(super) const BASE: &str = "https://ehr.example/fhir";
pub(super) const CALLBACK: &str = "https://app.example/callback";
/// Of no verifier that anybody needs here.
pub(super) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(super) struct House {
    pub(super) repository: Arc<Repository>,
    pub(super) pages: Pages,
    mock: Arc<oidc::Mock>,
    pub(super) time: Arc<Time>,
    pub(super) random: Random,
    told: Arc<Told>,
    _directory: TempDir,
}

pub(super) struct Time(AtomicI64);

impl Clock for Time {
    fn now(&self) -> Millis {
        self.0.load(Ordering::Relaxed)
    }
}

impl Time {
    pub(super) fn advance(&self, millis: Millis) {
        self.0.fetch_add(millis, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Told(Mutex<Vec<PersonEvent>>);

impl PersonEvents for Told {
    fn tell(&self, _repository: &Repository, event: PersonEvent) {
        self.0.lock().expect("no panic").push(event);
    }
}

impl House {
    pub(super) fn new() -> House {
        let directory = tempfile::tempdir().expect("a directory");
        let time = Arc::new(Time(AtomicI64::new(NOON)));
        let definitions = Definitions::r4();
        let ids = AtomicU64::new(1);
        let repository = Arc::new(
            Repository::new(Setup {
                store: Arc::new(Embedded::open(directory.path(), time.clone()).expect("a store")),
                definitions,
                registry: search::Registry::new(definitions, BASE),
                rules: Vec::new(),
                clock: time.clone(),
                ids: Arc::new(move || format!("new-{}", ids.fetch_add(1, Ordering::Relaxed))),
                base_url: BASE.to_owned(),
                references: References::Check,
                validation: Validation::default(),
                consent: repository::Implicit::default(),
                earlier_versions: repository::EarlierVersions::default(),
                terminology: None,
                search_time: Duration::from_secs(60),
            })
            .expect("an empty store"),
        );
        let number = AtomicU64::new(1);
        let random: Random = Arc::new(move |bytes| {
            let hash = blake3::hash(&number.fetch_add(1, Ordering::Relaxed).to_be_bytes());
            bytes.copy_from_slice(&hash.as_bytes()[..bytes.len()]);
        });
        let told = Arc::new(Told::default());
        let setup = PagesSetup { base_url: BASE.to_owned(), random: random.clone(), events: told.clone() };
        let mock = Arc::new(oidc::Mock::default());
        let pages = Pages::new(setup, oidc::providers(), mock.clone());
        let house = House { repository, pages, mock, time, random, told, _directory: directory };
        house.hold_surgery();
        for (name, user) in [
            ("joan", "Patient/p1"),
            ("peter", "Patient/p2"),
            ("omar", "Patient/p3"),
            ("carer", "RelatedPerson/rp1"),
            ("ada", "Practitioner/dr1"),
            ("role", "PractitionerRole/dr1role"),
        ] {
            house.add_account(name, user);
        }
        house.add_client(client("app"));
        house
    }

    fn hold_surgery(&self) {
        let seed = include_str!("../../../../../examples/surgery/data/seed-transaction.json");
        let bundle = Document::parse(seed.as_bytes()).expect("JSON");
        let entries = bundle.root().get("entry").expect("entries");
        let put = |entry: fhir::json::Node<'_>| self::put(entry.get("resource").expect("a resource").raw());
        self.repository.open(Access::full()).transact(entries.items().map(put).collect()).expect("accepted");
    }

    /// Puts a resource that must be accepted.
    pub(super) fn hold(&self, resource: &str) {
        self.repository.open(Access::full()).transact(vec![put(resource)]).expect("accepted");
    }

    /// The current content of a resource.
    pub(super) fn read(&self, key: &str) -> serde_json::Value {
        let version = self.repository.open(Access::full()).read(&Key::parse(key).expect("a key")).expect("there");
        serde_json::from_slice(&version.body.expect("content")).expect("JSON")
    }

    pub(super) fn add_account(&self, name: &str, fhir_user: &str) {
        let password = password();
        let account = Account {
            name: name.to_owned(),
            subject: format!("subject-of-{name}"),
            password: Some(password),
            provider: None,
            fhir_user: Some(fhir_user.to_owned()),
            vot: None,
            created: NOON,
            disabled: false,
            since: 0,
        };
        People::new(self.repository.vault()).add(&account).expect("added");
    }

    pub(super) fn add_client(&self, client: Client) {
        let value = serde_json::to_vec(&client).expect("plain data");
        self.repository.vault().edit(vec![Edit::set(format!("client/{}", client.id), value)]).expect("kept");
    }

    /// What was told since the last time.
    /// The pages of another server of the same store.
    pub(super) fn other_pages(&self) -> Pages {
        let setup = PagesSetup { base_url: BASE.to_owned(), random: self.random.clone(), events: self.told.clone() };
        Pages::new(setup, oidc::providers(), self.mock.clone())
    }

    pub(super) fn told(&self) -> Vec<PersonAct> {
        self.told.0.lock().expect("no panic").drain(..).map(|event| event.what).collect()
    }

    pub(super) fn told_whole(&self) -> Vec<PersonEvent> {
        self.told.0.lock().expect("no panic").drain(..).collect()
    }

    /// The grants that stand.
    pub(super) fn grants(&self) -> Vec<Grant> {
        let values = self.repository.vault().list("grant/", None, 100).expect("a list");
        values.iter().map(|(_, value)| serde_json::from_slice(value).expect("a grant")).collect()
    }

    pub(super) fn browser(&self) -> Browser<'_> {
        Browser { house: self, cookie: None, peer: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)) }
    }

    /// A browser in which somebody is signed in.
    pub(super) fn signed_in(&self, name: &str) -> Browser<'_> {
        let mut browser = self.browser();
        let page = browser.get("/auth/sign-in");
        let reply = browser.submit(&page, "/auth/sign-in", &[("username", name), ("password", PASSWORD)]);
        assert_eq!(reply.status, 303, "{}", reply.text());
        self.told();
        browser
    }
}

/// Its hash is made once.
fn password() -> String {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| hash_password(PASSWORD, [7; 16]).expect("long enough")).clone()
}

fn put(resource: &str) -> Change {
    let document = Document::parse(resource.as_bytes()).expect("JSON");
    let id = document.root().get("id").and_then(|id| id.as_str()).expect("an id").into_owned();
    let key = Key::new(document.root().resource_type().expect("a type"), &id).expect("a key");
    Change::Update { target: Target::Key(key), document, if_match: None, if_none_match: false, full_url: None }
}

/// A confidential app that may have much.
pub(super) fn client(id: &str) -> Client {
    Client {
        id: id.to_owned(),
        name: format!("The {id} <b>app</b>"),
        auth: ClientAuth::Secret("x".to_owned()),
        redirect_uris: vec![CALLBACK.to_owned()],
        launch_uri: None,
        grant_types: vec!["authorization_code".to_owned(), "refresh_token".to_owned()],
        scope: "openid fhirUser launch launch/patient offline_access patient/*.cruds user/*.cruds".to_owned(),
        organization: None,
        identifiers: Vec::new(),
        purposes: Vec::new(),
        custodian: false,
        self_registered: false,
        client_uri: Some("https://app.example/about".to_owned()),
        logo_uri: Some("https://app.example/logo.png".to_owned()),
        tos_uri: Some("javascript:alert(1)".to_owned()),
        policy_uri: None,
        created: NOON,
        disabled: false,
    }
}

/// A good request of the app, with some parameters replaced; an empty value leaves one out.
pub(super) fn request(changes: &[(&str, &str)]) -> String {
    let mut parameters = vec![
        ("response_type", "code"),
        ("client_id", "app"),
        ("redirect_uri", CALLBACK),
        ("scope", "launch/patient patient/Observation.rs patient/Condition.rs"),
        ("state", "s&t<a>te"),
        ("aud", BASE),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in changes {
        parameters.retain(|(key, _)| key != name);
        if !value.is_empty() {
            parameters.push((name, value));
        }
    }
    format!("/auth/authorize?{}", query_string(parameters))
}

/// Keeps its cookie, as browsers do.
pub(super) struct Browser<'a> {
    house: &'a House,
    pub(super) cookie: Option<String>,
    pub(super) peer: IpAddr,
}

impl Browser<'_> {
    pub(super) fn get(&mut self, address: &str) -> Reply {
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        self.send("GET", path, parse_query_string(query).expect("a query"), Vec::new(), None)
    }

    pub(super) fn post(&mut self, path: &str, form: Vec<(String, String)>, origin: Option<&str>) -> Reply {
        self.send("POST", path, Vec::new(), form, origin)
    }

    /// Sends a form of a page, with what it hides and has ticked; fields that are given replace those.
    pub(super) fn submit(&mut self, page: &Reply, action: &str, fields: &[(&str, &str)]) -> Reply {
        let mut form = page.form(action);
        form.retain(|(name, _)| !fields.iter().any(|(given, _)| given == name));
        let given = fields.iter().filter(|(_, value)| !value.is_empty());
        form.extend(given.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self.post(action, form, Some("https://ehr.example"))
    }

    fn send(
        &mut self,
        method: &str,
        path: &str,
        query: Vec<(String, String)>,
        form: Vec<(String, String)>,
        origin: Option<&str>,
    ) -> Reply {
        let cookie = self.cookie.clone();
        let request = Request {
            method,
            path,
            query,
            form,
            json: None,
            authorization: None,
            cookie: cookie.as_deref(),
            origin,
            accept_language: None,
            peer: self.peer,
        };
        let reply = self.house.pages.answer(&self.house.repository, &request).expect("one of the pages");
        if let Some(set) = reply.header("Set-Cookie") {
            assert!(set.starts_with("__Host-flint=") && set.ends_with("; Secure"), "{set}");
            self.cookie = (!set.contains("Max-Age=0")).then(|| set.split(';').next().expect("a pair").to_owned());
        }
        reply
    }
}

impl Reply {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("text")
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
    }

    /// The parameters with which the browser is sent back to the app.
    pub(super) fn to_app(&self) -> Vec<(String, String)> {
        let location = self.header("Location").unwrap_or_else(|| panic!("no redirect: {}", self.text()));
        let query = location.strip_prefix(&format!("{CALLBACK}?")).unwrap_or_else(|| panic!("{location}"));
        parse_query_string(query).expect("a query")
    }

    /// A parameter with which the browser is sent back to the app.
    pub(super) fn app_gets(&self, name: &str) -> String {
        super::first(&self.to_app(), name).to_owned()
    }

    /// The hidden, ticked and checked fields of a form.
    pub(super) fn form(&self, action: &str) -> Vec<(String, String)> {
        let text = self.text();
        let start = text.find(&format!("<form action=\"{action}\"")).unwrap_or_else(|| panic!("no {action}: {text}"));
        let form = text[start..].split("</form>").next().expect("a form");
        let inputs = form.split("<input ").skip(1).map(|rest| rest.split('>').next().expect("an input"));
        let sent = inputs.filter(|input| input.contains("type=\"hidden\"") || input.ends_with(" checked"));
        let attribute = |input: &str, name: &str| {
            let value = input.split(&format!("{name}=\"")).nth(1).and_then(|rest| rest.split('"').next());
            unescaped(value.unwrap_or_default())
        };
        sent.map(|input| (attribute(input, "name"), attribute(input, "value"))).collect()
    }
}

fn unescaped(text: &str) -> String {
    let signs = [("&#38;", "&"), ("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'")];
    signs.into_iter().rev().fold(text.to_owned(), |text, (escaped, sign)| text.replace(escaped, sign))
}
