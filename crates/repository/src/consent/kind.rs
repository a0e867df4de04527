//! How each resource type stands to the records of patients.

use search::Registry;
use store::Index;

/// How the resources of a type stand to records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A directory, or definitions: never hidden.
    Public,
    /// Part of the records of the patients that these references name.
    Record(Vec<Index>),
    /// May carry parts of records without a row that says whose: hidden from whoever has anything hidden.
    Carrier,
}

/// Types that say nothing about a patient, sorted.
const PUBLIC: [&str; 64] = [
    "ActivityDefinition",
    "CapabilityStatement",
    "CatalogEntry",
    "ChargeItemDefinition",
    "CodeSystem",
    "CompartmentDefinition",
    "ConceptMap",
    "DeviceDefinition",
    "EffectEvidenceSynthesis",
    "Endpoint",
    "EventDefinition",
    "Evidence",
    "EvidenceVariable",
    "ExampleScenario",
    "GraphDefinition",
    "HealthcareService",
    "ImplementationGuide",
    "InsurancePlan",
    "Library",
    "Location",
    "Measure",
    "Medication",
    "MedicationKnowledge",
    "MedicinalProduct",
    "MedicinalProductAuthorization",
    "MedicinalProductContraindication",
    "MedicinalProductIndication",
    "MedicinalProductIngredient",
    "MedicinalProductInteraction",
    "MedicinalProductManufactured",
    "MedicinalProductPackaged",
    "MedicinalProductPharmaceutical",
    "MedicinalProductUndesirableEffect",
    "MessageDefinition",
    "NamingSystem",
    "ObservationDefinition",
    "OperationDefinition",
    "OperationOutcome",
    "Organization",
    "OrganizationAffiliation",
    "PlanDefinition",
    "Practitioner",
    "PractitionerRole",
    "Questionnaire",
    "ResearchDefinition",
    "ResearchElementDefinition",
    "ResearchStudy",
    "RiskEvidenceSynthesis",
    "SearchParameter",
    "Slot",
    "SpecimenDefinition",
    "StructureDefinition",
    "StructureMap",
    "Substance",
    "SubstanceNucleicAcid",
    "SubstancePolymer",
    "SubstanceProtein",
    "SubstanceReferenceInformation",
    "SubstanceSourceMaterial",
    "SubstanceSpecification",
    "TerminologyCapabilities",
    "TestReport",
    "TestScript",
    "ValueSet",
];

/// Types that the Patient compartment leaves out although a reference of theirs says whose record they are part of.
const BESIDE: [(&str, &[&str]); 4] = [
    ("Contract", &["patient", "subject", "signer"]),
    ("Device", &["patient"]),
    ("GuidanceResponse", &["patient", "subject"]),
    ("Task", &["patient", "subject", "requester", "owner"]),
];

impl Kind {
    /// How a type stands to records: by the Patient compartment, <https://hl7.org/fhir/R4/compartmentdefinition-patient.html>, and the
    /// lists here. Unknown types are carriers.
    pub(crate) fn of(registry: &Registry, resource_type: &str) -> Kind {
        if is_public(resource_type) {
            return Kind::Public;
        }
        let mut indexes = registry.compartment_indexes("Patient", resource_type);
        if let Some((_, codes)) = BESIDE.iter().find(|(name, _)| *name == resource_type) {
            indexes.extend(registry.references(resource_type, codes));
        }
        match indexes.is_empty() {
            true => Kind::Carrier,
            false => Kind::Record(indexes),
        }
    }
}

/// Whether a type is [`Kind::Public`].
pub(crate) fn is_public(resource_type: &str) -> bool {
    PUBLIC.binary_search(&resource_type).is_ok()
}

#[cfg(test)]
mod tests {
    use fhir::Definitions;

    use super::*;

    #[test]
    fn every_type_has_one_kind() {
        let definitions = Definitions::r4();
        let registry = Registry::new(definitions, "http://localhost/fhir");
        let in_compartment = |name: &&&str| !registry.compartment_indexes("Patient", name).is_empty();
        assert_eq!(PUBLIC.iter().filter(in_compartment).count(), 0);
        assert!(PUBLIC.iter().all(|name| definitions.is_resource_type(name)));
        assert!(PUBLIC.windows(2).all(|pair| pair[0] < pair[1]));
        for (name, codes) in BESIDE {
            assert!(!in_compartment(&&name) && registry.references(name, codes).len() == codes.len(), "{name}");
        }
        let carriers = definitions.resource_types().iter().filter(|name| Kind::of(&registry, name) == Kind::Carrier);
        let expected = [
            "Binary",
            "BiologicallyDerivedProduct",
            "Bundle",
            "DeviceMetric",
            "EnrollmentResponse",
            "Linkage",
            "MessageHeader",
            "Parameters",
            "PaymentNotice",
            "PaymentReconciliation",
            "Subscription",
            "VerificationResult",
        ];
        assert_eq!(carriers.copied().collect::<Vec<_>>(), expected);
    }
}
