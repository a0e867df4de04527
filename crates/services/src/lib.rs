//! What patients come for: the rules of the services, and operations.

mod appointments;
mod definition;
mod demand;
mod everything;
mod export;
mod fhirpath;
mod inputs;
mod london;
mod operation;
pub mod packages;
mod prescriptions;
mod publish;
mod refusal;
mod same;
mod search_parameters;
mod settings;
mod sharing;
mod snapshot;
mod terminology;
mod triage;
mod validate;

pub use appointments::Swept;
pub use definition::call;
pub use operation::{Answered, Gives, Invocation, Operation, Sent, Subject};
pub use settings::{Overlap, RepeatCount, Services, Settings};
pub use terminology::EXPANSION_INPUTS;

use std::sync::Arc;

use repository::Rule;

impl Services {
    /// Every rule, in the order they apply.
    pub fn rules(self: &Arc<Services>) -> Vec<Box<dyn Rule>> {
        let mut rules: Vec<Box<dyn Rule>> = vec![
            Box::new(appointments::OfPractice),
            Box::new(appointments::ClaimedSlot),
            Box::new(appointments::Outside),
        ];
        rules.extend(self.appointment_rules());
        let others: Vec<Box<dyn Rule>> = vec![
            Box::new(appointments::Answer { services: self.clone() }),
            Box::new(triage::GuidanceGiver),
            Box::new(triage::Referral),
            Box::new(triage::ReceivedOnce),
            Box::new(sharing::Identity),
            Box::new(sharing::Names),
            Box::new(sharing::OfPatient),
            Box::new(sharing::Apps),
            Box::new(sharing::Proxy),
            Box::new(sharing::OptOut),
            Box::new(sharing::Limit),
            Box::new(sharing::Kept),
            Box::new(prescriptions::RepeatOrder { services: self.clone() }),
            Box::new(prescriptions::Prescriber),
            Box::new(prescriptions::Nomination),
        ];
        rules.extend(others);
        rules
    }

    /// What holds of an appointment, whoever changes it and however.
    fn appointment_rules(self: &Arc<Services>) -> Vec<Box<dyn Rule>> {
        vec![
            Box::new(appointments::KeptSlots),
            Box::new(appointments::Waiting { services: self.clone() }),
            Box::new(appointments::Booking { services: self.clone() }),
            Box::new(appointments::BookingLimit),
            Box::new(triage::Guided { services: self.clone() }),
            Box::new(appointments::Offers { services: self.clone() }),
        ]
    }
}

/// Every operation.
pub static OPERATIONS: &[&'static dyn Operation] = &[
    &appointments::Book,
    &appointments::Find,
    &appointments::Hold,
    &search_parameters::SearchParameters,
    &validate::Validate,
    &sharing::BreakGlass,
    &triage::Extract,
    &triage::Populate,
    &triage::ProcessMessage,
    &publish::BulkPublish,
    &demand::Demand,
    &everything::Everything,
    &export::Export,
    &export::PatientExport,
    &export::GroupExport,
    &export::ExportStatus,
    &packages::PackageAdd,
    &packages::PackageList,
    &packages::PackageRemove,
    &terminology::Expand,
    &fhirpath::FhirPath,
    &snapshot::Snapshot,
    &terminology::Lookup,
    &terminology::Subsumes,
    &terminology::Translate,
    &terminology::ValidateInCodeSystem,
    &terminology::ValidateInValueSet,
];
