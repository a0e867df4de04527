//! The people who may sign in: local accounts, and those for whom an identity provider vouches.
//!
//! An account is a value of the vault, `account/<name>`. What somebody may grant at most is no part of it: see [`ceiling`].

mod attempts;
mod ceiling;
mod known;
mod password;

use fhir::{IssueType, Outcome};
use repository::{Key, Millis, Vault};
use serde::{Deserialize, Serialize};

use crate::epoch;
use crate::record::{self, Stored, parse};
use crate::secret::Random;

pub(crate) use attempts::{Attempts, Failures};
pub(crate) use ceiling::{ceiling, is_proven};
pub(crate) use known::{NHS_NUMBER, Record, date_in_words, day_in_words, end_of, local, start_of, string};
pub(crate) use password::Hasher;
pub use password::{PASSWORD_BYTES_MAX, PASSWORD_CHARACTERS_MIN, hash_password};

/// How long the name of a local account may be, in bytes.
pub const NAME_BYTES_MAX: usize = 64;

/// The kinds of resources that somebody who signs in can be.
pub const FHIR_USERS: [&str; 4] = ["Patient", "RelatedPerson", "Practitioner", "PractitionerRole"];

/// How many accounts are read from the vault at once.
const LIST_PAGE: usize = 500;

/// Somebody who may sign in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// What is typed to sign in; for who comes from an identity provider `<provider>:<hash of the subject there>`.
    pub name: String,
    /// The `sub` of tokens: says nothing about the person.
    pub subject: String,
    /// The Argon2id hash, a PHC string; `None` for who comes from an identity provider.
    pub password: Option<String>,
    /// The id of the identity provider.
    pub provider: Option<String>,
    /// `Patient/p1`, `RelatedPerson/rp1`, `Practitioner/dr1`, `PractitionerRole/r1`; `None` for somebody without a record here.
    pub fhir_user: Option<String>,
    /// How sure the identity provider was at the last sign-in: NHS login's `P9.Cp.Cd`.
    pub vot: Option<String>,
    /// Milliseconds since 1970.
    pub created: i64,
    /// May not sign in, and is signed out.
    pub disabled: bool,
    /// Nothing counts that rests on a sign-in before this time: no session, and no token of what was granted then. Milliseconds since 1970.
    #[serde(default)]
    pub since: i64,
}

/// The accounts.
#[derive(Clone, Copy)]
pub struct People<'a> {
    vault: Vault<'a>,
}

impl Account {
    /// May not sign in from now on, and is signed out everywhere.
    pub fn disable(&mut self, now: Millis) {
        self.disabled = true;
        self.since = now;
    }

    /// Signs in with the password of this Argon2id hash from now on, and is signed out everywhere: whoever knew the former one is, too.
    pub fn set_password(&mut self, hash: String, now: Millis) {
        self.password = Some(hash);
        self.since = now;
    }

    /// Whether what rests on a sign-in at this time counts.
    pub(crate) fn counts(&self, auth_time: Millis) -> bool {
        !self.disabled && auth_time >= self.since
    }

    /// The resource that this person is.
    pub(crate) fn user(&self) -> Option<Key> {
        self.fhir_user.as_deref().and_then(Key::parse)
    }

    /// Whether this is somebody who works here.
    pub(crate) fn is_staff(&self) -> bool {
        self.user().is_some_and(|user| user.collection().starts_with("Practitioner"))
    }
}

impl<'a> People<'a> {
    /// Those of this vault.
    pub fn new(vault: Vault<'a>) -> People<'a> {
        People { vault }
    }

    /// The account of this name.
    pub fn find(&self, name: &str) -> Result<Option<Account>, Outcome> {
        match check_name(name) {
            Ok(()) => self.of_name(name),
            Err(_) => Ok(None),
        }
    }

    /// The account of somebody who comes from an identity provider.
    pub(crate) fn of_provider(&self, provider: &str, subject: &str) -> Result<Option<Account>, Outcome> {
        self.of_name(&provided_name(provider, subject))
    }

    /// The account that this server calls so itself, wherever it comes from.
    pub(crate) fn of_name(&self, name: &str) -> Result<Option<Account>, Outcome> {
        Ok(Stored::find(self.vault, stored(name))?.map(|stored| stored.value))
    }

    /// All accounts, by name.
    pub fn list(&self) -> Result<Vec<Account>, Outcome> {
        let mut accounts = Vec::new();
        let mut after = None;
        loop {
            let page = self.vault.list("account/", after.as_deref(), LIST_PAGE)?;
            let Some((last, _)) = page.last() else { return Ok(accounts) };
            after = Some(last.clone());
            for (name, value) in &page {
                accounts.push(parse(name, value)?);
            }
        }
    }

    /// Adds a local account. Refuses a name that is taken or has signs that a name may not have, and a user of another kind.
    pub fn add(&self, account: &Account) -> Result<(), Outcome> {
        check_name(&account.name)?;
        check_user(account.fhir_user.as_deref())?;
        match self.vault.edit(vec![record::add(stored(&account.name), account)])? {
            true => Ok(()),
            false => Err(Outcome::new(IssueType::Duplicate, format!("there is an account `{}` already", account.name))),
        }
    }

    /// Changes an account; its tokens are looked at anew. Refuses a name that is not known.
    pub fn change(&self, name: &str, random: &Random, change: impl Fn(&mut Account)) -> Result<(), Outcome> {
        while let Some(held) = Stored::<Account>::find(self.vault, stored(name))? {
            let mut account = held.value.clone();
            change(&mut account);
            if self.vault.edit(vec![held.replace(&account), epoch::next(random)])? {
                return Ok(());
            }
        }
        Err(Outcome::new(IssueType::NotFound, format!("there is no account `{name}`")))
    }

    /// Keeps what an identity provider said of somebody who signs in now.
    pub(crate) fn remember(&self, account: &Account) -> Result<(), Outcome> {
        self.vault.edit(vec![record::set(stored(&account.name), account)]).map(|_| ())
    }
}

/// The name of the account of somebody from an identity provider: no local name has a colon.
pub(crate) fn provided_name(provider: &str, subject: &str) -> String {
    format!("{provider}:{}", blake3::hash(subject.as_bytes()).to_hex())
}

fn check_name(name: &str) -> Result<(), Outcome> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._@+-".contains(&byte);
    match !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.bytes().all(is_plain) {
        true => Ok(()),
        false => Err(Outcome::new(
            IssueType::Value,
            format!("the name of an account has 1 to {NAME_BYTES_MAX} of a-z, 0-9, `.`, `_`, `@`, `+` and `-`"),
        )),
    }
}

fn check_user(user: Option<&str>) -> Result<(), Outcome> {
    let key = user.and_then(Key::parse);
    match key.is_some_and(|key| FHIR_USERS.contains(&key.collection())) {
        true => Ok(()),
        false => Err(Outcome::new(
            IssueType::Value,
            format!("an account belongs to one of {}, such as `Patient/p1`", FHIR_USERS.join(", ")),
        )),
    }
}

fn stored(name: &str) -> String {
    format!("account/{name}")
}
