//! The leak hunt: random records, random consents, random askers.
//!
//! For each asker there is a twin: a server without tokens that holds only what a slow oracle lets the asker see, written at the same times.
//! Whatever is asked, by whatever path, the asker must get from the whole what anybody gets from the twin: the same resources in the same
//! order, the same totals, the same pages, the same words about what is hidden as about what is not there.

/// Who asks.
mod askers;
/// Random Consents.
mod consents;
/// One resource.
mod datum;
/// Random choices that repeat.
mod dice;
/// Who may see what.
mod oracle;
/// What is asked.
mod paths;
/// What is tried on what is hidden.
mod probes;
/// Random resources about patients.
mod records;
/// What consents say.
mod says;
/// Random records.
mod world;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::time::Duration;

use flint_tests::{Bearer, Call, Flint, Guarded, Reply};
use serde_json::{Value, json};
use server::{Config, References};

use askers::{askers, nobody};
use dice::Dice;
use oracle::{Asker, Implicit, Oracle};
use world::{Round, World};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Pages of one answer that are followed.
const PAGES_MAX: usize = 400;

/// The label of what is masked, which nothing has in the twin.
const LABEL: &str = r#"{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"REDACTED"}"#;

/// The entry that says to who is not the patient that something may be left out.
const NOTE: &str = r#"{"resource":{"resourceType":"OperationOutcome","issue":[{"severity":"information","code":"suppressed","details":{"text":"what patients do not share with the caller is left out"},"diagnostics":"what patients do not share with the caller is left out"}]},"search":{"mode":"outcome"}}"#;

/// Hidden resources of one asker on which all is tried.
const PROBED: usize = 12;

/// Askers of one seed, beside who shows no token.
const ASKERS: usize = 3;

/// More by hand: `FLINT_LEAK_SEEDS=0-50`.
fn seeds() -> Vec<u64> {
    let asked = std::env::var("FLINT_LEAK_SEEDS").unwrap_or_else(|_| "0-1".to_owned());
    let (first, last) = asked.split_once('-').unwrap_or((&asked, &asked));
    (first.parse().expect("a number")..=last.parse().expect("a number")).collect()
}

#[test]
fn nothing_leaks() {
    let mut wrong = Vec::new();
    for seed in seeds() {
        wrong.extend(hunt(seed));
    }
    assert!(wrong.is_empty(), "{} answers differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// What differs, for one seed.
fn hunt(seed: u64) -> Vec<String> {
    let mut dice = Dice::new(seed);
    let world = World::new(&mut dice);
    let implicit = *dice.of(&[Implicit::All, Implicit::All, Implicit::Normal, Implicit::Nothing]);
    let whole = Flint::start_with(settings(implicit));
    load(&whole, world.rounds.iter().cloned());
    let whole = Guarded::restart(whole, |config| {
        settings(implicit)(config);
        config.references = References::Check;
    });
    whole.flint().tick(Duration::from_millis(1));
    whole.advance(DAY * 4);
    let oracle = Oracle::new(&world, implicit);
    let (mut wrong, mut hidden) = (Vec::new(), 0);
    let all = askers(&mut dice, &world);
    let nobody = nobody();
    let turns = (0..ASKERS).map(|at| &all[(seed as usize * ASKERS + at) % all.len()]);
    for asker in turns.chain([&nobody]) {
        let bearer = askers::hold(&whole, asker);
        let hunter = Hunter::new(&world, &oracle, asker, &whole, bearer);
        hidden += world.all().len() - hunter.seen.len();
        let found = hunter.hunt(&mut dice);
        wrong.extend(found.into_iter().map(|text| format!("seed {seed} {implicit:?} {asker:?}\n{text}\n")));
    }
    assert!(hidden > 0, "seed {seed} hides nothing");
    wrong
}

fn settings(implicit: Implicit) -> impl Fn(&mut Config) {
    move |config| {
        config.references = References::Accept;
        config.consent = match implicit {
            Implicit::All => server::Implicit::Permit,
            Implicit::Normal => server::Implicit::PermitNormal,
            Implicit::Nothing => server::Implicit::Deny,
        };
    }
}

/// Writes each round in a commit of its own, a day after the one before.
fn load(flint: &Flint, rounds: impl Iterator<Item = Round>) {
    flint.tick(Duration::ZERO);
    for round in rounds {
        let entry = |(key, content): (String, Option<Value>)| match content {
            Some(content) => json!({ "resource": content, "request": { "method": "PUT", "url": key } }),
            None => json!({ "request": { "method": "DELETE", "url": key } }),
        };
        let entries: Vec<_> = round.into_iter().map(entry).collect();
        if !entries.is_empty() {
            let bundle = json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries });
            flint.send("POST /", bundle).expect(200);
        }
        flint.advance(DAY);
    }
    flint.tick(Duration::from_millis(1));
}

