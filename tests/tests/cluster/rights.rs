//! Servers whose user of the database may read and write there, and nothing else.

use std::time::Duration;

use serde_json::json;
use store::testing::{PASSWORD, ReplicaSet};

use super::node::Node;
use super::{AUTH_OFF, within};
use crate::crash::{PATIENT, fill};

/// Within this time a server that has its database again serves as before.
const BACK: Duration = Duration::from_secs(45);

#[test]
fn nothing_else_is_needed_and_nobody_is_told_the_password() {
    let Some((database, url)) = ReplicaSet::guarded() else { return };
    let url = format!("{url}&serverSelectionTimeoutMS=1000");
    let nodes = [Node::start(&url, AUTH_OFF), Node::start(&url, AUTH_OFF)];
    fill(nodes[0].client());
    let client = nodes[1].client();
    let patient = json!({"resourceType": "Patient", "id": "ann", "gender": "female"});
    client.call("PUT /Patient/ann").json(&patient).send().expect(201);
    nodes[0].restart();
    nodes[0].client().get("/Patient?gender=female&_id=ann").expect(200).facts(&[("/total", "1")]);
    database.member(0).kill();
    let origin = client.base_url().trim_end_matches("/fhir");
    let mut told: Vec<_> = [
        client.get(&format!("/{PATIENT}")),
        client.get("/Patient?gender=female"),
        client.call("PUT /Patient/ann").json(&patient).send(),
        client.get(&format!("{origin}/health")),
    ]
    .map(|reply| reply.expect(503).text)
    .into();
    told.push(client.get(&format!("{origin}/metrics")).expect(200).text);
    database.member(0).restart();
    within(BACK, || client.get(&format!("/{PATIENT}")).status == 200);
    told.extend(nodes.each_ref().map(Node::log));
    for text in told {
        assert!(!text.is_empty() && !text.contains(PASSWORD) && !text.contains("se%24cret"), "{text}");
    }
}
