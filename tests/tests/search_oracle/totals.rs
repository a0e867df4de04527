//! Totals of several thousand resources, few of which may be counted: estimates lie near the truth, and what is asked for exactly is exact.

use flint_tests::Flint;
use serde_json::{Value, json};
use store::testing::Random;

/// How many resources there are, and how many rows a search may count.
const RESOURCES: u64 = 3_000;
const ROWS: u64 = 200;

/// How many questions are asked.
const QUESTIONS: usize = 60;

/// What may be missed where a sample happens to have few.
const SLACK: u64 = 400;

struct Measured {
    code: u64,
    status: &'static str,
    day: u64,
    value: u64,
}

#[test]
fn totals_are_near_or_exact_as_asked() {
    let flint = Flint::start_with(|config| config.limits.count_rows = ROWS);
    let mut random = Random::new(3);
    let measured: Vec<_> = (0..RESOURCES).map(|_| measure(&mut random)).collect();
    for batch in measured.chunks(500) {
        let entries: Vec<_> = batch.iter().map(entry).collect();
        flint.send("POST /", json!({"resourceType": "Bundle", "type": "transaction", "entry": entries})).expect(200);
    }
    let mut estimated = 0;
    for _ in 0..QUESTIONS {
        let (query, exact) = question(&mut random, &measured);
        let get = |rest: &str| flint.get(&format!("/Observation?{query}&{rest}")).expect(200);
        for rest in ["_total=accurate&_count=2", "_summary=count", "_count=0"] {
            get(rest).facts(&[("/total", &exact.to_string()), ("/_total", "-")]);
        }
        let reply = get("_count=2");
        let total: u64 = reply.pointer("/total").parse().expect("a total");
        match reply.pointer("/_total").is_empty() {
            true => assert_eq!(total, exact, "{query}"),
            false => {
                let is_near = exact / 2 <= total + SLACK && total <= exact * 2 + SLACK;
                assert!(is_near, "{query}: about {total} are {exact}");
                estimated += 1;
            }
        }
    }
    println!("{QUESTIONS} totals of {RESOURCES} resources, {estimated} estimated");
    assert!(estimated > 0);
}

fn measure(random: &mut Random) -> Measured {
    let status = *random.pick(&["final", "final", "final", "amended", "preliminary"]);
    Measured { code: random.below(4) * random.below(3), status, day: random.below(28), value: random.below(1_000) }
}

fn entry(measured: &Measured) -> Value {
    let Measured { code, status, day, value } = measured;
    let resource = json!({"resourceType": "Observation", "status": status,
        "code": {"coding": [{"system": "urn:code", "code": format!("c{code}")}]},
        "effectiveDateTime": format!("2026-02-{:02}", day + 1),
        "valueQuantity": {"value": value, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"}});
    json!({"resource": resource, "request": {"method": "POST", "url": "Observation"}})
}

/// What a condition says of a resource.
type Holds = Box<dyn Fn(&Measured) -> bool>;

/// One to three conditions, and how many satisfy them.
fn question(random: &mut Random, measured: &[Measured]) -> (String, u64) {
    let (code, day, value) = (random.below(7), random.below(28), random.below(1_000));
    let all: [(String, Holds); 6] = [
        (format!("code=urn:code%7Cc{code}"), Box::new(move |it| it.code == code)),
        (format!("code:not=c{code}"), Box::new(move |it| it.code != code)),
        ("status=final,amended".to_owned(), Box::new(|it| it.status != "preliminary")),
        (format!("date=ge2026-02-{:02}", day + 1), Box::new(move |it| it.day >= day)),
        (format!("date=lt2026-02-{:02}", day + 1), Box::new(move |it| it.day < day)),
        (format!("value-quantity=le{value}%7C%7Cmg"), Box::new(move |it| it.value <= value)),
    ];
    let first = random.below(6) as usize;
    let chosen: Vec<_> = (0..1 + random.below(3) as usize).map(|at| &all[(first + at) % all.len()]).collect();
    let names: Vec<_> = chosen.iter().map(|(name, _)| name.as_str()).collect();
    (names.join("&"), measured.iter().filter(|it| chosen.iter().all(|(_, holds)| holds(it))).count() as u64)
}
