//! Answers about what is hidden beside the same about what is not there: how long each takes, so that what the words do not tell the time
//! does not tell either.

use std::time::{Duration, Instant};

use super::site::{Asker, Site};
use crate::connection::{Connection, get, with_body};
use crate::scale::Random;

type Failure = Box<dyn std::error::Error>;

/// How many answers of each are left out at first, while the server warms up.
const WARM: usize = 200;

/// One way to ask, of a hidden resource and of one that there is not.
pub(super) struct Beside {
    pub(super) name: &'static str,
    pub(super) count: usize,
    /// Of the answers about the hidden one and about the other, in microseconds.
    pub(super) medians: [f64; 2],
    /// Between the quarters of the answers about the one that there is not, in microseconds.
    pub(super) spread: f64,
    /// How often an answer about the hidden one took longer than one about the other, of all pairs of them: one half when nothing tells
    /// them apart.
    pub(super) longer: f64,
}

/// Method and path, where `ID` stands for the id; with or without a body that is refused, so that nothing is written.
const ASKED: [(&str, &str, Body); 16] = [
    ("read", "GET /fhir/Observation/ID", Body::None),
    ("vread", "GET /fhir/Observation/ID/_history/1", Body::None),
    ("history", "GET /fhir/Observation/ID/_history", Body::None),
    ("search by _id", "GET /fhir/Observation?_id=ID", Body::None),
    ("search by identifier", "GET /fhir/Observation?identifier=urn:labeled%7CID", Body::None),
    ("search by reference", "GET /fhir/List?item=Observation/ID", Body::None),
    ("search by bare id", "GET /fhir/List?item=ID", Body::None),
    ("chain", "GET /fhir/List?item:Observation.identifier=urn:labeled%7CID", Body::None),
    ("_has", "GET /fhir/Patient?_has:Observation:subject:identifier=urn:labeled%7CID", Body::None),
    ("update", "PUT /fhir/Observation/ID", Body::Whole),
    ("patch", "PATCH /fhir/Observation/ID", Body::Patch),
    ("delete", "DELETE /fhir/Observation/ID", Body::None),
    ("conditional create", "POST /fhir/Observation", Body::Unless),
    ("conditional update", "PUT /fhir/Observation?identifier=urn:labeled%7CID", Body::Refused),
    ("conditional delete", "DELETE /fhir/Observation?identifier=urn:labeled%7CID", Body::None),
    ("reference to it", "POST /fhir/Observation", Body::Naming),
];

#[derive(Clone, Copy)]
enum Body {
    None,
    Whole,
    Patch,
    /// Lacks what it must have.
    Refused,
    /// The same, with `If-None-Exist`.
    Unless,
    /// Names it.
    Naming,
}

/// Asks by staff on one connection, of each as often, in an order that chance decides.
pub(super) fn measure(site: &mut Site, count: usize) -> Result<Vec<Beside>, Failure> {
    let hidden = site.labeled().ok_or("nothing is hidden from staff")?;
    let absent = hidden.replace("labeled", "missing");
    ASKED.iter().map(|(name, line, body)| compare(site, name, line, *body, [&hidden, &absent], count)).collect()
}

fn compare(
    site: &mut Site,
    name: &'static str,
    line: &str,
    body: Body,
    ids: [&str; 2],
    count: usize,
) -> Result<Beside, Failure> {
    let mut random = Random::new(name.len() as u64);
    let mut connection = Connection::open(site.process.address)?;
    let mut took: [Vec<Duration>; 2] = Default::default();
    let mut answers: [Option<(u16, String)>; 2] = Default::default();
    let mut requests: [Vec<u8>; 2] = Default::default();
    for at in 0..WARM + count {
        if at % WARM == 0 {
            // Tokens count for a while.
            requests = [
                site.request(Asker::Staff, &request(line, body, ids[0]))?,
                site.request(Asker::Staff, &request(line, body, ids[1]))?,
            ];
        }
        let first = random.below(2) as usize;
        for which in [first, 1 - first] {
            let begun = Instant::now();
            let (status, text) = connection.send(&requests[which])?;
            let elapsed = begun.elapsed();
            if at < WARM {
                let text = String::from_utf8_lossy(text).replace(ids[which], "ID");
                answers[which] = Some((status, text));
            } else {
                took[which].push(elapsed);
            }
        }
    }
    if answers[0] != answers[1] {
        return Err(format!("{name} tells what is hidden: {answers:?}").into());
    }
    took.iter_mut().for_each(|took| took.sort_unstable());
    let part = |took: &[Duration], percent: usize| took[took.len() * percent / 100].as_secs_f64() * 1e6;
    Ok(Beside {
        name,
        count,
        medians: [part(&took[0], 50), part(&took[1], 50)],
        spread: part(&took[1], 75) - part(&took[1], 25),
        longer: longer(&took[0], &took[1]),
    })
}

/// The share of pairs in which the first is longer, equal ones counting half; both sorted.
fn longer(hidden: &[Duration], absent: &[Duration]) -> f64 {
    let below = |than: &Duration| {
        let less = absent.partition_point(|other| other < than);
        let not_more = absent.partition_point(|other| other <= than);
        (less + not_more) as f64 / 2.0
    };
    hidden.iter().map(below).sum::<f64>() / (hidden.len() * absent.len()).max(1) as f64
}

fn request(line: &str, body: Body, id: &str) -> Vec<u8> {
    let line = line.replace("ID", id);
    let observation =
        |status: &str, more: &str| format!(r#"{{"resourceType":"Observation","code":{{"text":"x"}}{status}{more}}}"#);
    let status = r#","status":"final""#;
    let json = "application/fhir+json";
    match body {
        Body::None => match line.strip_prefix("GET ") {
            Some(path) => get(path),
            None => with_body(&line, "", "", ""),
        },
        Body::Whole => with_body(&line, json, "", &observation(status, &format!(r#","id":"{id}""#))),
        Body::Patch => {
            with_body(&line, "application/json-patch+json", "", r#"[{"op":"add","path":"/language","value":"en"}]"#)
        }
        Body::Refused => with_body(&line, json, "", &observation("", "")),
        Body::Unless => {
            with_body(&line, json, &format!("If-None-Exist: identifier=urn:labeled%7C{id}\r\n"), &observation("", ""))
        }
        Body::Naming => {
            let focus = format!(r#","focus":[{{"reference":"Observation/{id}"}}]"#);
            with_body(&line, json, "", &observation(status, &focus))
        }
    }
}
