//! Settings: flags, then environment (`FLINT_*`), then a TOML file, then defaults.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use fhir::Severity;
use repository::{EarlierVersions, Implicit, References, Validation, new_id};
use search::Dialect;
use serde::Deserialize;
use smart::oidc::Provider;
use smart::{Issuer, Registration};
use store::{Clock, SystemClock};

use crate::issuer::IssuerSettings;
use crate::provider::ProviderSettings;
use crate::service::ServiceSettings;
use crate::telemetry::LogFormat;

/// What a server is started with.
pub struct Config {
    /// The directory of the embedded store, or of what is kept beside a store elsewhere.
    pub data: PathBuf,
    /// The URL of the database that is the store; `None` is the embedded store.
    pub store: Option<String>,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How callers show who they are.
    pub auth: Auth,
    /// Whether apps may register themselves.
    pub registration: Registration,
    /// Whose tokens count besides this server's own.
    pub issuers: Vec<Issuer>,
    /// Where people may sign in besides here.
    pub providers: Vec<Provider>,
    /// Addresses of proxies, which are believed when they say for whom they ask (`X-Forwarded-For`).
    pub proxies: Vec<IpAddr>,
    /// The base URL in links and locations, without a final `/`; `None` derives it from the address.
    pub base_url: Option<String>,
    /// Whether references to this server must lead somewhere.
    pub references: References,
    /// What content must be like to be written.
    pub validation: Validation,
    /// What third parties see of a patient who has said nothing about it.
    pub consent: Implicit,
    /// Whether callers whom consents bind see other versions than the current one.
    pub earlier_versions: EarlierVersions,
    /// What who shows no token may see.
    pub directory: Directory,
    /// Which clients' spellings are understood.
    pub dialect: Dialect,
    /// What is decided about appointments, prescriptions and the other services.
    pub services: services::Settings,
    /// Base URL of the terminology server that is asked about value sets and code systems which are not known here, without a final `/`.
    pub terminology_server: Option<String>,
    /// Files and folders to import before anything is served.
    pub load: Vec<PathBuf>,
    /// Whether a thread indexes what search parameters need that come while it serves; else [`Indexing`](crate::Indexing) does.
    pub indexes: bool,
    /// What bounds a request.
    pub limits: Limits,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Makes the ids of created resources.
    pub ids: Arc<dyn Fn() -> String + Send + Sync>,
}

/// How callers show who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Auth {
    /// They do not: everybody on this machine may do everything, and nobody else can connect.
    Off,
    /// By access tokens, which this server gives out as SMART App Launch says.
    On,
}

/// What bounds the cost of requests.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of one request body, after decompression.
    pub body_bytes: usize,
    /// Bytes of all request bodies that are held at one time.
    pub bodies_bytes: usize,
    /// Requests in progress at one time; more are answered with 503.
    pub requests: usize,
    /// Connections open at one time; more wait.
    pub connections: usize,
    /// Threads for searches and writes.
    pub threads: usize,
    /// For the head of a request to arrive, and for its body.
    pub receive_timeout: Duration,
    /// Index rows that may be touched for a total which nobody asked to be exact; beyond, it is an estimate.
    pub count_rows: u64,
    /// For one search to run, its joins and includes counted.
    pub search_timeout: Duration,
    /// For the terminology server to answer.
    pub terminology_timeout: Duration,
    /// For a search or a read to be answered, and for any request to get its turn.
    pub answer_timeout: Duration,
    /// For requests in progress to end when the server stops.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            body_bytes: 64 << 20,
            bodies_bytes: 512 << 20,
            requests: 1024,
            connections: 4096,
            threads: 64,
            receive_timeout: Duration::from_secs(30),
            count_rows: 1_000,
            search_timeout: Duration::from_secs(10),
            terminology_timeout: Duration::from_secs(5),
            answer_timeout: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(10),
        }
    }
}

const DATA_DEFAULT: &str = "flint-data";
const LISTEN_DEFAULT: &str = "127.0.0.1:8080";

