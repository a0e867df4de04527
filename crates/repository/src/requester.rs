//! Who asks: as consents name them, and as the audit tells of them.

use store::Key;

/// Who asks for something, with whom they act, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requester {
    /// The client's id and name: an app, or a system.
    pub client: String,
    pub client_name: String,
    /// The person who signed in: `Practitioner/dr1`, `Patient/p1`, `RelatedPerson/rp1`; `None` for a system.
    pub user: Option<Key>,
    /// The organization whose client it is.
    pub organization: Option<Key>,
    /// The client's own identifiers, system and value, as those who run the server gave them to it: nothing that a user says of itself.
    pub identifiers: Vec<(String, String)>,
    /// All names by which a consent may mean this requester: user, organization, roles, devices, their identifiers.
    pub names: Vec<Name>,
    /// Purposes of use, codes of `http://terminology.hl7.org/CodeSystem/v3-ActReason`: `PATRQT`, `TREAT`, `HRESCH`.
    pub purposes: Vec<String>,
    /// The patient to whose record the access is limited. When this is also the user, it is the patient's own view.
    pub patient: Option<Key>,
    /// The Consent resources that this access rests on: each must be active, in its period, and permit, at the moment of every
    /// request. Whoever rests on them may not change them.
    pub consents: Vec<Key>,
    /// The record keeper's own system: consents do not narrow what it sees.
    pub custodian: bool,
}

/// Users who are patients, or act for them.
const LAY: [&str; 3] = ["Patient", "Person", "RelatedPerson"];

/// Users who work for a practice.
const STAFF: [&str; 2] = ["Practitioner", "PractitionerRole"];

impl Requester {
    /// Whether it is neither the record keeper nor a patient with the own record.
    pub fn is_third_party(&self) -> bool {
        !self.custodian && (self.user.is_none() || self.user != self.patient)
    }

    /// Whether the user is a patient, or acts for one.
    pub fn is_lay(&self) -> bool {
        self.user.as_ref().is_some_and(|user| LAY.contains(&user.collection()))
    }

    /// Whether the user is a practitioner.
    pub fn is_staff(&self) -> bool {
        self.user.as_ref().is_some_and(|user| STAFF.contains(&user.collection()))
    }

    /// Whether it asks as a patient, or for one: not as somebody who works for a practice, nor as a system.
    pub fn asks_for_patient(&self) -> bool {
        self.is_lay() || self.patient.is_some() && !self.is_staff()
    }

    /// Whether what is seen of the patient is what the patient or the patient's consents say, not what others see of whom they care for.
    pub(crate) fn acts_for_patient(&self) -> bool {
        self.patient.is_some() && (self.is_lay() || !self.consents.is_empty())
    }

    /// Whether it is the record keeper or a practitioner, who may do what the practice does.
    pub fn is_practice(&self) -> bool {
        self.custodian || self.is_staff()
    }

    /// Who this is in one line, for what holds for nobody else: `client person patient`.
    pub fn line(&self) -> String {
        let text = |key: &Option<Key>| key.as_ref().map_or("-".to_owned(), Key::to_string);
        format!("{} {} {}\n", self.client, text(&self.user), text(&self.patient))
    }
}

/// A name that `Reference`s in a consent may have for somebody.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Name {
    /// A resource of this server.
    Key(Key),
    /// A logical reference: the identifier of somebody who need not be a resource here.
    Identifier { system: String, value: String },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_for_a_patient_is_no_system_and_no_practitioner() {
        let key = |text: &str| Key::parse(text);
        let cases = [
            ("Patient/p", "", true),
            ("RelatedPerson/r", "Patient/p", true),
            // A token of another issuer may name the patient alone.
            ("", "Patient/p", true),
            ("Practitioner/d", "Patient/p", false),
            ("Practitioner/d", "", false),
            ("", "", false),
        ];
        for (user, patient, expected) in cases {
            let requester = Requester { user: key(user), patient: key(patient), ..Requester::default() };
            assert_eq!(requester.asks_for_patient(), expected, "{user} {patient}");
        }
    }
}
