//! The sessions of browsers, <https://cheatsheetseries.owasp.org/cheatsheets/Session_Management_Cheat_Sheet.html>.
//!
//! A session is a value of the vault, `session/<hash of the cookie>`. A browser that nobody has signed in with has a cookie too, for the forms
//! that it is shown, and nothing of it is kept.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use fhir::Outcome;
use repository::{Edit, Millis, Vault};
use serde::{Deserialize, Serialize};

use crate::people::Account;
use crate::record::{Stored, set};
use crate::secret::{Random, hashed, secret};

/// How long a session lives that is not used, in milliseconds.
const IDLE_MAX: Millis = 30 * 60_000;

/// The same for who asked for more time: ten times as long, <https://www.w3.org/TR/WCAG22/#timing-adjustable>.
const IDLE_LONG_MAX: Millis = 10 * IDLE_MAX;

/// How long a session lives at all, in milliseconds.
const AGE_MAX: Millis = 12 * 3_600_000;

/// How much later than kept the last use may be, in milliseconds: else each request would be a commit.
const SEEN_STEP: Millis = 60_000;

/// Of 256 bits in base64url.
const COOKIE_CHARACTERS: usize = 43;

/// That somebody signed in with a browser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) account: String,
    /// When they showed who they are, milliseconds since 1970.
    pub(crate) auth_time: Millis,
    /// When it ends if it is not used again; milliseconds since 1970.
    pub(crate) expires: Millis,
    /// The hash of the request that they were asked to sign in for, though they may have been signed in.
    pub(crate) fresh_for: Option<String>,
    /// What an identity provider said at this sign-in; `None` where the person signed in here.
    pub(crate) vouched: Option<Vouched>,
    /// Whether the person asked for more time.
    #[serde(default)]
    pub(crate) is_long: bool,
}

/// For whom an identity provider vouched at one sign-in, and how surely.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Vouched {
    pub(crate) fhir_user: Option<String>,
    pub(crate) vot: Option<String>,
}

/// What a browser is known by: the content of its cookie.
#[derive(Clone)]
pub(crate) struct Cookie(String);

impl Cookie {
    /// One that nobody can guess.
    pub(crate) fn new(random: &Random) -> Cookie {
        Cookie(secret(random))
    }

    /// The one of this name in a `Cookie` header.
    pub(crate) fn of(header: Option<&str>, name: &str) -> Option<Cookie> {
        let pairs = header?.split(';').filter_map(|pair| pair.trim().split_once('='));
        let mut values = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value);
        values.find(|value| is_secret(value)).map(|value| Cookie(value.to_owned()))
    }

    /// The `Set-Cookie` header. Without `secure` it also goes over plain HTTP, which only a loopback address may have.
    pub(crate) fn header(&self, name: &str) -> String {
        format!("{name}={}; Path=/; HttpOnly; SameSite=Lax{}", self.0, secure(name))
    }

    /// The `Set-Cookie` header that takes it away.
    pub(crate) fn removal(name: &str) -> String {
        format!("{name}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0{}", secure(name))
    }

    /// What a form must carry to be taken from this browser: nobody else knows it, and it does not tell the cookie.
    pub(crate) fn csrf(&self) -> String {
        let token = blake3::derive_key("flint 2027-03 csrf token of a browser's forms", self.0.as_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(token)
    }

    /// Whether a form that carries this token came from this browser.
    pub(crate) fn accepts(&self, token: &str) -> bool {
        // Hashes are compared in constant time.
        blake3::hash(token.as_bytes()) == blake3::hash(self.csrf().as_bytes())
    }
}

fn is_secret(value: &str) -> bool {
    value.len() == COOKIE_CHARACTERS
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// A name with this prefix binds the cookie to this host, and browsers demand TLS for it.
fn secure(name: &str) -> &'static str {
    if name.starts_with("__Host-") { "; Secure" } else { "" }
}

/// The sessions.
#[derive(Clone, Copy)]
pub(crate) struct Sessions<'a> {
    pub(crate) vault: Vault<'a>,
}

