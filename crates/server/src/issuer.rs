//! Issuers whose access tokens count here, as a settings file tells of them.

use std::collections::BTreeMap;

use serde::Deserialize;
use smart::jose::Algorithm;
use smart::{ClaimNames, Issuer};

use crate::config::SettingsError;

/// An [`Issuer`], as a settings file tells of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct IssuerSettings {
    issuer: String,
    jwks_uri: Option<String>,
    audience: String,
    #[serde(default)]
    algorithms: Vec<String>,
    scope: String,
    #[serde(default)]
    purposes: Vec<String>,
    #[serde(default)]
    clients: BTreeMap<String, String>,
    #[serde(default)]
    claims: BTreeMap<String, String>,
}

impl TryFrom<IssuerSettings> for Issuer {
    type Error = SettingsError;

    fn try_from(settings: IssuerSettings) -> Result<Issuer, SettingsError> {
        let name = settings.issuer;
        let algorithm = |text: &String| {
            Algorithm::parse(text).ok_or_else(|| {
                SettingsError(format!(
                    "issuers: `{name}`: `{text}` is no algorithm of signatures that are checked here, such as `ES256`"
                ))
            })
        };
        let algorithms = match settings.algorithms.as_slice() {
            [] => vec![Algorithm::Es256, Algorithm::Rs256],
            some => some.iter().map(algorithm).collect::<Result<_, _>>()?,
        };
        let mut claims = ClaimNames::default();
        for (meaning, claim) in settings.claims {
            let place = match meaning.as_str() {
                "scope" => &mut claims.scope,
                "client" => &mut claims.client,
                "fhir-user" => &mut claims.fhir_user,
                "patient" => &mut claims.patient,
                "purpose" => &mut claims.purpose,
                _ => {
                    return Err(SettingsError(format!(
                        "issuers: `{name}`: claims: `{meaning}` is none of `scope`, `client`, `fhir-user`, `patient`, `purpose`"
                    )));
                }
            };
            *place = claim;
        }
        Ok(Issuer {
            jwks_uri: settings.jwks_uri,
            audience: settings.audience,
            algorithms,
            scope: settings.scope,
            purposes: settings.purposes,
            clients: settings.clients,
            claims,
            issuer: name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(toml: &str) -> Result<Issuer, String> {
        let settings: IssuerSettings = toml::from_str(toml).map_err(|error| error.to_string())?;
        Issuer::try_from(settings).map_err(|error| error.to_string())
    }

    #[test]
    fn reads_an_issuer() {
        let issuer = read(
            "issuer = 'https://cis2.example'\naudience = 'flint'\nscope = 'user/*.rs'\nalgorithms = ['RS512']\n[claims]\nfhir-user = 'selected_roleid'",
        );
        let issuer = issuer.expect("an issuer");
        assert_eq!((issuer.audience.as_str(), issuer.algorithms.as_slice()), ("flint", &[Algorithm::Rs512][..]));
        assert_eq!((issuer.claims.fhir_user.as_str(), issuer.claims.patient.as_str()), ("selected_roleid", "patient"));
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        let cases = [
            ("issuer = 'x'\nscope = ''", "missing field `audience`"),
            ("issuer = 'x'\naudience = 'y'\nscope = ''\nalgorithms = ['none']", "`none` is no algorithm"),
            ("issuer = 'x'\naudience = 'y'\nscope = ''\nalgorithms = ['HS256']", "`HS256` is no algorithm"),
            ("issuer = 'x'\naudience = 'y'\nscope = ''\n[claims]\nname = 'n'", "claims: `name` is none of"),
            ("issuer = 'x'\naudience = 'y'\nscope = ''\nkeys = 'n'", "unknown field `keys`"),
        ];
        for (toml, expected) in cases {
            let refused = read(toml).expect_err(toml);
            assert!(refused.contains(expected), "{refused}");
        }
    }
}
