//! The apps and systems that may ask for tokens.

use serde::{Deserialize, Serialize};

/// A registered client. Kept in the vault as JSON, named `client/<id>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    pub id: String,
    /// As people read it when they are asked to consent.
    pub name: String,
    pub auth: ClientAuth,
    /// Compared as whole strings.
    pub redirect_uris: Vec<String>,
    /// Where an EHR launch begins.
    pub launch_uri: Option<String>,
    /// `authorization_code`, `refresh_token`, `client_credentials`.
    pub grant_types: Vec<String>,
    /// The most that it can ever be granted: scopes, separated by spaces.
    pub scope: String,
    /// The organization whose app it is, as consents name it: `Organization/app1`.
    pub organization: Option<String>,
    /// Other names by which consents may name it: `system|value`.
    pub identifiers: Vec<String>,
    /// Purposes of use, codes of v3-ActReason, where a request says none: `PATRQT`, `TREAT`, `HRESCH`.
    pub purposes: Vec<String>,
    /// Whether it is the record keeper's own system, such as the EHR that pushes the records: consents do not narrow what it sees where it asks for
    /// itself, without a person or a patient in context.
    pub custodian: bool,
    /// Whether it registered itself: then nobody here knows it, and what it names is asked with care.
    #[serde(default)]
    pub self_registered: bool,
    /// Shown when people are asked to consent.
    pub client_uri: Option<String>,
    pub logo_uri: Option<String>,
    pub tos_uri: Option<String>,
    pub policy_uri: Option<String>,
    /// Milliseconds since 1970.
    pub created: i64,
    /// It gets no tokens, and those it has count no longer.
    pub disabled: bool,
}

/// How a client shows that it is the one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientAuth {
    /// Not at all: an app in people's hands, which cannot keep a secret.
    Public,
    /// By a secret, kept as its SHA-256 in hexadecimal.
    Secret(String),
    /// By assertions signed with a key of this JWK Set, a JSON text.
    Jwks(String),
    /// By assertions signed with a key of the JWK Set at this URL.
    JwksUri(String),
}
