//! Random queries to a server, and what looking at every resource says: the same resources, in the same order, as many.

use std::collections::BTreeSet;

use flint_tests::Flint;
use serde_json::Value;

use super::corpus;
use super::includes::included;
use super::order::may_precede;
use super::query::Search;
use super::questions::{Asker, Question};
use super::world::World;

/// How many questions a small and a large corpus are asked, unless `FLINT_ORACLE_CASES` says otherwise.
const CASES: (u64, u64) = (1_000, 300);

/// The seed of the first question's generator, unless `FLINT_ORACLE_SEED` says otherwise; a failure prints it.
const SEED: u64 = 4;

/// So many wrong answers are shown.
const SHOWN: usize = 12;

#[test]
fn search_is_right_about_hand_made_resources() {
    let refused = ask_all("hand-made", corpus::hand_made());
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[test]
fn search_is_right_about_synthetic_patients() {
    match corpus::synthea(8) {
        Some(resources) => drop(ask_all("synthetic", resources)),
        None => println!("no synthetic patients: skipped"),
    }
}

#[test]
fn search_is_right_about_published_examples() {
    match corpus::examples() {
        Some(resources) => drop(ask_all("published", resources)),
        None => println!("FLINT_R4_EXAMPLES is not set: skipped"),
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

/// Gives what the server answered to the resources that it refused.
fn ask_all(name: &str, resources: Vec<Value>) -> Vec<String> {
    let given = resources.len();
    let (flint, world, refused) = corpus::load(resources);
    let search = Search::new(&world);
    let seed = setting("FLINT_ORACLE_SEED", SEED);
    let mut asker = Asker::new(&world, seed);
    let (mut wrong, mut found, mut included, mut open) = (Vec::new(), 0, 0, 0);
    let cases = setting("FLINT_ORACLE_CASES", if given < 200 { CASES.0 } else { CASES.1 });
    for case in 0..cases {
        let question = asker.question();
        match ask(&flint, &world, &search, &question) {
            Ok(answer) => {
                found += usize::from(answer.found > 0);
                included += usize::from(answer.included > 0);
                open += usize::from(answer.is_open);
            }
            Err(text) => wrong.push(format!("case {case} of seed {seed}: {}\n  {text}", question.url())),
        }
    }
    println!(
        "{name}: {} of {given} resources, {cases} queries, {found} found something, {included} included something, {open} left to the server",
        given - refused.len()
    );
    let shown = wrong.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} of {cases} answers are wrong:\n{shown}", wrong.len());
    refused
}

struct Answer {
    found: usize,
    included: usize,
    /// Whether the specification leaves some of it to the server.
    is_open: bool,
}

fn ask(flint: &Flint, world: &World, search: &Search<'_>, question: &Question) -> Result<Answer, String> {
    let pages = pages(flint, world, question)?;
    *world.now.borrow_mut() = flint.now() * 1_000;
    let found: Vec<usize> = pages.iter().flat_map(|page| &page.matches).copied().collect();
    let mut is_open = false;
    let mut asked = 0;
    for resource_type in &question.types {
        let truths = search.conditions(resource_type, &question.conditions);
        for (place, truth) in world.of_type(resource_type).iter().zip(truths) {
            let is_found = found.iter().filter(|found| *found == place).count();
            asked += is_found;
            is_open |= truth.is_none();
            match (is_found, truth) {
                (0, Some(true)) => return Err(format!("{} is missing", world.resources[*place].key())),
                (1, Some(false)) => return Err(format!("{} should not be there", world.resources[*place].key())),
                (0 | 1, _) => {}
                _ => return Err(format!("{} is repeated", world.resources[*place].key())),
            }
        }
    }
    if asked != found.len() {
        return Err("something is of another type".to_owned());
    }
    for pair in found.windows(2) {
        if !may_precede(world, &question.sort, pair[0], pair[1]) {
            let [one, other] = [pair[0], pair[1]].map(|place| world.resources[place].key());
            return Err(format!("{one} comes before {other}"));
        }
    }
    for page in &pages {
        let expected = included(world, search, &question.includes, &page.matches);
        let is_repeated = page.included.iter().collect::<BTreeSet<_>>().len() < page.included.len();
        if is_repeated || page.included.iter().copied().collect::<BTreeSet<_>>() != expected {
            let keys = |places: &mut dyn Iterator<Item = usize>| -> Vec<_> {
                places.map(|place| world.resources[place].key()).collect()
            };
            let [given, wanted] = [keys(&mut page.included.iter().copied()), keys(&mut expected.into_iter())];
            return Err(format!("included are {given:?}, not {wanted:?}"));
        }
    }
    let included = pages.iter().map(|page| page.included.len()).sum();
    Ok(Answer { found: found.len(), included, is_open })
}

/// What one page holds.
struct Page {
    matches: Vec<usize>,
    included: Vec<usize>,
}

/// All that a search finds, page by page.
fn pages(flint: &Flint, world: &World, question: &Question) -> Result<Vec<Page>, String> {
    let mut pages = Vec::new();
    let mut next = Some(format!("{}&_elements=id", question.url()));
    let mut total = String::new();
    let mut found = 0;
    while let Some(url) = next {
        let page = flint.get(&url);
        if page.status != 200 {
            return Err(format!("{}: {}", page.status, page.text));
        }
        let places = |mode: &str| -> Result<Vec<_>, String> {
            let keys = page.keys(mode).into_iter();
            keys.map(|key| world.place(&key).ok_or_else(|| format!("{key} is nowhere"))).collect()
        };
        let (matches, included) = (places("match")?, places("include")?);
        next = page.link("next");
        if matches.len() > question.count || (next.is_some() && matches.len() < question.count) {
            return Err(format!("a page of {} holds {}", question.count, matches.len()));
        }
        if page.pointer("/_total").is_empty() {
            total = page.pointer("/total");
        } else if total.is_empty() {
            // Only an estimate, which says so.
            let accurate = format!("{}&_total=accurate&_elements=id", question.url());
            total = flint.get(&accurate).pointer("/total");
        }
        found += matches.len();
        pages.push(Page { matches, included });
    }
    if total != found.to_string() {
        return Err(format!("the total is {total}, found are {found}"));
    }
    Ok(pages)
}
