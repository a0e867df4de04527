//! The authorization request of an app: <https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1>, with PKCE (RFC 7636), OpenID Connect, and
//! <https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#obtain-authorization-code>.

use repository::query_string;

use crate::Client;
use crate::exchange::{Reply, repeated};
use crate::pages::{redirect, target_source};
use crate::scope::Scopes;

/// How long all parameters may be together, in bytes.
const PARAMETERS_BYTES_MAX: usize = 12_288;

/// How long `state`, `nonce` and other values that are only passed on may be, in bytes.
const VALUE_BYTES_MAX: usize = 2_048;

/// The parameters that mean something here.
const KNOWN: [&str; 14] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "aud",
    "code_challenge",
    "code_challenge_method",
    "launch",
    "nonce",
    "prompt",
    "max_age",
    "login_hint",
    "response_mode",
];

/// A request that can be answered.
#[derive(Clone, Debug)]
pub(crate) struct AuthorizeRequest {
    pub(crate) target: Target,
    pub(crate) client: Client,
    pub(crate) scopes: Scopes,
    pub(crate) code_challenge: String,
    pub(crate) nonce: Option<String>,
    pub(crate) launch: Option<String>,
    pub(crate) prompt: Prompt,
    /// How long ago somebody may have signed in, in milliseconds.
    pub(crate) max_age: Option<i64>,
    pub(crate) login_hint: String,
    /// The same as a query string.
    pub(crate) text: String,
}

/// Where answers to the app go.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) redirect_uri: String,
    state: String,
    issuer: String,
}

/// What the app wants people to be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prompt {
    /// Nothing at all.
    pub(crate) none: bool,
    pub(crate) login: bool,
    pub(crate) consent: bool,
}

/// Why a request cannot be answered.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Nobody may be sent back: the app or its address is not known. The error of OAuth, and what people are told.
    Here(&'static str, &'static str),
    /// The app is told.
    There(Box<Target>, &'static str, String),
}

impl Target {
    /// Sends the browser back to the app with an error of OAuth or OpenID Connect.
    pub(crate) fn refuse(&self, error: &str, description: &str) -> Reply {
        self.reply(&[("error", error), ("error_description", description)])
    }

    /// Sends the browser back to the app with a code.
    pub(crate) fn accept(&self, code: &str) -> Reply {
        self.reply(&[("code", code)])
    }

    /// Where its forms may lead, for a Content Security Policy.
    pub(crate) fn sources(&self) -> Vec<String> {
        target_source(&self.redirect_uri).into_iter().collect()
    }

    /// `iss` by RFC 9207.
    fn reply(&self, parameters: &[(&str, &str)]) -> Reply {
        let own = [("state", self.state.as_str()), ("iss", self.issuer.as_str())];
        let own = own.into_iter().filter(|(_, value)| !value.is_empty());
        let query = query_string(parameters.iter().copied().chain(own));
        let separator = if self.redirect_uri.contains('?') { '&' } else { '?' };
        redirect(format!("{}{separator}{query}", self.redirect_uri))
    }
}

impl AuthorizeRequest {
    /// Reads the parameters of a request to the server of this issuer and FHIR base URL. `find` knows the clients.
    pub(crate) fn read(
        parameters: &[(String, String)],
        issuer: &str,
        base_url: &str,
        client: Option<Client>,
    ) -> Result<AuthorizeRequest, Refused> {
        let size: usize = parameters.iter().map(|(name, value)| name.len() + value.len()).sum();
        if size > PARAMETERS_BYTES_MAX {
            return Err(Refused::Here("invalid_request", "The request of the app is too long."));
        }
        let read = Parameters(parameters);
        let Some(client) = client.filter(|client| !client.disabled && read.count("client_id") == 1) else {
            return Err(Refused::Here(
                "invalid_client",
                "The app that sent you here is not known to us, or it may not be used any more. Nothing was shared with it, and you can close this page.",
            ));
        };
        let redirect_uri = read.get("redirect_uri").unwrap_or_default();
        if read.count("redirect_uri") != 1 || !client.redirect_uris.iter().any(|uri| uri == redirect_uri) {
            return Err(Refused::Here(
                "invalid_redirect_uri",
                "The app wants you to be sent back to an address that it has not told us before. Nothing was shared with it, and you can close this page.",
            ));
        }
        let state = read.get("state").filter(|state| state.len() <= VALUE_BYTES_MAX).unwrap_or_default();
        let target =
            Target { redirect_uri: redirect_uri.to_owned(), state: state.to_owned(), issuer: issuer.to_owned() };
        let text = read.text();
        match read.details(&client, base_url) {
            Ok(details) => Ok(AuthorizeRequest { target, client, text, ..details }),
            Err((error, description)) => Err(Refused::There(Box::new(target), error, description)),
        }
    }
}

/// An error of OAuth and its description.
type Wrong = (&'static str, String);

fn invalid(description: &str) -> Wrong {
    ("invalid_request", description.to_owned())
}

struct Parameters<'a>(&'a [(String, String)]);

impl<'a> Parameters<'a> {
    fn count(&self, name: &str) -> usize {
        self.0.iter().filter(|(key, _)| key == name).count()
    }

