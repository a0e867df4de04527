use flint_tests::{Flint, Guarded, Holder};
use serde_json::{Value, json};

use super::message::{REFERRAL, entry, header, referral, total};

/// The message with one thing changed.
fn changed(change: impl FnOnce(&mut Value)) -> Value {
    let mut message = referral("message-1", "new", "active");
    change(&mut message);
    message
}

/// Sets what stands at a place of the header.
fn in_header(pointer: &str, value: Value) -> Value {
    changed(|message| *message.pointer_mut(&format!("/entry/0/resource{pointer}")).expect("a place") = value)
}

fn without(pointer: &str, name: &str) -> Value {
    changed(|message| {
        message.pointer_mut(pointer).and_then(Value::as_object_mut).and_then(|it| it.remove(name)).expect("a member");
    })
}

#[test]
fn refuses_what_is_no_message_for_here() {
    let flint = Flint::surgery();
    let before = total(&flint, "_history");
    let cases = [
        (changed(|it| it["type"] = json!("transaction")), 400, "REC_BAD_REQUEST", "*`transaction`*"),
        (changed(|it| it["entry"] = json!([])), 400, "REC_BAD_REQUEST", "*begins with its MessageHeader*"),
        (
            changed(|it| {
                it["entry"].as_array_mut().expect("entries").rotate_left(1);
            }),
            400,
            "REC_BAD_REQUEST",
            "*not with `ServiceRequest`",
        ),
        (without("", "id"), 400, "REC_BAD_REQUEST", "*id of the Bundle*"),
        (
            in_header("/eventCoding/code", json!("servicerequest-query")),
            400,
            "REC_BAD_REQUEST",
            "*`servicerequest-query`*",
        ),
        (in_header("/eventCoding/system", json!("urn:x")), 400, "REC_BAD_REQUEST", "the event*"),
        (
            in_header("/eventCoding/code", json!("servicerequest-response")),
            400,
            "REC_BAD_REQUEST",
            "*takes no responses*",
        ),
        (in_header("/reason/coding/0/code", json!("replace")), 400, "REC_BAD_REQUEST", "*`replace`*"),
        (without("/entry/0/resource", "reason"), 400, "REC_BAD_REQUEST", "the reason*"),
        (in_header("/destination", json!([])), 400, "REC_BAD_REQUEST", "*destination*"),
        (in_header("/focus", json!([])), 400, "REC_BAD_REQUEST", "*focus*"),
        (
            in_header("/focus/0/reference", json!("urn:uuid:9589fb37-87a2-48d8-968f-b371429208a8")),
            400,
            "REC_BAD_REQUEST",
            "the focus*",
        ),
        (
            in_header("/destination/0/endpoint", json!("https://fhir.nhs.uk/Id/dos-service-id|1")),
            422,
            "REC_UNPROCESSABLE_ENTITY",
            "*|1`*",
        ),
        (
            in_header("/destination/0/endpoint", json!("https://other.example/fhir")),
            422,
            "REC_UNPROCESSABLE_ENTITY",
            "*no service*",
        ),
        (
            changed(|it| it["entry"][2]["resource"]["identifier"][0]["value"] = json!("9000000008")),
            400,
            "INVALID_NHS_NUMBER",
            "*`9000000008`*",
        ),
        (referral("message-1", "new", "draft"), 422, "REC_UNPROCESSABLE_ENTITY", "*`draft`"),
        (referral("message-1", "new", "revoked"), 422, "REC_UNPROCESSABLE_ENTITY", "*`revoked`"),
        (referral("message-1", "delete", "active"), 422, "REC_UNPROCESSABLE_ENTITY", "*`active`"),
        (referral("message-1", "update", "active"), 404, "REC_NOT_FOUND", "*r-1*"),
        (referral("message-1", "delete", "revoked"), 404, "REC_NOT_FOUND", "*r-1*"),
    ];
    for (message, status, code, text) in cases {
        let reply = flint.send("POST /$process-message", message).expect(status);
        reply.facts(&[("/issue/0/details/coding/0/code", code), ("/issue/0/details/text", text)]);
    }
    flint.send("POST /$process-message", json!({ "resourceType": "Patient" })).expect(400);
    // What R4 refuses of any resource, named where it stands.
    let reply =
        flint.send("POST /$process-message", changed(|it| it["entry"][3]["resource"]["status"] = json!("here")));
    reply.expect(422).facts(&[("/issue/0/expression/0", "Bundle.entry[3].resource.status")]);
    let dangling = changed(|it| it["entry"][5]["resource"]["encounter"]["reference"] = json!("Encounter/none"));
    let reply = flint.send("POST /$process-message", dangling).expect(422);
    reply.facts(&[
        ("/issue/0/details/coding/0/code", "REFERENCE_NOT_FOUND"),
        ("/issue/0/expression/0", "Bundle.entry[5].resource.encounter.reference"),
    ]);
    flint.get("/$process-message").expect(405);
    let asked = |name: &str, value: Value| {
        let mut parameter = json!({ "name": name });
        let (key, value) = value.as_object().and_then(|it| it.iter().next()).expect("a value");
        parameter[key] = value.clone();
        json!({ "resourceType": "Parameters", "parameter": [
            { "name": "content", "resource": referral("message-1", "new", "active") }, parameter] })
    };
    for sent in [
        asked("async", json!({ "valueBoolean": true })),
        asked("response-url", json!({ "valueUrl": "https://x.example" })),
    ] {
        flint.send("POST /$process-message", sent).expect(400).facts(&[("/issue/0/code", "not-supported")]);
    }
    assert_eq!(total(&flint, "_history"), before, "nothing is written of what is refused");
    flint.send("POST /$process-message", asked("async", json!({ "valueBoolean": false }))).expect(200);
}

