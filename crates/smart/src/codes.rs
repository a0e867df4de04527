//! Authorization codes: <https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2>, each for one token request by the client that it was made for.
//!
//! A used code is remembered for a day: when somebody shows it again, it was stolen from or by somebody, and the grant ends.

use fhir::Outcome;
use repository::{Edit, Millis, Vault};
use serde::{Deserialize, Serialize};

use crate::Grant;
use crate::record::{Stored, add};
use crate::secret::{Random, hashed, secret};

/// How long a code counts, in milliseconds.
pub const CODE_AGE_MAX: Millis = 60 * 1000;
/// How long a code is remembered, in milliseconds.
const REMEMBERED: Millis = 24 * 60 * 60 * 1000;

/// The codes in the vault.
#[derive(Clone, Copy)]
pub struct Codes<'a> {
    vault: Vault<'a>,
    random: &'a Random,
}

/// What a code stands for. Kept as JSON, named `code/<hash>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Code {
    pub(crate) grant: String,
    pub(crate) client: String,
    pub(crate) redirect_uri: String,
    /// The SHA-256 of the client's `code_verifier` in base64url.
    pub(crate) code_challenge: String,
    pub(crate) nonce: Option<String>,
    pub(crate) valid_until: Millis,
    pub(crate) used: bool,
    /// When it is forgotten.
    pub(crate) expires: Millis,
}

impl<'a> Codes<'a> {
    pub fn new(vault: Vault<'a>, random: &'a Random) -> Codes<'a> {
        Codes { vault, random }
    }

    /// A new code for a grant that is kept. `code_challenge` is that of method S256.
    pub fn issue(
        &self,
        grant: &Grant,
        redirect_uri: &str,
        code_challenge: &str,
        nonce: Option<&str>,
        now: Millis,
    ) -> Result<String, Outcome> {
        let code = secret(self.random);
        let record = Code {
            grant: grant.id.clone(),
            client: grant.client.clone(),
            redirect_uri: redirect_uri.to_owned(),
            code_challenge: code_challenge.to_owned(),
            nonce: nonce.map(str::to_owned),
            valid_until: now + CODE_AGE_MAX,
            used: false,
            expires: now + REMEMBERED,
        };
        self.vault.edit(vec![add(name(&code), &record)])?;
        Ok(code)
    }

    pub(crate) fn find(&self, code: &str) -> Result<Option<Stored<Code>>, Outcome> {
        Stored::find(self.vault, name(code))
    }
}

impl Stored<Code> {
    /// Uses the code up: of all who try at one time one can.
    pub(crate) fn spend(self) -> Edit {
        let used = Code { used: true, ..self.value.clone() };
        self.replace(&used)
    }
}

fn name(code: &str) -> String {
    format!("code/{}", hashed(code))
}
