//! Our own definitions and their examples, from `profiles/nhs`.

use std::path::{Path, PathBuf};

use super::errors;
use super::published::{files, read};
use crate::json::Document;
use crate::outcome::{Issue, Severity};
use crate::published::Published;
use crate::validate::{Depth, Validator};
use crate::{Definitions, Instant};

/// What is wrong with each example that does not conform: the element, and a part of the message.
#[rustfmt::skip]
const FAULTS: [(&str, &str, &str); 36] = [
    ("nhs-appointment.long-description", "Appointment.description", "100"),
    ("nhs-appointment.no-patient", "Appointment", "nhs-app-3"),
    ("nhs-appointment.no-slot", "Appointment", "nhs-app-1"),
    ("nhs-appointment.waitlist-without-period", "Appointment", "nhs-app-2"),
    ("nhs-data-opt-out.no-time", "Consent", "nhs-opt-out-1"),
    ("nhs-data-opt-out.permit", "Consent.provision.type", "deny"),
    ("nhs-data-opt-out.treatment", "Consent.provision.purpose[0]", "TREAT"),
    ("nhs-data-opt-out.two-performers", "Consent.performer", "at most once"),
    ("nhs-organ-donation.draft", "Consent.status", "draft"),
    ("nhs-organ-donation.no-category", "Consent.category", "organDonation"),
    ("nhs-organ-donation.none-but-corneas", "Consent", "nhs-organ-1"),
    ("nhs-organ-donation.other-action", "Consent.provision.action[0]", "53958007"),
    ("nhs-organ-donation.other-faith", "Consent.extension[0].value", "maybe"),
    ("nhs-patient-vital-sign.by-a-doctor", "Observation.performer[0]", "Practitioner"),
    ("nhs-patient-vital-sign.no-unit", "Observation.value.code", "missing"),
    ("nhs-patient-vital-sign.other-code", "Observation.code", "nhs-patient-vital-signs"),
    ("nhs-patient-vital-sign.preliminary", "Observation.status", "preliminary"),
    ("nhs-patient.check-digit", "Patient.identifier[0]", "nhs-number"),
    ("nhs-patient.no-name", "Patient.name", "name"),
    ("nhs-patient.no-nhs-number", "Patient.identifier", "nhsNumber"),
    ("nhs-proxy-consent.no-legal-basis", "Consent.policyRule", "policyRule"),
    ("nhs-proxy-consent.organization-as-proxy", "Consent.provision.actor[0].reference", "Organization"),
    ("nhs-proxy-consent.other-legal-basis", "Consent.policyRule", "nhs-proxy-legal-basis"),
    ("nhs-repeat-order.draft", "Task.status", "draft"),
    ("nhs-repeat-order.other-code", "Task.code", "103742009"),
    ("nhs-repeat-order.other-focus", "Task.focus", "ServiceRequest"),
    ("nhs-repeat-order.pharmacy-by-name", "Task.input[0].value", "Identifier"),
    ("nhs-repeat-order.rejected-without-reason", "Task", "nhs-order-1"),
    ("nhs-repeat-plan.group-subject", "MedicationRequest.subject", "Group"),
    ("nhs-repeat-plan.no-course", "MedicationRequest.courseOfTherapyType", "courseOfTherapyType"),
    ("nhs-repeat-plan.order", "MedicationRequest.intent", "plan"),
    ("nhs-repeat-plan.too-many-repeats", "MedicationRequest.dispenseRequest.numberOfRepeatsAllowed", "99"),
    ("nhs-sharing-consent.exception-of-same-type", "Consent", "nhs-consent-1"),
    ("nhs-sharing-consent.no-organization", "Consent.organization", "organization"),
    ("nhs-sharing-consent.other-role", "Consent.provision.actor[0].role", "it must have"),
    ("nhs-sharing-consent.too-deep", "Consent.provision.provision[0].provision", "must not"),
];

fn paths(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles/nhs").join(folder);
    files(&folder).expect("a folder")
}

fn against_profiles(document: &Document) -> Vec<Issue> {
    let validator = Validator {
        definitions: Definitions::r4(),
        library: &Published,
        depth: Depth::Write,
        unknown_profile: Severity::Error,
        now: Instant(0),
    };
    let mut issues = validator.validate(document, &[]);
    issues.retain(|issue| issue.severity <= Severity::Error);
    issues
}

#[test]
fn definitions_and_examples_are_r4() {
    for path in paths("definitions").iter().chain(&paths("examples")) {
        assert_eq!(errors(&read(path)), [], "{}", path.display());
    }
}

#[test]
fn examples_conform_or_have_one_fault() {
    let mut faults = FAULTS.iter();
    for path in paths("examples") {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let issues = against_profiles(&read(&path));
        if name.ends_with(".valid") {
            assert_eq!(issues, [], "{name}");
            continue;
        }
        let (known, expression, message) = faults.next().expect("a fault for each");
        assert_eq!(&name, known);
        let found: Vec<_> =
            issues.iter().map(|issue| (issue.expression.concat(), issue.diagnostics.as_str())).collect();
        match &found[..] {
            [(place, text)] if place == expression && text.contains(message) => {}
            _ => panic!("{name}: {found:#?}"),
        }
    }
    assert!(faults.next().is_none());
}
