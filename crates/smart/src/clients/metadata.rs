//! What a client may say of itself: <https://www.rfc-editor.org/rfc/rfc7591#section-2>, redirect URIs as RFC 9700 and RFC 8252 want them.

use std::error::Error;
use std::fmt;

use repository::Key;

use super::{NewAuth, NewClient};
use crate::jose::KeySet;
use crate::scope::{Level, Scopes};
use crate::uri::{Uri, is_secure};

/// Redirect URIs of one client.
pub const REDIRECT_URIS_MAX: usize = 20;
/// Identifiers, purposes and grant types of one client, each.
const VALUES_MAX: usize = 20;
/// Characters of a name, and bytes of other values.
const VALUE_MAX: usize = 200;

pub(super) const AUTHORIZATION_CODE: &str = "authorization_code";
pub(super) const REFRESH_TOKEN: &str = "refresh_token";
pub(super) const CLIENT_CREDENTIALS: &str = "client_credentials";
pub(crate) const GRANT_TYPES: [&str; 3] = [AUTHORIZATION_CODE, REFRESH_TOKEN, CLIENT_CREDENTIALS];

/// Why a client cannot be registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidClient {
    RedirectUri(String),
    Metadata(String),
}

impl fmt::Display for InvalidClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidClient::RedirectUri(uri) => {
                write!(
                    f,
                    "redirect URI `{uri}` is neither `https`, nor `http` on this machine, nor of a native app's own scheme"
                )
            }
            InvalidClient::Metadata(text) => f.write_str(text),
        }
    }
}

impl Error for InvalidClient {}

impl NewClient {
    /// The same with scopes in canonical form and the usual grant types, when all of it is as it must be.
    pub(super) fn checked(mut self) -> Result<NewClient, InvalidClient> {
        self.check_texts()?;
        self.check_uris()?;
        let scopes = Scopes::parse(&self.scope).map_err(|error| invalid(error.to_string()))?;
        if let Some(unknown) = scopes.unknown.first() {
            return Err(invalid(format!("scope `{unknown}` is not known")));
        }
        if self.grant_types.is_empty() {
            self.grant_types = self.usual_grant_types(&scopes);
        }
        self.check_grant_types(&scopes)?;
        if let NewAuth::Jwks(keys) = &self.auth {
            KeySet::parse(keys.as_bytes()).map_err(|error| invalid(error.to_string()))?;
        }
        self.scope = scopes.to_string();
        Ok(self)
    }

    fn check_texts(&self) -> Result<(), InvalidClient> {
        let is_text =
            |text: &str| !text.trim().is_empty() && !text.contains(|sign: char| sign.is_control() || is_format(sign));
        if !is_text(&self.name) || self.name.chars().count() > VALUE_MAX {
            return Err(invalid(format!("a client must have a name of at most {VALUE_MAX} characters")));
        }
        if self.identifiers.len().max(self.purposes.len()).max(self.grant_types.len()) > VALUES_MAX {
            return Err(invalid(format!("a client can have at most {VALUES_MAX} values of a kind")));
        }
        if let Some(organization) = &self.organization
            && Key::parse(organization).is_none_or(|key| key.collection() != "Organization")
        {
            return Err(invalid(format!("`{organization}` is no reference to an Organization")));
        }
        let is_identifier = |text: &String| text.len() <= VALUE_MAX && is_text(text) && text.contains('|');
        if let Some(identifier) = self.identifiers.iter().find(|text| !is_identifier(text)) {
            return Err(invalid(format!("identifier `{identifier}` is not `system|value`")));
        }
        let is_code = |text: &String| text.len() <= VALUE_MAX && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        match self.purposes.iter().find(|code| code.is_empty() || !is_code(code)) {
            Some(purpose) => Err(invalid(format!("purpose of use `{purpose}` is no code"))),
            None => Ok(()),
        }
    }

