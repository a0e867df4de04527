//! Requests to the authorization server and its replies, as plain data: a web server hands them over.

use std::net::IpAddr;

/// A request to one of the authorization server's endpoints.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// `GET`, `POST` or `DELETE`.
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
