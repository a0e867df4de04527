//! Scopes in plain words.

use crate::scope::{Letters, Level, Scope};

/// What resources hold, as people call it.
const TYPES: [(&str, &str); 44] = [
    ("AllergyIntolerance", "allergies and intolerances"),
    ("Appointment", "appointments"),
    ("AppointmentResponse", "replies to appointments"),
    ("AuditEvent", "who has looked at the record"),
    ("CarePlan", "care plans"),
    ("CareTeam", "the people who give care"),
    ("Communication", "messages"),
    ("CommunicationRequest", "requests for messages"),
    ("Condition", "health conditions"),
    ("Consent", "choices about who may see the record"),
    ("Coverage", "insurance and funding"),
    ("Device", "medical devices"),
    ("DiagnosticReport", "test reports"),
    ("DocumentReference", "documents and letters"),
    ("Encounter", "visits and consultations"),
    ("Endpoint", "electronic addresses of services"),
    ("EpisodeOfCare", "periods of care"),
    ("FamilyMemberHistory", "family history"),
    ("Flag", "alerts"),
    ("Goal", "health goals"),
    ("HealthcareService", "health services"),
    ("Immunization", "vaccinations"),
    ("Location", "places of care"),
    ("Medication", "medicines"),
    ("MedicationAdministration", "medicines that were given"),
    ("MedicationDispense", "medicines that were handed out"),
    ("MedicationRequest", "prescriptions"),
    ("MedicationStatement", "medicines that are taken"),
    ("Observation", "test results and measurements"),
    ("Organization", "health organisations"),
    ("Patient", "name, date of birth and contact details"),
    ("Practitioner", "names of doctors, nurses and other staff"),
    ("PractitionerRole", "roles of doctors, nurses and other staff"),
    ("Procedure", "operations and other procedures"),
    ("Provenance", "where information came from"),
    ("Questionnaire", "questionnaires"),
    ("QuestionnaireResponse", "answers to questionnaires"),
    ("RelatedPerson", "relatives and carers"),
    ("Schedule", "timetables of clinics"),
    ("ServiceRequest", "referrals and requests for tests"),
    ("Slot", "free appointment times"),
    ("Specimen", "samples"),
    ("Subscription", "notices of changes"),
    ("Task", "requests, such as for repeat prescriptions"),
];

/// `See and add test results and measurements`.
pub(crate) fn words(scope: &Scope) -> String {
    let what = match (scope.resource_type, scope.level) {
        (Some(name), _) => type_words(name),
        (None, Level::Patient) => "everything in the health record".to_owned(),
        (None, _) => "everything in every record that you may see".to_owned(),
    };
    let mut text = format!("{} {what}", verbs(scope.letters));
    if scope.resource_type.is_some() && scope.level == Level::User {
        text.push_str(", in every record that you may see");
    }
    text
}

/// What narrows it or makes it grave.
pub(crate) fn hint(scope: &Scope) -> Option<String> {
    let limits: Vec<String> = scope.parameters.iter().map(|(name, value)| limit(name, value)).collect();
    let limits = (!limits.is_empty()).then(|| format!("Only where {}.", limits.join(" and ")));
    let alters = scope.letters.contains(Letters::UPDATE) || scope.letters.contains(Letters::DELETE);
    let alters = alters.then(|| "It could alter what is there now.".to_owned());
    match (limits, alters) {
        (Some(limits), Some(alters)) => Some(format!("{limits} {alters}")),
        (limits, alters) => limits.or(alters),
    }
}

/// A code is told without its system.
fn limit(name: &str, value: &str) -> String {
    let code = value.rsplit('|').next().unwrap_or(value);
    format!("the {} is “{}”", name.replace('-', " "), code.replace('-', " "))
}

fn verbs(letters: Letters) -> String {
    let mut verbs = Vec::new();
    if letters.reads() {
        verbs.push("see");
    }
    for (letter, verb) in [(Letters::CREATE, "add"), (Letters::UPDATE, "change"), (Letters::DELETE, "delete")] {
        if letters.contains(letter) {
            verbs.push(verb);
        }
    }
    let text = match verbs.as_slice() {
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
        [] => String::new(),
    };
    capitalized(&text)
}

fn type_words(name: &str) -> String {
    match TYPES.binary_search_by_key(&name, |(known, _)| known) {
        Ok(at) => TYPES[at].1.to_owned(),
        Err(_) => {
            let mut words = String::new();
            for letter in name.chars() {
                if letter.is_ascii_uppercase() && !words.is_empty() {
                    words.push(' ');
                }
                words.push(letter.to_ascii_lowercase());
            }
            format!("entries of the kind “{words}”")
        }
    }
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::Scopes;

    #[test]
    fn says_scopes_plainly() {
        let cases = [
            ("patient/Condition.rs", "See health conditions", None),
            ("patient/Observation.read", "See test results and measurements", None),
            (
                "patient/Observation.crs?category=http://x|vital-signs",
                "See and add test results and measurements",
                Some("Only where the category is “vital signs”."),
            ),
            (
                "patient/Appointment.cruds",
                "See, add, change and delete appointments",
                Some("It could alter what is there now."),
            ),
            ("patient/*.rs", "See everything in the health record", None),
            (
                "user/*.u",
                "Change everything in every record that you may see",
                Some("It could alter what is there now."),
            ),
            ("user/Slot.s", "See free appointment times, in every record that you may see", None),
            ("patient/ClinicalImpression.c", "Add entries of the kind “clinical impression”", None),
        ];
        for (scope, words, hint) in cases {
            let scopes = Scopes::parse(scope).expect(scope);
            assert_eq!(super::words(&scopes.data[0]), words);
            assert_eq!(super::hint(&scopes.data[0]).as_deref(), hint, "{scope}");
        }
        assert!(TYPES.is_sorted_by_key(|(name, _)| name));
    }
}
