//! The context of an EHR launch, <https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#launch-app-ehr-launch>: what a staff system says an
//! app is opened for. A value of the vault, `launch/<hash>`: good for five minutes, and for one code.

use fhir::Outcome;
use repository::{Millis, Vault};
use serde::{Deserialize, Serialize};

use crate::record::{Stored, set};
use crate::secret::{Random, hashed, secret};

/// How long a launch may take, in milliseconds.
const LAUNCH_AGE_MAX: Millis = 5 * 60_000;

/// What an app is opened for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// The id of the client that is opened.
    pub client: String,
    /// The id of the patient.
    pub patient: Option<String>,
    /// The id of the encounter.
    pub encounter: Option<String>,
    /// What for, such as `reconcile-medications`.
    pub intent: Option<String>,
    /// Whether the app shall show whose record it is.
    pub need_patient_banner: Option<bool>,
    /// Who opens it: only they may go on. `Practitioner/dr1`; `None` when the system does not say.
    pub fhir_user: Option<String>,
    /// Set when it is kept; milliseconds since 1970.
    pub expires: Millis,
}

impl Launch {
    /// Keeps it; returns the opaque text that the app gets as `launch`.
    pub fn keep(mut self, vault: Vault<'_>, random: &Random, now: Millis) -> Result<String, Outcome> {
        let key = secret(random);
        self.expires = now + LAUNCH_AGE_MAX;
        vault.edit(vec![set(name(&key), &self)])?;
        Ok(key)
    }

    /// The launch that a client was opened with, unless it is over.
    pub(crate) fn find(
        vault: Vault<'_>,
        key: &str,
        client: &str,
        now: Millis,
    ) -> Result<Option<Stored<Launch>>, Outcome> {
        let found = Stored::<Launch>::find(vault, name(key))?;
        Ok(found.filter(|found| found.value.client == client && now < found.value.expires))
    }
}

fn name(key: &str) -> String {
    format!("launch/{}", hashed(key))
}
