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
    /// What is asked for by `WWW-Authenticate`; `None` where nothing is.
    pub challenge: Option<&'static str>,
}

/// What a client is asked for that has not shown that it is the one: RFC 9110, paragraph 15.5.2, wants it of every 401. It may as well use another
/// way of those that the server metadata name.
const CLIENT: &str = r#"Basic realm="Flint", charset="UTF-8""#;

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
        let challenge = (code == ErrorCode::InvalidClient).then_some(CLIENT);
        OAuthError { code, description: description.into(), challenge }
    }

    pub(crate) fn reply(&self) -> Reply {
        let allowed = |character| matches!(character, ' '..='~') && !matches!(character, '"' | '\\');
        let description = self.description.replace(|character| !allowed(character), "'");
        let body = json!({ "error": self.code.as_str(), "error_description": description });
        let reply = Reply::json(self.code.status(), &body);
        match (self.challenge, self.code) {
            (Some(words), _) => reply.with("WWW-Authenticate", words),
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
