//! What somebody granted to an app.

use serde::{Deserialize, Serialize};

/// What a person granted to an app, or what a system was granted. Kept in the vault as JSON, named `grant/<id>`; every token and code names
/// one, and counts only as long as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub id: String,
    pub client: String,
    /// The account of who signed in; `None` for a system.
    pub account: Option<String>,
    /// The `sub` of ID tokens and introspection.
    pub subject: String,
    /// Who signed in: `Patient/p1`, `RelatedPerson/rp1`, `Practitioner/dr1`.
    pub fhir_user: Option<String>,
    /// The id of the patient in context.
    pub patient: Option<String>,
    /// The id of the encounter in context.
    pub encounter: Option<String>,
    /// More of the launch context for the token response, a JSON object: `need_patient_banner`, `intent`, ...
    pub context: Option<String>,
    /// What was granted: scopes, separated by spaces.
    pub scope: String,
    /// Purposes of use, codes of v3-ActReason.
    pub purposes: Vec<String>,
    /// The Consent resources that all must be active and permit: `Consent/share-app`.
    pub consents: Vec<String>,
    /// When the person signed in, milliseconds since 1970.
    pub auth_time: i64,
    /// How sure it is who signed in, as an identity provider says it: NHS login's `P9.Cp.Cd`.
    pub vot: Option<String>,
    pub created: i64,
    /// When it ends whatever else is said; milliseconds since 1970.
    pub expires: Option<i64>,
}