impl Default for Config {
    fn default() -> Config {
        Config {
            data: DATA_DEFAULT.into(),
            store: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            auth: Auth::On,
            registration: Registration::Closed,
            issuers: Vec::new(),
            providers: Vec::new(),
            proxies: Vec::new(),
            base_url: None,
            references: References::default(),
            validation: Validation::default(),
            consent: Implicit::default(),
            earlier_versions: EarlierVersions::default(),
            directory: Directory::default(),
            dialect: Dialect::default(),
            services: services::Settings::default(),
            terminology_server: None,
            indexes: true,
            load: Vec::new(),
            limits: Limits::default(),
            clock: Arc::new(SystemClock),
            ids: Arc::new(new_id),
        }
    }
}

/// The settings as flags, environment or a file give them: each may be missing.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// Directory of the store, or of what is kept beside a store elsewhere: no two servers share one [default: flint-data]
    #[arg(long, env = "FLINT_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// URL of a MongoDB database that is the store, which servers may share: mongodb://HOST/DATABASE?replicaSet=NAME
    #[arg(long, env = "FLINT_STORE", value_name = "URL", hide_env_values = true)]
    store: Option<String>,
    /// Address and port to listen on [default: 127.0.0.1:8080]
    #[arg(long, env = "FLINT_LISTEN", value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Whether callers need an access token; `off` grants everything to everyone, and serves this machine only [default: on]
    #[arg(long, env = "FLINT_AUTH")]
    auth: Option<Auth>,
    /// Whether apps may register themselves, without the right to `system/` scopes [default: closed]
    #[arg(long, env = "FLINT_REGISTRATION")]
    registration: Option<RegistrationPolicy>,
    /// What others than the patient see of a record whose patient has not said [default: permit]
    #[arg(long, env = "FLINT_CONSENT")]
    consent: Option<ConsentPolicy>,
    /// What others than the record keeper see of versions that are not current any more [default: hidden]
    #[arg(long, env = "FLINT_EARLIER_VERSIONS")]
    earlier_versions: Option<EarlierPolicy>,
    /// Whether the directory of services, and ratings of their places, may be read without a token [default: open]
    #[arg(long, env = "FLINT_DIRECTORY")]
    directory: Option<Directory>,
    /// Address of a proxy in front of this server, believed when it says for whom it asks (X-Forwarded-For); may be given several times
    #[arg(long, env = "FLINT_PROXY", value_name = "ADDRESS", value_delimiter = ',')]
    #[serde(default)]
    proxy: Vec<IpAddr>,
    /// In a file only: whose tokens count besides this server's own
    #[arg(skip)]
    #[serde(default)]
    issuers: Vec<IssuerSettings>,
    /// In a file only: where people may sign in besides here
    #[arg(skip)]
    #[serde(default)]
    providers: Vec<ProviderSettings>,
    /// URL under which clients reach this server [default: http://ADDRESS:PORT/fhir]
    #[arg(long, env = "FLINT_BASE_URL", value_name = "URL")]
    base_url: Option<String>,
    /// In a file only: what is decided about the services
    #[arg(skip)]
    services: Option<ServiceSettings>,
    /// Whether a reference to a resource that is not there is refused [default: check]
    #[arg(long, env = "FLINT_REFERENCES")]
    pub(crate) references: Option<ReferencePolicy>,
    /// The mildest severity of an issue that refuses a write [default: error]
    #[arg(long, env = "FLINT_VALIDATION")]
    validation: Option<ValidationPolicy>,
    /// What it is that a resource names a profile which is not known here [default: warning]
    #[arg(long, env = "FLINT_UNKNOWN_PROFILES")]
    unknown_profiles: Option<UnknownProfiles>,
    /// Whose spellings of requests are understood besides those of R4 [default: r4]
    #[arg(long, env = "FLINT_DIALECT")]
    dialect: Option<DialectName>,
    /// File or folder to import before serving, as `flint import` does; what is in already is passed over; may be given several times
    #[arg(long, env = "FLINT_LOAD", value_name = "PATH", value_delimiter = ',')]
    #[serde(default)]
    load: Vec<PathBuf>,
    /// Largest request body in bytes, after decompression [default: 67108864]
    #[arg(long, env = "FLINT_BODY_MAX", value_name = "BYTES")]
    body_max: Option<usize>,
    /// Requests in progress at one time [default: 1024]
    #[arg(long, env = "FLINT_REQUESTS_MAX", value_name = "N")]
    requests_max: Option<usize>,
    /// Seconds that one search may run, 1 to 60 [default: 10]
    #[arg(long, env = "FLINT_SEARCH_TIMEOUT", value_name = "SECONDS")]
    search_timeout: Option<u64>,
    /// Base URL of a FHIR terminology server, asked about value sets and code systems that are not known here
    #[arg(long, env = "FLINT_TERMINOLOGY_SERVER", value_name = "URL")]
    terminology_server: Option<String>,
    /// Seconds that it may take for an answer, 1 to 60 [default: 5]
    #[arg(long, env = "FLINT_TERMINOLOGY_TIMEOUT", value_name = "SECONDS")]
    terminology_timeout: Option<u64>,
    /// How log lines are written [default: text]
    #[arg(long, env = "FLINT_LOG_FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
    /// What is logged: `info`, `server=debug`, ... [default: info]
    #[arg(long, env = "FLINT_LOG", value_name = "FILTER")]
    pub(crate) log: Option<String>,
}