#[test]
fn changes_and_takes_back_a_referral() {
    let flint = Flint::surgery();
    let send = |message: Value| flint.send("POST /$process-message", message);
    let taken = send(referral("m1", "new", "active")).expect(200);
    let id = taken.pointer("/entry/1/resource/id");
    let line = format!("/ServiceRequest/{id}");
    // By the identifier of its sender.
    let mut later = referral("m2", "update", "active");
    later["entry"][1]["resource"]["occurrencePeriod"]["end"] = json!("2027-03-01T12:00:00Z");
    later["entry"][3]["resource"]["status"] = json!("finished");
    send(later).expect(200).facts(&[("/entry/1/resource/id", &id)]);
    flint.get(&line).facts(&[("/occurrencePeriod/end", "2027-03-01T12:00:00Z"), ("etag", "W/\"2\"")]);
    assert_eq!((total(&flint, "ServiceRequest"), total(&flint, "Encounter")), ("1".to_owned(), "1".to_owned()));
    flint
        .get("/Encounter?identifier=https://111.example/case%7Cc-1")
        .facts(&[("/entry/0/resource/status", "finished")]);
    // By the id that it has here; what rests on an older version is refused.
    let mut stale = referral("m3", "update", "active");
    stale["entry"][1]["resource"]["id"] = json!(id);
    stale["entry"][1]["resource"]["meta"] = json!({ "versionId": "1" });
    send(stale.clone()).expect(409).facts(&[
        ("/issue/0/code", "conflict"),
        ("/issue/0/details/coding/0/code", "REC_CONFLICT"),
        ("/issue/0/expression/0", "Bundle.entry[1].resource.meta.versionId"),
    ]);
    stale["entry"][1]["resource"]["meta"]["versionId"] = json!("2");
    send(stale.clone()).expect(200);
    stale["entry"][1]["resource"]["id"] = json!("none");
    stale["id"] = json!("m4");
    send(stale).expect(404);
    // Of the same patient it stays.
    let mut other = referral("m5", "update", "active");
    other["entry"][2]["resource"]["identifier"][0]["value"] = json!("9000000017");
    send(other).expect(422).facts(&[
        ("/issue/0/details/text", "*`Patient/p1`"),
        ("/issue/0/expression/0", "Bundle.entry[1].resource.subject"),
    ]);
    let task = format!("/Task?focus=ServiceRequest/{id}");
    flint.get(&task).facts(&[("/total", "1"), ("/entry/0/resource/status", "requested")]);
    send(referral("m6", "update", "revoked")).expect(200).facts(&[("/entry/1/resource/status", "revoked")]);
    flint.get(&task).facts(&[("/total", "1"), ("/entry/0/resource/status", "cancelled")]);
    // What is over is not changed, by messages or otherwise.
    for (id, reason, status) in [("m7", "update", "active"), ("m8", "delete", "revoked")] {
        send(referral(id, reason, status)).expect(409).facts(&[("/issue/0/details/text", "*`revoked`*")]);
    }
    let mut again = flint.get(&line).json();
    again["status"] = json!("active");
    flint
        .send(&format!("PUT {line}"), again)
        .expect(422)
        .facts(&[("/issue/0/details/coding/0/code", "INVALID_STATE_TRANSITION")]);
}

/// Messages come from systems and staff, and do no more than these may.
#[test]
fn takes_messages_only_from_who_may_write() {
    let guarded = Guarded::surgery();
    let send = |holder: &Holder<'_>, message: Value| guarded.hold(holder).send("POST /$process-message", message);
    let patient = Holder { scope: "patient/*.cruds", user: "Patient/p1", patient: "p1", ..Holder::default() };
    send(&patient, referral("m1", "new", "active"))
        .expect(403)
        .facts(&[("/issue/0/details/coding/0/code", "REC_FORBIDDEN")]);
    let reader = Holder { scope: "system/*.rs", purposes: &["TREAT"], ..Holder::default() };
    send(&reader, referral("m1", "new", "active")).expect(403);
    let sender = Holder { scope: "system/*.cruds", purposes: &["TREAT"], ..Holder::default() };
    send(&sender, referral("m1", "new", "active")).expect(200);
    // The ids of one client's messages are not another's.
    let other = Holder { organization: "Organization/gp1", ..sender };
    let mut message = referral("m1", "new", "active");
    message["entry"][1]["resource"]["identifier"][0]["value"] = json!("r-2");
    send(&other, message).expect(200);
    let none = json!({ "resourceType": "Bundle", "id": "m2", "type": "message", "entry": [
        entry("urn:uuid:1", header("servicerequest-request", "new", REFERRAL))] });
    send(&other, none).expect(400);
}
