//! Key sets of others, fetched from where they publish them and kept for a while.
//!
//! Invariants:
//! - No lock is held while something is fetched or verified. One thread at a time fetches from a place; the others use what is known.
//! - Only so many threads fetch, or wait for who does: a place that answers slowly takes not all of them.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use repository::Millis;
use serde::Deserialize;

use super::{Fetch, Invalid, KeySet};

/// How long a key set is used without asking again, in milliseconds: what its owner takes out of it counts no longer then.
pub(crate) const AGE_MAX: Millis = 60 * 60 * 1000;
/// How long nothing is asked again, whatever came of it, in milliseconds.
pub(crate) const AGE_MIN: Millis = 60 * 1000;
/// Places of each kind whose key sets are kept.
const PLACES_MAX: usize = 1_000;
/// Threads that fetch keys, or wait for them, at one time: from places that who runs this server has named, and from those of strangers.
const WAITING_MAX: usize = 16;
const WAITING_FOR_STRANGERS_MAX: usize = 4;

/// Where somebody publishes keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    /// A URL that who runs this server has named.
    JwksUri(&'a str),
    /// One that a client has named which registered itself.
    OfStranger(&'a str),
    /// An issuer, whose OpenID configuration names its `jwks_uri`.
    Issuer(&'a str),
}

/// Why nothing was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unverified {
    Invalid(Invalid),
    /// Too many wait for keys already.
    Busy,
}

/// The key sets of others that were fetched.
pub struct KeySets {
    fetch: Arc<dyn Fetch>,
    /// By kind of place and URL: what a stranger names is never taken for what others publish at the same URL.
    places: Mutex<HashMap<(Kind, String), Arc<Kept>>>,
    waiting: AtomicUsize,
    waiting_for_strangers: AtomicUsize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    JwksUri,
    OfStranger,
    Issuer,
}

/// What is known of one place.
#[derive(Default)]
struct Kept {
    fetched: Mutex<Fetched>,
    /// Told when a fetch ends.
    done: Condvar,
}

#[derive(Default)]
struct Fetched {
    keys: Option<(Millis, Arc<KeySet>)>,
    asked: Option<Millis>,
    /// A thread fetches at this moment.
    is_asked: bool,
}

impl KeySets {
    pub fn new(fetch: Arc<dyn Fetch>) -> KeySets {
        let (waiting, waiting_for_strangers) = Default::default();
        KeySets { fetch, places: Mutex::default(), waiting, waiting_for_strangers }
    }

    /// Verifies with the keys at a place, fetched anew when none of those at hand is the one that is meant.
    pub(crate) fn verify<T>(
        &self,
        place: Place,
        now: Millis,
        verify: impl Fn(&KeySet) -> Result<T, Invalid>,
    ) -> Result<T, Unverified> {
        let kept = self.kept(place);
        let known = lock(&kept.fetched).known(now);
        let keys = known.map_or_else(|| self.renew(&kept, place, now), Ok)?;
        match verify(&keys) {
            Err(Invalid::UnknownKey) => Ok(verify(&*self.renew(&kept, place, now)?)?),
            verified => Ok(verified?),
        }
    }

    fn kept(&self, place: Place) -> Arc<Kept> {
        let (kind, url) = place.parts();
        let name = (kind, url.to_owned());
        let mut places = lock(&self.places);
        if !places.contains_key(&name) && places.keys().filter(|(held, _)| *held == kind).count() >= PLACES_MAX {
            places.retain(|(held, _), _| *held != kind);
        }
        places.entry(name).or_default().clone()
    }

    /// Keys that were fetched after the call, or are being fetched; none where that was tried a moment ago.
    fn renew(&self, kept: &Kept, place: Place, now: Millis) -> Result<Arc<KeySet>, Unverified> {
        let mut fetched = lock(&kept.fetched);
        if !fetched.is_asked && fetched.asked.is_some_and(|asked| now < asked + AGE_MIN) {
            return Err(Invalid::UnknownKey.into());
        }
        let _waiting = self.wait(place)?;
        if fetched.is_asked {
            let done = kept.done.wait_while(fetched, |fetched| fetched.is_asked);
            return done.unwrap_or_else(PoisonError::into_inner).fresh(now).ok_or(Invalid::UnknownKey.into());
        }
        (fetched.asked, fetched.is_asked) = (Some(now), true);
        drop(fetched);
        let asking = Asking(kept);
        let keys = self.fetch(place).map(Arc::new);
        if let Some(keys) = &keys {
            lock(&kept.fetched).keys = Some((now, keys.clone()));
        }
        drop(asking);
        keys.ok_or(Invalid::UnknownKey.into())
    }

    /// A turn to fetch or to wait.
    fn wait(&self, place: Place) -> Result<Waiting<'_>, Unverified> {
        let (count, most) = match place {
            Place::OfStranger(_) => (&self.waiting_for_strangers, WAITING_FOR_STRANGERS_MAX),
            Place::JwksUri(_) | Place::Issuer(_) => (&self.waiting, WAITING_MAX),
        };
        let waiting = Waiting(count);
        match count.fetch_add(1, Ordering::Relaxed) < most {
            true => Ok(waiting),
            false => Err(Unverified::Busy),
        }
    }

    fn fetch(&self, place: Place) -> Option<KeySet> {
        let body = match place {
            Place::JwksUri(url) => self.fetch.get(url).ok()?,
            Place::OfStranger(url) => self.fetch.get_public(url).ok()?,
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

impl<'a> Place<'a> {
    fn parts(self) -> (Kind, &'a str) {
        match self {
            Place::JwksUri(url) => (Kind::JwksUri, url),
            Place::OfStranger(url) => (Kind::OfStranger, url),
            Place::Issuer(issuer) => (Kind::Issuer, issuer),
        }
    }
}

impl Fetched {
    fn fresh(&self, now: Millis) -> Option<Arc<KeySet>> {
        self.younger(now, AGE_MAX)
    }

    /// The keys to try first: while others are fetched, those that have just grown old will do.
    fn known(&self, now: Millis) -> Option<Arc<KeySet>> {
        self.younger(now, if self.is_asked { AGE_MAX + AGE_MIN } else { AGE_MAX })
    }

    fn younger(&self, now: Millis, age: Millis) -> Option<Arc<KeySet>> {
        let (fetched, keys) = self.keys.as_ref()?;
        (now < fetched + age).then(|| keys.clone())
    }
}

/// Lets go of a place whose keys were fetched, however that ended.
struct Asking<'a>(&'a Kept);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        lock(&self.0.fetched).is_asked = false;
        self.0.done.notify_all();
    }
}