/// The two choices of [`References`], as settings name them.
#[derive(Clone, Copy, Debug, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ReferencePolicy {
    Check,
    Accept,
}

impl From<ReferencePolicy> for References {
    fn from(policy: ReferencePolicy) -> References {
        match policy {
            ReferencePolicy::Check => References::Check,
            ReferencePolicy::Accept => References::Accept,
        }
    }
}

/// Whether apps may register themselves, as settings name it.
#[derive(Clone, Copy, Debug, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RegistrationPolicy {
    /// Only `flint app add` registers
    Closed,
    /// Anybody may register an app for people
    Open,
}

impl From<RegistrationPolicy> for Registration {
    fn from(policy: RegistrationPolicy) -> Registration {
        match policy {
            RegistrationPolicy::Closed => Registration::Closed,
            RegistrationPolicy::Open => Registration::Open,
        }
    }
}

/// What is open to who shows no token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Directory {
    /// The directory of services: organizations, places, services, roles, endpoints, and ratings of places
    #[default]
    Open,
    /// Nothing
    Closed,
}

/// The choices of [`Implicit`], as settings name them.
#[derive(Clone, Copy, Debug, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ConsentPolicy {
    /// Everything
    Permit,
    /// What is labeled neither restricted nor sensitive
    PermitNormal,
    /// Nothing but in an emergency
    BreakGlassOnly,
    /// Nothing
    Deny,
}

impl From<ConsentPolicy> for Implicit {
    fn from(policy: ConsentPolicy) -> Implicit {
        match policy {
            ConsentPolicy::Permit => Implicit::Permit,
            ConsentPolicy::PermitNormal => Implicit::PermitNormal,
            ConsentPolicy::BreakGlassOnly => Implicit::BreakGlassOnly,
            ConsentPolicy::Deny => Implicit::Deny,
        }
    }
}

/// The choices of [`EarlierVersions`], as settings name them.
#[derive(Clone, Copy, Debug, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
enum EarlierPolicy {
    /// Those that may be seen; gaps in their numbers tell that others are hidden
    Shown,
    /// Nothing
    Hidden,
}

impl From<EarlierPolicy> for EarlierVersions {
    fn from(policy: EarlierPolicy) -> EarlierVersions {
        match policy {
            EarlierPolicy::Shown => EarlierVersions::Shown,
            EarlierPolicy::Hidden => EarlierVersions::Hidden,
        }
    }
}

/// Which severities refuse a write, as settings name them.
#[derive(Clone, Copy, Debug, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ValidationPolicy {
    /// Errors refuse, warnings are noted
    Error,
    /// Warnings refuse as well
    Warning,
    /// Nothing is validated
    Off,
}

/// What an unknown profile is, as settings name it.
#[derive(Clone, Copy, Debug, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
enum UnknownProfiles {
    Warning,
    Error,
}

