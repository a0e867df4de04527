//! The authorization server: which endpoint answers a request.

use std::net::IpAddr;
use std::sync::Arc;

use repository::Repository;

use crate::access_tokens::{Cache, Issuer};
use crate::clients::{Pace, Registration};
use crate::desk::Desk;
use crate::error::{ErrorCode, OAuthError};
use crate::exchange::{Reply, Request};
use crate::jose::{Fetch, KeySets};
use crate::pages::Pages;
use crate::secret::Random;
use crate::signing::Signing;
use crate::sweep::Sweep;
use crate::token_event::{TokenAct, TokenEvent, TokenEvents};

/// What the authorization server needs to know and to use.
pub struct AuthorizationSetup {
    /// The FHIR base URL, without a final `/`.
    pub base_url: String,
    pub registration: Registration,
    /// Whose tokens count besides its own.
    pub issuers: Vec<Issuer>,
    pub random: Random,
    pub fetch: Arc<dyn Fetch>,
    pub events: Arc<dyn TokenEvents>,
}

/// The authorization server of one FHIR base URL. All that it must not forget is in the vault.
pub struct AuthorizationServer {
    pub(crate) setup: AuthorizationSetup,
    /// `iss` of its tokens: the base URL's origin and `/auth`.
    pub(crate) issuer: String,
    /// The path of the base URL.
    base_path: String,
    pub(crate) signing: Signing,
    pub(crate) key_sets: KeySets,
    pub(crate) verified: Cache,
    pub(crate) registrations: Pace,
    pub(crate) sweep: Sweep,
    /// `None` where nobody signs in here.
    pages: Option<Pages>,
}

impl AuthorizationServer {
    pub fn new(setup: AuthorizationSetup) -> AuthorizationServer {
        let (origin, base_path) = split_origin(&setup.base_url);
        AuthorizationServer {
            issuer: format!("{origin}/auth"),
            base_path: base_path.to_owned(),
            signing: Signing::default(),
            key_sets: KeySets::new(setup.fetch.clone()),
            verified: Cache::default(),
            registrations: Pace::default(),
            sweep: Sweep::default(),
            pages: None,
            setup,
        }
    }

    /// The same with pages on which people sign in and allow apps.
    pub fn with_pages(self, pages: Pages) -> AuthorizationServer {
        AuthorizationServer { pages: Some(pages), ..self }
    }

    /// `iss` of its tokens.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The server at work on the values of one repository.
    pub fn desk<'a>(&'a self, repository: &'a Repository) -> Desk<'a> {
        Desk::new(self, repository)
    }

    /// Answers a request to one of its endpoints, or for one of its pages. To HEAD it says what it says to GET; whoever sends the reply leaves out
    /// its body.
    pub fn handle(&self, repository: &Repository, request: &Request) -> Reply {
        if request.method == "HEAD" {
            return self.handle(repository, &Request { method: "GET", ..request.clone() });
        }
        let desk = self.desk(repository);
        let path = request.path;
        if let Some(act) = posted(path) {
            return desk.post(request, act);
        }
        match path {
            "/auth/jwks" => desk.get(request, Desk::jwks),
            "/auth/.well-known/openid-configuration" | "/.well-known/oauth-authorization-server/auth" => {
                desk.get(request, |desk| Ok(desk.openid_configuration()))
            }
            _ if path.strip_prefix(self.base_path.as_str()) == Some("/.well-known/smart-configuration") => {
                desk.get(request, |desk| Ok(desk.smart_configuration()))
            }
            _ => self.page(repository, request).unwrap_or(Reply { status: 404, ..Reply::default() }),
        }
    }

    /// The reply to a request that cannot be read, for this reason; `None` where people are answered, not clients. The audit is told.
    pub fn unread(&self, repository: &Repository, path: &str, peer: IpAddr, reason: &str) -> Option<Reply> {
        let error = OAuthError::new(ErrorCode::InvalidRequest, reason);
        let event = TokenEvent { refused: Some(error.code), ..TokenEvent::new(posted(path)?, peer) };
        self.setup.events.tell(repository, event);
        Some(error.reply())
    }

    fn page(&self, repository: &Repository, request: &Request) -> Option<Reply> {
        let reply = self.pages.as_ref()?.answer(repository, request);
        self.sweep.run(repository.vault(), repository.now().as_millis());
        reply
    }

    /// The URL of an endpoint.
    pub(crate) fn url(&self, endpoint: &str) -> String {
        format!("{}/{endpoint}", self.issuer)
    }
}

type Answer = Result<Reply, OAuthError>;

/// What is asked for at an endpoint for clients.
fn posted(path: &str) -> Option<TokenAct> {
    match path {
        "/auth/token" => Some(TokenAct::OtherGrant),
        "/auth/introspect" => Some(TokenAct::Introspect),
        "/auth/revoke" => Some(TokenAct::Revoke),
        "/auth/register" => Some(TokenAct::Register),
        "/auth/launch" => Some(TokenAct::Launch),
        _ => None,
    }
}

impl Desk<'_> {
    /// Answers a POST, and tells of it.
    fn post(&self, request: &Request, what: TokenAct) -> Reply {
        if request.method != "POST" {
            return not_allowed("POST");
        }
        let mut event = TokenEvent::new(what, request.peer);
        let answer = match what {
            TokenAct::Introspect => Desk::introspect,
            TokenAct::Revoke => Desk::revoke,
            TokenAct::Register => Desk::register,
            TokenAct::Launch => Desk::launch,
            _ => Desk::token,
        };
        let answer = request.check_form().and_then(|()| answer(self, request, &mut event));
        event.refused = answer.as_ref().err().map(|error| error.code);
        self.server.setup.events.tell(self.repository, event);
        self.server.sweep.run(self.vault(), self.now);
        answer.unwrap_or_else(|error| error.reply())
    }

    fn get(&self, request: &Request, answer: fn(&Self) -> Answer) -> Reply {
        match request.method {
            "GET" => answer(self).unwrap_or_else(|error| error.reply()),
            _ => not_allowed("GET, HEAD"),
        }
    }
}

fn not_allowed(allowed: &'static str) -> Reply {
    Reply { status: 405, ..Reply::default() }.with("Allow", allowed)
}

/// A base URL's origin and path.
pub(crate) fn split_origin(base_url: &str) -> (&str, &str) {
    let authority = base_url.find("://").map_or(0, |scheme| scheme + 3);
    let path = base_url[authority..].find('/').map_or(base_url.len(), |slash| authority + slash);
    base_url.split_at(path)
}
