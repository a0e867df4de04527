//! Requests to the authorization server and its replies, as plain data: a web server hands them over.

use std::collections::HashSet;
use std::net::IpAddr;

use serde_json::Value;

use crate::error::{ErrorCode, OAuthError};

/// How many characters of a name that is wrong are told.
const NAME_MAX: usize = 100;

/// A request to one of the authorization server's endpoints.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// `GET`, `HEAD`, `POST` or `DELETE`.
    pub method: &'a str,
    /// Below the server's origin, as `/auth/token`.
    pub path: &'a str,
    /// Of the query string, decoded, in order.
    pub query: Vec<(String, String)>,
    /// Of a form in the body, decoded, in order; empty for any other body.
    pub form: Vec<(String, String)>,
    /// A JSON body as it was sent.
    pub json: Option<&'a [u8]>,
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    /// The `Cookie` header.
    pub cookie: Option<&'a str>,
    /// The `Origin` header.
    pub origin: Option<&'a str>,
    /// The `Accept-Language` header.
    pub accept_language: Option<&'a str>,
    /// Who is at the other end.
    pub peer: IpAddr,
}

/// The reply to a [`Request`].
#[derive(Clone, Debug, Default)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Request<'_> {
    /// Refuses a form in which a field is there more than once, be it known or not: RFC 6749, paragraph 3.2.
    pub(crate) fn check_form(&self) -> Result<(), OAuthError> {
        match repeated(&self.form) {
            None => Ok(()),
            Some(name) => {
                let name: String = name.chars().take(NAME_MAX).collect();
                Err(OAuthError::new(ErrorCode::InvalidRequest, format!("`{name}` is given more than once")))
            }
        }
    }

    /// The value of a field of the form; one without a value counts as left out.
    pub(crate) fn field(&self, name: &'static str) -> Option<&str> {
        let field = self.form.iter().find(|(key, value)| key == name && !value.is_empty());
        field.map(|(_, value)| value.as_str())
    }

    pub(crate) fn required(&self, name: &'static str) -> Result<&str, OAuthError> {
        let missing = || OAuthError::new(ErrorCode::InvalidRequest, format!("`{name}` is missing"));
        self.field(name).ok_or_else(missing)
    }
}

/// A name that is there more than once.
pub(crate) fn repeated(parameters: &[(String, String)]) -> Option<&str> {
    let mut names = HashSet::new();
    parameters.iter().map(|(name, _)| name.as_str()).find(|name| !names.insert(*name))
}

impl Reply {
    /// A JSON document that nobody may keep.
    pub(crate) fn json(status: u16, body: &Value) -> Reply {
        Reply { status, headers: Vec::new(), body: body.to_string().into_bytes() }
            .with("Content-Type", "application/json")
            .with("Cache-Control", "no-store")
            .with("Pragma", "no-cache")
    }

    /// A JSON document that anybody may keep for so many seconds.
    pub(crate) fn public_json(seconds: u32, body: &Value) -> Reply {
        Reply { status: 200, headers: Vec::new(), body: body.to_string().into_bytes() }
            .with("Content-Type", "application/json")
            .with("Cache-Control", format!("public, max-age={seconds}"))
    }

    pub(crate) fn with(mut self, header: &'static str, value: impl Into<String>) -> Reply {
        self.headers.push((header, value.into()));
        self
    }
}

/// The same object without the members that are null.
pub(crate) fn without_nulls(mut object: Value) -> Value {
    if let Value::Object(members) = &mut object {
        members.retain(|_, value| !value.is_null());
    }
    object
}
