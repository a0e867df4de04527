//! What a token, its scopes and consents add to a read, without HTTP and without the audit: measured inside this process.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use repository::{Access, Key};
use server::{Auth, Config, State};
use smart::exchange::Request;

use super::tokens::Askers;
use crate::process::own_cpu;

type Failure = Box<dyn std::error::Error>;

/// How many reads are made without a look at the clock.
const READS: usize = 20_000;

/// How often they take turns.
const ROUNDS: usize = 7;

/// The address that tokens for this process are made for; nothing listens there.
const ORIGIN: &str = "http://127.0.0.1:1";

/// CPU time of a read by each, in microseconds.
pub(super) struct Alone {
    /// By whom, of the token's check alone, and of it with the read.
    pub(super) askers: Vec<(&'static str, f64, f64)>,
    /// By whoever may do everything.
    pub(super) plain: f64,
}

/// Measures reads of these, which everybody may see, in a store that no server has open.
pub(super) fn measure(data: &Path, patient: &str, keys: &[Key]) -> Result<Alone, Failure> {
    let config = Config { data: data.to_owned(), auth: Auth::On, ..Config::default() };
    let state = State::open(config, format!("{ORIGIN}/fhir"))?;
    let askers = Askers::register(&state, patient)?;
    let redeem = &mut |form: &[(&str, &str)]| redeem(&state, form);
    let tokens = [
        ("custodian", askers.custodian(ORIGIN, redeem)?),
        ("patient's app", askers.app(redeem)?),
        ("staff", askers.staff(redeem)?),
    ];
    let mut alone = Alone { plain: f64::INFINITY, askers: Vec::new() };
    alone.askers.extend(tokens.iter().map(|(name, _)| (*name, f64::INFINITY, f64::INFINITY)));
    // The least disturbed round: what others do on the machine only adds.
    for _ in 0..ROUNDS {
        alone.plain = alone.plain.min(timed(keys, |key| read(&state, Access::full(), key))?);
        for ((_, token), (_, check, with_read)) in tokens.iter().zip(&mut alone.askers) {
            let authorization = format!("Bearer {token}");
            let access = || state.authority().access(state.repository(), Some(&authorization));
            *check = check.min(timed(keys, |_| Ok(access().map(drop)?))?);
            *with_read = with_read.min(timed(keys, |key| read(&state, access()?, key))?);
        }
    }
    Ok(alone)
}

fn read(state: &State, access: Access, key: &Key) -> Result<(), Failure> {
    let version = state.repository().open(access).read(key)?;
    match version.body {
        Some(_) => Ok(()),
        None => Err(format!("`{key}` has no content").into()),
    }
}

/// CPU time of one call, in microseconds.
fn timed(keys: &[Key], call: impl Fn(&Key) -> Result<(), Failure>) -> Result<f64, Failure> {
    let before: Duration = own_cpu();
    for key in keys.iter().cycle().take(READS) {
        call(key)?;
    }
    Ok((own_cpu() - before).as_secs_f64() * 1e6 / READS as f64)
}

fn redeem(state: &State, form: &[(&str, &str)]) -> Result<serde_json::Value, Failure> {
    let form = form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let request = Request {
        method: "POST",
        path: "/auth/token",
        query: Vec::new(),
        form: form.collect(),
        json: None,
        authorization: None,
        cookie: None,
        origin: None,
        accept_language: None,
        peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
    };
    let reply = state.authority().handle(state.repository(), &request).ok_or("authentication is off")?;
    Ok(serde_json::from_slice(&reply.body)?)
}
