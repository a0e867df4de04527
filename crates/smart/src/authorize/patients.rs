//! Whose records somebody may open an app with: a patient their own, and those of the patients who let them act for them; staff any.

use fhir::Outcome;
use repository::{Acts, Key, Millis, Origin, Permit, Session as Records, query_string};

use super::Asked;
use super::sharing::{Sharing, active_of};
use crate::authority::requester;
use crate::pages::{SearchView, Stop, Visit};
use crate::people::{Account, NHS_NUMBER, Record};

/// How many patients a search of staff shows.
pub(super) const FOUND_MAX: usize = 20;

/// For how many patients one person may act.
const PROXIES_MAX: usize = 50;

/// How long a family name may be that is searched for, in bytes.
const FAMILY_BYTES_MAX: usize = 200;

/// A record that may be chosen.
pub(super) struct Candidate {
    pub(super) record: Record,
    /// `None` for one's own record, and for staff.
    pub(super) proxy: Option<Proxy>,
}

/// What lets somebody act for a patient.
#[derive(Clone)]
pub(super) struct Proxy {
    pub(super) related_person: Key,
    pub(super) consent: Key,
    /// When the permission ends.
    pub(super) until: Option<Millis>,
    /// `spouse`.
    pub(super) relationship: Option<String>,
}

/// What staff look for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    NhsNumber(String),
    /// Family name and date of birth.
    Person(String, String),
}

impl Candidate {
    /// The id of the patient.
    pub(super) fn id(&self) -> &str {
        self.record.key.id()
    }

    pub(super) fn name(&self) -> String {
        self.record.name().unwrap_or_else(|| format!("Patient {}", self.id()))
    }

    /// What tells this person from others of the same name.
    pub(super) fn hint(&self) -> String {
        let mut parts = Vec::new();
        match &self.proxy {
            None => {}
            Some(Proxy { relationship: Some(relationship), .. }) => {
                parts.push(format!("You act for this person ({relationship})"));
            }
            Some(_) => parts.push("You act for this person".to_owned()),
        }
        parts.extend(self.record.born().map(|born| format!("Born {born}")));
        parts
            .extend(self.record.identifiers(NHS_NUMBER).first().map(|number| format!("NHS number {}", spaced(number))));
        parts.join(". ")
    }
}

impl<'a> Visit<'a> {
    /// The records of which somebody who is not staff may choose one, their own first.
    pub(super) fn candidates(&self, account: &Account) -> Result<Vec<Candidate>, Outcome> {
        let Some(user) = account.user() else { return Ok(Vec::new()) };
        let records = self.records();
        let Some(own) = Record::read(&records, &user)? else { return Ok(Vec::new()) };
        let numbers = own.identifiers(NHS_NUMBER);
        let (mut candidates, mut related) = match user.collection() {
            "Patient" => (vec![Candidate { record: own, proxy: None }], Vec::new()),
            "RelatedPerson" => (Vec::new(), vec![own]),
            _ => return Ok(Vec::new()),
        };
        for number in numbers.iter().filter(|number| is_nhs_number(number)) {
            let identifier = format!("{NHS_NUMBER}|{number}");
            let query = query_string([("identifier", identifier.as_str()), ("active:not", "false")]);
            for version in records.lookup("RelatedPerson", &query, PROXIES_MAX)? {
                if related.iter().all(|held: &Record| held.key != version.key) {
                    related.push(Record::of(&version)?);
                }
            }
        }
        for person in related.iter().filter(|person| is_active(person)) {
            candidates.extend(self.proxy_candidate(person)?);
        }
        Ok(candidates)
    }

    /// The patient for whom a person may act now.
    fn proxy_candidate(&self, person: &Record) -> Result<Option<Candidate>, Outcome> {
        let Some(patient) = person.reference("patient").filter(|key| key.collection() == "Patient") else {
            return Ok(None);
        };
        let records = self.records();
        let consents = active_of(&records, patient.id(), self.now)?;
        let permission = consents.iter().find(|consent| consent.permits_key(&person.key));
        let Some(Sharing { key, until, .. }) = permission else { return Ok(None) };
        let proxy = Proxy {
            related_person: person.key.clone(),
            consent: key.clone(),
            until: *until,
            relationship: person.concept("relationship"),
        };
        let record = Record::read(&records, &patient)?;
        Ok(record.map(|record| Candidate { record, proxy: Some(proxy) }))
    }

    /// The record that somebody has chosen, if they may.
    pub(super) fn candidate(&self, asked: &Asked, id: &str) -> Result<Option<Candidate>, Outcome> {
        let account = &asked.person.account;
        if !account.is_staff() {
            return Ok(self.candidates(account)?.into_iter().find(|candidate| candidate.id() == id));
        }
        let Some(key) = Key::new("Patient", id) else { return Ok(None) };
        let record = self.accounted(asked, |records| Record::read(records, &key))?;
        Ok(record.filter(is_active).map(|record| Candidate { record, proxy: None }))
    }