/// One that is counted as long as it fetches or waits.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl From<Invalid> for Unverified {
    fn from(invalid: Invalid) -> Unverified {
        Unverified::Invalid(invalid)
    }
}

impl fmt::Display for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unverified::Invalid(_) => f.write_str("the signed token does not count"),
            Unverified::Busy => f.write_str("too many requests wait for keys that are published elsewhere"),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::thread;
    use std::time::Duration;

    use super::super::FetchError;
    use super::*;

    const KEYS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"k","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;

    /// Says when somebody asks, and answers when it is told to.
    struct Slow {
        asked: Mutex<Sender<String>>,
        answers: Mutex<Receiver<Option<&'static str>>>,
    }

    impl Fetch for Slow {
        fn get(&self, url: &str) -> Result<Vec<u8>, FetchError> {
            lock(&self.asked).send(url.to_owned()).expect("somebody listens");
            // Who waits for what no test answers fails instead of standing for ever.
            let answer = lock(&self.answers).recv_timeout(Duration::from_secs(10)).ok().flatten();
            answer.map(|keys| keys.as_bytes().to_vec()).ok_or(FetchError)
        }

        fn get_public(&self, url: &str) -> Result<Vec<u8>, FetchError> {
            self.get(url)
        }
    }

    fn slow() -> (Arc<KeySets>, Receiver<String>, Sender<Option<&'static str>>) {
        let ((asked, is_asked), (answer, answers)) = (channel(), channel());
        let slow = Slow { asked: Mutex::new(asked), answers: Mutex::new(answers) };
        (Arc::new(KeySets::new(Arc::new(slow))), is_asked, answer)
    }

    const KNOWN: fn(&KeySet) -> Result<(), Invalid> = |_| Ok(());
    const UNKNOWN: fn(&KeySet) -> Result<(), Invalid> = |_| Err(Invalid::UnknownKey);

    const PLACE: Place<'static> = Place::Issuer("https://id.example");
    const CONFIGURATION: &str = r#"{"issuer":"https://id.example","jwks_uri":"https://id.example/keys"}"#;

    /// An issuer that does not answer holds up nobody whose key is known.
    #[test]
    fn known_keys_count_while_others_are_fetched() {
        let (keys, is_asked, answer) = slow();
        for text in [CONFIGURATION, KEYS] {
            answer.send(Some(text)).expect("taken");
        }
        assert_eq!(keys.verify(PLACE, 0, KNOWN), Ok(()));
        is_asked.try_iter().for_each(drop);
        for (now, at) in [(AGE_MIN, AGE_MIN), (AGE_MAX, AGE_MAX + 1)] {
            let stranger = thread::spawn({
                let keys = keys.clone();
                move || keys.verify(PLACE, now, UNKNOWN)
            });
            is_asked.recv().expect("asked");
            assert_eq!(keys.verify(PLACE, at, KNOWN), Ok(()), "{at}");
            answer.send(None).expect("taken");
            assert_eq!(stranger.join().expect("no panic"), Err(Invalid::UnknownKey.into()));
        }
        // Nothing came, and they are too old now.
        assert_eq!(keys.verify(PLACE, AGE_MAX + 1, KNOWN), Err(Invalid::UnknownKey.into()));
    }

    /// However many strangers name places that do not answer, they take a few threads and none of those that others need.
    #[test]
    fn few_wait_for_strangers() {
        let (keys, is_asked, answer) = slow();
        let urls: Vec<String> =
            (0..WAITING_FOR_STRANGERS_MAX).map(|number| format!("https://{number}.example")).collect();
        let wait = |url: String| {
            let keys = keys.clone();
            thread::spawn(move || keys.verify(Place::OfStranger(&url), 0, KNOWN))
        };
        let waiting: Vec<_> = urls.iter().cloned().map(wait).collect();
        urls.iter().for_each(|_| drop(is_asked.recv().expect("asked")));
        assert_eq!(keys.verify(Place::OfStranger("https://more.example"), 0, KNOWN), Err(Unverified::Busy));
        assert_eq!(keys.verify(Place::OfStranger(&urls[0]), 0, KNOWN), Err(Unverified::Busy));
        // All answers are for whoever asks: one more for the operator's.
        (0..=urls.len()).for_each(|_| answer.send(Some(KEYS)).expect("taken"));
        assert_eq!(keys.verify(Place::JwksUri("https://more.example"), 0, KNOWN), Ok(()));
        for waiting in waiting {
            assert_eq!(waiting.join().expect("no panic"), Ok(()));
        }
        answer.send(Some(KEYS)).expect("taken");
        assert_eq!(keys.verify(Place::OfStranger("https://more.example"), 0, KNOWN), Ok(()));
    }

    /// What somebody names as the place of their keys changes nothing for an issuer of the same URL.
    #[test]
    fn places_of_different_kinds_are_apart() {
        let (keys, _is_asked, answer) = slow();
        for text in [CONFIGURATION, KEYS] {
            answer.send(Some(text)).expect("taken");
        }
        assert_eq!(keys.verify(PLACE, 0, KNOWN), Ok(()));
        for place in [Place::OfStranger("https://id.example"), Place::JwksUri("https://id.example")] {
            answer.send(Some("no keys")).expect("taken");
            assert_eq!(keys.verify(place, AGE_MAX, KNOWN), Err(Invalid::UnknownKey.into()));
        }
        for text in [CONFIGURATION, KEYS] {
            answer.send(Some(text)).expect("taken");
        }
        assert_eq!(keys.verify(PLACE, AGE_MAX, KNOWN), Ok(()));
    }
}
