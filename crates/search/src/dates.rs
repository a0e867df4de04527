//! When the data of records are from.

use store::Filter;

use crate::registry::Registry;
use crate::row;
use crate::rules::Span;

/// By type, the parameters of those dates.
const DATES: [(&str, &[&str]); 57] = [
    ("Account", &["period"]),
    ("AdverseEvent", &["date"]),
    ("AllergyIntolerance", &["date", "onset"]),
    ("Appointment", &["date"]),
    ("AuditEvent", &["date"]),
    ("Basic", &["created"]),
    ("CarePlan", &["date"]),
    ("CareTeam", &["date"]),
    ("ChargeItem", &["occurrence"]),
    ("Claim", &["created"]),
    ("ClaimResponse", &["created"]),
    ("ClinicalImpression", &["date"]),
    ("Communication", &["sent", "received"]),
    ("CommunicationRequest", &["authored"]),
    ("Composition", &["date"]),
    ("Condition", &["onset-date", "recorded-date"]),
    ("Consent", &["date"]),
    ("Contract", &["issued"]),
    ("CoverageEligibilityRequest", &["created"]),
    ("CoverageEligibilityResponse", &["created"]),
    ("DetectedIssue", &["identified"]),
    ("DeviceRequest", &["authored-on"]),
    ("DiagnosticReport", &["date", "issued"]),
    ("DocumentManifest", &["created"]),
    ("DocumentReference", &["date", "period"]),
    ("Encounter", &["date"]),
    ("EpisodeOfCare", &["date"]),
    ("ExplanationOfBenefit", &["created"]),
    ("FamilyMemberHistory", &["date"]),
    ("Flag", &["date"]),
    ("Goal", &["start-date"]),
    ("ImagingStudy", &["started"]),
    ("Immunization", &["date"]),
    ("ImmunizationEvaluation", &["date"]),
    ("ImmunizationRecommendation", &["date"]),
    ("Invoice", &["date"]),
    ("List", &["date"]),
    ("MeasureReport", &["date", "period"]),
    ("Media", &["created"]),
    ("MedicationAdministration", &["effective-time"]),
    ("MedicationDispense", &["whenhandedover", "whenprepared"]),
    ("MedicationRequest", &["authoredon"]),
    ("MedicationStatement", &["effective"]),
    ("NutritionOrder", &["datetime"]),
    ("Observation", &["date"]),
    ("Procedure", &["date"]),
    ("Provenance", &["recorded", "when"]),
    ("QuestionnaireResponse", &["authored"]),
    ("RequestGroup", &["authored"]),
    ("ResearchSubject", &["date"]),
    ("RiskAssessment", &["date"]),
    ("Schedule", &["date"]),
    ("ServiceRequest", &["authored", "occurrence"]),
    ("Specimen", &["collected"]),
    ("SupplyRequest", &["date"]),
    ("Task", &["authored-on"]),
    ("VisionPrescription", &["datewritten"]),
];

/// The date parameters that say when the data of a type are from; none where nothing says it but when they were last updated.
pub fn dates(resource_type: &str) -> &'static [&'static str] {
    DATES.iter().find(|(name, _)| *name == resource_type).map_or(&[], |(_, dates)| dates)
}

impl Registry {
    /// Resources of a type whose data are from the span, at least in part, and those that have no such date; `None` for types of which nothing says
    /// when their data are from.
    pub fn touching(&self, resource_type: &str, span: Span) -> Option<Filter> {
        let dates = dates(resource_type);
        let across = dates.iter().filter_map(|date| self.dated_across(resource_type, date, span));
        let any_date = dates.iter().filter_map(|date| self.dated_at_all(resource_type, date));
        let undated = row::any(any_date.collect()).not();
        (!dates.is_empty()).then(|| row::any(across.chain([undated]).collect()))
    }
}

#[cfg(test)]
mod tests {
    use fhir::DateTime;

    use super::*;
    use crate::testing::{registry, rows};

    #[test]
    fn every_parameter_is_a_date_of_a_record() {
        for (resource_type, dates) in DATES {
            assert!(!registry().patient_indexes(resource_type).is_empty(), "{resource_type}");
            for date in dates {
                assert!(registry().dated_at_all(resource_type, date).is_some(), "{resource_type}.{date}");
            }
        }
    }

    #[test]
    fn leaves_out_what_is_from_another_time() {
        let parse = |text| DateTime::parse(text).expect("a date").range();
        let span = (parse("2026-02-01").0, parse("2026-02-28").1);
        let encounter = |period: &str| {
            format!(r#"{{"resourceType":"Encounter","id":"e","status":"finished","class":{{"code":"AMB"}}{period}}}"#)
        };
        let condition = |dates: &str| format!(r#"{{"resourceType":"Condition","id":"c"{dates}}}"#);
        let cases = [
            (encounter(""), true),
            (encounter(r#","period":{"start":"2026-01-15","end":"2026-02-01"}"#), true),
            (encounter(r#","period":{"start":"2026-01-15"}"#), true),
            (encounter(r#","period":{"start":"2026-01-15","end":"2026-01-31"}"#), false),
            (encounter(r#","period":{"start":"2026-03-01"}"#), false),
            (condition(""), true),
            (condition(r#","onsetDateTime":"2026-01-01""#), false),
            (condition(r#","onsetDateTime":"2026-01-01","recordedDate":"2026-02-03""#), true),
            (condition(r#","onsetDateTime":"2026""#), true),
        ];
        for (resource, expected) in cases {
            let resource_type = resource.split('"').nth(3).expect("a type");
            let filter = registry().touching(resource_type, span).expect("dates");
            assert_eq!(filter.accepts(&rows(&resource)), expected, "{resource}");
        }
        assert_eq!(registry().touching("Patient", span), None);
    }
}
