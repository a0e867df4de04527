//! The consents of the example surgery: an app, a husband, organ donation, and the national data opt-out.

use super::*;

const SEED: &str = include_str!("../../../../../examples/surgery/data/seed-transaction.json");

/// The resources of the surgery, and the policies of its consents, each after a change of its text.
struct Surgery {
    registry: Registry,
    record: Vec<Document>,
    policies: Policies,
}

impl Surgery {
    fn new(change: impl Fn(&str, String) -> String) -> Surgery {
        let seed = document(SEED);
        let entries = seed.root().get("entry").expect("entries").items();
        let resources = entries.map(|entry| entry.get("resource").expect("a resource").raw().to_owned());
        let (consents, record): (Vec<_>, Vec<_>) =
            resources.partition(|text| document(text).root().resource_type() == Some("Consent"));
        let changed = |text: String| {
            let id = key_of(&document(&text)).id().to_owned();
            change(&id, text)
        };
        let consents: Vec<_> = consents.into_iter().map(changed).collect();
        let consents: Vec<_> = consents.iter().map(String::as_str).collect();
        Surgery {
            registry: registry(),
            record: record.iter().map(|resource| document(resource)).collect(),
            policies: policies(&consents),
        }
    }

    fn seen(&self, requester: &Requester, now: &str, resource_type: &str) -> String {
        let restrictions = self.policies.restrictions(requester, at(now), Implicit::Permit, &[]);
        let is_of_type = |resource: &&Document| resource.root().resource_type() == Some(resource_type);
        let of_type: Vec<_> = self.record.iter().filter(is_of_type).map(|resource| document(resource.text())).collect();
        seen(&self.registry, &restrictions, &of_type)
    }
}

fn unchanged(_: &str, text: String) -> String {
    text
}

