//! Random queries to a server, and what looking at every resource says: the same resources, in the same order, as many.

use flint_tests::Flint;
use serde_json::Value;

use super::corpus;
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
    let (mut wrong, mut found, mut open) = (Vec::new(), 0, 0);
    let cases = setting("FLINT_ORACLE_CASES", if given < 200 { CASES.0 } else { CASES.1 });
    for case in 0..cases {
        let question = asker.question();
        match ask(&flint, &world, &search, &question) {
            Ok(answer) => {
                found += usize::from(answer.found > 0);
                open += usize::from(answer.is_open);
            }
            Err(text) => wrong.push(format!("case {case} of seed {seed}: {}\n  {text}", question.url())),
        }
    }
    println!(
        "{name}: {} of {given} resources, {cases} queries, {found} found something, {open} left to the server",
        given - refused.len()
    );
    let shown = wrong.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} of {cases} answers are wrong:\n{shown}", wrong.len());
    refused
}

struct Answer {
    found: usize,
    /// Whether the specification leaves some of it to the server.
    is_open: bool,
}

fn ask(flint: &Flint, world: &World, search: &Search<'_>, question: &Question) -> Result<Answer, String> {
    let found = pages(flint, question)?;
    *world.now.borrow_mut() = flint.now() * 1_000;
    let truths = search.conditions(question.resource_type, &question.conditions);
    let mut is_open = false;
    for (place, truth) in world.of_type(question.resource_type).iter().zip(truths) {
        let is_found = found.iter().filter(|key| world.place(key) == Some(*place)).count();
        is_open |= truth.is_none();
        match (is_found, truth) {
            (0, Some(true)) => return Err(format!("{} is missing", world.resources[*place].key())),
            (1, Some(false)) => return Err(format!("{} should not be there", world.resources[*place].key())),
            (0 | 1, _) => {}
            _ => return Err(format!("{} is repeated", world.resources[*place].key())),
        }
    }
    let places = found.iter().map(|key| world.place(key).ok_or_else(|| format!("{key} is nowhere")));
    let places = places.collect::<Result<Vec<_>, _>>()?;
    for pair in places.windows(2) {
        if !may_precede(world, &question.sort, pair[0], pair[1]) {
            let [one, other] = [pair[0], pair[1]].map(|place| world.resources[place].key());
            return Err(format!("{one} comes before {other}"));
        }
    }
    Ok(Answer { found: found.len(), is_open })
}

/// All that a search finds, page by page.
fn pages(flint: &Flint, question: &Question) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut next = Some(format!("{}&_elements=id", question.url()));
    let mut total = String::new();
    while let Some(url) = next {
        let page = flint.get(&url);
        if page.status != 200 {
            return Err(format!("{}: {}", page.status, page.text));
        }
        let keys = page.keys("match");
        next = page.link("next");
        if keys.len() > question.count || (next.is_some() && keys.len() < question.count) {
            return Err(format!("a page of {} holds {}", question.count, keys.len()));
        }
        total = page.pointer("/total");
        found.extend(keys);
    }
    if total != found.len().to_string() {
        return Err(format!("the total is {total}, found are {}", found.len()));
    }
    Ok(found)
}
