//! Searches by staff, from whom consents hide records, beside the same by the record keeper, from whom nothing is hidden.

use std::time::{Duration, Instant};

use super::ROUNDS;
use super::reads::{Spent, middle};
use super::site::{Asker, Site};
use crate::connection::Connection;
use crate::scale::{Facts, Observation, Patient, Random};
use crate::workload::search::answer::Answer;
use crate::workload::search::queries::{DAY, HEIGHT, LOINC, Search, begins, date, is_code, is_related, month};

type Failure = Box<dyn std::error::Error>;

/// In how many variants each search is made.
const VARIANTS: usize = 16;

/// One search at several numbers of consents.
pub(super) struct Searched {
    pub(super) name: &'static str,
    pub(super) at: Vec<Costs>,
}

/// CPU time of the server for each search, in microseconds: the medians of all rounds.
pub(super) struct Costs {
    pub(super) custodian: f64,
    pub(super) staff: f64,
    /// The one beside the other, round by round.
    pub(super) ratio: f64,
}

/// Parameters, and which observations fit them.
type Made<'f> = (Vec<(&'static str, String)>, Box<dyn Fn(&Observation) -> bool + 'f>);

struct Query {
    name: &'static str,
    make: for<'f> fn(&'f Facts, &mut Random) -> Made<'f>,
}

const QUERIES: &[Query] = &[
    Query { name: "code", make: |facts, random| by_code(facts, random, &[]) },
    Query {
        name: "code + patient",
        make: |facts, random| {
            let (patient, code) = place(facts, random);
            let parameters = vec![("code", token(facts, code)), ("patient", facts.patients[patient].id())];
            (parameters, Box::new(move |other| other.patient == patient && other.code == code))
        },
    },
    Query {
        name: "date range",
        make: |_, random| {
            let low = month(random);
            let high = low + 30 * DAY;
            let parameters = vec![("date", format!("ge{}", date(low))), ("date", format!("lt{}", date(high)))];
            let fits = move |other: &Observation| {
                let value = (other.effective, other.effective + 1_000);
                is_related("ge", value, (low, low + DAY)) && is_related("lt", value, (high, high + DAY))
            };
            (parameters, Box::new(fits))
        },
    },
    Query {
        name: "chain by name + code",
        make: |facts, random| {
            let (patient, code) = place(facts, random);
            let name = facts.patients[patient].family();
            let is_named = |patient: &Patient| patient.names().any(|part| begins(part, name));
            let fits = move |other: &Observation| other.code == code && is_named(&facts.patients[other.patient]);
            (vec![("subject:Patient.name", name.to_owned()), ("code", token(facts, code))], Box::new(fits))
        },
    },
    Query {
        name: "code, with patients",
        make: |facts, random| by_code(facts, random, &[("_include", "Observation:subject")]),
    },
    Query { name: "code, newest first", make: |facts, random| by_code(facts, random, &[("_sort", "-date")]) },
    Query {
        name: "code, all counted",
        make: |facts, _| {
            let parameters = vec![("code", format!("{LOINC}|{HEIGHT}")), ("_total", "accurate".to_owned())];
            (parameters, Box::new(|other| is_code(facts, other, HEIGHT)))
        },
    },
];

fn by_code<'f>(facts: &'f Facts, random: &mut Random, more: &[(&'static str, &str)]) -> Made<'f> {
    let (_, code) = place(facts, random);
    let more = more.iter().map(|(name, value)| (*name, (*value).to_owned()));
    let parameters = std::iter::once(("code", token(facts, code))).chain(more);
    (parameters.collect(), Box::new(move |other| other.code == code))
}

/// The patient and the code of some observation.
fn place(facts: &Facts, random: &mut Random) -> (usize, usize) {
    let observation = random.pick(&facts.observations);
    (observation.patient, observation.code)
}

fn token(facts: &Facts, code: usize) -> String {
    format!("{LOINC}|{}", facts.codes[code])
}

/// Measures the searches with `only` in their names.
pub(super) fn measure(sites: &mut [Site], facts: &Facts, time: Duration, only: &str) -> Result<Vec<Searched>, Failure> {
    let each = |query: &Query| {
        let at = sites.iter_mut().map(|site| compare(site, query, facts, time / ROUNDS / 2));
        Ok(Searched { name: query.name, at: at.collect::<Result<_, Failure>>()? })
    };
    QUERIES.iter().filter(|query| query.name.contains(only)).map(each).collect()
}

/// Measures one search by both, turn and turn about.
fn compare(site: &mut Site, query: &Query, facts: &Facts, time: Duration) -> Result<Costs, Failure> {
    let (mut custodian, mut staff) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for (asker, costs) in [(Asker::Custodian, &mut custodian), (Asker::Staff, &mut staff)] {
            let requests = prepare(site, asker, query, facts)?;
            costs.push(repeat(site, &requests, time)?);
        }
    }
    let ratio = middle(custodian.iter().zip(&staff).map(|(custodian, staff)| staff / custodian));
    Ok(Costs { custodian: middle(custodian.into_iter()), staff: middle(staff.into_iter()), ratio })
}

/// Makes the variants of a search and checks the answer to each.
fn prepare(site: &mut Site, asker: Asker, query: &Query, facts: &Facts) -> Result<Vec<Vec<u8>>, Failure> {
    let mut random = Random::new(query.name.len() as u64);
    let mut connection = Connection::open(site.process.address)?;
    let mut requests = Vec::new();
    for _ in 0..VARIANTS {
        let (mut parameters, fits) = (query.make)(facts, &mut random);
        parameters.push(("_count", "50".to_owned()));
        let is_seen = |other: &&Observation| fits(other) && (asker != Asker::Staff || !site.hides(other.patient));
        let total = facts.observations.iter().filter(is_seen).count();
        let search = Search { resource_type: "Observation", parameters, total: Some(total as u64) };
        let request = site.request(asker, &search.request())?;
        let (status, body) = connection.send(&request)?;
        Answer::read(&search, status, body)?;
        requests.push(request);
    }
    Ok(requests)
}

/// Sends the requests in turn, on one connection: CPU time for each, in microseconds, without that of the audit's threads.
fn repeat(site: &Site, requests: &[Vec<u8>], time: Duration) -> Result<f64, Failure> {
    let process = &site.process;
    let mut connection = Connection::open(process.address)?;
    let mut count = 0;
    let before = Spent::by(process).own;
    let begun = Instant::now();
    for request in requests.iter().cycle() {
        if begun.elapsed() >= time && count >= requests.len() {
            break;
        }
        let (status, body) = connection.send(request)?;
        if status != 200 {
            return Err(format!("{status}: {}", String::from_utf8_lossy(body)).into());
        }
        count += 1;
    }
    let cpu = Spent::by(process).own.saturating_sub(before);
    Ok(cpu.as_secs_f64() * 1e6 / count as f64)
}
