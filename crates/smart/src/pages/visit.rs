//! One request of a browser: who it is from, and how it is answered.

use askama::Template;
use fhir::{IssueType, Outcome};
use repository::{Access, Millis, Repository, Session as Records, Vault, query_string};

use super::{Frame, Link, MessageView, Pages, Stop, reply};
use crate::event::{PersonAct, PersonEvent};
use crate::exchange::{Reply, Request};
use crate::people::{Account, People};
use crate::sign_in::{Cookie, Session, Sessions, next_of};
use crate::uri::Uri;

/// One request of a browser.
pub(crate) struct Visit<'a> {
    pub(crate) pages: &'a Pages,
    pub(crate) repository: &'a Repository,
    pub(crate) request: &'a Request<'a>,
    pub(crate) now: Millis,
    /// What the browser is known by from this reply on.
    pub(crate) cookie: Cookie,
    /// Whether the browser does not have it yet.
    is_new: bool,
}

/// Who is signed in.
pub(crate) struct SignedIn {
    pub(crate) account: Account,
    pub(crate) session: Session,
    /// As pages name them.
    pub(crate) name: String,
}

impl<'a> Visit<'a> {
    pub(super) fn new(pages: &'a Pages, repository: &'a Repository, request: &'a Request<'a>) -> Visit<'a> {
        let held = Cookie::of(request.cookie, pages.cookie_name());
        let is_new = held.is_none();
        let cookie = held.unwrap_or_else(|| Cookie::new(&pages.setup.random));
        Visit { pages, repository, request, now: repository.now().as_millis(), cookie, is_new }
    }

    pub(crate) fn vault(&self) -> Vault<'a> {
        self.repository.vault()
    }

    pub(crate) fn people(&self) -> People<'a> {
        People::new(self.vault())
    }

    pub(crate) fn sessions(&self) -> Sessions<'a> {
        Sessions { vault: self.vault() }
    }

    /// The resources, as the server itself sees them.
    pub(crate) fn records(&self) -> Records<'a> {
        self.repository.open(Access::full())
    }

    /// Who is signed in with this browser.
    pub(crate) fn signed_in(&self) -> Result<Option<SignedIn>, Outcome> {
        if self.is_new {
            return Ok(None);
        }
        let Some(session) = self.sessions().find(&self.cookie, self.now)? else { return Ok(None) };
        let account = self.people().of_name(&session.account)?;
        let Some(account) = account.filter(|account| account.counts(session.auth_time)) else { return Ok(None) };
        let account = session.shown(account);
        let name = self.name_of(&account)?;
        Ok(Some(SignedIn { account, session, name }))
    }

    /// The first value of a form's field; empty where there is none.
    pub(crate) fn field(&self, name: &str) -> &'a str {
        first(&self.request.form, name)
    }

    /// Refuses a form that did not come from a page of this browser, or from one that somebody else was signed in on,
    /// <https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html>.
    pub(crate) fn check_form(&self) -> Result<(), Stop> {
        let is_own = self.request.origin.is_none_or(|origin| origin == self.pages.origin);
        match is_own && !self.is_new && self.cookie.accepts(self.field("csrf")) {
            true => Ok(()),
            false => Err(Stop::stale_form()),
        }
    }

    /// Who sent a form that only somebody signed in can have.
    pub(crate) fn check_signed_in_form(&self) -> Result<SignedIn, Stop> {
        self.check_form()?;
        self.signed_in()?.ok_or_else(Stop::stale_form)
    }

    pub(crate) fn frame(&self, person: Option<&SignedIn>) -> Frame {
        let pairs = if self.request.method == "POST" { &self.request.form } else { &self.request.query };
        let query = query_string(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let here = match self.field("request") {
            "" => format!("{}?{query}", self.request.path),
            // A step on the way to an app: it begins again.
            request => format!("/auth/authorize?{request}"),
        };
        Frame {
            csrf: self.cookie.csrf(),
            person: person.map(|person| person.name.clone()),
            is_long: person.is_some_and(|person| person.session.is_long),
            here: next_of(&here).to_owned(),
            is_error: false,
        }
    }

    /// A page whose forms lead to this server, and on to `targets`.
    pub(crate) fn page(&self, status: u16, template: &impl Template, targets: &[String]) -> Reply {
        self.with_cookie(reply::page(status, template, targets))
    }

    /// Gives the browser its cookie, if it has none.
    pub(crate) fn with_cookie(&self, mut reply: Reply) -> Reply {
        if self.is_new {
            reply.headers.push(("Set-Cookie", self.cookie.header(self.pages.cookie_name())));
        }
        reply
    }

    /// A page of one message.
    pub(crate) fn message(&self, status: u16, title: &str, text: &str, link: Option<Link>) -> Reply {
        let frame = Frame::default();
        let paragraphs = vec![text.to_owned()];
        reply::page(status, &MessageView { frame, title: title.to_owned(), paragraphs, link }, &[])
    }

    pub(super) fn finish(&self, answer: Result<Reply, Stop>) -> Reply {
        match answer {
            Ok(reply) | Err(Stop::Reply(reply)) => reply,
            Err(Stop::Page { status, title, text }) => self.message(status, title, text, None),
            Err(Stop::Fault(outcome)) => {
                tracing::error!(%outcome, "a page for people failed");
                if outcome.issues.iter().any(|issue| issue.code == IssueType::Transient) {
                    let text = "The server cannot do it at the moment. Please try again in a minute.";
                    return self.message(503, "Something went wrong", text, None).with("Retry-After", "1");
                }
                self.message(
                    500,
                    "Something went wrong",
                    "Nothing was changed. Please try again in a few minutes.",
                    None,
                )
            }
        }
    }

    pub(super) fn not_allowed(&self, methods: &str) -> Reply {
        let mut reply = self.message(405, "This page cannot be opened", "It is only reached by a form.", None);
        reply.headers.push(("Allow", methods.to_owned()));
        reply
    }

    pub(crate) fn tell(&self, what: PersonAct, account: Option<&Account>) {
        let event = PersonEvent {
            what,
            account: account.map(|account| account.name.clone()),
            fhir_user: account.and_then(|account| account.fhir_user.clone()),
            peer: self.request.peer,
        };
        self.pages.setup.events.tell(self.repository, event);
    }
}

impl Pages {
    /// A name that binds the cookie to this host and to TLS; only a loopback address is trusted without.
    pub(crate) fn cookie_name(&self) -> &'static str {
        if is_loopback(&self.origin) { "flint" } else { "__Host-flint" }
    }
}

/// Whether an origin is this machine, over plain HTTP.
fn is_loopback(origin: &str) -> bool {
    Uri::parse(origin).is_some_and(|uri| uri.scheme == "http" && uri.is_loopback())
}

/// The first value of a parameter; empty where there is none.
pub(crate) fn first<'a>(parameters: &'a [(String, String)], name: &str) -> &'a str {
    parameters.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trusts_only_this_machine_without_tls() {
        let cases = [
            ("http://127.0.0.1:8080", true),
            ("http://localhost", true),
            ("http://[::1]:8080", true),
            ("http://localhost.example", false),
            ("http://127.0.0.1.example:80", false),
            ("https://localhost", false),
            ("http://10.0.0.1", false),
        ];
        for (origin, trusted) in cases {
            assert_eq!(is_loopback(origin), trusted, "{origin}");
        }
    }
}
