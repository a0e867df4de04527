//! What is fed, and with what.

mod fhirpath;
mod json;
mod package;
mod search;
mod xml;

/// A reader of what callers send.
pub struct Target {
    /// Its name on the command line.
    pub name: &'static str,
    /// Good inputs to start from.
    pub corpus: fn() -> Vec<Vec<u8>>,
    /// Parts of the grammar to put in.
    pub words: &'static [&'static str],
    /// Reads one input; panics when something does not hold that must.
    pub run: fn(&[u8]),
}

/// Every target.
pub static TARGETS: &[Target] = &[json::TARGET, xml::TARGET, fhirpath::TARGET, search::TARGET, package::TARGET];

/// Our own examples: resources with what the services work with.
const EXAMPLES: [&str; 7] = [
    include_str!("../../../../profiles/nhs/examples/nhs-patient.valid.json"),
    include_str!("../../../../profiles/nhs/examples/nhs-appointment.valid.json"),
    include_str!("../../../../profiles/nhs/examples/nhs-repeat-plan.valid.json"),
    include_str!("../../../../profiles/nhs/examples/nhs-repeat-order.valid.json"),
    include_str!("../../../../profiles/nhs/examples/nhs-organ-donation.valid.json"),
    include_str!("../../../../profiles/nhs/examples/nhs-patient-vital-sign.valid.json"),
    include_str!("../../../../profiles/nhs/examples/nhs-sharing-consent.valid.json"),
];
