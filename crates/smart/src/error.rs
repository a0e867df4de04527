//! Refusals as OAuth words them: <https://www.rfc-editor.org/rfc/rfc6749#section-5.2>, <https://www.rfc-editor.org/rfc/rfc7591#section-3.2.2>.

use std::fmt;

use fhir::{IssueType, Outcome};
use serde_json::json;

use crate::exchange::Reply;
use crate::scope::InvalidScope;

/// Why a request to one of the OAuth endpoints is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuthError {
    pub code: ErrorCode,
    /// For the developer of the client.
    pub description: String,
    /// Whether the client tried the `Basic` scheme, which is then asked for again.
    pub challenge: Challenge,
}

/// What a refused client is asked for by `WWW-Authenticate`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Challenge {
    #[default]
    None,
    Basic,
    /// A token that counts, in these words of RFC 6750, paragraph 3.
    Bearer(&'static str),
}

/// The codes of OAuth that are in use here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    InvalidRequest,
    InvalidClient,
    InvalidGrant,
    UnauthorizedClient,
    UnsupportedGrantType,
    InvalidScope,
    /// The access token does not count, or there is none.
    InvalidToken,
    AccessDenied,
    InvalidRedirectUri,
    InvalidClientMetadata,
    /// The client asks too often.
    TemporarilyUnavailable,
    /// The server cannot do it now: its database is away, or it has too much to do.
    Unavailable,
    ServerError,
}

impl ErrorCode {
    pub const fn as_str(self) -> &'static str {
        match self {
            ErrorCode::InvalidRequest => "invalid_request",
            ErrorCode::InvalidClient => "invalid_client",
            ErrorCode::InvalidGrant => "invalid_grant",
            ErrorCode::UnauthorizedClient => "unauthorized_client",
            ErrorCode::UnsupportedGrantType => "unsupported_grant_type",
            ErrorCode::InvalidScope => "invalid_scope",
            ErrorCode::InvalidToken => "invalid_token",
            ErrorCode::AccessDenied => "access_denied",
            ErrorCode::InvalidRedirectUri => "invalid_redirect_uri",
            ErrorCode::InvalidClientMetadata => "invalid_client_metadata",
            ErrorCode::TemporarilyUnavailable | ErrorCode::Unavailable => "temporarily_unavailable",
            ErrorCode::ServerError => "server_error",
        }
    }

    const fn status(self) -> u16 {
        match self {
            ErrorCode::InvalidClient | ErrorCode::InvalidToken => 401,
            ErrorCode::AccessDenied => 403,
            ErrorCode::TemporarilyUnavailable => 429,
            ErrorCode::Unavailable => 503,
            ErrorCode::ServerError => 500,
            _ => 400,
        }
    }
}

impl OAuthError {
    pub(crate) fn new(code: ErrorCode, description: impl Into<String>) -> OAuthError {
        OAuthError { code, description: description.into(), challenge: Challenge::None }
    }

    pub(crate) fn reply(&self) -> Reply {
        let allowed = |character| matches!(character, ' '..='~') && !matches!(character, '"' | '\\');
        let description = self.description.replace(|character| !allowed(character), "'");
        let body = json!({ "error": self.code.as_str(), "error_description": description });
        let reply = Reply::json(self.code.status(), &body);
        match (self.challenge, self.code) {
            (Challenge::Basic, _) => reply.with("WWW-Authenticate", r#"Basic realm="Flint", charset="UTF-8""#),
            (Challenge::Bearer(words), _) => reply.with("WWW-Authenticate", words),
            (_, ErrorCode::TemporarilyUnavailable) => reply.with("Retry-After", "60"),
            (_, ErrorCode::Unavailable) => reply.with("Retry-After", "1"),
            _ => reply,
        }
    }
}

impl fmt::Display for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.description)
    }
}

impl std::error::Error for OAuthError {}

impl From<InvalidScope> for OAuthError {
    fn from(error: InvalidScope) -> OAuthError {
        OAuthError::new(ErrorCode::InvalidScope, error.to_string())
    }
}

/// What goes wrong inside goes to the log alone.
impl From<Outcome> for OAuthError {
    fn from(outcome: Outcome) -> OAuthError {
        if outcome.issues.iter().any(|issue| issue.code == IssueType::Transient) {
            return OAuthError::new(ErrorCode::Unavailable, "the server cannot do it at the moment; try again");
        }
        tracing::error!(%outcome, "the authorization server failed");
        OAuthError::new(ErrorCode::ServerError, "the server failed; nothing was changed")
    }
}