    fn check_uris(&self) -> Result<(), InvalidClient> {
        if self.redirect_uris.len() > REDIRECT_URIS_MAX {
            return Err(invalid(format!("a client can have at most {REDIRECT_URIS_MAX} redirect URIs")));
        }
        let is_public = self.auth == NewAuth::Public;
        let may_lead_to = |uri: &str| is_secure(uri) || is_public && is_private_use(uri);
        if let Some(uri) = self.redirect_uris.iter().find(|uri| !may_lead_to(uri)) {
            return Err(InvalidClient::RedirectUri(uri.clone()));
        }
        let jwks_uri = match &self.auth {
            NewAuth::JwksUri(uri) => Some(uri),
            _ => None,
        };
        let others = [&self.launch_uri, &self.client_uri, &self.logo_uri, &self.tos_uri, &self.policy_uri];
        match others.into_iter().flatten().chain(jwks_uri).find(|uri| !is_secure(uri)) {
            Some(uri) => Err(invalid(format!("`{uri}` is neither `https` nor on this machine"))),
            None => Ok(()),
        }
    }

    fn usual_grant_types(&self, scopes: &Scopes) -> Vec<String> {
        let mut types = Vec::new();
        if !self.redirect_uris.is_empty() {
            types.extend([AUTHORIZATION_CODE, REFRESH_TOKEN]);
        }
        if scopes.has_level(Level::System) {
            types.push(CLIENT_CREDENTIALS);
        }
        types.into_iter().map(str::to_owned).collect()
    }

    fn check_grant_types(&self, scopes: &Scopes) -> Result<(), InvalidClient> {
        if let Some(unknown) = self.grant_types.iter().find(|name| !GRANT_TYPES.contains(&name.as_str())) {
            return Err(invalid(format!("grant type `{unknown}` is not known")));
        }
        let has = |name: &str| self.grant_types.iter().any(|one| one == name);
        let signs = matches!(self.auth, NewAuth::Jwks(_) | NewAuth::JwksUri(_));
        match () {
            () if self.grant_types.is_empty() => Err(invalid("a client needs redirect URIs or `system/` scopes")),
            () if has(AUTHORIZATION_CODE) && self.redirect_uris.is_empty() => {
                Err(invalid("`authorization_code` needs redirect URIs"))
            }
            () if has(CLIENT_CREDENTIALS) && !signs => {
                Err(invalid("`client_credentials` and `system/` scopes are only for clients that sign with keys"))
            }
            () if self.custodian && (!self.redirect_uris.is_empty() || self.grant_types != [CLIENT_CREDENTIALS]) => {
                Err(invalid(
                    "the record keeper's own system asks for itself alone: it has no redirect URIs, and only `system/` scopes",
                ))
            }
            () if has(CLIENT_CREDENTIALS) != scopes.has_level(Level::System) => {
                Err(invalid("`client_credentials` and `system/` scopes go together"))
            }
            () => Ok(()),
        }
    }
}

/// Whether a character is one that nobody sees, of Unicode's category Cf, or a separator of lines: by those a name looks like that of another.
fn is_format(sign: char) -> bool {
    matches!(sign,
        '\u{AD}' | '\u{600}'..='\u{605}' | '\u{61C}' | '\u{6DD}' | '\u{70F}' | '\u{890}'..='\u{891}' | '\u{8E2}' | '\u{180E}'
        | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}'
        | '\u{110BD}' | '\u{110CD}' | '\u{13430}'..='\u{1343F}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}'
        | '\u{E0000}'..='\u{E007F}')
}

/// RFC 8252, paragraph 7.1: a scheme that a native app has for itself is its domain name backwards.
fn is_private_use(uri: &str) -> bool {
    Uri::parse(uri).is_some_and(|uri| uri.scheme.contains('.'))
}

fn invalid(text: impl Into<String>) -> InvalidClient {
    InvalidClient::Metadata(text.into())
}