impl ValidationPolicy {
    fn refuses(self) -> Option<Severity> {
        match self {
            ValidationPolicy::Error => Some(Severity::Error),
            ValidationPolicy::Warning => Some(Severity::Warning),
            ValidationPolicy::Off => None,
        }
    }
}

impl From<UnknownProfiles> for Severity {
    fn from(policy: UnknownProfiles) -> Severity {
        match policy {
            UnknownProfiles::Warning => Severity::Warning,
            UnknownProfiles::Error => Severity::Error,
        }
    }
}

/// The choices of [`Dialect`], as settings name them.
#[derive(Clone, Copy, Debug, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
enum DialectName {
    /// R4 alone
    R4,
    /// R4, and what clients of the NHS in England send
    Nhs,
}

impl From<DialectName> for Dialect {
    fn from(name: DialectName) -> Dialect {
        match name {
            DialectName::R4 => Dialect::R4,
            DialectName::Nhs => Dialect::Nhs,
        }
    }
}

/// A setting that cannot be used.
#[derive(Debug)]
pub struct SettingsError(pub(crate) String);

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for SettingsError {}

impl Settings {
    /// Those that name a store without a server.
    pub(crate) fn of_store(data: Option<PathBuf>, store: Option<String>, base_url: Option<String>) -> Settings {
        Settings { data, store, base_url, ..Settings::default() }
    }

