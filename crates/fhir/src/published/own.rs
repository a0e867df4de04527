//! Our own definitions, from `profiles/nhs`: what the services ask of the resources that they work with.

use std::sync::LazyLock;

use crate::json::{Document, Node};

const TEXTS: &[&str] = &[
    include_str!("../../../../profiles/nhs/definitions/CodeSystem-audit-operations.json"),
    include_str!("../../../../profiles/nhs/definitions/CodeSystem-audit-tags.json"),
    include_str!("../../../../profiles/nhs/definitions/CodeSystem-cqc-question.json"),
    include_str!("../../../../profiles/nhs/definitions/CodeSystem-cqc-rating.json"),
    include_str!("../../../../profiles/nhs/definitions/CodeSystem-faith-declaration.json"),
    include_str!("../../../../profiles/nhs/definitions/CodeSystem-repeat-order-output.json"),
    include_str!("../../../../profiles/nhs/definitions/OperationDefinition-appointment-book.json"),
    include_str!("../../../../profiles/nhs/definitions/OperationDefinition-appointment-find.json"),
    include_str!("../../../../profiles/nhs/definitions/OperationDefinition-appointment-hold.json"),
    include_str!("../../../../profiles/nhs/definitions/OperationDefinition-break-glass.json"),
    include_str!("../../../../profiles/nhs/definitions/OperationDefinition-bulk-publish.json"),
    include_str!("../../../../profiles/nhs/definitions/OperationDefinition-demand.json"),
    include_str!("../../../../profiles/nhs/definitions/OperationDefinition-everything.json"),
    include_str!("../../../../profiles/nhs/definitions/OperationDefinition-export-status.json"),
    include_str!("../../../../profiles/nhs/definitions/OperationDefinition-export.json"),
    include_str!("../../../../profiles/nhs/definitions/OperationDefinition-extract.json"),
    include_str!("../../../../profiles/nhs/definitions/OperationDefinition-fhirpath.json"),
    include_str!("../../../../profiles/nhs/definitions/OperationDefinition-group-export.json"),
    include_str!("../../../../profiles/nhs/definitions/OperationDefinition-package-add.json"),
    include_str!("../../../../profiles/nhs/definitions/OperationDefinition-package-list.json"),
    include_str!("../../../../profiles/nhs/definitions/OperationDefinition-package-remove.json"),
    include_str!("../../../../profiles/nhs/definitions/OperationDefinition-patient-export.json"),
    include_str!("../../../../profiles/nhs/definitions/OperationDefinition-populate.json"),
    include_str!("../../../../profiles/nhs/definitions/OperationDefinition-process-message.json"),
    include_str!("../../../../profiles/nhs/definitions/OperationDefinition-search-parameters.json"),
    include_str!("../../../../profiles/nhs/definitions/StructureDefinition-audit-record.json"),
    include_str!("../../../../profiles/nhs/definitions/StructureDefinition-bookable-by.json"),
    include_str!("../../../../profiles/nhs/definitions/StructureDefinition-booking-limit.json"),
    include_str!("../../../../profiles/nhs/definitions/StructureDefinition-booking-window.json"),
    include_str!("../../../../profiles/nhs/definitions/StructureDefinition-estimated.json"),
    include_str!("../../../../profiles/nhs/definitions/StructureDefinition-faith-declaration.json"),
    include_str!("../../../../profiles/nhs/definitions/StructureDefinition-held-until.json"),
    include_str!("../../../../profiles/nhs/definitions/StructureDefinition-needs-triage.json"),
    include_str!("../../../../profiles/nhs/definitions/StructureDefinition-nhs-appointment.json"),
    include_str!("../../../../profiles/nhs/definitions/StructureDefinition-nhs-data-opt-out.json"),
    include_str!("../../../../profiles/nhs/definitions/StructureDefinition-nhs-organ-donation.json"),
    include_str!("../../../../profiles/nhs/definitions/StructureDefinition-nhs-patient-vital-sign.json"),
    include_str!("../../../../profiles/nhs/definitions/StructureDefinition-nhs-patient.json"),
    include_str!("../../../../profiles/nhs/definitions/StructureDefinition-nhs-proxy-consent.json"),
    include_str!("../../../../profiles/nhs/definitions/StructureDefinition-nhs-repeat-order.json"),
    include_str!("../../../../profiles/nhs/definitions/StructureDefinition-nhs-repeat-plan.json"),
    include_str!("../../../../profiles/nhs/definitions/StructureDefinition-nhs-sharing-consent.json"),
    include_str!("../../../../profiles/nhs/definitions/StructureDefinition-offered-slot.json"),
    include_str!("../../../../profiles/nhs/definitions/StructureDefinition-received-message.json"),
    include_str!("../../../../profiles/nhs/definitions/StructureDefinition-server-notice.json"),
    include_str!("../../../../profiles/nhs/definitions/StructureDefinition-waiting-since.json"),
    include_str!("../../../../profiles/nhs/definitions/ValueSet-faith-declaration.json"),
    include_str!("../../../../profiles/nhs/definitions/ValueSet-nhs-opt-out-purpose.json"),
    include_str!("../../../../profiles/nhs/definitions/ValueSet-nhs-patient-observation-status.json"),
    include_str!("../../../../profiles/nhs/definitions/ValueSet-nhs-patient-vital-signs.json"),
    include_str!("../../../../profiles/nhs/definitions/ValueSet-nhs-preference-status.json"),
    include_str!("../../../../profiles/nhs/definitions/ValueSet-nhs-proxy-legal-basis.json"),
    include_str!("../../../../profiles/nhs/definitions/ValueSet-nhs-repeat-order-status.json"),
];

/// A definition under the names that it is asked for by.
pub(super) struct Own {
    pub(super) resource_type: String,
    pub(super) url: String,
    pub(super) document: Document,
}

/// Sorted by type and url.
pub(super) static OWN: LazyLock<Vec<Own>> = LazyLock::new(|| {
    let mut all: Vec<_> = TEXTS.iter().filter_map(|text| own(text)).collect();
    all.sort_by(|left, right| (&left.resource_type, &left.url).cmp(&(&right.resource_type, &right.url)));
    all
});

fn own(text: &str) -> Option<Own> {
    let document = Document::parse(text.as_bytes()).ok()?;
    let resource_type = document.root().resource_type()?.to_owned();
    let url = document.root().get("url").and_then(Node::as_str)?.into_owned();
    Some(Own { resource_type, url, document })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_embedded() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../profiles/nhs/definitions");
        let mut files: Vec<_> =
            std::fs::read_dir(folder).expect("a folder").map(|it| it.expect("a file").path()).collect();
        files.sort();
        assert_eq!(files.len(), TEXTS.len());
        for (file, text) in files.iter().zip(TEXTS) {
            assert_eq!(std::fs::read_to_string(file).expect("readable"), *text, "{}", file.display());
            let Own { url, resource_type, .. } = own(text).expect("a definition");
            // An operation has the url of the guide that defines it.
            let is_ours = url.starts_with("https://flint.example/fhir/");
            assert!(is_ours || resource_type == "OperationDefinition", "{url}");
        }
        assert_eq!(OWN.len(), TEXTS.len());
    }
}
