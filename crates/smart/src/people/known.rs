//! What resources say of people: their names, as pages show them.

use fhir::json::{Document, Node};
use fhir::{DateTime, Instant, IssueType, Outcome, Reference};
use repository::{Key, Millis, Session, Version};

/// The system of NHS numbers.
pub(crate) const NHS_NUMBER: &str = "https://fhir.nhs.uk/Id/nhs-number";

/// A resource about a person.
pub(crate) struct Record {
    pub(crate) key: Key,
    document: Document,
}

impl Record {
    /// The current version; `None` where there is none.
    pub(crate) fn read(session: &Session<'_>, key: &Key) -> Result<Option<Record>, Outcome> {
        match session.read(key) {
            Ok(version) => Record::of(&version).map(Some),
            Err(outcome) if is_absence(&outcome) => Ok(None),
            Err(outcome) => Err(outcome),
        }
    }

    /// A version that has content.
    pub(crate) fn of(version: &Version) -> Result<Record, Outcome> {
        let body = version.body.as_ref().and_then(|body| Document::parse(body).ok());
        let document = body.ok_or_else(|| {
            Outcome::new(IssueType::Exception, format!("the stored body of `{}` is not JSON", version.key))
        })?;
        Ok(Record { key: version.key.clone(), document })
    }

    pub(crate) fn root(&self) -> Node<'_> {
        self.document.root()
    }

    /// The official name, or the first.
    pub(crate) fn name(&self) -> Option<String> {
        let names = self.root().get("name")?;
        let mut official = names.each().filter(|name| name.get("use").is_some_and(|name| name.is_str("official")));
        let name = official.next().or_else(|| names.each().next())?;
        if let Some(text) = string(name, "text") {
            return Some(text);
        }
        let given = name.get("given").into_iter().flat_map(|given| given.each());
        let mut parts: Vec<String> = given.filter_map(|given| given.as_str()).map(|given| given.into_owned()).collect();
        parts.extend(string(name, "family"));
        (!parts.is_empty()).then(|| parts.join(" "))
    }

    /// `2 April 1955`.
    pub(crate) fn born(&self) -> Option<String> {
        date_in_words(&string(self.root(), "birthDate")?)
    }

    /// The identifiers of this system.
    pub(crate) fn identifiers(&self, system: &str) -> Vec<String> {
        let identifiers = self.root().get("identifier").into_iter().flat_map(|identifiers| identifiers.each());
        let of_system = identifiers.filter(|one| one.get("system").is_some_and(|own| own.is_str(system)));
        of_system.filter_map(|identifier| string(identifier, "value")).collect()
    }

    /// Where the literal reference of an element leads on this server.
    pub(crate) fn reference(&self, element: &str) -> Option<Key> {
        local(self.root().get(element)?)
    }

    /// The first coding's or the text's words of a concept.
    pub(crate) fn concept(&self, element: &str) -> Option<String> {
        let concept = self.root().get(element)?.each().next()?;
        let coding = || concept.get("coding")?.each().find_map(|coding| string(coding, "display"));
        string(concept, "text").or_else(coding)
    }
}

/// The key that a Reference to a resource of this server has.
pub(crate) fn local(reference: Node<'_>) -> Option<Key> {
    match Reference::parse(&string(reference, "reference")?)? {
        Reference::Relative { resource_type, id, .. } => Key::new(resource_type, id),
        _ => None,
    }
}

/// A member that is a string.
pub(crate) fn string(node: Node<'_>, name: &str) -> Option<String> {
    node.get(name)?.as_str().map(|text| text.into_owned())
}

fn is_absence(outcome: &Outcome) -> bool {
    outcome.issues.iter().any(|issue| matches!(issue.code, IssueType::NotFound | IssueType::Deleted))
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// `2 April 1955` of `1955-04-02`; as much of it as there is.
pub(crate) fn date_in_words(date: &str) -> Option<String> {
    let mut parts = date.get(..date.len().min(10))?.split('-');
    let year = parts.next()?;
    let month = parts.next().and_then(|month| MONTHS.get(month.parse::<usize>().ok()?.checked_sub(1)?));
    let day = parts.next().and_then(|day| day.parse::<u8>().ok());
    Some(match (day, month) {
        (Some(day), Some(month)) => format!("{day} {month} {year}"),
        (None, Some(month)) => format!("{month} {year}"),
        _ => year.to_owned(),
    })
}

/// The day of a time, in UTC.
pub(crate) fn day_in_words(time: Millis) -> String {
    date_in_words(&Instant::from_millis(time).to_rfc3339()).unwrap_or_default()
}

/// The end of the time that a dateTime stands for; `None` for what is none.
pub(crate) fn end_of(date_time: &str) -> Option<Millis> {
    Some(DateTime::parse(date_time)?.range().1.as_millis())
}

/// The start of the time that a dateTime stands for; `None` for what is none.
pub(crate) fn start_of(date_time: &str) -> Option<Millis> {
    Some(DateTime::parse(date_time)?.range().0.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_dates_in_words() {
        let cases = [
            ("1955-04-02", Some("2 April 1955")),
            ("2027-12-31T10:00:00Z", Some("31 December 2027")),
            ("1955-04", Some("April 1955")),
            ("1955", Some("1955")),
            ("1955-13-01", Some("1955")),
            ("", Some("")),
        ];
        for (date, words) in cases {
            assert_eq!(date_in_words(date).as_deref(), words, "{date}");
        }
        assert_eq!(day_in_words(1_803_902_400_000), "1 March 2027");
    }
}
