//! Every search parameter of every type, with every prefix and modifier: each finds something and leaves something out.

use std::collections::BTreeMap;

use fhir::definitions::{SearchKind, SearchParameter};
use fhir::{DateTime, Definitions, Instant};
use search::{Criterion, Handling, Registry, Scope};
use store::Row;

use super::query::Search;
use super::questions::Asker;
use super::samples::{SAMPLES, sample};
use super::spans::{PREFIXES, split_prefix};
use super::values::type_name;
use super::world::{Resource, World};

const BASE_URL: &str = "https://flint.example/fhir";

/// 2027-03-01T00:00:00Z.
const NOW: Instant = Instant(1_803_859_200_000_000);

/// How many values are tried until one is found and one is not.
const TRIES: usize = 200;

#[test]
fn every_parameter_finds_and_leaves_out() {
    let registry = Registry::new(Definitions::r4(), BASE_URL);
    let mut tally = Tally::default();
    for resource_type in Definitions::r4().resource_types() {
        let mut texts: Vec<_> = (0..SAMPLES).map(|number| sample(resource_type, number).to_string()).collect();
        texts.push(format!(r#"{{"resourceType":"{resource_type}","id":"bare"}}"#));
        let world = World::new(BASE_URL, texts.iter().map(|text| Resource::new(text)).collect());
        *world.now.borrow_mut() = NOW.0;
        let rows: Vec<_> = texts.iter().map(|text| rows(&registry, text)).collect();
        let mut asker = Asker::new(&world, 1);
        for parameter in Definitions::r4().search_parameters(resource_type) {
            if parameter.kind == SearchKind::Special || parameter.expression.is_empty() {
                continue;
            }
            for form in forms(&world, resource_type, parameter) {
                let name = format!("{resource_type}?{}{form}", parameter.code);
                let seen = try_form(&registry, &world, &rows, &mut asker, resource_type, parameter, &form);
                tally.add(name, seen);
            }
        }
    }
    tally.check();
}

/// The modifiers (`:exact`) and prefixes (`=ge`) of a parameter.
fn forms(world: &World, resource_type: &str, parameter: &'static SearchParameter) -> Vec<String> {
    let places = world.of_type(resource_type).iter();
    // A canonical has neither a type nor an identifier.
    let is_reference = places
        .flat_map(|place| world.values(*place, parameter).iter().map(type_name).collect::<Vec<_>>())
        .any(|name| name == "Reference");
    let mut forms = vec![String::new(), ":missing".to_owned()];
    let modifiers: &[&str] = match parameter.kind {
        SearchKind::Number | SearchKind::Date | SearchKind::Quantity => {
            forms.extend(PREFIXES.iter().map(|prefix| format!("={prefix}")));
            &[]
        }
        SearchKind::String => &[":exact", ":contains"],
        SearchKind::Token => &[":not"],
        SearchKind::Uri => &[":below", ":above"],
        SearchKind::Reference if is_reference => {
            let targets = &parameter.targets;
            let target = targets.iter().find(|target| **target == "Patient").or(targets.first());
            forms.extend(target.map(|target| format!(":{target}")));
            &[":identifier"]
        }
        SearchKind::Reference => &[],
        SearchKind::Composite | SearchKind::Special => &[],
    };
    forms.extend(modifiers.iter().map(|modifier| (*modifier).to_owned()));
    forms
}

/// What was seen of one form.
#[derive(Clone, Copy, Default)]
struct Seen {
    hit: bool,
    miss: bool,
    wrong: bool,
}

fn try_form(
    registry: &Registry,
    world: &World,
    rows: &[Vec<Row>],
    asker: &mut Asker<'_>,
    resource_type: &'static str,
    parameter: &'static SearchParameter,
    form: &str,
) -> Seen {
    let mut seen = Seen::default();
    let (modifier, prefix) = (form.strip_prefix(':').unwrap_or(""), form.strip_prefix('=').unwrap_or(""));
    let mut last = String::new();
    let name = if modifier.is_empty() { parameter.code.to_string() } else { format!("{}:{modifier}", parameter.code) };
    for at in 0..TRIES {
        if seen.hit && seen.miss {
            break;
        }
        let value = match modifier {
            "missing" => Some((at % 2 == 0).to_string()),
            _ => asker.value(resource_type, parameter, modifier),
        };
        let Some(value) = value else { continue };
        let is_ordered = matches!(parameter.kind, SearchKind::Number | SearchKind::Date | SearchKind::Quantity);
        let value =
            if is_ordered && modifier.is_empty() { format!("{prefix}{}", split_prefix(&value).1) } else { value };
        let conditions = [(name.clone(), value)];
        last = format!("{conditions:?}");
        let scope = Scope { resource_type: Some(resource_type), compartment: None };
        let criterion = registry.query(&scope, &conditions, Handling::Strict, NOW).map(|query| query.criterion);
        let filter = match criterion.map(Criterion::of_rows) {
            Ok(Some(filter)) => filter,
            other => {
                println!("{resource_type}?{conditions:?}: {other:?}");
                return Seen { wrong: true, ..seen };
            }
        };
        let truths = Search::new(world).conditions(resource_type, &conditions);
        for (number, (rows, truth)) in rows.iter().zip(truths).enumerate() {
            let found = filter.accepts(rows);
            match truth {
                Some(expected) if expected != found => {
                    println!("{resource_type}?{conditions:?}: {found} on sample {number}");
                    return Seen { wrong: true, ..seen };
                }
                Some(true) => seen.hit = true,
                Some(false) => seen.miss = true,
                None => {}
            }
        }
    }
    if !seen.hit || !seen.miss {
        println!("{resource_type}: the last of {TRIES} tries was {last}");
    }
    seen
}

/// All rows that a store holds of a resource.
fn rows(registry: &Registry, text: &str) -> Vec<Row> {
    let document = fhir::json::Document::parse(text.as_bytes()).expect("JSON");
    let rows = registry.rows(&document).expect("few rows");
    let mut all = [rows.rows, rows.words].concat();
    if let Some(time) = document.root().path(&["meta", "lastUpdated"]).and_then(|time| time.as_str()) {
        let (start, _) = DateTime::parse(&time).expect("an instant").range();
        let index = registry.time_index(document.root().resource_type().expect("a type"));
        all.push(Row { index, value: store::time_value(start.as_millis()).to_vec() });
    }
    all
}

#[derive(Default)]
struct Tally {
    seen: BTreeMap<String, Seen>,
}

impl Tally {
    fn add(&mut self, name: String, seen: Seen) {
        self.seen.insert(name, seen);
    }

    fn check(&self) {
        let lacking = |seen: &Seen| !seen.hit || !seen.miss || seen.wrong;
        let faults: Vec<_> = self.seen.iter().filter(|(_, seen)| lacking(seen)).collect();
        for (name, Seen { hit, miss, wrong }) in &faults {
            println!("{name}: hit {hit}, miss {miss}, wrong {wrong}");
        }
        let plain = self.seen.keys().filter(|name| !name.contains([':']) && !name.contains('=')).count();
        println!("{plain} parameters of all types, {} with their modifiers and prefixes", self.seen.len());
        assert!(faults.is_empty(), "{} of {} forms were not shown", faults.len(), self.seen.len());
    }
}
