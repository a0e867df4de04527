//! What the 23 consents of IHE PCF mean for its example record, <https://profiles.ihe.net/ITI/PCF/artifacts.html>: permits over a server that
//! denies by itself, denies over one that permits.

use super::*;

/// Patient and encounter; alcohol use, blood pressure and sugar, two weights; a document; and what the labels are about: mental health and
/// violence, as PCF's notes speak of them.
fn record() -> Vec<Document> {
    let observation = |id: &str, date: &str, labels: &str| {
        format!(
            r#"{{"resourceType":"Observation","id":"{id}","meta":{{"security":[{labels}]}},"status":"final","code":{{"text":"x"}},
            "subject":{{"reference":"Patient/ex-patient"}},"performer":[{{"reference":"Practitioner/ex-author"}}],
            "encounter":{{"reference":"Encounter/ex-encounter"}},"effectiveDateTime":"{date}"}}"#
        )
    };
    let level = label;
    let topic = |code: &str| [label(code), label("R")].join(",");
    let encounter = format!(
        r#"{{"resourceType":"Encounter","id":"ex-encounter","meta":{{"security":[{}]}},"status":"finished","class":{{"code":"HH"}},
        "subject":{{"reference":"Patient/ex-patient"}}}}"#,
        level("N")
    );
    let resources = [
        r#"{"resourceType":"Patient","id":"ex-patient","meta":{"lastUpdated":"2026-01-01T00:00:00Z"}}"#.to_owned(),
        encounter,
        observation("alcohol", "2022-06-13", &topic("ETHUD")),
        observation("pressure", "2004-12-25T23:50:50-05:00", &level("N")),
        observation("sugar", "2020-12-04T23:50:50-05:00", &level("N")),
        observation("weight", "2004-12-25T23:50:50-05:00", &level("N")),
        observation("weight-2", "2016-03-28", &level("N")),
        r#"{"resourceType":"DocumentReference","id":"document","status":"current","subject":{"reference":"Patient/ex-patient"},
            "author":[{"reference":"Organization/ex-organization"}],"content":[{"attachment":{"title":"x"}}]}"#
            .to_owned(),
        observation("mind", "2021-01-01", &topic("PSY")),
        observation("violence", "2021-01-01", &topic("SDV")),
    ];
    resources.iter().map(|resource| document(resource)).collect()
}

const ALL: &str = "ex-patient ex-encounter alcohol pressure sugar weight weight-2 document mind violence";
const NORMAL: &str = "ex-patient ex-encounter pressure sugar weight weight-2 document";
const NONE: &str = "";

const PATIENT: &str = "ex-patient";
const VISIT: &str = "ex-encounter alcohol pressure sugar weight weight-2 mind violence";

#[derive(Clone)]
struct Case {
    /// The examples that say so, without `ex-consent-`.
    name: &'static str,
    provision: String,
    requester: Requester,
    implicit: Implicit,
    seen: String,
}

fn case(name: &'static str, provision: &str, requester: Requester, implicit: Implicit, seen: &str) -> Case {
    Case { name, provision: provision.to_owned(), requester, implicit, seen: seen.to_owned() }
}

fn doctor() -> Requester {
    requester(&["Practitioner/ex-practitioner"], &["TREAT"])
}

/// Another one, to whom no example gives anything of his own.
fn clerk(purpose: &str) -> Requester {
    requester(&["Practitioner/ex-clerk"], &[purpose])
}

fn researcher(purpose: &str) -> Requester {
    requester(&["Organization/ex-org-researcher"], &[purpose])
}

/// May break the glass, and does.
fn privileged() -> Requester {
    requester(&["Practitioner/ex-practitioner", "Group/ex-privilegedUsers"], &["BTG"])
}

fn everyday() -> String {
    purposes(&["TREAT", "HPAYMT", "HOPERAT"])
}

fn permit(elements: &[&str], exceptions: &[String]) -> String {
    provision("permit", &[&[everyday().as_str()], elements].concat(), exceptions)
}

fn deny(elements: &[&str]) -> Vec<String> {
    vec![provision("deny", elements, &[])]
}

