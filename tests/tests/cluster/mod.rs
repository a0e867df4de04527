//! Servers over one MongoDB replica set, each of them the program as it ships in a process of its own: what they agree on, what they learn of
//! each other, and what is left when one of them or a database's server is killed.

mod deaths;
mod failover;
mod load;
mod news;
mod node;
mod races;
mod rights;
mod system;
mod takeover;

use std::time::Duration;

use fhir::Instant;
use flint_tests::Client;
use serde_json::{Value, json};
use store::testing::ReplicaSet;

use self::node::Node;
use crate::crash::times;

/// The pause between two questions whether something is so: others need the processor.
const PAUSE: Duration = Duration::from_millis(10);

/// Everybody on this machine may do everything.
const AUTH_OFF: &[&str] = &["--auth", "off"];

/// Servers over one database.
struct Cluster {
    nodes: Vec<Node>,
    database: ReplicaSet,
    url: String,
}

impl Cluster {
    /// So many servers over a replica set of so many members; `None` where there is no program for those.
    fn start(nodes: usize, members: usize) -> Option<Cluster> {
        Cluster::start_with(nodes, members, "", AUTH_OFF)
    }

    /// The same with something behind the URL of the database, and with these arguments.
    fn start_with(nodes: usize, members: usize, options: &str, arguments: &[&str]) -> Option<Cluster> {
        let database = ReplicaSet::start(members)?;
        let url = format!("{}{options}", database.database("flint"));
        let nodes = (0..nodes).map(|_| Node::start(&url, arguments)).collect();
        Some(Cluster { nodes, database, url })
    }

    /// Speaks to one of the servers.
    fn client(&self, at: usize) -> &Client {
        self.nodes[at].client()
    }

    fn clients(&self) -> Vec<&Client> {
        self.nodes.iter().map(Node::client).collect()
    }
}

/// An appointment that holds one of the slots for a patient until a moment.
fn held(patient: &str, slot: u64, until: Instant) -> Value {
    let [start, end] = times(slot);
    json!({"resourceType": "Appointment", "status": "pending", "start": start, "end": end,
        "extension": [{"url": "https://flint.example/fhir/StructureDefinition/held-until", "valueInstant": until.to_string()}],
        "slot": [{"reference": format!("Slot/slot-{slot}")}],
        "participant": [{"actor": {"reference": patient}, "status": "accepted"}]})
}

/// Asks until it is so. Fails the test when that takes longer than `limit`.
#[track_caller]
fn within(limit: Duration, mut is_so: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    loop {
        // What was asked before the limit counts, however late the answer comes.
        let asked = begun.elapsed();
        if is_so() {
            return;
        }
        assert!(asked < limit, "it is not so after {:?}", begun.elapsed());
        std::thread::sleep(PAUSE);
    }
}
