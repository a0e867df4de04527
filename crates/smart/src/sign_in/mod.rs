//! Signing in with a name and a password, and signing out.
//!
//! Whoever asks learns nothing about who has an account: a wrong name and a wrong password take as long and read the same.

mod session;

use fhir::Outcome;

use crate::event::PersonAct;
use crate::exchange::Reply;
use crate::pages::{Frame, Link, Problem, SignInView, SignedIn, Stop, Visit, redirect};
use crate::people::{Account, Failures, NAME_BYTES_MAX, Record};
use crate::secret::hashed;

pub(crate) use session::{Cookie, Session, Sessions, Vouched};

/// How long the address may be that is gone on to after sign-in, in bytes.
const NEXT_BYTES_MAX: usize = 16_384;

/// Where one goes on to who came for nothing else.
const NEXT: &str = "/auth/manage";

const WRONG: &str = "The user name or the password is wrong";

impl Visit<'_> {
    /// `GET /auth/sign-in`.
    pub(crate) fn sign_in_page(&self) -> Result<Reply, Stop> {
        let next = next_of(crate::pages::first(&self.request.query, "next"));
        Ok(self.sign_in_form(200, next, "", None, None))
    }

    /// The page to sign in on, to go on to `next`. `targets` are where that may lead.
    pub(crate) fn sign_in_for(&self, next: &str, username: &str, app: &str, targets: &[String]) -> Reply {
        self.sign_in_form(200, next, username, None, Some((app, targets)))
    }

    /// `POST /auth/sign-in`.
    pub(crate) fn sign_in(&self) -> Result<Reply, Stop> {
        self.check_form()?;
        let next = next_of(self.field("next"));
        let typed = self.field("username").trim();
        let name = typed.to_lowercase();
        let again = |status, text: &str| {
            let problem = Problem { field: "username", text: text.to_owned() };
            let shown = if typed.len() > NAME_BYTES_MAX { "" } else { typed };
            Stop::Reply(self.sign_in_form(status, next, shown, Some(problem), None))
        };
        let password = self.field("password");
        if name.is_empty() || password.is_empty() {
            return Err(again(400, "Enter your user name and your password"));
        }
        let account = self.people().find(&name)?;
        let begun = match self.pages.attempts.begin_of_peer(self.request.peer, self.now) {
            Ok(()) => self.failures().begin(&name, account.as_ref(), self.now)?,
            Err(wait) => Err(wait),
        };
        if let Err(wait) = begun {
            self.tell(PersonAct::LockedOut, account.as_ref());
            let minutes = (wait + 59_999) / 60_000;
            let plural = if minutes == 1 { "" } else { "s" };
            let text = format!("There were too many attempts to sign in. Try again in {minutes} minute{plural}");
            return Err(with_retry_after(again(429, &text), wait));
        }
        let hash = account.as_ref().and_then(|account| account.password.as_deref());
        let Ok(is_right) = self.pages.hasher.verify(password, hash) else {
            return Err(again(503, "Too many people are signing in at the moment. Try again in a minute"));
        };
        match account.filter(|account| is_right && !account.disabled) {
            None => {
                self.failed(&name)?;
                Err(again(400, WRONG))
            }
            Some(account) => {
                self.failures().succeed(&account)?;
                self.begin_session(&account, None, next)
            }
        }
    }

    /// `POST /auth/sign-out`.
    pub(crate) fn sign_out(&self) -> Result<Reply, Stop> {
        self.check_form()?;
        let person = self.signed_in()?;
        self.sessions().end(&self.cookie)?;
        if let Some(person) = &person {
            self.tell(PersonAct::SignedOut, Some(&person.account));
        }
        let link = Link { href: "/auth/sign-in".to_owned(), text: "Sign in again".to_owned() };
        let text = "Apps that you allowed may go on using the record until you stop them.";
        let mut reply = self.message(200, "You are signed out", text, Some(link));
        reply.headers.push(("Set-Cookie", Cookie::removal(self.pages.cookie_name())));
        Ok(reply)
    }

    /// `POST /auth/more-time`: signs out later, and shows the page again.
    pub(crate) fn more_time(&self) -> Result<Reply, Stop> {
        self.check_form()?;
        self.sessions().lengthen(&self.cookie, self.now)?;
        Ok(redirect(next_of(self.field("next")).to_owned()))
    }

    /// Begins the session of somebody who has just shown who they are, and goes on.
    pub(crate) fn begin_session(&self, account: &Account, provider: Option<&str>, next: &str) -> Result<Reply, Stop> {
        let session = Session {
            account: account.name.clone(),
            auth_time: self.now,
            expires: self.now,
            fresh_for: Some(hashed(next)),
            is_long: false,
            vouched: provider.map(|_| Vouched { fhir_user: account.fhir_user.clone(), vot: account.vot.clone() }),
        };
        let cookie = self.sessions().begin(session, &self.cookie, &self.pages.setup.random)?;
        self.pages.attempts.succeed_of_peer(self.request.peer);
        self.tell(PersonAct::SignedIn { provider: provider.map(str::to_owned) }, Some(account));
        let mut reply = redirect(next.to_owned());
        reply.headers.push(("Set-Cookie", cookie.header(self.pages.cookie_name())));
        Ok(reply)
    }

    /// What pages call somebody.
    pub(crate) fn name_of(&self, account: &Account) -> Result<String, Outcome> {
        let Some(key) = account.user() else { return Ok(account.name.clone()) };
        let records = self.records();
        let mut record = Record::read(&records, &key)?;
        if key.collection() == "PractitionerRole"
            && let Some(practitioner) = record.as_ref().and_then(|role| role.reference("practitioner"))
        {
            record = Record::read(&records, &practitioner)?;
        }
        let name = record.and_then(|record| record.name());
        Ok(name.unwrap_or_else(|| if account.provider.is_some() { "you".to_owned() } else { account.name.clone() }))
    }

    fn failures(&self) -> Failures<'_> {
        Failures::new(self.vault())
    }

    fn failed(&self, name: &str) -> Result<(), Outcome> {
        let account = self.people().find(name)?;
        let act = match self.failures().is_locked(name, account.as_ref(), self.now)? {
            true => PersonAct::LockedOut,
            false => PersonAct::SignInFailed,
        };
        self.tell(act, account.as_ref());
        Ok(())
    }

    fn sign_in_form(
        &self,
        status: u16,
        next: &str,
        username: &str,
        problem: Option<Problem>,
        app: Option<(&str, &[String])>,
    ) -> Reply {
        let (app, targets) = match app {
            Some((app, targets)) => (Some(app.to_owned()), targets.to_vec()),
            None => self.app_of_next(next),
        };
        let view = SignInView {
            frame: Frame { is_error: problem.is_some(), ..self.frame(None) },
            problem,
            app,
            username: username.to_owned(),
            next: next.to_owned(),
            providers: self.provider_links(next),
        };
        self.page(status, &view, &targets)
    }
}