fn basic() -> Vec<Case> {
    let treat = permit(&[], &[]);
    let reject = provision("deny", &[&everyday()], &[]);
    let research = provision("permit", &[&purposes(&["HRESCH"])], &[]);
    let until = |end| permit(&[&period("period", "", end)], &[]);
    vec![
        case("basic-treat", &treat, doctor(), Implicit::Deny, ALL),
        case("basic-treat", &treat, researcher("HRESCH"), Implicit::Deny, NONE),
        case("basic-treat-infant, basic-ink", &treat, clerk("TREAT"), Implicit::Deny, ALL),
        case("basic-reject", &reject, doctor(), Implicit::Permit, NONE),
        case("basic-reject", &reject, researcher("HRESCH"), Implicit::Permit, ALL),
        case("basic-research", &research, researcher("HRESCH"), Implicit::Deny, ALL),
        case("basic-research", &research, researcher("CLINTRCH"), Implicit::Deny, ALL),
        case("basic-research", &research, doctor(), Implicit::Deny, NONE),
        case("expired-treat", &until("2022-12-31"), doctor(), Implicit::Deny, NONE),
        case("expired-treat, in time", &until("2027-03-01"), doctor(), Implicit::Deny, ALL),
    ]
}

fn intermediate() -> Vec<Case> {
    let by = |author| data("authoredby", &[author]);
    let (author, other) = (by("Practitioner/ex-author"), by("Practitioner/ex-practitioner"));
    let five = ["Observation/weight-2", "Observation/weight", "Observation/pressure", "Observation/sugar"];
    let instances =
        permit(&[&data("instance", &[&["Encounter/ex-encounter", "Observation/alcohol"], &five[..]].concat())], &[]);
    let (alcohol, visit) = (data("instance", &["Observation/alcohol"]), data("related", &["Encounter/ex-encounter"]));
    let timeframe = period("dataPeriod", "2022-01-01", "2022-12-31");
    let own = r#""purpose":[{"system":"http://example.org/policies/purposeOfUse","code":"FooBar"}]"#;
    let own = provision("permit", &[own, &actors(&["Organization/ex-org-researcher"])], &[]);
    let foobar = "http://example.org/policies/purposeOfUse|FooBar";
    let btg = [provision("permit", &[&purposes(&["BTG"]), &actors(&["Group/ex-privilegedUsers"])], &[])];
    let dissent = provision("deny", &[], &btg);
    vec![
        case("intermediate-authoredby", &permit(&[&other], &[]), doctor(), Implicit::Deny, NONE),
        case(
            "intermediate-authoredby",
            &permit(&[&author], &[]),
            doctor(),
            Implicit::Deny,
            "alcohol pressure sugar weight weight-2 mind violence",
        ),
        case("intermediate-not-authoredby", &permit(&[], &deny(&[&other])), doctor(), Implicit::Deny, ALL),
        case(
            "intermediate-not-authoredby",
            &permit(&[], &deny(&[&author])),
            doctor(),
            Implicit::Deny,
            "ex-patient ex-encounter document",
        ),
        case(
            "intermediate-data",
            &instances,
            doctor(),
            Implicit::Deny,
            "ex-encounter alcohol pressure sugar weight weight-2",
        ),
        case("intermediate-data", &instances, researcher("HRESCH"), Implicit::Deny, NONE),
        case(
            "intermediate-not-data",
            &permit(&[], &deny(&[&alcohol])),
            doctor(),
            Implicit::Deny,
            "ex-patient ex-encounter pressure sugar weight weight-2 document mind violence",
        ),
        case("intermediate-encounter", &permit(&[&visit], &[]), doctor(), Implicit::Deny, VISIT),
        case(
            "intermediate-not-encounter",
            &permit(&[], &deny(&[&visit])),
            doctor(),
            Implicit::Deny,
            "ex-patient document",
        ),
        case("intermediate-timeframe", &permit(&[&timeframe], &[]), doctor(), Implicit::Deny, "alcohol"),
        case(
            // Encounter and document have no date: a deny takes them for data of that time.
            "intermediate-not-timeframe",
            &permit(&[], &deny(&[&timeframe])),
            doctor(),
            Implicit::Deny,
            "ex-patient pressure sugar weight weight-2 mind violence",
        ),
        case("intermediate-purpose", &own, researcher(foobar), Implicit::Deny, ALL),
        case("intermediate-purpose", &own, clerk(foobar), Implicit::Deny, NONE),
        case("intermediate-purpose", &own, researcher("HRESCH"), Implicit::Deny, NONE),
        case("dissent-intermediate-break-glass", &dissent, doctor(), Implicit::Permit, NONE),
        case("dissent-intermediate-break-glass", &dissent, clerk("BTG"), Implicit::Permit, NONE),
        case("dissent-intermediate-break-glass", &dissent, privileged(), Implicit::Permit, ALL),
        case("dissent-intermediate-break-glass", &dissent, privileged(), Implicit::Deny, ALL),
    ]
}

