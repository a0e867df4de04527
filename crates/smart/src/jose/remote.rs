//! Key sets of others, fetched from where they publish them and kept for a while.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use repository::Millis;
use serde::Deserialize;
use ureq::Agent;

use super::jwk::TEXT_MAX;
use super::{Invalid, KeySet};
use crate::uri;

/// How long a key set is used without asking again, in milliseconds: what its owner takes out of it counts no longer then.
pub(crate) const AGE_MAX: Millis = 60 * 60 * 1000;
/// How long nothing is asked again, whatever came of it, in milliseconds.
pub(crate) const AGE_MIN: Millis = 60 * 1000;
/// Places whose key sets are kept.
const PLACES_MAX: usize = 1_000;
/// For one request, from its name's look-up to the end of the body.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Gets public documents from elsewhere.
pub trait Fetch: Send + Sync {
    /// The body at this URL, at most 64 KiB.
    fn get(&self, url: &str) -> Result<Vec<u8>, FetchError>;
}

/// That a document could not be had. Why goes to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchError;

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key set cannot be fetched")
    }
}

impl Error for FetchError {}

/// Fetches over the network: `https`, and `http` on this machine. It follows no redirects, so that nothing else is asked than what was registered.
pub struct Https(pub(crate) Agent);

impl Default for Https {
    fn default() -> Https {
        Https(Agent::config_builder().timeout_global(Some(TIMEOUT)).max_redirects(0).build().into())
    }
}

impl Fetch for Https {
    fn get(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        if !uri::is_secure(url) {
            return Err(FetchError);
        }
        let failed = |error: ureq::Error| {
            tracing::warn!(url, %error, "a key set cannot be fetched");
            FetchError
        };
        let mut response = self.0.get(url).header("Accept", "application/json").call().map_err(failed)?;
        if response.status() != 200 {
            tracing::warn!(url, status = %response.status(), "a key set is not there");
            return Err(FetchError);
        }
        response.body_mut().with_config().limit(TEXT_MAX as u64).read_to_vec().map_err(failed)
    }
}

/// Where somebody publishes keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    JwksUri(&'a str),
    /// An issuer, whose OpenID configuration names its `jwks_uri`.
    Issuer(&'a str),
}

/// The key sets of others that were fetched.
pub struct KeySets {
    fetch: Arc<dyn Fetch>,
    /// By URL. Each has a lock of its own: one that answers slowly holds up nobody else.
    places: Mutex<HashMap<String, Arc<Mutex<Fetched>>>>,
}

#[derive(Default)]
struct Fetched {
    keys: Option<(Millis, Arc<KeySet>)>,
    asked: Option<Millis>,
}

impl KeySets {
    pub fn new(fetch: Arc<dyn Fetch>) -> KeySets {
        KeySets { fetch, places: Mutex::default() }
    }

    /// Verifies with the keys at a place, fetched anew when none of those at hand is the one that is meant.
    pub(crate) fn verify<T>(
        &self,
        place: Place,
        now: Millis,
        verify: impl Fn(&KeySet) -> Result<T, Invalid>,
    ) -> Result<T, Invalid> {
        let fetched = self.place(place);
        let mut fetched = lock(&fetched);
        let keys = fetched.fresh(now).or_else(|| self.renew(&mut fetched, place, now)).ok_or(Invalid::UnknownKey)?;
        match verify(&keys) {
            Err(Invalid::UnknownKey) => verify(&*self.renew(&mut fetched, place, now).ok_or(Invalid::UnknownKey)?),
            verified => verified,
        }
    }

    fn place(&self, place: Place) -> Arc<Mutex<Fetched>> {
        let (Place::JwksUri(name) | Place::Issuer(name)) = place;
        let mut places = lock(&self.places);
        if places.len() >= PLACES_MAX && !places.contains_key(name) {
            places.clear();
        }
        places.entry(name.to_owned()).or_default().clone()
    }

    fn renew(&self, fetched: &mut Fetched, place: Place, now: Millis) -> Option<Arc<KeySet>> {
        if fetched.asked.is_some_and(|asked| now < asked + AGE_MIN) {
            return None;
        }
        fetched.asked = Some(now);
        let keys = Arc::new(self.fetch(place)?);
        fetched.keys = Some((now, keys.clone()));
        Some(keys)
    }

    fn fetch(&self, place: Place) -> Option<KeySet> {
        let body = match place {
            Place::JwksUri(url) => self.fetch.get(url).ok()?,
            Place::Issuer(issuer) => self.fetch.get(&self.jwks_uri(issuer)?).ok()?,
        };
        let keys = KeySet::parse(&body);
        keys.inspect_err(|error| tracing::warn!(?place, %error, "a key set cannot be used")).ok()
    }

    /// OpenID Connect Discovery 1.0, paragraph 4: the document must name the issuer that it was asked of.
    fn jwks_uri(&self, issuer: &str) -> Option<String> {
        #[derive(Deserialize)]
        struct Configuration {
            issuer: String,
            jwks_uri: String,
        }
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let configuration: Configuration = serde_json::from_slice(&self.fetch.get(&url).ok()?).ok()?;
        (configuration.issuer == issuer).then_some(configuration.jwks_uri)
    }
}

impl Fetched {
    fn fresh(&self, now: Millis) -> Option<Arc<KeySet>> {
        let (fetched, keys) = self.keys.as_ref()?;
        (now < fetched + AGE_MAX).then(|| keys.clone())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Answers one request; returns the URL for it.
    fn serve(response: String) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/jwks", listener.local_addr().expect("an address"));
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let read = stream.read(&mut [0; 4096]).expect("a request");
            assert!(read > 0);
            // Whoever has read enough may hang up.
            let _ = stream.write_all(response.as_bytes());
        });
        url
    }

    fn response(status: &str, body: &str) -> String {
        format!(
            "HTTP/1.1 {status}\r\nLocation: /x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    }

    #[test]
    fn fetches_what_is_there_and_not_too_long() {
        let https = Https::default();
        let longest = "x".repeat(TEXT_MAX);
        let cases = [
            (response("200 OK", "{}"), Some("{}")),
            (response("200 OK", &longest), Some(longest.as_str())),
            (response("200 OK", &"x".repeat(TEXT_MAX + 1)), None),
            (response("302 Found", "{}"), None),
            (response("404 Not Found", "{}"), None),
            (response("500 Internal Server Error", "{}"), None),
            ("nonsense".to_owned(), None),
        ];
        for (number, (response, body)) in cases.into_iter().enumerate() {
            let got = https.get(&serve(response));
            assert_eq!(got.ok().as_deref(), body.map(str::as_bytes), "{number}");
        }
        for url in ["http://app.example/jwks", "file:///etc/passwd", "ftp://localhost/x", ""] {
            assert_eq!(https.get(url), Err(FetchError), "{url}");
        }
    }
}
