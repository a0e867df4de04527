//! Consents written to a store on disk.

use std::sync::Arc;
use std::time::Duration;

use fhir::IssueType::{self, BusinessRule, CodeInvalid, Duplicate, Required, Value};
use fhir::json::Document;
use fhir::patch::JsonPatch;
use fhir::{Definitions, Outcome};
use repository::{
    Access, Change, EarlierVersions, Implicit, Key, Millis, POLICIES_MAX, Patch, References, Repository, Setup, Target,
    Validation,
};
use store::{Clock, Embedded};
use tempfile::TempDir;

const SEED: &str = include_str!("../../../../examples/surgery/data/seed-transaction.json");

struct Surgery {
    repository: Repository,
    _directory: TempDir,
}

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Millis {
        1_803_902_400_000
    }
}

impl Surgery {
    fn new() -> Surgery {
        let directory = tempfile::tempdir().expect("a directory");
        let definitions = Definitions::r4();
        let repository = Repository::new(Setup {
            store: Arc::new(Embedded::open(directory.path(), Arc::new(Noon)).expect("a store")),
            definitions,
            registry: search::Registry::new(definitions, "http://localhost/fhir"),
            rules: Arc::new(crate::Services::default()).rules(),
            clock: Arc::new(Noon),
            ids: Arc::new(|| "new".to_owned()),
            base_url: "http://localhost/fhir".to_owned(),
            references: References::Accept,
            validation: Validation::default(),
            consent: Implicit::default(),
            earlier_versions: EarlierVersions::default(),
            terminology: None,
            search_time: Duration::from_secs(60),
        });
        Surgery { repository: repository.expect("an empty store"), _directory: directory }
    }

    fn change(&self, change: Change) -> Result<(), Outcome> {
        self.repository.open(Access::full()).transact(vec![change])?;
        Ok(())
    }

    /// How a write ends: `None` when it is accepted, else what it is refused for.
    fn refused(&self, change: Change) -> Option<(IssueType, String)> {
        let outcome = self.change(change).err()?;
        let issue = &outcome.issues[0];
        Some((issue.code, issue.coding.map(|(_, code)| code.to_owned()).unwrap_or_default()))
    }
}

/// A consent of the surgery.
fn seeded(id: &str) -> String {
    let seed = Document::parse(SEED.as_bytes()).expect("JSON");
    let mut resources = seed.root().get("entry").expect("entries").items().filter_map(|entry| entry.get("resource"));
    let resource = resources.find(|it| it.get("id").is_some_and(|it| it.is_str(id))).expect("a consent");
    resource.raw().to_owned()
}

fn put(resource: &str) -> Change {
    let document = Document::parse(resource.as_bytes()).expect("JSON");
    let id = document.root().get("id").and_then(|id| id.as_str()).expect("an id").into_owned();
    Change::Update {
        target: Target::Key(Key::new("Consent", &id).expect("a key")),
        document,
        if_match: None,
        if_none_match: false,
        full_url: None,
    }
}

fn patch(id: &str, patch: &str) -> Change {
    let patch = Patch::Json(JsonPatch::parse(patch.as_bytes()).expect("a patch"));
    Change::Patch { target: Target::Key(Key::new("Consent", id).expect("a key")), patch, if_match: None }
}

fn delete(id: &str) -> Change {
    Change::Delete { target: Target::Key(Key::new("Consent", id).expect("a key")), if_match: None }
}

/// A patch of the status with a reason.
fn moved(to: &str, reason: &str) -> String {
    format!(
        r#"[{{"op":"replace","path":"/status","value":"{to}"}},{{"op":"add","path":"/extension","value":[{{
            "url":"https://fhir.nhs.uk/England/StructureDefinition/Extension-England-Consent-Status-Reason",
            "valueCodeableConcept":{{"coding":[{{"system":"https://fhir.nhs.uk/England/CodeSystem/England-ConsentStatusReason","code":"{reason}"}}]}}}}]}}]"#
    )
}