    /// Reads a TOML file of settings.
    pub fn read(path: &Path) -> Result<Settings, SettingsError> {
        let refuse = |error: &dyn fmt::Display| SettingsError(format!("config file {}: {error}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| refuse(&error))?;
        toml::from_str(&text).map_err(|error| refuse(&error))
    }

    /// These, and where one is missing, the other's.
    pub fn or(self, other: Settings) -> Settings {
        Settings {
            data: self.data.or(other.data),
            store: self.store.or(other.store),
            listen: self.listen.or(other.listen),
            auth: self.auth.or(other.auth),
            registration: self.registration.or(other.registration),
            consent: self.consent.or(other.consent),
            earlier_versions: self.earlier_versions.or(other.earlier_versions),
            directory: self.directory.or(other.directory),
            proxy: if self.proxy.is_empty() { other.proxy } else { self.proxy },
            issuers: if self.issuers.is_empty() { other.issuers } else { self.issuers },
            providers: if self.providers.is_empty() { other.providers } else { self.providers },
            base_url: self.base_url.or(other.base_url),
            references: self.references.or(other.references),
            validation: self.validation.or(other.validation),
            unknown_profiles: self.unknown_profiles.or(other.unknown_profiles),
            dialect: self.dialect.or(other.dialect),
            services: self.services.or(other.services),
            load: if self.load.is_empty() { other.load } else { self.load },
            body_max: self.body_max.or(other.body_max),
            requests_max: self.requests_max.or(other.requests_max),
            search_timeout: self.search_timeout.or(other.search_timeout),
            terminology_server: self.terminology_server.or(other.terminology_server),
            terminology_timeout: self.terminology_timeout.or(other.terminology_timeout),
            log_format: self.log_format.or(other.log_format),
            log: self.log.or(other.log),
        }
    }

    /// Fills in the defaults and checks what cannot be right.
    pub fn resolve(self) -> Result<Config, SettingsError> {
        let listen = self.listen.as_deref().unwrap_or(LISTEN_DEFAULT);
        let listen = listen.parse::<SocketAddr>().map_err(|_| {
            SettingsError(format!("listen: `{listen}` is no address and port, such as `{LISTEN_DEFAULT}`"))
        })?;
        let auth = self.auth.unwrap_or(Auth::On);
        if auth == Auth::Off && !listen.ip().is_loopback() {
            let ip = listen.ip();
            return Err(SettingsError(format!(
                "listen: `{ip}` can be reached from other machines, and without authentication only a loopback address such as `127.0.0.1` may be served"
            )));
        }
        let base_url = self.base_url.map(|url| check_url("base-url", &url)).transpose()?;
        let terminology_server =
            self.terminology_server.map(|url| check_url("terminology-server", &url)).transpose()?;
        let references = self.references.map_or(References::Check, References::from);
        let default = Validation::default();
        let validation = Validation {
            refuses: self.validation.map_or(default.refuses, ValidationPolicy::refuses),
            unknown_profile: self.unknown_profiles.map_or(default.unknown_profile, Severity::from),
        };
        let dialect = self.dialect.map_or(Dialect::R4, Dialect::from);
        let default = Limits::default();
        let limits = Limits {
            body_bytes: self.body_max.unwrap_or(default.body_bytes),
            bodies_bytes: default.bodies_bytes.max(self.body_max.unwrap_or(0)),
            requests: self.requests_max.unwrap_or(default.requests),
            search_timeout: check_timeout("search-timeout", self.search_timeout, default.search_timeout)?,
            terminology_timeout: check_timeout(
                "terminology-timeout",
                self.terminology_timeout,
                default.terminology_timeout,
            )?,
            ..default
        };
        let data = self.data.unwrap_or_else(|| DATA_DEFAULT.into());
        let store = self.store.map(check_store).transpose()?;
        let load = self.load;
        let config = Config {
            data,
            store,
            listen,
            auth,
            registration: self.registration.map_or(Registration::Closed, Registration::from),
            issuers: self.issuers.into_iter().map(Issuer::try_from).collect::<Result<_, _>>()?,
            providers: self.providers.into_iter().map(Provider::try_from).collect::<Result<_, _>>()?,
            consent: self.consent.map_or(Implicit::default(), Implicit::from),
            earlier_versions: self.earlier_versions.map_or(EarlierVersions::default(), EarlierVersions::from),
            directory: self.directory.unwrap_or_default(),
            proxies: self.proxy,
            base_url,
            references,
            validation,
            dialect,
            services: self.services.map_or_else(services::Settings::default, Into::into),
            terminology_server,
            load,
            limits,
            ..Config::default()
        };
        Ok(config)
    }
}

/// What runs on when the answer that needs it is given up serves nobody.
fn check_timeout(name: &str, seconds: Option<u64>, default: Duration) -> Result<Duration, SettingsError> {
    let most = Limits::default().answer_timeout.as_secs();
    match seconds {
        None => Ok(default),
        Some(seconds) if (1..=most).contains(&seconds) => Ok(Duration::from_secs(seconds)),
        Some(seconds) => Err(SettingsError(format!("{name}: `{seconds}` is not from 1 to {most} seconds"))),
    }
}

/// Its text does not repeat the URL, which may have a password.
fn check_store(url: String) -> Result<String, SettingsError> {
    match url.starts_with("mongodb://") {
        true => Ok(url),
        false => Err(SettingsError(
            "store: this is no URL of a MongoDB database, such as `mongodb://HOST/DATABASE?replicaSet=NAME`".to_owned(),
        )),
    }
}

fn check_url(name: &str, url: &str) -> Result<String, SettingsError> {
    let trimmed = url.trim_end_matches('/');
    let rest = trimmed.strip_prefix("https://").or_else(|| trimmed.strip_prefix("http://"));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.contains(['?', '#', ' ', '"', '\\', '<', '>']) => {
            Ok(trimmed.to_owned())
        }
        _ => Err(SettingsError(format!("{name}: `{url}` is no http or https URL without query and fragment"))),
    }
}

#[cfg(test)]
mod tests {
    use ::services::{Overlap, RepeatCount};

    use super::*;

    fn settings(toml: &str) -> Result<Config, SettingsError> {
        toml::from_str::<Settings>(toml).map_err(|error| SettingsError(error.to_string()))?.resolve()
    }

    #[test]
    fn defaults_serve_this_machine() {
        let config = settings("").expect("defaults");
        assert!(config.listen.ip().is_loopback());
        assert_eq!((config.auth, config.base_url), (Auth::On, None));
    }

