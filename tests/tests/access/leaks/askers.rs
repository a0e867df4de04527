//! Random askers: patients, apps, proxies, staff, systems.

use flint_tests::{Bearer, Guarded, Holder};

use super::dice::Dice;
use super::oracle::Asker;
use super::world::World;

/// One of each kind.
pub(super) fn askers(dice: &mut Dice, world: &World) -> Vec<Asker> {
    let nobody = Asker { is_nobody: false, types: None, ..nobody() };
    let mut any = |name: &str, bound: usize| format!("{name}{}", dice.below(bound));
    let patients = world.patients;
    let patient = any("Patient/p", patients);
    let number = patient.trim_start_matches("Patient/p").to_owned();
    let doctor = any("Practitioner/dr", 3);
    let organization = any("Organization/o", 3);
    let identifiers = vec![any("urn:ods|O", 3)];
    // Two consents are written about each patient.
    let consents = vec![format!("Consent/c{number}")];
    let own = Asker {
        user: patient.clone(),
        patient: Some(patient.clone()),
        is_limited: true,
        purposes: vec!["PATRQT".to_owned()],
        ..nobody.clone()
    };
    let app = Asker {
        organization: organization.clone(),
        identifiers: identifiers.clone(),
        consents: consents.clone(),
        ..own.clone()
    };
    let proxy = Asker { user: format!("RelatedPerson/rp{number}"), consents, ..own.clone() };
    let staff = Asker {
        user: doctor,
        organization: organization.clone(),
        identifiers: identifiers.clone(),
        purposes: vec!["TREAT".to_owned()],
        ..nobody.clone()
    };
    let with_patient = Asker { patient: Some(patient.clone()), ..staff.clone() };
    let system = Asker { organization, identifiers, purposes: vec!["HSYSADMIN".to_owned()], ..nobody };
    let research = Asker { purposes: vec!["HRESCH".to_owned()], ..system.clone() };
    let types = Some(vec!["Patient", "Observation", "Condition"]);
    vec![
        own,
        app.clone(),
        proxy.clone(),
        staff.clone(),
        with_patient.clone(),
        Asker { is_limited: true, ..with_patient },
        research,
        Asker { types: types.clone(), ..system },
        Asker { types, ..app },
        staff,
        proxy,
    ]
}

/// Somebody without a token, to whom these of the world's types are open.
pub(super) fn nobody() -> Asker {
    Asker {
        user: String::new(),
        organization: String::new(),
        identifiers: Vec::new(),
        purposes: Vec::new(),
        patient: None,
        is_limited: false,
        types: Some(vec!["Organization", "Location", "Observation"]),
        consents: Vec::new(),
        is_nobody: true,
    }
}

/// A token for an asker, if it is somebody.
pub(super) fn hold<'g>(guarded: &'g Guarded, asker: &Asker) -> Bearer<'g> {
    if asker.is_nobody {
        return guarded.nobody();
    }
    let level = match (asker.is_limited, asker.user.is_empty()) {
        (true, _) => "patient",
        (false, true) => "system",
        (false, false) => "user",
    };
    let scope = match &asker.types {
        None => format!("{level}/*.cruds"),
        Some(types) => types.iter().map(|name| format!("{level}/{name}.cruds")).collect::<Vec<_>>().join(" "),
    };
    let consents: Vec<_> = asker.consents.iter().map(String::as_str).collect();
    let purposes: Vec<_> = asker.purposes.iter().map(String::as_str).collect();
    let identifiers: Vec<_> = asker.identifiers.iter().map(String::as_str).collect();
    guarded.hold(&Holder {
        scope: &scope,
        user: &asker.user,
        patient: asker.patient.as_deref().map_or("", |key| key.trim_start_matches("Patient/")),
        consents: &consents,
        organization: &asker.organization,
        purposes: &purposes,
        identifiers: &identifiers,
        custodian: false,
    })
}