fn coded(issue_type: IssueType, code: &str) -> Option<(IssueType, String)> {
    Some((issue_type, code.to_owned()))
}

#[test]
fn a_proxy_consent_changes_by_its_table_and_with_a_reason() {
    let surgery = Surgery::new();
    surgery.change(put(&seeded("share-husband"))).expect("accepted");
    let bare = |to: &str| format!(r#"[{{"op":"replace","path":"/status","value":"{to}"}}]"#);
    let transition = || coded(BusinessRule, "INVALID_STATE_TRANSITION");
    for (name, change, refusal) in [
        ("no reason", bare("inactive"), coded(BusinessRule, "INVALID_RESOURCE")),
        ("not in the table", moved("proposed", "APPLICATION_SUBMITTED"), transition()),
        (
            "without its basis",
            r#"[{"op":"remove","path":"/policyRule"}]"#.to_owned(),
            coded(BusinessRule, "INVALID_RESOURCE"),
        ),
        ("a reason without words", moved("inactive", "OTHER"), coded(Required, "INVALID_RESOURCE")),
        ("a reason that nobody knows", moved("inactive", "BANANA"), coded(CodeInvalid, "INVALID_RESOURCE")),
        ("a reason of another status", moved("inactive", "ROLE_ACTIVATED"), coded(CodeInvalid, "INVALID_RESOURCE")),
        (
            "a reason by other codes",
            moved("inactive", "ROLE_DEACTIVATED_PATIENT_REQUEST").replace("England-ConsentStatusReason\"", "x\""),
            coded(BusinessRule, "INVALID_RESOURCE"),
        ),
        ("ended", moved("inactive", "ROLE_DEACTIVATED_PATIENT_REQUEST"), None),
        ("an old reason", bare("active"), coded(BusinessRule, "INVALID_RESOURCE")),
        ("the same status", bare("inactive"), None),
        ("again", moved("active", "ROLE_REACTIVATED"), None),
        ("in words", moved("inactive", "OTHER").replace("}]}}", r#"}],"text":"moved away"}}"#), None),
        ("and again", moved("active", "ROLE_REACTIVATED"), None),
        ("an error", moved("entered-in-error", "ROLE_DEACTIVATED_SAFEGUARDING"), None),
        ("which is final", moved("active", "ROLE_REACTIVATED"), transition()),
    ] {
        assert_eq!(surgery.refused(patch("share-husband", &change)), refusal, "{name}");
    }
    surgery.change(put(&seeded("share-app"))).expect("accepted");
    assert_eq!(surgery.refused(patch("share-app", &bare("proposed"))), None, "it is no proxy's");
}

#[test]
fn there_is_one_proxy_consent_for_two_people() {
    let surgery = Surgery::new();
    let husband = seeded("share-husband");
    let other = husband.replacen("share-husband", "other", 1);
    let proposed = other.replacen(r#""status":"active""#, r#""status":"proposed""#, 1);
    let neighbor = other.replacen("RelatedPerson/rp1", "RelatedPerson/rp2", 1);
    let patient =
        other.replacen(r#""patient":{"reference":"Patient/p1"}"#, r#""patient":{"reference":"Patient/p2"}"#, 1);
    let no_proxy = other.replacen("England-NHSProxyLegalBasis", "Other", 1);
    let second = || coded(Duplicate, "DUPLICATE_RELATIONSHIP");
    surgery.change(put(&husband)).expect("accepted");
    for (name, change, refusal) in [
        ("itself again", put(&husband), None),
        ("the same two", put(&other), second()),
        ("proposed", put(&proposed), second()),
        ("no proxy's", put(&no_proxy), None),
        ("which becomes one", put(&other), second()),
        ("another proxy", put(&neighbor), None),
        ("who becomes the first one", put(&other), second()),
        ("another patient", put(&patient), None),
        ("the first ends", patch("share-husband", &moved("inactive", "ROLE_DEACTIVATED_PATIENT_REQUEST")), None),
        ("and leaves its place", put(&other), None),
        ("which it does not get back", patch("share-husband", &moved("active", "ROLE_REACTIVATED")), second()),
        ("but for a deletion", delete("other"), None),
        ("then it does", patch("share-husband", &moved("active", "ROLE_REACTIVATED")), None),
    ] {
        assert_eq!(surgery.refused(change), refusal, "{name}");
    }
}

/// Somebody is the same by a reference and by an NHS number, and another when the number is another's.
#[test]
fn both_names_of_somebody_count_as_one() {
    let surgery = Surgery::new();
    let patient = |id: &str, number: &str| {
        let text = format!(
            r#"{{"resourceType":"Patient","id":"{id}","identifier":[{{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"{number}"}}]}}"#
        );
        let document = Document::parse(text.as_bytes()).expect("JSON");
        let target = Target::Key(Key::new("Patient", id).expect("a key"));
        Change::Update { target, document, if_match: None, if_none_match: false, full_url: None }
    };
    surgery.change(patient("p1", "9000000009")).expect("accepted");
    let by_key = r#""patient":{"reference":"Patient/p1"}"#;
    let by_number = r#""patient":{"type":"Patient","identifier":{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9000000009"}}"#;
    let second = || coded(Duplicate, "DUPLICATE_RELATIONSHIP");
    let husband = seeded("share-husband");
    let other = husband.replacen("share-husband", "other", 1).replacen(by_key, by_number, 1);
    assert!(other.contains(by_number));
    surgery.change(put(&husband)).expect("accepted");
    assert_eq!(surgery.refused(put(&other)), second(), "by the number");
    surgery.change(delete("share-husband")).expect("accepted");
    assert_eq!(surgery.refused(put(&other)), None);
    assert_eq!(surgery.refused(put(&husband)), second(), "by the reference");
    // The number is another's now, and so is what it says.
    surgery.change(patient("p1", "9000000017")).expect("accepted");
    surgery.change(delete("other")).expect("accepted");
    assert_eq!(surgery.refused(put(&husband)), None);
    surgery.change(patient("p1", "9000000025")).expect("accepted");
    surgery.change(patient("p2", "9000000017")).expect("accepted");
    let of_second = other.replacen("9000000009", "9000000017", 1);
    assert_eq!(surgery.refused(put(&of_second)), None, "p1 has the number no more");
    assert_eq!(surgery.refused(put(&husband.replacen("share-husband", "third", 1))), second(), "p1 has this one");

    let opt_out = seeded("ndop");
    surgery.change(put(&opt_out)).expect("accepted");
    let again = opt_out.replacen(r#""id":"ndop""#, r#""id":"again""#, 1).replacen(by_key, by_number, 1);
    assert!(again.contains(by_number));
    let again = again.replacen("9000000009", "9000000025", 1);
    assert_eq!(surgery.refused(put(&again)), coded(BusinessRule, "DUPLICATE_REJECTED"));
}

#[test]
fn an_active_proxy_consent_says_who_granted_it() {
    let surgery = Surgery::new();
    let husband = seeded("share-husband");
    let organization = r#""organization":[{"reference":"Organization/gp1"}],"#;
    let bare = husband.replacen(organization, "", 1);
    assert_ne!(bare, husband);
    let grantor = |reference: &str| {
        let url = "https://hl7.org/fhir/5.0/StructureDefinition/extension-Consent.grantor";
        format!(r#""extension":[{{"url":"{url}","valueReference":{reference}}}],"#)
    };
    let code = r#"{"identifier":{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"A81001"}}"#;
    let person = r#"{"reference":"Practitioner/dr1"}"#;
    let with = |text: &str| husband.replacen(organization, text, 1);
    for (name, consent, refusal) in [
        ("nobody", bare.clone(), coded(Required, "INVALID_RESOURCE")),
        ("a person", with(&grantor(person)), coded(Required, "INVALID_RESOURCE")),
        ("a proposal needs none", bare.replacen(r#""status":"active""#, r#""status":"proposed""#, 1), None),
        ("by its code", with(&grantor(code)), coded(BusinessRule, "INVALID_RESOURCE")),
    ] {
        assert_eq!(surgery.refused(put(&consent)), refusal, "{name}");
    }
    // What was proposed becomes active with a reason, and then with its grantor.
    let active = moved("active", "ROLE_ACTIVATED");
    assert_eq!(surgery.refused(patch("share-husband", &active)), coded(Required, "INVALID_RESOURCE"));
    let add = format!(
        r#"{{"op":"add","path":"/extension/-","value":{{"url":"http://hl7.org/fhir/5.0/StructureDefinition/extension-Consent.grantor","valueReference":{code}}}}}]"#
    );
    let with_grantor = active.trim_end().strip_suffix(']').expect("an array").to_owned() + "," + &add;
    assert_eq!(surgery.refused(patch("share-husband", &with_grantor)), None);
    // The reason for a status stands behind the ones before.
    let appended = r#"[{"op":"replace","path":"/status","value":"inactive"},{"op":"add","path":"/extension/-","value":{
        "url":"https://fhir.nhs.uk/England/StructureDefinition/Extension-England-Consent-Status-Reason",
        "valueCodeableConcept":{"coding":[{"code":"ROLE_DEACTIVATED_PATIENT_REQUEST"}]}}}]"#;
    assert_eq!(surgery.refused(patch("share-husband", appended)), None);
}

#[test]
fn a_patch_of_a_proxy_consent_changes_each_path_once() {
    let surgery = Surgery::new();
    surgery.change(put(&seeded("share-husband"))).expect("accepted");
    surgery.change(put(&seeded("share-app"))).expect("accepted");
    let end = |time: &str| format!(r#"{{"op":"add","path":"/provision/period/end","value":"{time}"}}"#);
    let twice = format!("[{},{}]", end("2027-12-31"), end("2028-12-31"));
    assert_eq!(surgery.refused(patch("share-husband", &twice)), coded(Duplicate, "DUPLICATE_PATCHES"));
    assert_eq!(surgery.refused(patch("share-husband", &format!("[{}]", end("2028-12-31")))), None);
    let tested = format!(r#"[{{"op":"test","path":"/status","value":"active"}},{}]"#, end("2027-12-31"));
    assert_eq!(surgery.refused(patch("share-husband", &tested)), None);
    assert_eq!(surgery.refused(patch("share-app", &twice)), None, "it is no proxy's");
}

#[test]
fn a_patient_opts_out_once() {
    let surgery = Surgery::new();
    let opt_out = seeded("ndop");
    let other = opt_out.replacen(r#""id":"ndop""#, r#""id":"other""#, 1);
    let second = || coded(BusinessRule, "DUPLICATE_REJECTED");
    let rejected = || coded(BusinessRule, "INVALID_RESOURCE");
    let performer = r#""performer":[{"reference":"Patient/p1"}]"#;
    let both = performer.replacen("]", r#",{"reference":"RelatedPerson/rp1"}]"#, 1);
    surgery.change(put(&opt_out)).expect("accepted");
    for (name, written, refusal) in [
        ("the same", other.clone(), second()),
        ("of one purpose", other.replacen("HSYSADMIN", "HRESCH", 1), second()),
        ("inactive", other.replacen(r#""active""#, r#""inactive""#, 1), second()),
        ("another policy", other.replacen("services/national-data-opt-out", "type-1", 1), None),
        (
            "another patient",
            other.replacen(r#""patient":{"reference":"Patient/p1"}"#, r#""patient":{"reference":"Patient/p2"}"#, 1),
            None,
        ),
        ("withdrawn", opt_out.replacen(r#""active""#, r#""inactive""#, 1), None),
        ("the same after that", other.clone(), second()),
        ("two who decide", opt_out.replacen(performer, &both, 1), rejected()),
        (
            "somebody else decides",
            opt_out.replacen(performer, r#""performer":[{"reference":"RelatedPerson/rp1"}]"#, 1),
            None,
        ),
        (
            "without a time",
            opt_out.replacen("2027-02-01T10:00:00+00:00", "2027-02-01", 1),
            coded(Value, "INVALID_RESOURCE"),
        ),
        (
            "without a date",
            opt_out.replacen(r#""dateTime":"2027-02-01T10:00:00+00:00","#, "", 1),
            coded(Value, "INVALID_RESOURCE"),
        ),
        ("no opt-out", opt_out.replacen(r#""type":"deny""#, r#""type":"permit""#, 1), None),
        ("leaves its place", other.clone(), None),
    ] {
        assert_eq!(surgery.refused(put(&written)), refusal, "{name}");
    }
}

#[test]
fn consents_name_the_patient() {
    let surgery = Surgery::new();
    let without = |id: &str| seeded(id).replacen(r#""patient":{"reference":"Patient/p1"},"#, "", 1);
    for id in ["share-app", "organ", "ndop", "share-husband"] {
        assert_eq!(surgery.refused(put(&without(id))), coded(Required, "INVALID_RESOURCE"), "{id}");
    }
    let other = without("share-app").replace("patient-privacy", "x-other");
    assert_eq!(
        surgery.refused(put(&other.replace("http://terminology.hl7.org/CodeSystem/consentscope", "urn:own"))),
        None
    );
}

#[test]
fn an_import_refuses_nothing() {
    let surgery = Surgery::new();
    let import = |text: &str| surgery.repository.open(Access::full()).importing().transact(vec![put(text)]);
    let second = seeded("ndop").replacen(r#""id":"ndop""#, r#""id":"other""#, 1).replacen("T10:00:00+00:00", "", 1);
    import(&seeded("ndop")).expect("accepted");
    import(&second).expect("accepted");
    import(&seeded("share-husband")).expect("accepted");
    import(&seeded("share-husband").replacen("share-husband", "other-husband", 1)).expect("accepted");
    let third = seeded("ndop").replacen(r#""id":"ndop""#, r#""id":"third""#, 1);
    assert_eq!(surgery.refused(put(&third)), coded(BusinessRule, "DUPLICATE_REJECTED"), "the books are kept");
}

/// With more consents than are judged a record would be closed to everybody.
#[test]
fn a_patient_has_no_more_consents_than_are_judged() {
    let surgery = Surgery::new();
    let consent = |id: usize, patient: &str| {
        let consent = seeded("share-app").replacen(r#""id":"share-app""#, &format!(r#""id":"c{id}""#), 1);
        let of = consent.replacen(r#""patient":{"reference":"Patient/p1"}"#, &format!(r#""patient":{patient}"#), 1);
        assert_ne!(consent, of);
        of
    };
    let p1 = r#"{"type":"Patient","reference":"Patient/p1"}"#;
    let all = |count: usize| (0..count).map(|id| put(&consent(id, p1))).collect();
    let refused = surgery.repository.open(Access::full()).transact(all(POLICIES_MAX + 1)).expect_err("too many");
    assert_eq!(refused.outcome.issues[0].code, BusinessRule);
    assert_eq!(refused.outcome.issues[0].expression, ["Consent.patient"]);
    surgery.repository.open(Access::full()).transact(all(POLICIES_MAX)).expect("as many as may be");
    let one_more = || put(&consent(POLICIES_MAX, p1));
    for (name, change, refusal) in [
        ("one more", one_more(), coded(BusinessRule, "INVALID_RESOURCE")),
        ("one that is there", put(&consent(0, p1).replacen("2027", "2026", 1)), None),
        ("another patient's", put(&consent(500, r#"{"type":"Patient","reference":"Patient/p2"}"#)), None),
        ("one that decides nothing", put(&consent(501, p1).replacen(r#""active""#, r#""draft""#, 1)), None),
        ("one ends", patch("c7", r#"[{"op":"replace","path":"/status","value":"inactive"}]"#), None),
        ("and leaves its place", one_more(), None),
        ("to one", put(&consent(502, p1)), coded(BusinessRule, "INVALID_RESOURCE")),
    ] {
        assert_eq!(surgery.refused(change), refusal, "{name}");
    }
}
