//! What the templates show. They escape all of it.

use askama::Template;

/// What all pages have around them.
#[derive(Clone, Default)]
pub(crate) struct Frame {
    /// Of forms.
    pub(crate) csrf: String,
    /// The name of who is signed in.
    pub(crate) person: Option<String>,
    /// Whether they have more time before they are signed out.
    pub(crate) is_long: bool,
    /// The page that is shown, or the one to go on to where it cannot be shown again.
    pub(crate) here: String,
    /// Whether the title says that there is an error.
    pub(crate) is_error: bool,
}

/// What is wrong with a form.
#[derive(Clone)]
pub(crate) struct Problem {
    /// The id of the input.
    pub(crate) field: &'static str,
    pub(crate) text: String,
}

pub(crate) struct Link {
    pub(crate) href: String,
    pub(crate) text: String,
}

#[derive(Template)]
#[template(path = "message.html")]
pub(crate) struct MessageView {
    pub(crate) frame: Frame,
    pub(crate) title: String,
    pub(crate) paragraphs: Vec<String>,
    pub(crate) link: Option<Link>,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
pub(crate) struct SignInView {
    pub(crate) frame: Frame,
    pub(crate) problem: Option<Problem>,
    /// The name of the app that sent the person here.
    pub(crate) app: Option<String>,
    pub(crate) username: String,
    /// Where to go on.
    pub(crate) next: String,
    pub(crate) providers: Vec<Link>,
}

#[derive(Template)]
#[template(path = "patient.html")]
pub(crate) struct PatientView {
    pub(crate) frame: Frame,
    pub(crate) problem: Option<Problem>,
    pub(crate) app: String,
    pub(crate) is_staff: bool,
    /// The query string of the authorization request.
    pub(crate) request: String,
    pub(crate) search: SearchView,
    /// How many were found, in words.
    pub(crate) found: Option<String>,
    pub(crate) choices: Vec<ChoiceView>,
}

impl PatientView {
    /// What is wrong with a field of the search.
    fn wrong(&self, field: &str) -> Option<&str> {
        self.problem.as_ref().filter(|problem| problem.field == field).map(|problem| problem.text.as_str())
    }
}

/// What was typed to search.
#[derive(Clone, Default)]
pub(crate) struct SearchView {
    pub(crate) nhs_number: String,
    pub(crate) family: String,
    pub(crate) born: String,
}

/// A record to choose.
pub(crate) struct ChoiceView {
    /// The id of the input.
    pub(crate) field: String,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) hint: String,
}

#[derive(Template)]
#[template(path = "consent.html")]
pub(crate) struct ConsentView {
    pub(crate) frame: Frame,
    pub(crate) problem: Option<Problem>,
    pub(crate) app: AppView,
    /// Whose record, in words.
    pub(crate) whose: String,
    /// Whether the app is at an address of its own in the web.
    pub(crate) is_known_address: bool,
    pub(crate) request: String,
    /// The id of the patient; empty where there is none.
    pub(crate) patient: String,
    pub(crate) groups: Vec<GroupView>,
    pub(crate) facts: Vec<String>,
    pub(crate) periods: Vec<PeriodView>,
}

pub(crate) struct AppView {
    pub(crate) name: String,
    /// The host where it is.
    pub(crate) address: String,
    pub(crate) links: Vec<Link>,
}

/// Scopes to allow or not.
pub(crate) struct GroupView {
    /// The id of the input.
    pub(crate) field: String,
    pub(crate) scope: String,
    pub(crate) words: String,
    pub(crate) hint: Option<String>,
    pub(crate) checked: bool,
}

pub(crate) struct PeriodView {
    pub(crate) value: &'static str,
    pub(crate) words: String,
    pub(crate) checked: bool,
}

#[derive(Template)]
#[template(path = "manage.html")]
pub(crate) struct ManageView {
    pub(crate) frame: Frame,
    /// What was just done, in words.
    pub(crate) done: Option<String>,
    pub(crate) entries: Vec<EntryView>,
    /// Whether there are more.
    pub(crate) is_cut: bool,
    pub(crate) decisions: Vec<DecisionView>,
}

/// What a patient decided.
pub(crate) struct DecisionView {
    pub(crate) title: String,
    pub(crate) what: String,
    pub(crate) purposes: Option<String>,
    pub(crate) since: Option<String>,
    pub(crate) until: String,
    /// The id of the Consent.
    pub(crate) consent: String,
}

/// An app that may see a record.
pub(crate) struct EntryView {
    pub(crate) app: String,
    pub(crate) record: String,
    pub(crate) by: String,
    pub(crate) since: String,
    pub(crate) until: String,
    pub(crate) may: Vec<String>,
    /// The id of one of its grants: with it all are stopped.
    pub(crate) grant: String,
}