impl Sessions<'_> {
    /// The session of a browser, if it has one that has not ended.
    pub(crate) fn find(&self, cookie: &Cookie, now: Millis) -> Result<Option<Session>, Outcome> {
        let stored = Stored::<Session>::find(self.vault, name(cookie))?;
        let Some(stored) = stored.filter(|stored| now < stored.value.expires) else { return Ok(None) };
        let session = stored.value.clone().seen(now);
        if session.expires >= stored.value.expires + SEEN_STEP {
            // Another request may have done so, or ended the session: both are fine.
            self.vault.edit(vec![stored.replace(&session)])?;
        }
        Ok(Some(session))
    }

    /// Begins a session under a new cookie, and ends the one before.
    pub(crate) fn begin(&self, session: Session, before: &Cookie, random: &Random) -> Result<Cookie, Outcome> {
        let cookie = Cookie::new(random);
        let session = session.clone().seen(session.auth_time);
        self.vault.edit(vec![Edit::remove(name(before)), set(name(&cookie), &session)])?;
        Ok(cookie)
    }

    /// Forgets that the person was asked to sign in for a request: it has been answered.
    pub(crate) fn answer(&self, cookie: &Cookie) -> Result<(), Outcome> {
        match Stored::<Session>::find(self.vault, name(cookie))? {
            Some(stored) if stored.value.fresh_for.is_some() => {
                let answered = Session { fresh_for: None, ..stored.value.clone() };
                self.vault.edit(vec![stored.replace(&answered)]).map(|_| ())
            }
            _ => Ok(()),
        }
    }

    /// Gives the person more time.
    pub(crate) fn lengthen(&self, cookie: &Cookie, now: Millis) -> Result<(), Outcome> {
        let Some(stored) = Stored::<Session>::find(self.vault, name(cookie))? else { return Ok(()) };
        let long = Session { is_long: true, ..stored.value.clone() }.seen(now);
        self.vault.edit(vec![stored.replace(&long)]).map(|_| ())
    }

    /// Ends a session.
    pub(crate) fn end(&self, cookie: &Cookie) -> Result<(), Outcome> {
        self.vault.edit(vec![Edit::remove(name(cookie))]).map(|_| ())
    }
}

impl Session {
    /// The account as this sign-in has proven it: a later one in another browser makes this one no surer.
    pub(crate) fn shown(&self, account: Account) -> Account {
        match self.vouched.clone() {
            Some(Vouched { fhir_user, vot }) => Account { fhir_user, vot, ..account },
            None => account,
        }
    }

    /// The same, used at this time.
    fn seen(self, now: Millis) -> Session {
        let idle = if self.is_long { IDLE_LONG_MAX } else { IDLE_MAX };
        Session { expires: (now + idle).min(self.auth_time + AGE_MAX), ..self }
    }
}

fn name(cookie: &Cookie) -> String {
    format!("session/{}", hashed(&cookie.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_cookies() {
        let good = "A".repeat(COOKIE_CHARACTERS);
        let cases = [
            (format!("__Host-flint={good}"), true),
            (format!("a=b; __Host-flint={good}; c=d"), true),
            (format!("__Host-flint=short; __Host-flint={good}"), true),
            (format!("x__Host-flint={good}"), false),
            (format!("__Host-flint={good}A"), false),
            (format!("__Host-flint={}\"", "A".repeat(COOKIE_CHARACTERS - 1)), false),
            ("__Host-flint".to_owned(), false),
            (String::new(), false),
        ];
        for (header, found) in cases {
            assert_eq!(Cookie::of(Some(&header), "__Host-flint").is_some(), found, "{header}");
        }
    }

    #[test]
    fn binds_forms_to_browsers() {
        let [one, other] = ["A", "B"].map(|letter| Cookie(letter.repeat(COOKIE_CHARACTERS)));
        assert!(one.accepts(&one.csrf()));
        for wrong in [String::new(), other.csrf(), one.0.clone(), format!("{} ", one.csrf())] {
            assert!(!one.accepts(&wrong), "{wrong}");
        }
        assert!(one.header("__Host-flint").ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"));
        assert!(!one.header("flint").contains("Secure"));
    }
}
