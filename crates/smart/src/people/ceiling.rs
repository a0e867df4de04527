//! The most that somebody can grant, by who they are and how sure it is.

/// What everybody may grant: to be known, and to be reached while away.
const ANYBODY: &str = "openid fhirUser profile launch launch/patient launch/encounter online_access offline_access";

/// What no record holds: where care can be had.
const DIRECTORY: &str = "user/HealthcareService.rs user/Organization.rs user/Location.rs user/Practitioner.rs \
                         user/PractitionerRole.rs user/Schedule.rs user/Slot.rs user/Endpoint.rs";

/// Who has only said who they are may tell something, and read nothing of a record.
const CLAIMED: &str = "patient/HealthcareService.rs patient/Questionnaire.rs patient/QuestionnaireResponse.c \
                       patient/Communication.c user/Questionnaire.rs";

/// How sure it is who somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Assurance {
    /// An address that answers.
    Contact,
    /// A person whom the records know, without proof that this is the one.
    Claimed,
    /// Proven, and signed in with two factors.
    Proven,
}

/// The scopes that a person of this kind may grant at most. `vot` is NHS login's vector of trust; `None` where nobody doubts: a local account,
/// staff.
pub(crate) fn ceiling(resource_type: Option<&str>, vot: Option<&str>) -> String {
    let record = match (resource_type, assurance(vot)) {
        (Some("Practitioner" | "PractitionerRole"), _) => "user/*.cruds patient/*.cruds".to_owned(),
        (Some("Patient" | "RelatedPerson"), Assurance::Proven) => "patient/*.cruds".to_owned(),
        (Some("Patient" | "RelatedPerson"), Assurance::Claimed) => format!("{DIRECTORY} {CLAIMED}"),
        _ => DIRECTORY.to_owned(),
    };
    format!("{ANYBODY} {record}")
}

/// Whether somebody is proven to be who they say, by NHS login's vector of trust if there is one.
pub(crate) fn is_proven(vot: Option<&str>) -> bool {
    assurance(vot) == Assurance::Proven
}

/// NHS login's identity levels P0, P5, P9 and its authenticators: `Cp` a password, `Cd` and `Ck` a second factor with it, `Cm` a passkey, which is
/// two factors by itself, <https://nhsconnect.github.io/nhslogin/vectors-of-trust/>.
fn assurance(vot: Option<&str>) -> Assurance {
    let Some(vot) = vot else { return Assurance::Proven };
    let mut parts = vot.split('.');
    let level = parts.next();
    let factors: Vec<&str> = parts.collect();
    let two_factors =
        factors.contains(&"Cm") || factors.contains(&"Cp") && (factors.contains(&"Cd") || factors.contains(&"Ck"));
    match level {
        Some("P9") if two_factors => Assurance::Proven,
        Some("P9" | "P5") => Assurance::Claimed,
        _ => Assurance::Contact,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depends_on_kind_and_assurance() {
        // Kind, vector of trust, whether all of a record, whether something may be sent, whether users' scopes.
        let cases = [
            (Some("Patient"), None, true, false, false),
            (Some("RelatedPerson"), Some("P9.Cp.Cd"), true, false, false),
            (Some("Patient"), Some("P9.Cp.Ck"), true, false, false),
            (Some("Patient"), Some("P9.Cm"), true, false, false),
            (Some("Patient"), Some("P9.Cp"), false, true, false),
            (Some("Patient"), Some("P9"), false, true, false),
            (Some("Patient"), Some("P5.Cp.Cd"), false, true, false),
            (Some("Patient"), Some("P0.Cp.Cd"), false, false, false),
            (Some("Patient"), Some(""), false, false, false),
            (Some("Patient"), Some("P99.Cm"), false, false, false),
            (None, None, false, false, false),
            (Some("Device"), None, false, false, false),
            (Some("Practitioner"), None, true, false, true),
            (Some("PractitionerRole"), None, true, false, true),
        ];
        for (kind, vot, record, send, user) in cases {
            let scopes = ceiling(kind, vot);
            let has = |scope: &str| scopes.split(' ').any(|one| one == scope);
            assert_eq!(
                (has("patient/*.cruds"), has("patient/QuestionnaireResponse.c"), has("user/*.cruds"), has("openid")),
                (record, send, user, true),
                "{kind:?} {vot:?}: {scopes}"
            );
            assert!(!scopes.contains("  "), "{scopes}");
        }
    }
}