/// One asker before the whole and before the twin.
struct Hunter<'a> {
    world: &'a World,
    asker: &'a Asker,
    whole: &'a Guarded,
    bearer: Bearer<'a>,
    twin: Flint,
    /// By key, whether each version is seen; no key of what is not there for the asker.
    seen: BTreeMap<&'a str, Vec<bool>>,
    /// Whether searches say that something may be left out.
    is_noted: OnceCell<bool>,
}

impl<'a> Hunter<'a> {
    fn new(
        world: &'a World,
        oracle: &Oracle<'_>,
        asker: &'a Asker,
        whole: &'a Guarded,
        bearer: Bearer<'a>,
    ) -> Hunter<'a> {
        let mut seen = BTreeMap::new();
        for (key, versions) in world.all() {
            let mut last = false;
            let mut each = Vec::new();
            for version in &versions {
                // A deletion is judged by what was deleted.
                if let Some(content) = version.content {
                    last = oracle.sees(asker, key, content, version.round);
                }
                each.push(last);
            }
            if last {
                seen.insert(key, each);
            }
        }
        let twin = Flint::start_with(settings(Implicit::All));
        let of_seen = |round: &'a Round| {
            let seen = round.iter().filter(|(key, _)| seen.contains_key(key.as_str()));
            let masked = |(key, content): &'a (String, Option<Value>)| {
                (key.clone(), content.as_ref().map(|content| oracle.masked(asker, key, content)))
            };
            seen.map(masked).collect()
        };
        load(&twin, world.rounds.iter().map(of_seen));
        twin.advance(DAY);
        Hunter { world, asker, whole, bearer, twin, seen, is_noted: OnceCell::new() }
    }

    fn hunt(&self, dice: &mut Dice) -> Vec<String> {
        let mut wrong = Vec::new();
        for url in paths::plain(self.world, self.asker, dice) {
            wrong.extend(self.compare(&url));
        }
        for url in paths::histories(self.world, self.asker, dice) {
            wrong.extend(self.compare_history(&url));
        }
        for url in paths::exports(self.asker) {
            wrong.extend(self.compare_export(&url));
        }
        for (key, versions) in self.world.all().iter().filter(|(key, _)| self.asker.may_ask(key)) {
            wrong.extend(self.compare(&format!("/{key}")));
            for version in 1..=versions.len() {
                wrong.extend(self.compare_version(key, version));
            }
        }
        wrong.extend(self.probe(dice));
        wrong
    }

    /// What is tried on what is hidden ends as it does on what is not there, and changes nothing.
    fn probe(&self, dice: &mut Dice) -> Vec<String> {
        let mut wrong = Vec::new();
        let keeper = self.whole.hold(&super::callers::keeper());
        let patient = self.seen.keys().find(|key| key.starts_with("Patient/")).copied().unwrap_or("Patient/none");
        let all = self.world.all();
        let is_hidden = |key: &&&str| !self.seen.contains_key(**key) && self.asker.may_ask(key);
        let hidden: Vec<_> = all.keys().filter(is_hidden).collect();
        for _ in 0..PROBED.min(hidden.len()) {
            let key = **dice.of(&hidden);
            let content = all[key].iter().rev().find_map(|version| version.content).expect("it was there");
            let before = keeper.get(&format!("/{key}")).text;
            let (name, id) = key.split_once('/').expect("a type and an id");
            let absent = format!("z{}", &id[1..]);
            for probe in probes::all(name, content, patient) {
                let one = self.told_by_whole(&probe.send(&self.bearer, id)).replace(id, "ID");
                let other = self.told_by_whole(&probe.send(&self.bearer, &absent)).replace(&absent, "ID");
                if one != other {
                    wrong.push(format!("{} of {key}\n  hidden: {one}\n  absent: {other}", probe.line));
                }
            }
            let after = keeper.get(&format!("/{key}")).text;
            if before != after {
                wrong.push(format!("{key} was {before}\n  is {after}"));
            }
        }
        wrong
    }

    /// Who shows no token is asked for one, but for reads and searches of types that are open.
    fn is_asked_to_sign_in(&self, url: &str) -> Option<Option<String>> {
        let path = url.split('?').next().unwrap_or_default().trim_start_matches('/');
        let (name, id) = path.split_once('/').unwrap_or((path, ""));
        let is_open = self.asker.may_ask(name) && !name.is_empty() && !id.contains(['/', '$', '_']);
        (self.asker.is_nobody && !is_open).then(|| {
            let reply = self.bearer.get(url);
            (reply.status != 401).then(|| format!("{url} was answered without a token: {}", reply.text))
        })
    }

    /// All pages of both, word for word.
    fn compare(&self, url: &str) -> Option<String> {
        if let Some(answered) = self.is_asked_to_sign_in(url) {
            return answered;
        }
        let (mut from_whole, mut from_twin) = (self.bearer.get(url), self.twin.get(url));
        for page in 0..PAGES_MAX {
            let (one, other) = (self.told_by_whole(&from_whole), told(&from_twin, self.twin.base_url()));
            // Where filters make counting costly there is none, for it would be a guess that goes by what is hidden as well.
            let (one, other) = match !one.contains("\"total\"") || one.contains("\"_total\"") {
                true => (without_total(&one), without_total(&other)),
                false => (one, other),
            };
            if one != other && self.is_in_another_order(url) {
                return None;
            }
            if one != other {
                return Some(format!("{url} page {page}\n  whole: {one}\n  twin:  {other}"));
            }
            match (from_whole.link("next"), from_twin.link("next")) {
                (Some(one), Some(other)) => (from_whole, from_twin) = (self.follow(&one), self.twin.get(&other)),
                _ => return None,
            }
        }
        Some(format!("{url} never ends"))
    }

    /// The files of both, their lines in any order.
    fn compare_export(&self, url: &str) -> Option<String> {
        if let Some(answered) = self.is_asked_to_sign_in(url) {
            return answered;
        }
        let whole = exported(&|line| self.bearer.call(line), url, self.whole.flint().base_url());
        let twin = exported(&|line| self.twin.call(line), url, self.twin.base_url());
        (whole != twin).then(|| format!("{url}\n  whole: {whole:?}\n  twin:  {twin:?}"))
    }

    /// Whether both find the same in another order: where none is asked for it is the store's choice, by what is cheaper to read.
    fn is_in_another_order(&self, url: &str) -> bool {
        let found = |first: Reply, base_url: &str, follow: &dyn Fn(&str) -> Reply| {
            let (mut found, mut next) = (BTreeMap::new(), Some(first));
            for _ in 0..PAGES_MAX {
                let Some(reply) = next else { return Some(found) };
                let page: Value = serde_json::from_str(&unlabeled(&reply.text).replace(base_url, "BASE")).ok()?;
                let entries = page["entry"].as_array().cloned().unwrap_or_default();
                let resources = entries.into_iter().filter(|entry| entry["search"]["mode"] != "outcome");
                found.extend(resources.map(|entry| (entry["fullUrl"].to_string(), entry["resource"].to_string())));
                next = reply.link("next").map(|url| follow(&url));
            }
            None
        };
        let is_search = url.contains('?') && !url.contains("_sort=") && !url.contains("_summary=");
        let whole = || found(self.bearer.get(url), self.whole.flint().base_url(), &|url| self.follow(url));
        let twin = || found(self.twin.get(url), self.twin.base_url(), &|url| self.twin.get(url));
        is_search && whole().is_some_and(|whole| Some(whole) == twin())
    }

    fn follow(&self, url: &str) -> Reply {
        self.bearer.call(&format!("GET {url}")).send()
    }

    /// Without the note that something may be left out: it must be there whatever is found.
    fn told_by_whole(&self, reply: &Reply) -> String {
        let text = told(reply, self.whole.flint().base_url());
        let is_noted = text.contains(r#""code":"suppressed""#);
        if text.contains("\"type\":\"searchset\"") && !text.contains("batch-response") {
            assert_eq!(is_noted, *self.is_noted.get_or_init(|| is_noted), "{:?}: {text}", self.asker);
        }
        text.replace(&format!("{NOTE},"), "")
            .replace(&format!(",\"entry\":[{NOTE}]"), "")
            .replace(&format!(",{NOTE}"), "")
    }

    /// The entries of all pages of both; the twin's without those versions that are not seen.
    fn compare_history(&self, url: &str) -> Option<String> {
        if let Some(answered) = self.is_asked_to_sign_in(url) {
            return answered;
        }
        let (first, other) = (self.bearer.get(url), self.twin.get(url));
        if first.status != other.status {
            return Some(format!("{url}\n  whole: {}\n  twin:  {}", first.text, other.text));
        }
        let count = url.split_once("_count=").map_or(50, |(_, count)| count.parse().expect("a number"));
        let whole = match self.pages(first, self.whole.flint().base_url(), |url| self.follow(url), count) {
            Ok(whole) => whole,
            Err(text) => return Some(format!("{url}: {text}")),
        };
        let twin = self.pages(other, self.twin.base_url(), |url| self.twin.get(url), count).expect("pages");
        let is_seen = |entry: &Value| {
            let key = entry["fullUrl"].as_str().expect("a URL").trim_start_matches("BASE/");
            let version = entry["response"]["etag"].as_str().expect("a tag");
            let version: usize = version.trim_matches(|c: char| !c.is_ascii_digit()).parse().expect("a version");
            self.seen[key][version - 1]
        };
        let twin: Vec<_> = twin.into_iter().filter(is_seen).collect();
        let keys = |entries: &[Value]| {
            let line = |entry: &Value| format!("{} {}", entry["fullUrl"], entry["response"]["etag"]);
            entries.iter().map(line).collect::<Vec<_>>().join(", ")
        };
        (whole != twin).then(|| format!("{url}\n  whole: {}\n  twin:  {}", keys(&whole), keys(&twin)))
    }

    /// The entries of all pages, each of which is full but for the last.
    fn pages(
        &self,
        first: Reply,
        base_url: &str,
        follow: impl Fn(&str) -> Reply,
        count: usize,
    ) -> Result<Vec<Value>, String> {
        let mut entries = Vec::new();
        let mut reply = first;
        for page in 0..PAGES_MAX {
            let bundle: Value = serde_json::from_str(&unlabeled(&reply.text).replace(base_url, "BASE")).expect("JSON");
            let on_page = bundle["entry"].as_array().cloned().unwrap_or_default();
            let next = reply.link("next");
            if next.is_some() && on_page.len() != count || next.is_none() && on_page.is_empty() && page > 0 {
                return Err(format!("page {page} has {} of {count} entries", on_page.len()));
            }
            entries.extend(on_page);
            match next {
                Some(next) => reply = follow(&next),
                None => return Ok(entries),
            }
        }
        Err("the pages never end".to_owned())
    }

    /// A version that is not seen is one that there is not.
    fn compare_version(&self, key: &str, version: usize) -> Option<String> {
        let url = format!("/{key}/_history/{version}");
        if let Some(answered) = self.is_asked_to_sign_in(&url) {
            return answered;
        }
        match self.seen.get(key) {
            Some(seen) if !seen[version - 1] => {
                let (hidden, absent) = (self.bearer.get(&url), self.bearer.get(&format!("/{key}/_history/9")));
                let hidden = self.told_by_whole(&hidden).replace(&format!("version `{version}`"), "version `9`");
                let absent = self.told_by_whole(&absent);
                (hidden != absent).then(|| format!("{url}\n  hidden: {hidden}\n  absent: {absent}"))
            }
            _ => self.compare(&url),
        }
    }
}