    #[test]
    fn flags_go_before_the_file() {
        let flags: Settings = toml::from_str("listen = '127.0.0.1:1'").expect("good");
        let file = toml::from_str("listen = '127.0.0.1:2'\nbase-url = 'https://ehr.example/fhir/'").expect("good");
        let config = flags.or(file).resolve().expect("good");
        assert_eq!(config.listen.port(), 1);
        assert_eq!(config.base_url.as_deref(), Some("https://ehr.example/fhir"));
        assert_eq!((config.dialect, config.services), (Dialect::R4, services::Settings::default()));
        let overlap = settings("[services]\npatient-overlap = 'allow'").expect("good").services;
        assert_eq!((overlap.patient_overlap, overlap.practitioner_overlap), (Overlap::Allow, Overlap::Refuse));
        let hidden = settings("[services]\nhidden-overlap = 'refuse'").expect("good").services;
        assert_eq!((overlap.hidden_overlap, hidden.hidden_overlap), (Overlap::Allow, Overlap::Refuse));
        let toml = "[services]\nrepeat-count = 'total'\nrepeat-count-of = { 'https://ehr.example' = 'fhir' }";
        let repeats = settings(toml).expect("good").services;
        assert_eq!(repeats.repeat_count, RepeatCount::Total);
        assert_eq!(repeats.repeat_count_of.get("https://ehr.example"), Some(&RepeatCount::Fhir));
        assert_eq!(settings("").expect("good").directory, Directory::Open);
        assert_eq!(settings("").expect("good").earlier_versions, EarlierVersions::Hidden);
        let shown = settings("earlier-versions = 'shown'").expect("good");
        assert_eq!(shown.earlier_versions, EarlierVersions::Shown);
        assert_eq!(settings("directory = 'closed'").expect("good").directory, Directory::Closed);
        assert_eq!(settings("dialect = 'nhs'").expect("good").dialect, Dialect::Nhs);
    }

    #[test]
    fn says_what_refuses_a_write() {
        for (toml, refuses, unknown_profile) in [
            ("", Some(Severity::Error), Severity::Warning),
            ("validation = 'error'\nunknown-profiles = 'warning'", Some(Severity::Error), Severity::Warning),
            ("validation = 'warning'", Some(Severity::Warning), Severity::Warning),
            ("unknown-profiles = 'error'", Some(Severity::Error), Severity::Error),
            ("validation = 'off'", None, Severity::Warning),
        ] {
            assert_eq!(settings(toml).expect(toml).validation, Validation { refuses, unknown_profile }, "{toml}");
        }
    }

    #[test]
    fn refuses_what_cannot_be_right() {
        let cases = [
            ("listen = '0.0.0.0:8080'\nauth = 'off'", "loopback"),
            ("listen = '[::]:8080'\nauth = 'off'", "loopback"),
            ("listen = 'here'", "no address and port"),
            ("base-url = 'ftp://x'", "no http or https URL"),
            ("base-url = 'http://'", "no http or https URL"),
            ("base-url = 'http://x/?a'", "no http or https URL"),
            ("search-timeout = 0", "search-timeout: `0` is not from 1 to 60 seconds"),
            ("search-timeout = 9223372036854775807", "is not from 1 to 60 seconds"),
            ("terminology-server = 'tx.example'", "terminology-server: `tx.example` is no http or https URL"),
            ("terminology-timeout = 61", "terminology-timeout: `61` is not from 1 to 60 seconds"),
            ("store = 'postgres://x'", "store: this is no URL of a MongoDB database"),
            ("auth = 'maybe'", "unknown variant"),
            ("validation = 'no'", "unknown variant `no`, expected one of `error`, `warning`, `off`"),
            ("unknown-profiles = 'off'", "unknown variant `off`, expected `warning` or `error`"),
            ("[services]\npatient-overlap = 'maybe'", "unknown variant `maybe`, expected `refuse` or `allow`"),
            ("[services]\nrepeat-count = 'all'", "unknown variant `all`, expected `fhir` or `total`"),
            ("dialect = 'stu3'", "unknown variant `stu3`, expected `r4` or `nhs`"),
            ("lisen = '127.0.0.1:1'", "unknown field"),
        ];
        for (toml, expected) in cases {
            let error = settings(toml).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(expected), "{toml}: {error}");
        }
    }
}