/// Changes the status of one consent.
fn with_status(of: &str, status: &str) -> impl Fn(&str, String) -> String {
    move |id, text| match id == of {
        true => text.replacen(r#""status":"active""#, &format!(r#""status":"{status}""#), 1),
        false => text,
    }
}

/// The patient, with the app that the patient chose.
fn app() -> Requester {
    Requester {
        user: Some(key("Patient/p1")),
        patient: Some(key("Patient/p1")),
        organization: Some(key("Organization/app1")),
        consents: vec![key("Consent/share-app")],
        purposes: vec!["PATRQT".to_owned()],
        ..Requester::default()
    }
}

/// The patient's husband.
fn husband() -> Requester {
    Requester {
        patient: Some(key("Patient/p1")),
        consents: vec![key("Consent/share-husband")],
        ..requester(&["RelatedPerson/rp1"], &["FAMRQT"])
    }
}

const NOON: &str = "2027-03-01T12:00:00Z";

#[test]
fn an_app_sees_what_the_patient_shares_with_it() {
    let surgery = Surgery::new(unchanged);
    for (resource_type, expected) in [
        ("Condition", "copd1"),
        ("Patient", "p1 p2 p3"),
        ("Observation", "spo2-1 spo2-2 fev1-1 mmrc-1"),
        ("Slot", "s0900 s0910 s0920 s0930 s0940 sBST sPast"),
    ] {
        assert_eq!(surgery.seen(&app(), NOON, resource_type), expected, "{resource_type}");
    }
    let restrictions = surgery.policies.restrictions(&app(), at(NOON), Implicit::Permit, &[]);
    assert_eq!(restrictions.valid_until(), Some(at("2028-01-01")));
}

#[test]
fn a_consent_that_is_withdrawn_or_over_shares_nothing() {
    for status in ["inactive", "rejected", "proposed", "draft", "entered-in-error"] {
        let surgery = Surgery::new(with_status("share-app", status));
        assert_eq!(surgery.seen(&app(), NOON, "Condition"), "", "{status}");
        assert_eq!(surgery.seen(&app(), NOON, "Patient"), "p2 p3", "{status}: others are for the token to hide");
        assert_eq!(surgery.seen(&app(), NOON, "Practitioner"), "dr1", "{status}");
    }
    let surgery = Surgery::new(unchanged);
    for (now, expected) in [
        ("2027-01-31T23:59:59.999Z", ""),
        ("2027-02-01T00:00:00Z", "copd1"),
        ("2027-12-31T23:59:59.999Z", "copd1"),
        ("2028-01-01T00:00:00Z", ""),
    ] {
        assert_eq!(surgery.seen(&app(), now, "Condition"), expected, "{now}");
    }
}

#[test]
fn an_access_rests_on_each_consent_it_names() {
    let surgery = Surgery::new(unchanged);
    let with = |change: fn(&mut Requester)| {
        let mut requester = app();
        change(&mut requester);
        surgery.seen(&requester, NOON, "Condition")
    };
    type Change = fn(&mut Requester);
    let cases: [(&str, Change, &str); 10] = [
        ("itself", |_| {}, "copd1"),
        ("the patient alone", |it| it.consents.clear(), "copd1"),
        ("the patient, not by the app", |it| (it.consents.clear(), it.organization = None).1, "copd1 sens1"),
        ("another app", |it| it.organization = Some(key("Organization/app2")), ""),
        ("for another purpose", |it| it.purposes = vec!["HMARKT".to_owned()], ""),
        ("for no purpose", |it| it.purposes.clear(), ""),
        ("an unknown consent", |it| it.consents.push(key("Consent/none")), ""),
        ("an opt-out, which permits nothing", |it| it.consents = vec![key("Consent/ndop")], ""),
        ("organ donation, which is about no record", |it| it.consents = vec![key("Consent/organ")], ""),
        ("about another patient", |it| it.patient = Some(key("Patient/p2")), "copd1 sens1"),
    ];
    for (name, change, expected) in cases {
        assert_eq!(with(change), expected, "{name}");
    }
    let other = Requester { patient: Some(key("Patient/p2")), ..app() };
    assert_eq!(surgery.seen(&other, NOON, "Patient"), "p1 p3", "the consent is another patient's");
}

#[test]
fn a_proxy_acts_while_the_consent_holds() {
    let surgery = Surgery::new(unchanged);
    assert_eq!(surgery.seen(&husband(), NOON, "Condition"), "copd1 sens1");
    assert_eq!(surgery.seen(&husband(), "2027-01-31", "Condition"), "");
    assert_eq!(surgery.seen(&Requester { consents: Vec::new(), ..husband() }, NOON, "Condition"), "");
    let ended = Surgery::new(with_status("share-husband", "inactive"));
    assert_eq!(ended.seen(&husband(), NOON, "Condition"), "");
    assert_eq!(ended.seen(&husband(), NOON, "Patient"), "p2 p3");
}

#[test]
fn research_does_not_see_who_opted_out() {
    let surgery = Surgery::new(unchanged);
    let study = Surgery::new(|id, text| match id {
        "ndop" => text.replacen(
            r#""type":"deny","#,
            &format!(
                r#""type":"deny","provision":[{}],"#,
                provision("permit", &[&actors(&["Organization/study"])], &[])
            ),
            1,
        ),
        _ => text,
    });
    for (names, purpose, patients, conditions) in [
        (&["Organization/gp1"][..], "TREAT", "p1 p2 p3", "copd1 sens1"),
        (&["Organization/study"], "HRESCH", "p2 p3", ""),
        (&["Organization/study"], "CLINTRCH", "p2 p3", ""),
        (&["Organization/study"], "HSYSADMIN", "p2 p3", ""),
    ] {
        let requester = requester(names, &[purpose]);
        assert_eq!(surgery.seen(&requester, NOON, "Patient"), patients, "{purpose}");
        assert_eq!(surgery.seen(&requester, NOON, "Condition"), conditions, "{purpose}");
        let lifted = study.seen(&requester, NOON, "Patient");
        assert_eq!(lifted, "p1 p2 p3", "{purpose}: the study is excepted");
        let custodian = Requester { custodian: true, ..requester };
        assert_eq!(surgery.seen(&custodian, NOON, "Patient"), "p1 p2 p3");
    }
    assert_eq!(study.seen(&requester(&["Organization/other"], &["HRESCH"]), NOON, "Patient"), "p2 p3");
    assert_eq!(surgery.seen(&app(), NOON, "Patient"), "p1 p2 p3", "the patient's own view is not narrowed");
}
