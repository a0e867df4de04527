//! Refresh tokens: each counts once and is followed by another, <https://www.rfc-editor.org/rfc/rfc9700#section-4.14>.
//!
//! A token is a family and a secret, `<family>.<secret>`. The vault knows the secret of the last one only, so any other of the family was used before, and
//! whoever shows it has stolen it or was stolen from.

use fhir::Outcome;
use repository::{Edit, Millis, Vault};
use serde::{Deserialize, Serialize};

use crate::record::{Stored, add};
use crate::secret::{Random, hashed, new_name, secret};

/// A family of refresh tokens. Kept as JSON, named `refresh/<hash of the family>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Family {
    pub(crate) grant: String,
    pub(crate) client: String,
    /// The hash of the secret that counts.
    secret: String,
    pub(crate) issued: Millis,
    /// When the one that counts does so no longer.
    pub(crate) expires: Millis,
}

/// What somebody shows as a refresh token.
pub(crate) enum Shown {
    /// The one that counts.
    Current(Stored<Family>),
    /// Another of the family: used before.
    Former(Family),
}

impl Shown {
    pub(crate) fn family(self) -> Family {
        match self {
            Shown::Current(stored) => stored.value,
            Shown::Former(family) => family,
        }
    }
}

impl Family {
    /// The first token of a new family, and the edit that keeps it.
    pub(crate) fn begin(random: &Random, grant: &str, client: &str, now: Millis, expires: Millis) -> (String, Edit) {
        let (family, secret) = (new_name(random), secret(random));
        let (grant, client) = (grant.to_owned(), client.to_owned());
        let record = Family { grant, client, secret: hashed(&secret), issued: now, expires };
        (format!("{family}.{secret}"), add(name(&family), &record))
    }

    pub(crate) fn find(vault: Vault<'_>, token: &str) -> Result<Option<Shown>, Outcome> {
        let Some((family, secret)) = token.split_once('.') else { return Ok(None) };
        let Some(stored) = Stored::<Family>::find(vault, name(family))? else { return Ok(None) };
        // Hashes of random secrets: how long a comparison takes says nothing.
        Ok(Some(match stored.value.secret == hashed(secret) {
            true => Shown::Current(stored),
            false => Shown::Former(stored.value),
        }))
    }
}

impl Stored<Family> {
    /// The token after `token`, and the edit that puts it in its place: of all who try at one time one can.
    pub(crate) fn follow(self, random: &Random, token: &str, now: Millis, expires: Millis) -> (String, Edit) {
        let family = token.split('.').next().unwrap_or(token);
        let secret = secret(random);
        let next = Family { secret: hashed(&secret), issued: now, expires, ..self.value.clone() };
        (format!("{family}.{secret}"), self.replace(&next))
    }
}

fn name(family: &str) -> String {
    format!("refresh/{}", hashed(family))
}