fn advanced() -> Vec<Case> {
    let normal = labels(&["N"]);
    let and = |more: &str| [NORMAL, more].join(" ");
    let focused = |codes: &[&str]| {
        let exception = provision("permit", &[&labels(codes), &actors(&["Practitioner/ex-practitioner"])], &[]);
        permit(&[&normal], &[exception])
    };
    let btg = [&*purposes(&["BTG"]), &labels(&["R"]), &actors(&["Group/ex-privilegedUsers"])];
    let emergency = permit(&[&normal], &[provision("permit", &btg, &[])]);
    let not_restricted = permit(&[&normal], &deny(&[&labels(&["R"])]));
    let (psy, either, restricted) = (focused(&["PSY"]), focused(&["PSY", "SDV"]), focused(&["R"]));
    vec![
        case("advanced-normal", &permit(&[&normal], &[]), doctor(), Implicit::Deny, NORMAL),
        case("advanced-normal", &permit(&[&normal], &[]), doctor(), Implicit::Permit, NORMAL),
        case("advanced-normal-restricted", &permit(&[&labels(&["N", "R"])], &[]), doctor(), Implicit::Deny, ALL),
        case("advanced-normal-not-restricted", &not_restricted, doctor(), Implicit::Deny, NORMAL),
        case("advanced-normal-focused-psy", &psy, doctor(), Implicit::Deny, &and("mind")),
        case("advanced-normal-focused-psy", &psy, clerk("TREAT"), Implicit::Deny, NORMAL),
        case("advanced-normal-focused-psy-or-sdv", &either, doctor(), Implicit::Deny, &and("mind violence")),
        case("advanced-normal-focused-psy-or-sdv", &either, clerk("TREAT"), Implicit::Deny, NORMAL),
        case("advanced-normal-focused-restricted", &restricted, doctor(), Implicit::Deny, ALL),
        case("advanced-normal-focused-restricted", &restricted, clerk("TREAT"), Implicit::Deny, NORMAL),
        case("advanced-normal-break-glass-restricted", &emergency, doctor(), Implicit::Deny, NORMAL),
        case("advanced-normal-break-glass-restricted", &emergency, privileged(), Implicit::Deny, ALL),
        case("advanced-normal-break-glass-restricted", &emergency, clerk("BTG"), Implicit::Deny, NORMAL),
    ]
}

#[test]
fn examples_mean_what_their_notes_say() {
    let (registry, record) = (registry(), record());
    for Case { name, provision, requester, implicit, seen: expected } in [basic(), intermediate(), advanced()].concat()
    {
        let policies = policies(&[&consent("c", PATIENT, &provision)]);
        let restrictions = policies.restrictions(&requester, at("2027-03-01"), implicit, &[]);
        let seen = seen(&registry, &restrictions, &record);
        let expected: Vec<_> = ALL.split(' ').filter(|id| expected.split(' ').any(|other| other == *id)).collect();
        assert_eq!(seen, expected.join(" "), "{name} for {:?} {:?}: {provision}", requester.user, requester.purposes);
    }
}
