//! Rules of reading and deciding, one by one, each with what it refuses.

use super::*;
use crate::consent::{Elevation, POLICIES_MAX, PROVISION_DEPTH_MAX, PROVISIONS_MAX};

/// The record of p with a sensitive part, something of q, of both, of nobody, and of somebody named by an identifier alone.
fn record() -> Vec<Document> {
    let observation = |id: &str, more: &str| {
        document(&format!(
            r#"{{"resourceType":"Observation","id":"{id}","status":"final","code":{{"coding":[{{"system":"urn:codes","code":"{id}"}}]}}{more}}}"#
        ))
    };
    let security = |code: &str| format!(r#","meta":{{"security":[{}]}}"#, label(code));
    let subject = |patient: &str| format!(r#","subject":{{"reference":"Patient/{patient}"}}"#);
    vec![
        document(r#"{"resourceType":"Patient","id":"p"}"#),
        observation("plain", &[subject("p"), r#","effectiveDateTime":"2026-01-10""#.to_owned()].concat()),
        observation(
            "mind",
            &[
                subject("p"),
                security("PSY"),
                r#","effectivePeriod":{"start":"2026-01-31","end":"2026-02-02"}"#.to_owned(),
            ]
            .concat(),
        ),
        observation(
            "secret",
            &[subject("p"), security("V"), r#","effectiveDateTime":"2026-02-10""#.to_owned()].concat(),
        ),
        observation("other", &subject("q")),
        observation("both", &[subject("q"), r#","performer":[{"reference":"Patient/p"}]"#.to_owned()].concat()),
        observation("nobody", ""),
        observation("somebody", r#","subject":{"type":"Patient","identifier":{"system":"urn:nhs","value":"1"}}"#),
        document(r#"{"resourceType":"Bundle","id":"bundle","type":"collection"}"#),
        document(r#"{"resourceType":"Practitioner","id":"one"}"#),
    ]
}

const ALL: &str = "p plain mind secret other both nobody somebody bundle one";
const NOT_P: &str = "other nobody somebody one";
/// What a server that permits nothing by itself shows.
const NOBODY: &str = "nobody one";
/// The same when all of p's is permitted.
const ONLY_P: &str = "p plain mind secret nobody one";

fn one() -> Requester {
    requester(&["Practitioner/one"], &["TREAT"])
}

fn check(name: &str, consents: &[&str], requester: &Requester, implicit: Implicit, expected: &str) {
    let restrictions = policies(consents).restrictions(requester, at("2027-03-01T12:00:00Z"), implicit, &[]);
    assert_eq!(seen(&registry(), &restrictions, &record()), expected, "{name}: {consents:?}");
}

/// A permit with this in it permits nothing, and a deny with it denies the whole.
#[test]
fn what_is_not_understood_fails_safe() {
    let modified = r#""modifierExtension":[{"url":"urn:not"}]"#;
    let deny = provision("deny", &[&labels(&["PSY"])], &[]);
    let deep = (0..PROVISION_DEPTH_MAX).fold(deny.clone(), |inner, _| provision("permit", &[], &[inner]));
    let fits = (1..PROVISION_DEPTH_MAX).fold(deny.clone(), |inner, _| provision("permit", &[], &[inner]));
    let many = provision("permit", &[], &vec![deny.clone(); PROVISIONS_MAX]);
    let too_many = provision("permit", &[], &vec![deny; PROVISIONS_MAX + 1]);
    let elements = [
        modified,
        r#""data":[{"meaning":"like","reference":{"reference":"Observation/plain"}}]"#,
        r##""data":[{"meaning":"instance","reference":{"reference":"#own"}}]"##,
        r#""data":[{"meaning":"instance","reference":{"reference":"Observation/none"},"modifierExtension":[{"url":"urn:not"}]}]"#,
        r#""data":[{"meaning":"instance","reference":{"reference":"https://elsewhere.example/fhir/Observation/plain"}}]"#,
        r#""actor":[{"reference":{"display":"my doctor"}}]"#,
        r##""actor":[{"reference":{"reference":"#own"}}]"##,
        r#""actor":[{"reference":{"reference":"https://elsewhere.example/fhir/Practitioner/one"}}]"#,
        r#""actor":[{"reference":{"identifier":{"value":"A1"}}}]"#,
        r#""purpose":[{"display":"care"}]"#,
        r#""action":[{"text":"look"}]"#,
        r#""action":[{"coding":[{"code":"shred"}]}]"#,
        r#""class":[{"system":"urn:ietf:bcp:13","code":"application/pdf"}]"#,
        r#""code":[{"text":"blood"}]"#,
        r#""securityLabel":[{"display":"secret"}]"#,
        r#""dataPeriod":{"start":"2026-13-01"}"#,
        r#""dataPeriod":{"extension":[{"url":"urn:when"}]}"#,
        r#""period":{"start":"soon"}"#,
        r#""period":{}"#,
    ];
    for element in elements {
        let (permit, deny) = (provision("permit", &[element], &[]), provision("deny", &[element], &[]));
        check("permit", &[&consent("c", "p", &permit)], &one(), Implicit::Deny, NOBODY);
        check("deny", &[&consent("c", "p", &deny)], &one(), Implicit::Permit, NOT_P);
        let inner = provision("permit", &[], &[deny]);
        check("deny in a permit", &[&consent("c", "p", &inner)], &one(), Implicit::Permit, NOT_P);
    }
    for (name, provision, expected) in [
        ("unknown type", r#"{"type":"maybe"}"#, NOT_P),
        ("an exception without type", r#"{"type":"permit","provision":[{}]}"#, NOT_P),
        ("too deep", &*deep, NOT_P),
        ("just not too deep", &*fits, "p plain secret other both nobody somebody one"),
        ("too many", &*too_many, NOT_P),
        ("just not too many", &*many, "p plain secret other both nobody somebody one"),
        ("no type", "{}", ALL),
    ] {
        check(name, &[&consent("c", "p", provision)], &one(), Implicit::Permit, expected);
    }
    let permit = consent("c", "p", r#"{"type":"permit"}"#);
    let permit = permit.replacen(r#""patient":"#, &format!(r#"{modified},"patient":"#), 1);
    check("a permit in a changed consent", &[&permit], &one(), Implicit::Deny, NOBODY);
    let deny = permit.replacen(r#""permit""#, r#""deny""#, 1);
    check("a deny in a changed consent", &[&deny], &one(), Implicit::Permit, NOT_P);
}

#[test]
fn elements_say_whom_and_what_they_are_about() {
    let named = Requester { names: vec![Name::Identifier { system: "urn:ods".into(), value: "A1".into() }], ..one() };
    let ods =
        |value: &str| format!(r#""actor":[{{"reference":{{"identifier":{{"system":"urn:ods","value":"{value}"}}}}}}]"#);
    let action = |code: &str| {
        format!(
            r#""action":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/consentaction","code":"{code}"}}]}}]"#
        )
    };
    let class = |name: &str| format!(r#""class":[{{"system":"http://hl7.org/fhir/resource-types","code":"{name}"}}]"#);
    let code = |code: &str| format!(r#""code":[{{"coding":[{{"system":"urn:codes","code":"{code}"}}]}}]"#);
    let february = period("dataPeriod", "2026-02-01", "2026-02-28");
    let secure = purposes(&["TREAT"]).replace("http://", "https://");
    let psy = labels(&["PSY"]).replace("http://", "https://");
    let versioned = actors(&["http://localhost/fhir/Practitioner/one/_history/3"]);
    // What a permit shows where all else is hidden, and what a deny leaves where all else is shown.
    for (element, permitted, left) in [
        (ods("A1"), ONLY_P, NOT_P),
        (ods("a1"), NOBODY, ALL),
        (actors(&["Practitioner/one"]), ONLY_P, NOT_P),
        (versioned, ONLY_P, NOT_P),
        (actors(&["Practitioner/two", "Practitioner/one"]), ONLY_P, NOT_P),
        (actors(&["Practitioner/two"]), NOBODY, ALL),
        (purposes(&["HRESCH"]), NOBODY, ALL),
        (secure, ONLY_P, NOT_P),
        (action("access"), ONLY_P, NOT_P),
        (action("correct"), NOBODY, ALL),
        (psy, "mind nobody one", "p plain secret other both nobody somebody one"),
        (class("Patient"), "p nobody one", "plain mind secret other both nobody somebody one"),
        (class("Condition"), NOBODY, "p plain mind secret other both nobody somebody one"),
        (code("plain"), "plain nobody one", "p mind secret other both nobody somebody one"),
        (data("instance", &["Observation/mind"]), "mind nobody one", "p plain secret other both nobody somebody one"),
        // What touches February is denied with it, and only what lies in it is permitted. The patient has no date at all here.
        (february, "secret nobody one", "p plain other nobody somebody one"),
        (labels(&["N"]), "p plain nobody one", "mind secret other nobody somebody one"),
    ] {
        let (permit, deny) = (provision("permit", &[&element], &[]), provision("deny", &[&element], &[]));
        check("permit", &[&consent("c", "p", &permit)], &named, Implicit::Deny, permitted);
        check("deny", &[&consent("c", "p", &deny)], &named, Implicit::Permit, left);
    }
}

#[test]
fn consents_count_by_scope_and_rule() {
    let deny = consent("c", "p", r#"{"type":"deny"}"#);
    let bare = consent("c", "p", "{}").replacen(r#","provision":{}"#, "", 1);
    let rule = |code: &str| {
        bare.replacen(r#""patient":"#, &format!(r#""policyRule":{{"coding":[{{"code":"{code}"}}]}},"patient":"#), 1)
    };
    for (name, consent, expected) in [
        ("privacy", deny.clone(), NOT_P),
        ("research, for treatment", deny.replacen("patient-privacy", "research", 1), ALL),
        ("advance directives", deny.replacen("patient-privacy", "adr", 1), ALL),
        ("treatment", deny.replacen("patient-privacy", "treatment", 1), ALL),
        ("written with https", deny.replace("http://terminology", "https://terminology"), NOT_P),
        ("inactive", deny.replacen(r#""active""#, r#""inactive""#, 1), ALL),
        ("opted in", rule("OPTIN"), ALL),
        ("opted out", rule("OPTOUT"), NOT_P),
        ("nothing said", bare.clone(), ALL),
        ("of this server", deny.replacen("Patient/p", "http://localhost/fhir/Patient/p", 1), NOT_P),
        ("of another server", deny.replacen("Patient/p", "http://elsewhere.example/fhir/Patient/p", 1), ALL),
    ] {
        check(name, &[&consent], &one(), Implicit::Permit, expected);
    }
    let research = deny.replacen("patient-privacy", "research", 1);
    check("research", &[&research], &requester(&["Practitioner/one"], &["CLINTRCH"]), Implicit::Permit, NOT_P);
    check("opted in", &[&rule("OPTIN")], &one(), Implicit::Deny, ONLY_P);
}

#[test]
fn denies_win_over_permits() {
    let permit = consent("permit", "p", r#"{"type":"permit"}"#);
    let deny = consent("deny", "p", &provision("deny", &[&labels(&["PSY"])], &[]));
    check("in another consent", &[&permit, &deny], &one(), Implicit::Deny, "p plain secret nobody one");
    let side_by_side = [provision("permit", &[&labels(&["PSY"])], &[]), provision("deny", &[&labels(&["PSY"])], &[])];
    let both = consent("c", "p", &provision("permit", &[], &side_by_side));
    check("side by side", &[&both], &one(), Implicit::Deny, "p plain secret nobody one");
    let inner = provision("deny", &[&labels(&["PSY"])], &[provision("permit", &[&actors(&["Practitioner/one"])], &[])]);
    let lifted = consent("c", "p", &provision("permit", &[], &[inner]));
    check("lifted for one", &[&lifted], &one(), Implicit::Deny, ONLY_P);
    check(
        "not for another",
        &[&lifted],
        &requester(&["Practitioner/two"], &["TREAT"]),
        Implicit::Deny,
        "p plain secret nobody one",
    );
    let ended = provision("permit", &[], &[provision("permit", &[&period("period", "2026-01-01", "2028-01-01")], &[])]);
    let ended = consent(
        "c",
        "p",
        &ended.replacen(r#""permit","#, &format!(r#""permit",{},"#, period("period", "", "2026-12-31")), 1),
    );
    check("an exception does not outlive its consent", &[&ended], &one(), Implicit::Deny, NOBODY);
}

#[test]
fn the_implicit_policy_is_for_who_has_no_consent() {
    let permit = consent("c", "p", r#"{"type":"permit"}"#);
    let of_q = consent("q", "q", r#"{"type":"permit"}"#);
    for (implicit, without, with, with_both) in [
        (Implicit::Permit, ALL, ALL, ALL),
        // What is restricted or sensitive is hidden, so what may carry it is as well.
        (
            Implicit::PermitNormal,
            "p plain other both nobody somebody one",
            "p plain mind secret other both nobody somebody one",
            "p plain mind secret other both nobody somebody one",
        ),
        (Implicit::BreakGlassOnly, NOBODY, ONLY_P, "p plain mind secret other both nobody one"),
        (Implicit::Deny, NOBODY, ONLY_P, "p plain mind secret other both nobody one"),
    ] {
        check("no consent", &[], &one(), implicit, without);
        check("for one patient", &[&permit], &one(), implicit, with);
        check("for both patients", &[&permit, &of_q], &one(), implicit, with_both);
    }
}

#[test]
fn the_own_view_is_narrowed_only_by_name() {
    let deny = |elements: &[&str]| consent("d", "p", &provision("deny", elements, &[]));
    let own = Requester {
        user: Some(key("Patient/p")),
        patient: Some(key("Patient/p")),
        organization: Some(key("Organization/app")),
        ..requester(&[], &["PATRQT"])
    };
    check("nothing narrows it", &[], &own, Implicit::Deny, ALL);
    check("a dissent to all", &[&deny(&[])], &own, Implicit::Permit, ALL);
    check(
        "to somebody who is not said",
        &[&deny(&[r#""actor":[{"reference":{"display":"x"}}]"#])],
        &own,
        Implicit::Permit,
        NOT_P,
    );
    check("to another", &[&deny(&[&actors(&["Organization/other"])])], &own, Implicit::Permit, ALL);
    let named = deny(&[&actors(&["Organization/app"]), &labels(&["PSY"])]);
    check("to this app", &[&named], &own, Implicit::Permit, "p plain secret other both nobody somebody one");
    let permit = consent("c", "p", &provision("permit", &[], &[provision("deny", &[&labels(&["PSY"])], &[])]));
    let resting = Requester { consents: vec![key("Consent/c")], ..own.clone() };
    check(
        "by its own consent",
        &[&permit],
        &resting,
        Implicit::Permit,
        "p plain secret other both nobody somebody one",
    );
    let staff = Requester { patient: Some(key("Patient/p")), ..one() };
    check("staff who asks about one patient", &[&deny(&[])], &staff, Implicit::Permit, NOT_P);
    check(
        "of another patient, who is hidden all the same",
        &[&deny(&[])],
        &Requester { patient: Some(key("Patient/q")), ..one() },
        Implicit::Permit,
        NOT_P,
    );
    let system = Requester { consents: vec![key("Consent/c")], ..one() };
    check(
        "a system whose consent holds",
        &[&permit],
        &system,
        Implicit::Permit,
        "p plain secret other both nobody somebody one",
    );
    check("a system whose consent is gone", &[], &system, Implicit::Permit, NOBODY);
}

#[test]
fn breaking_the_glass_lifts_denies() {
    let registry = registry();
    let until = at("2027-03-01T13:00:00Z");
    let elevation = |user: &str, patient: &str| Elevation { user: key(user), patient: key(patient), until };
    let mine = elevation("Practitioner/one", "Patient/p");
    let whole = provision("deny", &[], &[]);
    let by_label = provision("deny", &[&labels(&["PSY"])], &[]);
    let one_datum = provision("deny", &[&data("instance", &["Observation/mind"])], &[]);
    let even_then = provision("deny", &[&purposes(&["TREAT", "BTG"])], &[]);
    let not_understood = provision("deny", &[r#""modifierExtension":[{"url":"urn:not"}]"#], &[]);
    let normal = provision("permit", &[&labels(&["N"])], &[]);
    let no_mind = "p plain secret other both nobody somebody one";
    for (name, consent, elevation, implicit, expected) in [
        ("of the whole", Some(&whole), &mine, Implicit::Permit, ALL),
        ("by another user", Some(&whole), &elevation("Practitioner/two", "Patient/p"), Implicit::Permit, NOT_P),
        ("about another patient", Some(&whole), &elevation("Practitioner/one", "Patient/q"), Implicit::Permit, NOT_P),
        ("by label", Some(&by_label), &mine, Implicit::Permit, ALL),
        ("of one resource", Some(&one_datum), &mine, Implicit::Permit, no_mind),
        ("that name the emergency", Some(&even_then), &mine, Implicit::Permit, NOT_P),
        ("that are not understood", Some(&not_understood), &mine, Implicit::Permit, NOT_P),
        ("what a permit leaves out", Some(&normal), &mine, Implicit::Permit, ALL),
        (
            "of the implicit policy",
            None,
            &mine,
            Implicit::PermitNormal,
            "p plain mind secret other both nobody somebody one",
        ),
        ("where only that permits", None, &mine, Implicit::BreakGlassOnly, ONLY_P),
        ("but nothing where all is denied", None, &mine, Implicit::Deny, NOBODY),
    ] {
        let consents: Vec<_> = consent.into_iter().map(|provision| self::consent("c", "p", provision)).collect();
        let policies = policies(&consents.iter().map(String::as_str).collect::<Vec<_>>());
        let at_noon =
            policies.restrictions(&one(), at("2027-03-01T12:00:00Z"), implicit, std::slice::from_ref(elevation));
        assert_eq!(seen(&registry, &at_noon, &record()), expected, "{name}");
        let is_mine = elevation.user == key("Practitioner/one");
        assert_eq!(at_noon.valid_until(), is_mine.then_some(until), "{name}");
        let over = policies.restrictions(&one(), until, implicit, std::slice::from_ref(elevation));
        let plain = policies.restrictions(&one(), until, implicit, &[]);
        assert_eq!(seen(&registry, &over, &record()), seen(&registry, &plain, &record()), "{name}: over");
    }
}

#[test]
fn restrictions_hold_until_a_period_begins_or_ends() {
    let inner = provision("deny", &[&labels(&["PSY"]), &period("period", "2027-06-01T09:00:00Z", "2027-07-01")], &[]);
    let outer = provision("permit", &[&period("period", "2027-01-01", "2027-12-31")], &[inner]);
    let policies = policies(&[&consent("c", "p", &outer), &consent("q", "q", r#"{"type":"permit"}"#)]);
    let registry = registry();
    let staff = one();
    let q = Requester { user: Some(key("Patient/q")), patient: Some(key("Patient/q")), ..one() };
    let no_mind = "p plain secret other both nobody one";
    let all = "p plain mind secret other both nobody one";
    for (now, until, expected) in [
        ("2026-12-31T23:59:59.999Z", Some("2027-01-01"), "other nobody one"),
        ("2027-01-01", Some("2027-06-01T09:00:00Z"), all),
        ("2027-06-01T08:59:59.999Z", Some("2027-06-01T09:00:00Z"), all),
        ("2027-06-01T09:00:00Z", Some("2027-07-02"), no_mind),
        ("2027-07-01T23:59:59.999Z", Some("2027-07-02"), no_mind),
        ("2027-07-02", Some("2028-01-01"), all),
        ("2027-12-31T23:59:59.999Z", Some("2028-01-01"), all),
        ("2028-01-01", None, "other nobody one"),
    ] {
        let restrictions = policies.restrictions(&staff, at(now), Implicit::Deny, &[]);
        assert_eq!(seen(&registry, &restrictions, &record()), expected, "{now}");
        assert_eq!(restrictions.valid_until(), until.map(at), "{now}");
        assert!(restrictions.hold(&policies, at(now)), "{now}");
        assert!(until.is_none_or(|until| !restrictions.hold(&policies, at(until))), "{now}");
        assert_eq!(policies.restrictions(&q, at(now), Implicit::Deny, &[]).valid_until(), None, "{now}");
    }
}

#[test]
fn more_consents_than_are_judged_hide_the_patient() {
    let deny = provision("deny", &[&labels(&["HIV"])], &[]);
    let consents: Vec<_> = (0..=POLICIES_MAX).map(|id| consent(&format!("c{id}"), "p", &deny)).collect();
    let consents: Vec<_> = consents.iter().map(String::as_str).collect();
    check(
        "as many as may be",
        &consents[1..],
        &one(),
        Implicit::Permit,
        "p plain mind secret other both nobody somebody one",
    );
    check("one more", &consents, &one(), Implicit::Permit, NOT_P);
    check("custodian", &consents, &Requester { custodian: true, ..one() }, Implicit::Permit, ALL);
    let own = Requester { patient: Some(key("Patient/p")), ..requester(&["Patient/p"], &["PATRQT"]) };
    let seen_by = |requester: &Requester, implicit, elevations: &[Elevation]| {
        let restrictions = policies(&consents).restrictions(requester, at("2027-01-01"), implicit, elevations);
        seen(&registry(), &restrictions, &record())
    };
    assert_eq!(seen_by(&own, Implicit::Permit, &[]), ALL, "the patient");
    let until = at("2027-01-02");
    let elevation = Elevation { user: key("Practitioner/doc"), patient: key("Patient/p"), until };
    let doctor = requester(&["Practitioner/doc"], &["TREAT"]);
    assert_eq!(seen_by(&doctor, Implicit::Permit, std::slice::from_ref(&elevation)), ALL, "in an emergency");
    assert_eq!(seen_by(&doctor, Implicit::Deny, &[elevation]), "nobody one", "in no emergency whatever");
}