impl SignedIn {
    /// Whether they signed in for this request, and it has not been answered since.
    pub(crate) fn is_fresh_for(&self, next: &str) -> bool {
        self.session.fresh_for.as_deref() == Some(&*hashed(next))
    }
}

/// The page to go on to: one of ours, or else the page of what was granted.
pub(crate) fn next_of(text: &str) -> &str {
    let is_ours = text == NEXT || text.starts_with("/auth/authorize?");
    let is_plain = text.len() <= NEXT_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_ours && is_plain { text } else { NEXT }
}

fn with_retry_after(stop: Stop, wait: i64) -> Stop {
    match stop {
        Stop::Reply(mut reply) => {
            reply.headers.push(("Retry-After", ((wait + 999) / 1000).to_string()));
            Stop::Reply(reply)
        }
        stop => stop,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_on_only_to_own_pages() {
        let long = format!("/auth/authorize?{}", "x".repeat(NEXT_BYTES_MAX));
        for (text, expected) in [
            ("/auth/manage", "/auth/manage"),
            ("/auth/authorize?client_id=a", "/auth/authorize?client_id=a"),
            ("https://evil.example/", NEXT),
            ("//evil.example/auth/authorize?", NEXT),
            ("/auth/authorize?x\r\nSet-Cookie: a=b", NEXT),
            ("/auth/authorize?x y", NEXT),
            ("/\\evil.example", NEXT),
            (long.as_str(), NEXT),
            ("", NEXT),
        ] {
            assert_eq!(next_of(text), expected, "{text}");
        }
    }
}
