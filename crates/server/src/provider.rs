//! Identity providers, as a settings file tells of them.

use std::fs;
use std::path::PathBuf;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use smart::jose::{Algorithm, PrivateKey};
use smart::oidc::{Provider, Who};

use crate::config::SettingsError;

/// A [`Provider`], as a settings file tells of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ProviderSettings {
    id: String,
    name: String,
    issuer: String,
    client_id: String,
    /// A file with a private key: PKCS #8 as PEM.
    key: PathBuf,
    key_id: String,
    /// RS512 where it is not said.
    algorithm: Option<String>,
    scope: String,
    /// For patients.
    #[serde(default)]
    vtr: Vec<String>,
    /// For staff.
    staff_claim: Option<String>,
}

impl TryFrom<ProviderSettings> for Provider {
    type Error = SettingsError;

    fn try_from(settings: ProviderSettings) -> Result<Provider, SettingsError> {
        let refuse = |text: &str| SettingsError(format!("providers: `{}`: {text}", settings.id));
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if settings.id.is_empty() || settings.id == "callback" || !settings.id.bytes().all(is_plain) {
            return Err(refuse("the id is not of a-z, 0-9 and `-`, or it is `callback`"));
        }
        let who = match (settings.vtr.is_empty(), &settings.staff_claim) {
            (false, None) => Who::Patients { vtr: settings.vtr.clone() },
            (true, Some(claim)) => Who::Staff { claim: claim.clone() },
            _ => return Err(refuse("either `vtr`, for patients, or `staff-claim` has to be there")),
        };
        let algorithm = Algorithm::parse(settings.algorithm.as_deref().unwrap_or("RS512"));
        let algorithm = algorithm.ok_or_else(|| refuse("the algorithm is none that signs here, such as `RS512`"))?;
        let pem = fs::read_to_string(&settings.key);
        let pem = pem.map_err(|error| refuse(&format!("key `{}`: {error}", settings.key.display())))?;
        let key = pkcs8(&pem).and_then(|der| PrivateKey::read(&settings.key_id, algorithm, &der).ok());
        let key = key.ok_or_else(|| refuse("the key is no private key of this algorithm as PKCS #8 in PEM"))?;
        Ok(Provider {
            key,
            who,
            id: settings.id,
            name: settings.name,
            issuer: settings.issuer,
            client_id: settings.client_id,
            scope: settings.scope,
        })
    }
}

/// The DER of the private key in a PEM text.
fn pkcs8(pem: &str) -> Option<Vec<u8>> {
    let (_, rest) = pem.split_once("-----BEGIN PRIVATE KEY-----")?;
    let (body, _) = rest.split_once("-----END PRIVATE KEY-----")?;
    BASE64_STANDARD.decode(body.split_whitespace().collect::<String>()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_providers() {
        let directory = tempfile::tempdir().expect("a directory");
        let key = directory.path().join("key.pem");
        let der = PrivateKey::generate(Algorithm::Es256).expect("a key");
        let body = BASE64_STANDARD.encode(der);
        fs::write(&key, format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")).expect("written");
        let other = directory.path().join("other.pem");
        fs::write(&other, "-----BEGIN PUBLIC KEY-----").expect("written");
        let (key, other) = (key.display().to_string(), other.display().to_string());
        // What is other than in the first, and what is said of it.
        let cases = [
            ("", "", ""),
            ("vtr = ['P9.Cm']", "staff-claim = 'uid'", ""),
            ("id = 'nhs'", "id = 'callback'", "it is `callback`"),
            ("id = 'nhs'", "id = 'N/S'", "the id is not of a-z"),
            ("vtr = ['P9.Cm']", "", "either `vtr`"),
            ("vtr = ['P9.Cm']", "vtr = ['P9.Cm']\nstaff-claim = 'uid'", "either `vtr`"),
            ("ES256", "HS256", "the algorithm is none"),
            ("ES256", "RS512", "no private key of this algorithm"),
            (&key, &other, "no private key of this algorithm"),
            (&key, "nowhere.pem", "key `nowhere.pem`: "),
        ];
        for (from, to, expected) in cases {
            let text = format!(
                "id = 'nhs'\nname = 'NHS login'\nissuer = 'https://x'\nclient-id = 'c'\nkey = '{key}'\nkey-id = 'k'\nalgorithm = 'ES256'\nscope = 'openid'\nvtr = ['P9.Cm']"
            );
            let settings: ProviderSettings = toml::from_str(&text.replacen(from, to, 1)).expect("settings");
            let error = Provider::try_from(settings).err().map(|error| error.to_string());
            let error = error.unwrap_or_default();
            assert!(error.contains(expected) && error.is_empty() == expected.is_empty(), "{to}: {error}");
        }
    }
}