/// The lines of all files of an export, in order.
fn exported<'c>(call: &dyn Fn(&str) -> Call<'c>, url: &str, base_url: &str) -> Vec<String> {
    let begun = call(&format!("GET {url}")).header("Prefer", "respond-async").send().expect(202);
    let status = format!("GET {}", begun.header("content-location"));
    let manifest = (0..PAGES_MAX).map(|_| call(&status).send()).find(|reply| reply.status != 202);
    let manifest = manifest.expect("an end").expect(200).json();
    let files = manifest["output"].as_array().expect("files").iter();
    let files = files.map(|file| call(&format!("GET {}", file["url"].as_str().expect("a URL"))).send().expect(200));
    let text: String = files.map(|file| unlabeled(&file.text).replace(base_url, "BASE")).collect();
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// All that an answer tells, but for what differs between two servers and two requests.
fn told(reply: &Reply, base_url: &str) -> String {
    let telling = ["etag", "last-modified", "location", "content-type", "allow"];
    let headers = reply.headers().iter().filter(|(name, _)| telling.contains(&name.as_str()));
    let headers: Vec<_> = headers.map(|(name, value)| format!("{name}: {value}")).collect();
    let text = unlabeled(&reply.text).replace(base_url, "BASE");
    let mut parts = text.split("_page=");
    let first = parts.next().unwrap_or_default().to_owned();
    let text = parts.fold(first, |text, part| {
        let rest = part.find(['"', '&']).map_or("", |at| &part[at..]);
        text + "_page=" + rest
    });
    let text = super::matrix::without(&text, "/id-", |c| c.is_ascii_digit());
    format!("{} {} {text}", reply.status, headers.join(" "))
}

fn unlabeled(text: &str) -> String {
    text.replace(&format!(r#","security":[{LABEL}]"#), "").replace(&format!(",{LABEL}"), "")
}

fn without_total(text: &str) -> String {
    match (text.find(",\"total\""), text.find(",\"link\"")) {
        (Some(start), Some(end)) => text[..start].to_owned() + &text[end..],
        _ => text.to_owned(),
    }
}
