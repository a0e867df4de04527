//! What is known of labels, and of the parameters by which consents speak of data.

pub(super) const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
pub(super) const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";

/// Labels of confidentiality above the normal one.
pub(super) const RESTRICTED: [&str; 2] = ["R", "V"];

/// The label of what is neither more nor less confidential than is usual; what has no label is taken for it.
pub(super) const NORMAL: &str = "N";

/// Labels of sensitive data: v3-ActCode `_InformationSensitivityPolicy` of the topics that IHE PCF and its like name.
pub(super) const SENSITIVE: [&str; 24] = [
    "ALC", "BH", "COGN", "DRGIS", "DVD", "EMOTDIS", "ETH", "ETHUD", "GDIS", "HIV", "MH", "MST", "OPIOIDUD", "PSY",
    "PSYTHPN", "SCA", "SDV", "SEX", "SICKLE", "SPI", "STD", "SUD", "TBOO", "VIO",
];

/// References by which a resource is part of what it is related to: an encounter, an order, a plan.
pub(super) const RELATING: [&str; 14] = [
    "appointment",
    "based-on",
    "basedon",
    "context",
    "encounter",
    "episode-of-care",
    "focus",
    "part-of",
    "partof",
    "prescription",
    "related-ref",
    "request",
    "target",
    "replaces",
];

/// References that name who made a resource.
pub(super) const AUTHORS: [&str; 22] = [
    "agent",
    "assessor",
    "asserter",
    "attester",
    "authenticator",
    "author",
    "collector",
    "enterer",
    "interpreter",
    "operator",
    "performer",
    "performer-actor",
    "prescriber",
    "provider",
    "recorder",
    "requester",
    "requestor",
    "results-interpreter",
    "sender",
    "source",
    "supplier",
    "participant",
];

/// The parameter for what a resource is about, where it is not called `code`.
pub(super) const CODES: [(&str, &str); 6] = [
    ("Appointment", "service-type"),
    ("CarePlan", "category"),
    ("Composition", "type"),
    ("DocumentReference", "type"),
    ("Encounter", "type"),
    ("Immunization", "vaccine-code"),
];

#[cfg(test)]
mod tests {
    use fhir::Definitions;
    use search::Registry;

    use super::*;

    #[test]
    fn every_parameter_is_there() {
        let registry = Registry::new(Definitions::r4(), "http://localhost/fhir");
        for (resource_type, code) in CODES {
            assert!(registry.coded(resource_type, code, None, "x").is_some(), "{resource_type}.{code}");
        }
        for code in RELATING.iter().chain(&AUTHORS) {
            let types = Definitions::r4().resource_types();
            assert!(types.iter().any(|name| !registry.references(name, &[code]).is_empty()), "{code}");
        }
    }
}