    /// The patients that staff look for.
    pub(super) fn search(&self, asked: &Asked, wanted: &Wanted) -> Result<Vec<Candidate>, Stop> {
        let query = match wanted {
            Wanted::NhsNumber(number) => {
                query_string([("identifier", format!("{NHS_NUMBER}|{number}").as_str()), ("active:not", "false")])
            }
            Wanted::Person(family, born) => {
                let family = escaped(family);
                query_string([("family", family.as_str()), ("birthdate", born.as_str()), ("active:not", "false")])
            }
        };
        let found = self.accounted(asked, |records| records.lookup("Patient", &query, FOUND_MAX))?;
        let candidate = |version| Ok(Candidate { record: Record::of(version)?, proxy: None });
        found.iter().map(candidate).collect()
    }

    /// What staff see of the patients, and the audit told of it: no more than the API shows them when they use this app, and no less is kept.
    fn accounted<T>(&self, asked: &Asked, look: impl FnOnce(&Records<'a>) -> Result<T, Outcome>) -> Result<T, Outcome> {
        let Asked { request, person, .. } = asked;
        let requester = requester(self.repository, &self.pages.issuer(), &request.client, person.account.user())?;
        let patients =
            Permit { of_patient: false, resource_type: Some("Patient"), acts: Acts::SEE, parameters: Vec::new() };
        let origin = Origin { peer: Some(self.request.peer), request: String::new() };
        let records = self.repository.open(self.repository.grant(&[patients], requester)?).from(origin);
        let seen = look(&records)?;
        records.account().map_or(Ok(()), |ticket| ticket.wait())?;
        Ok(seen)
    }
}

impl Wanted {
    /// What was typed, or the field that is wrong and why.
    pub(super) fn read(search: &SearchView) -> Result<Wanted, (&'static str, &'static str)> {
        let digits: String = search.nhs_number.chars().filter(|sign| !matches!(sign, ' ' | '-')).collect();
        if !digits.is_empty() {
            return match is_nhs_number(&digits) {
                true => Ok(Wanted::NhsNumber(digits)),
                false => Err(("nhs-number", "Enter an NHS number of 10 digits")),
            };
        }
        let family = search.family.trim();
        if family.is_empty() || family.len() > FAMILY_BYTES_MAX {
            return Err(("nhs-number", "Enter an NHS number, or a family name and a date of birth"));
        }
        match day(&search.born) {
            Some(born) => Ok(Wanted::Person(family.to_owned(), born)),
            None => Err(("born", "Enter the date of birth as day, month and year, such as 2 4 1955")),
        }
    }
}

fn is_active(record: &Record) -> bool {
    record.root().get("active").and_then(|active| active.as_bool()) != Some(false)
}

fn is_nhs_number(digits: &str) -> bool {
    digits.len() == 10 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// `900 000 0009`.
fn spaced(number: &str) -> String {
    match is_nhs_number(number) {
        true => format!("{} {} {}", &number[..3], &number[3..6], &number[6..]),
        false => number.to_owned(),
    }
}

/// `2 4 1955`, `02/04/1955` or `1955-04-02` as a date of FHIR.
fn day(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split(|sign: char| !sign.is_ascii_digit()).filter(|part| !part.is_empty()).collect();
    let [one, two, three] = parts.as_slice() else { return None };
    let (day, month, year) = if one.len() == 4 { (three, two, one) } else { (one, two, three) };
    let (day, month) = (day.parse::<u8>().ok()?, month.parse::<u8>().ok()?);
    let date = format!("{year}-{month:02}-{day:02}");
    (year.len() == 4 && fhir::DateTime::parse(&date).is_some()).then_some(date)
}

/// As a value of a search: these signs separate values there.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for sign in value.chars() {
        if matches!(sign, ',' | '|' | '$' | '\\') {
            text.push('\\');
        }
        text.push(sign);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_staff_type() {
        let person = |family: &str, born: &str| Ok(Wanted::Person(family.to_owned(), born.to_owned()));
        let cases = [
            ("900 000 0009", "", "", Ok(Wanted::NhsNumber("9000000009".to_owned()))),
            ("900-000-0009", "x", "y", Ok(Wanted::NhsNumber("9000000009".to_owned()))),
            ("90000000", "", "", Err("nhs-number")),
            ("x|y", "", "", Err("nhs-number")),
            ("", "Hartley", "2 4 1955", person("Hartley", "1955-04-02")),
            ("", " Hartley ", "02/04/1955", person("Hartley", "1955-04-02")),
            ("", "Hartley", "1955-4-2", person("Hartley", "1955-04-02")),
            ("", "Hartley", "31 2 1955", Err("born")),
            ("", "Hartley", "1955", Err("born")),
            ("", "Hartley", "2 4 55", Err("born")),
            ("", "", "2 4 1955", Err("nhs-number")),
        ];
        for (nhs_number, family, born, expected) in cases {
            let search =
                SearchView { nhs_number: nhs_number.to_owned(), family: family.to_owned(), born: born.to_owned() };
            assert_eq!(
                Wanted::read(&search).map_err(|(field, _)| field),
                expected,
                "{search:?}",
                search = (nhs_number, family, born)
            );
        }
        assert_eq!(escaped("a,b|c"), "a\\,b\\|c");
        assert_eq!(spaced("9000000009"), "900 000 0009");
    }
}