    /// A parameter without a value counts as left out.
    fn get(&self, name: &str) -> Option<&'a str> {
        let value = self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        value.filter(|value| !value.is_empty())
    }

    fn text(&self) -> String {
        let known = self.0.iter().filter(|(name, _)| KNOWN.contains(&name.as_str()));
        query_string(known.map(|(name, value)| (name.as_str(), value.as_str())))
    }

    /// What is not about where answers go.
    fn details(&self, client: &Client, base_url: &str) -> Result<AuthorizeRequest, Wrong> {
        if let Some(name) = repeated(self.0) {
            return Err(invalid(&printable(&format!("`{name}` is there more than once"))));
        }
        self.check_refused()?;
        match self.get("response_type") {
            None => return Err(invalid("`response_type` is missing")),
            Some("code") => {}
            Some(_) => return Err(("unsupported_response_type", "only `code` is supported".to_owned())),
        }
        if !client.grant_types.iter().any(|grant| grant == "authorization_code") {
            return Err(("unauthorized_client", "the client may not use the authorization code grant".to_owned()));
        }
        let state = self.required("state")?;
        for (name, value) in
            [("state", Some(state)), ("nonce", self.get("nonce")), ("login_hint", self.get("login_hint"))]
        {
            if value.is_some_and(|value| value.len() > VALUE_BYTES_MAX) {
                return Err(invalid(&format!("`{name}` is longer than {VALUE_BYTES_MAX} bytes")));
            }
        }
        let aud = self.required("aud")?;
        if aud.trim_end_matches('/') != base_url {
            return Err(invalid("`aud` is not the FHIR base URL of this server"));
        }
        Ok(AuthorizeRequest {
            code_challenge: self.code_challenge()?,
            scopes: self.scopes(client)?,
            prompt: self.prompt()?,
            max_age: self.max_age()?,
            nonce: self.get("nonce").map(str::to_owned),
            launch: self.get("launch").map(str::to_owned),
            login_hint: self.get("login_hint").unwrap_or_default().to_owned(),
            target: Target { redirect_uri: String::new(), state: String::new(), issuer: String::new() },
            client: client.clone(),
            text: String::new(),
        })
    }

    /// What OpenID Connect lets a server refuse by name.
    fn check_refused(&self) -> Result<(), Wrong> {
        if self.get("request").is_some() {
            return Err(("request_not_supported", "request objects are not supported".to_owned()));
        }
        if self.get("request_uri").is_some() {
            return Err(("request_uri_not_supported", "request objects are not supported".to_owned()));
        }
        match self.get("response_mode") {
            None | Some("query") => Ok(()),
            Some(_) => Err(invalid("only the `response_mode` `query` is supported")),
        }
    }

    fn required(&self, name: &str) -> Result<&'a str, Wrong> {
        self.get(name).ok_or_else(|| invalid(&format!("`{name}` is missing")))
    }

    /// A SHA-256 in base64url.
    fn code_challenge(&self) -> Result<String, Wrong> {
        let challenge = self.get("code_challenge");
        let challenge = challenge.ok_or_else(|| invalid("`code_challenge` is missing: PKCE is required"))?;
        if self.get("code_challenge_method") != Some("S256") {
            return Err(invalid("`code_challenge_method` must be `S256`"));
        }
        let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        match challenge.len() == 43 && challenge.bytes().all(is_digit) {
            true => Ok(challenge.to_owned()),
            false => Err(invalid("`code_challenge` is no SHA-256 in base64url")),
        }
    }

    /// What the client may have of what it asks for.
    fn scopes(&self, client: &Client) -> Result<Scopes, Wrong> {
        let wrong = |description: String| ("invalid_scope", description);
        let asked = self.get("scope").ok_or_else(|| wrong("`scope` is missing".to_owned()))?;
        let asked = Scopes::parse(asked).map_err(|error| wrong(printable(&error.to_string())))?;
        // What the administrator has written is wrong when it cannot be read: then nothing may be had.
        let most = Scopes::parse(&client.scope).unwrap_or_default();
        let scopes = asked.within(&most);
        match scopes.is_empty() {
            true => Err(wrong("the client may have nothing of what it asks for".to_owned())),
            false => Ok(scopes),
        }
    }

    fn prompt(&self) -> Result<Prompt, Wrong> {
        let mut prompt = Prompt::default();
        let words: Vec<&str> =
            self.get("prompt").unwrap_or_default().split(' ').filter(|word| !word.is_empty()).collect();
        for word in &words {
            match *word {
                "none" => prompt.none = true,
                // Whoever shall be chosen signs in.
                "login" | "select_account" => prompt.login = true,
                "consent" => prompt.consent = true,
                _ => return Err(invalid("`prompt` has an unknown value")),
            }
        }
        match prompt.none && words.len() > 1 {
            true => Err(invalid("`prompt` has `none` beside other values")),
            false => Ok(prompt),
        }
    }

    fn max_age(&self) -> Result<Option<i64>, Wrong> {
        let seconds = self.get("max_age").map(|text| text.parse::<u32>());
        let seconds = seconds.transpose().map_err(|_| invalid("`max_age` is no number of seconds"))?;
        Ok(seconds.map(|seconds| i64::from(seconds) * 1000))
    }
}

/// The characters that a description may have, RFC 6749 section 4.1.2.1.
fn printable(text: &str) -> String {
    text.chars().filter(|sign| matches!(sign, ' '..='~') && !matches!(sign, '"' | '\\')).take(200).collect()
}
