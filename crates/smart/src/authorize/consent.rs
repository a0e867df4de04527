//! The page that asks what an app may do.

use repository::Millis;

use super::patients::Candidate;
use super::{Asked, words};
use crate::Client;
use crate::exchange::Reply;
use crate::pages::{AppView, ConsentView, Frame, GroupView, Link, PeriodView, Problem, Stop, Visit};
use crate::people::day_in_words;
use crate::scope::{Level, Scopes, Word};
use crate::uri::Uri;

const DAY: Millis = 86_400_000;

/// How long somebody may allow it: the form's value, the time, and the words. The third is chosen at first.
const PERIODS: [(&str, Option<Millis>, &str); 4] = [
    ("day", Some(DAY), "For one day"),
    ("month", Some(30 * DAY), "For 30 days"),
    ("year", Some(365 * DAY), "For one year"),
    ("open", None, "Until I stop it"),
];

/// Chosen at first.
const PERIOD: &str = "year";

/// The end of the period of this name.
pub(super) fn until(period: &str, now: Millis) -> Result<super::Until, ()> {
    let found = PERIODS.iter().find(|(name, _, _)| *name == period);
    found.map(|(_, length, _)| length.map(|length| now + length)).ok_or(())
}

/// Whether the app is at a web address of its own: anybody can answer to a scheme or on a loopback address of a device.
pub(super) fn is_known_address(redirect_uri: &str) -> bool {
    Uri::parse(redirect_uri).is_some_and(|uri| uri.scheme == "https" && !uri.host.is_empty() && !uri.is_loopback())
}

impl Visit<'_> {
    pub(super) fn consent_page(
        &self,
        asked: &Asked,
        patient: Option<&Candidate>,
        problem: Option<Problem>,
    ) -> Result<Reply, Stop> {
        let (request, is_staff) = (&asked.request, asked.person.account.is_staff());
        let mut facts = facts(&asked.scopes);
        if !is_staff && let Some(fact) = self.shared_already(asked, patient)? {
            facts.push(fact);
        }
        let chosen = match self.field("until") {
            "" => PERIOD,
            chosen => chosen,
        };
        let period = |(value, _, words): &(&'static str, Option<Millis>, &str)| PeriodView {
            value,
            words: (*words).to_owned(),
            checked: *value == chosen,
        };
        let view = ConsentView {
            frame: Frame { is_error: problem.is_some(), ..self.frame(Some(&asked.person)) },
            app: app(&request.client, &request.target.redirect_uri),
            whose: whose(patient, is_staff),
            is_known_address: is_known_address(&request.target.redirect_uri),
            request: request.text.clone(),
            patient: patient.map_or(String::new(), |patient| patient.id().to_owned()),
            groups: groups(&asked.scopes, problem.is_none()),
            facts,
            periods: if is_staff { Vec::new() } else { PERIODS.iter().map(period).collect() },
            problem,
        };
        let status = if view.frame.is_error { 400 } else { 200 };
        Ok(self.page(status, &view, &request.target.sources()))
    }

    /// The scopes whose boxes were ticked; those without a box come with them.
    pub(super) fn ticked(&self, scopes: &Scopes) -> Scopes {
        let ticked = |text: &str| self.request.form.iter().any(|(name, value)| name == "scope" && value == text);
        let mut granted = scopes.clone();
        granted.data.retain(|scope| ticked(&scope.to_string()));
        granted.words.retain(|word| !has_box(*word) || ticked(word.as_str()));
        granted
    }

    /// That the person has shared with the organization of the app before.
    fn shared_already(&self, asked: &Asked, patient: Option<&Candidate>) -> Result<Option<String>, Stop> {
        let Some(patient) = patient else { return Ok(None) };
        let sharing = self.sharing_with(&asked.request.client, patient)?;
        let Some(sharing) = sharing.first() else { return Ok(None) };
        let until = sharing.until.map_or(String::new(), |until| format!(" until {}", day_in_words(until)));
        Ok(Some(format!(
            "This record is shared with {} already{until}. That choice stays as it is, with its exceptions if there are any.",
            asked.request.client.name
        )))
    }
}

fn whose(patient: Option<&Candidate>, is_staff: bool) -> String {
    match patient {
        None if is_staff => "the records that you may see".to_owned(),
        None => "your account".to_owned(),
        Some(patient) if patient.proxy.is_none() && !is_staff => format!("your record, {}", patient.name()),
        Some(patient) => format!("the record of {}", patient.name()),
    }
}

fn app(client: &Client, redirect_uri: &str) -> AppView {
    let is_web = |url: &&String| url.starts_with("https://") || url.starts_with("http://");
    let link =
        |url: &Option<String>, text: String| url.as_ref().filter(is_web).map(|href| Link { href: href.clone(), text });
    let links = [
        link(&client.client_uri, format!("About {}", client.name)),
        link(&client.policy_uri, "What it does with your data".to_owned()),
        link(&client.tos_uri, "Its terms of use".to_owned()),
    ];
    AppView {
        name: client.name.clone(),
        address: Uri::parse(redirect_uri).map_or("", |uri| uri.host).to_owned(),
        links: links.into_iter().flatten().collect(),
    }
}

/// The boxes; ticked at first, and after a mistake left empty as they were sent.
fn groups(scopes: &Scopes, checked: bool) -> Vec<GroupView> {
    let data = scopes.data.iter().map(|scope| (scope.to_string(), words::words(scope), words::hint(scope)));
    let words = scopes.words.iter().filter(|word| has_box(**word)).map(|word| {
        let hint = "Without this it has to ask you again after a while.".to_owned();
        (word.as_str().to_owned(), "Keep its access while you are not using it".to_owned(), Some(hint))
    });
    let group = |(at, (scope, words, hint)): (usize, (String, String, Option<String>))| GroupView {
        field: format!("scope-{at}"),
        scope,
        words,
        hint,
        checked,
    };
    data.chain(words).enumerate().map(group).collect()
}

fn has_box(word: Word) -> bool {
    word == Word::OfflineAccess
}

/// What comes with it, without a choice.
fn facts(scopes: &Scopes) -> Vec<String> {
    let mut facts = Vec::new();
    if scopes.has(Word::OpenId) || scopes.has(Word::FhirUser) || scopes.has(Word::Profile) {
        facts.push("It will also learn who you are here.".to_owned());
    }
    if scopes.has_level(Level::Patient) && scopes.data.iter().any(|scope| scope.letters.writes()) {
        facts
            .push("What it adds or changes becomes part of the record, and doctors and nurses will see it.".to_owned());
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_addresses_that_somebody_owns() {
        for (uri, known) in [
            ("https://app.example/cb", true),
            ("https://app.example", true),
            ("https://localhost:3000/cb", false),
            ("https://127.0.0.1/cb", false),
            ("https://[::1]:1/cb", false),
            ("http://app.example/cb", false),
            ("com.example.app:/cb", false),
        ] {
            assert_eq!(is_known_address(uri), known, "{uri}");
        }
    }
}
