//! Requests to a server.

use std::time::Duration;

use serde_json::Value;
use ureq::http::Request;
use ureq::{Agent, Error};

use crate::Reply;

/// Longer than the server may take for any answer.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Speaks to one server.
pub struct Client {
    base_url: String,
    agent: Agent,
    /// Of every request.
    headers: Vec<(String, String)>,
}

impl Client {
    /// For the server with this base URL, without a final `/`.
    pub fn new(base_url: &str) -> Client {
        Client::patient(base_url, TIMEOUT)
    }

    /// The same, with another time for each answer.
    pub fn patient(base_url: &str, timeout: Duration) -> Client {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(timeout))
            .max_redirects(0)
            .allow_non_standard_methods(true)
            .build()
            .into();
        Client { base_url: base_url.to_owned(), agent, headers: Vec::new() }
    }

    /// The same, with this access token.
    pub fn bearing(mut self, token: &str) -> Client {
        self.headers.push(("Authorization".to_owned(), format!("Bearer {token}")));
        self
    }

    /// The base URL, without a final `/`.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// A request that is being made: `GET /Patient/ann`, relative to the base URL, or absolute.
    pub fn call(&self, line: &str) -> Call<'_> {
        let (method, url) = line.split_once(' ').expect("a method and a URL");
        let url = match url.strip_prefix("http://") {
            Some(_) => url.to_owned(),
            None => format!("{}{url}", self.base_url),
        };
        Call { agent: &self.agent, method: method.to_owned(), url, headers: self.headers.clone(), body: Vec::new() }
    }

    /// The answer to a request without a body.
    pub fn get(&self, url: &str) -> Reply {
        self.call(&format!("GET {url}")).send()
    }
}

/// A request that is being made.
pub struct Call<'a> {
    agent: &'a Agent,
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Call<'_> {
    /// Adds a header field.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a resource.
    pub fn json(self, resource: &Value) -> Self {
        self.body("application/fhir+json", resource.to_string())
    }

    /// With any body.
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("Content-Type", content_type)
    }

    /// Makes the request.
    pub fn send(self) -> Reply {
        let line = format!("{} {}", self.method, self.url);
        self.try_send().unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// Makes the request to a server that may end before it has answered.
    pub fn try_send(self) -> Result<Reply, Error> {
        let mut request = Request::builder().method(self.method.as_str()).uri(&self.url);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let response = match self.method.as_str() {
            "POST" | "PUT" | "PATCH" => self.agent.run(request.body(self.body).expect("a good request")),
            _ => self.agent.run(request.body(()).expect("a good request")),
        };
        Reply::read(format!("{} {}", self.method, self.url), response?)
    }
}
