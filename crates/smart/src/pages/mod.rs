//! The pages for people: sign-in, choice of a patient, consent, and what was granted. Plain HTML that needs no script,
//! <https://www.w3.org/TR/WCAG22/>.
//!
//! Every step is judged anew from what the browser sends, the session in the vault, and the resources: nothing else is remembered between pages.

mod reply;
mod view;
mod visit;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use fhir::Outcome;
use repository::Repository;

use crate::event::PersonEvents;
use crate::exchange::{Reply, Request};
use crate::oidc::{Http, Provider, Providers};
use crate::people::{Attempts, Hasher};
use crate::secret::Random;
use crate::server::split_origin;

pub(crate) use reply::{redirect, target_source};
pub(crate) use view::{
    AppView, ChoiceView, ConsentView, DecisionView, EntryView, Frame, GroupView, Link, ManageView, MessageView,
    PatientView, PeriodView, Problem, SearchView, SignInView,
};
pub(crate) use visit::{SignedIn, Visit, first};

/// What the pages need of the server.
pub struct PagesSetup {
    /// The FHIR base URL, without a final `/`.
    pub base_url: String,
    pub random: Random,
    pub events: Arc<dyn PersonEvents>,
}

/// The pages of one server.
pub struct Pages {
    pub(crate) setup: PagesSetup,
    /// Of the base URL, as browsers send it.
    pub(crate) origin: String,
    pub(crate) attempts: Attempts,
    pub(crate) hasher: Hasher,
    /// Where people may sign in besides here.
    pub(crate) providers: Providers,
}

/// Why a page is not the one that was asked for.
pub(crate) enum Stop {
    /// Another page says so.
    Page {
        status: u16,
        title: &'static str,
        text: &'static str,
    },
    /// The answer is complete: a redirect with an error, or a form with its problem.
    Reply(Reply),
    Fault(Outcome),
}

impl From<Outcome> for Stop {
    fn from(outcome: Outcome) -> Stop {
        Stop::Fault(outcome)
    }
}

impl Stop {
    /// A form that did not come from this browser's page, or too late.
    pub(crate) fn stale_form() -> Stop {
        Stop::Page {
            status: 403,
            title: "This form is out of date",
            text: "Nothing was changed. You may have been signed out, or have signed in on another page. Please go back to the app and start again.",
        }
    }
}

impl Pages {
    /// The pages of a server that is set up so. People may also sign in at these providers, which are asked so.
    pub fn new(setup: PagesSetup, providers: Vec<Provider>, http: Arc<dyn Http>) -> Pages {
        let origin = split_origin(&setup.base_url).0.to_owned();
        Pages {
            setup,
            origin,
            attempts: Attempts::default(),
            hasher: Hasher::default(),
            providers: Providers::new(providers, http),
        }
    }

    /// The identifier of this authorization server, RFC 8414.
    pub(crate) fn issuer(&self) -> String {
        format!("{}/auth", self.origin)
    }

    /// The reply to a request for one of the pages; `None` when it is for none of them.
    pub fn answer(&self, repository: &Repository, request: &Request<'_>) -> Option<Reply> {
        let visit = Visit::new(self, repository, request);
        let answer = match (request.path, request.method) {
            ("/auth/style.css", "GET") => return Some(reply::style()),
            ("/auth/authorize", "GET") => visit.authorize(&request.query),
            ("/auth/authorize", "POST") => visit.authorize(&request.form),
            ("/auth/authorize/search", "POST") => visit.search_patients(),
            ("/auth/authorize/patient", "POST") => visit.choose_patient(),
            ("/auth/authorize/consent", "POST") => visit.decide(),
            ("/auth/sign-in", "GET") => visit.sign_in_page(),
            ("/auth/sign-in", "POST") => visit.sign_in(),
            ("/auth/sign-out", "POST") => visit.sign_out(),
            ("/auth/more-time", "POST") => visit.more_time(),
            ("/auth/manage", "GET") => visit.manage_page(),
            ("/auth/manage", "POST") => visit.withdraw(),
            ("/auth/oidc/callback", "GET") => visit.oidc_callback(),
            (path, "GET") if path.starts_with("/auth/oidc/") => visit.oidc_start(&path["/auth/oidc/".len()..]),
            (path, _) if is_page(path) => return Some(visit.not_allowed(allowed(path))),
            _ => return None,
        };
        Some(visit.finish(answer))
    }
}

fn is_page(path: &str) -> bool {
    !allowed(path).is_empty()
}

/// The methods of a page, for `Allow`.
fn allowed(path: &str) -> &'static str {
    match path {
        "/auth/authorize" | "/auth/sign-in" | "/auth/manage" => "GET, HEAD, POST",
        "/auth/style.css" | "/auth/oidc/callback" => "GET, HEAD",
        "/auth/sign-out" | "/auth/more-time" => "POST",
        "/auth/authorize/search" | "/auth/authorize/patient" | "/auth/authorize/consent" => "POST",
        path if path.starts_with("/auth/oidc/") => "GET, HEAD",
        _ => "",
    }
}
