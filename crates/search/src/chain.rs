//! Conditions on other resources: chains and reverse chains, <https://hl7.org/fhir/R4/search.html#chaining>.

use crate::compile::{Asked, parameter, split_modifier};
use crate::parameter::Indexed;
use crate::refusal::{Refusal, shortened};
use crate::registry::Registry;
use crate::{Criterion, canonical, contained, row};

/// Compiles what is asked of resources of a type.
pub(crate) type Ask<'a> = dyn Fn(&'static str, Asked<'_>) -> Result<Criterion, Refusal> + 'a;

/// How many joins one parameter may take.
pub const CHAINS_MAX: usize = 5;

/// `subject.name`, `subject:Patient.name`: resources with a reference to one that satisfies the rest. Without a type, every type
/// that the reference may lead to and that knows the rest counts.
///
/// `ask` compiles the rest for a type.
pub(crate) fn follow(
    registry: &Registry,
    resource_type: &'static str,
    reference: &str,
    rest: Asked<'_>,
    ask: &Ask<'_>,
) -> Result<Criterion, Refusal> {
    check_depth(rest.depth)?;
    let (code, target) = split_modifier(reference);
    let parameter = reference_parameter(registry, resource_type, code)?;
    let rest = Asked { depth: rest.depth + 1, ..rest };
    if let Some(limits) = parameter.limits() {
        limits.check_chain(code, rest.name.split(['.', ':']).next().unwrap_or_default())?;
    }
    let alternatives = match target {
        Some(target) => {
            let found = registry.site().definitions.resource_type(target).filter(|target| parameter.leads_to(target));
            let target = found.ok_or_else(|| Refusal::modifier(parameter, target))?;
            vec![(target, of_type(target, ask(target, rest)?))]
        }
        None => open_chain(registry, parameter, rest, ask)?,
    };
    let (target_types, criteria): (Vec<_>, _) = alternatives.into_iter().unzip();
    let target = Criterion::any(criteria);
    rest.budget.spend(target.size())?;
    let contained = contained::behind(parameter.index, &target);
    let names = canonical::names(registry, target_types.iter().copied());
    let target = Box::new(target);
    Ok(Criterion::any(vec![
        contained,
        Criterion::Chain { references: vec![parameter.index], names, target_types, target },
    ]))
}

/// A condition for each type that the reference may lead to and that can be asked it.
fn open_chain(
    registry: &Registry,
    parameter: &Indexed,
    rest: Asked<'_>,
    ask: &Ask<'_>,
) -> Result<Vec<(&'static str, Criterion)>, Refusal> {
    let (first, _) = rest.name.split_once(['.', ':']).unwrap_or((rest.name, ""));
    let knows = |target: &&str| {
        matches!(first, "_has" | "_list") || registry.table(target).is_some_and(|table| table.get(first).is_some())
    };
    let types = registry.site().definitions.resource_types().iter().copied();
    let mut alternatives = Vec::new();
    let mut refused = None;
    for target in types.filter(|target| parameter.leads_to(target)).filter(knows) {
        rest.budget.spend(1)?;
        if let Some(named) = registry.table(target).and_then(|table| table.get(first)) {
            named.ready()?;
        }
        match ask(target, rest) {
            Ok(criterion) => alternatives.push((target, of_type(target, criterion))),
            Err(refusal) if refusal.is_too_costly() => return Err(refusal),
            // A value that is wrong for one type says more than a name that is unknown to another.
            Err(refusal) if matches!(refusal, Refusal::Bad(_)) || refused.is_none() => refused = Some(refusal),
            Err(_) => {}
        }
    }
    match (alternatives.is_empty(), refused) {
        (false, _) => Ok(alternatives),
        (true, Some(refusal)) => Err(refusal),
        (true, None) => Err(Refusal::unknown(format!(
            "no target of `{}` has the parameter `{}`, targets are {}",
            parameter.definition.code,
            shortened(rest.name),
            parameter.definition.targets.join(", ")
        ))),
    }
}

/// `_has:Observation:patient:code`, without the `_has:`: resources that one of that type refers to, which satisfies the rest.
pub(crate) fn has(
    registry: &Registry,
    resource_type: &'static str,
    asked: Asked<'_>,
    ask: &Ask<'_>,
) -> Result<Criterion, Refusal> {
    check_depth(asked.depth)?;
    let mut parts = asked.name.splitn(3, ':');
    let (Some(source), Some(code), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
        let path = shortened(asked.name);
        return Err(Refusal::bad(format!("parameter `_has:{path}` must be `_has:Type:reference:parameter`")));
    };
    let Some(source) = registry.site().definitions.resource_type(source) else {
        return Err(Refusal::unknown(format!("`{}` in `_has` is no resource type", shortened(source))));
    };
    let parameter = reference_parameter(registry, source, code)?;
    if !parameter.leads_to(resource_type) {
        return Err(Refusal::unknown(format!(
            "parameter `{code}` of {source} does not lead to {resource_type}, but to {}",
            parameter.definition.targets.join(", ")
        )));
    }
    let criterion = ask(source, Asked { name: rest, depth: asked.depth + 1, ..asked })?;
    Ok(Criterion::Has {
        references: vec![parameter.index],
        names: canonical::names(registry, [resource_type]),
        target_type: resource_type,
        source_type: source,
        source: Box::new(of_type(source, criterion)),
    })
}

fn check_depth(depth: usize) -> Result<(), Refusal> {
    match depth < CHAINS_MAX {
        true => Ok(()),
        false => Err(Refusal::too_costly(format!("a parameter may chain {CHAINS_MAX} times"))),
    }
}

fn reference_parameter<'r>(registry: &'r Registry, resource_type: &str, code: &str) -> Result<&'r Indexed, Refusal> {
    let parameter = parameter(registry, resource_type, code)?;
    match parameter.is_reference() {
        true => Ok(parameter),
        false => Err(Refusal::unknown(format!("parameter `{code}` of {resource_type} is no reference to follow"))),
    }
}

fn of_type(resource_type: &str, criterion: Criterion) -> Criterion {
    Criterion::all(vec![Criterion::Filter(row::of_type(resource_type)), criterion])
}

#[cfg(test)]
mod tests {
    use fhir::json::Document;
    use store::{Index, Row};

    use crate::testing::{check_refused, query, rows};
    use crate::{Criterion, Handling};

    /// A small world to join in: each resource's text and rows.
    struct World(Vec<(Document, Vec<Row>)>);

    impl World {
        fn new(resources: &[&str]) -> World {
            let parse = |text: &&str| (Document::parse(text.as_bytes()).expect("JSON"), rows(text));
            World(resources.iter().map(parse).collect())
        }

        /// Runs a criterion by its definition: looks at every resource for every join.
        fn accepts(&self, criterion: &Criterion, (document, rows): &(Document, Vec<Row>)) -> bool {
            let all = &self.0;
            match criterion {
                Criterion::Filter(filter) => filter.accepts(rows),
                Criterion::Named(named) => named.filter.accepts(rows),
                Criterion::All(criteria) => criteria.iter().all(|inner| self.accepts(inner, &all[self.at(document)])),
                Criterion::Any(criteria) => criteria.iter().any(|inner| self.accepts(inner, &all[self.at(document)])),
                Criterion::Terms(terms) => panic!("{terms:?} needs definitions"),
                Criterion::Not(inner) => !self.accepts(inner, &all[self.at(document)]),
                Criterion::Chain { references, names, target, .. } => all.iter().any(|other| {
                    let mut links = rows.iter().filter(|row| references.contains(&row.index));
                    links.any(|row| is_named(other, names, &row.value)) && self.accepts(target, other)
                }),
                Criterion::Has { references, names, target_type, source, .. } => all.iter().any(|other| {
                    let this = &all[self.at(document)];
                    let mut links = other.1.iter().filter(|row| references.contains(&row.index));
                    document.root().resource_type() == Some(target_type)
                        && links.any(|row| is_named(this, names, &row.value))
                        && self.accepts(source, other)
                }),
            }
        }

        fn at(&self, document: &Document) -> usize {
            self.0.iter().position(|(other, _)| other.text() == document.text()).expect("of this world")
        }

        /// The ids that a query finds.
        fn check(&self, resource_type: &str, cases: &[(&str, &[&str])]) {
            for (text, expected) in cases {
                let query =
                    query(resource_type, text, Handling::Strict).unwrap_or_else(|error| panic!("{text}: {error}"));
                let found = self.0.iter().filter(|resource| self.accepts(&query.criterion, resource));
                let ids: Vec<_> = found.map(|(document, _)| key(document).id().to_owned()).collect();
                assert_eq!(ids, *expected, "{resource_type}?{text}");
            }
        }
    }

    fn is_named((document, rows): &(Document, Vec<Row>), names: &[Index], value: &[u8]) -> bool {
        let has_name = |row: &Row| names.contains(&row.index) && row.value == value;
        value == key(document).to_link() || rows.iter().any(has_name)
    }

    fn key(document: &Document) -> store::Key {
        let id = document.root().get("id").and_then(|id| id.as_str()).expect("an id");
        store::Key::new(document.root().resource_type().expect("a type"), &id).expect("valid")
    }

    fn world() -> World {
        World::new(&[
            r#"{"resourceType":"Organization","id":"org","name":"Hill Surgery"}"#,
            r#"{"resourceType":"Patient","id":"ann","gender":"female","name":[{"family":"Bell"}],"managingOrganization":{"reference":"Organization/org"}}"#,
            r#"{"resourceType":"Patient","id":"bob","gender":"male","name":[{"family":"Bell"}]}"#,
            r#"{"resourceType":"Location","id":"loc","status":"active","name":"Bell Tower"}"#,
            r#"{"resourceType":"Observation","id":"o1","status":"final","code":{"coding":[{"code":"1234-5"}]},"subject":{"reference":"Patient/ann"}}"#,
            r#"{"resourceType":"Observation","id":"o2","status":"final","code":{"coding":[{"code":"9"}]},"subject":{"reference":"https://flint.example/fhir/Patient/bob"}}"#,
            r#"{"resourceType":"Observation","id":"o3","status":"final","code":{"coding":[{"code":"1234-5"}]},"subject":{"reference":"Location/loc"}}"#,
            r#"{"resourceType":"Provenance","id":"v","target":[{"reference":"Observation/o2"}],"recorded":"2020-01-01T00:00:00Z",
                "agent":[{"who":{"reference":"Organization/org"}}]}"#,
        ])
    }

    #[test]
    fn follows_chains() {
        world().check(
            "Observation",
            &[
                ("subject.name=bell", &["o1", "o2", "o3"]),
                ("subject:Patient.name=bell", &["o1", "o2"]),
                ("patient.name=bell", &["o1", "o2"]),
                ("subject:Location.name=bell", &["o3"]),
                ("subject:Patient.name=hill", &[]),
                ("subject:Patient.gender=female&code=1234-5", &["o1"]),
                ("subject:Patient.gender:not=female", &["o2"]),
                ("subject:Patient.gender:missing=true", &[]),
                ("subject:Patient.organization.name=hill", &["o1"]),
                ("patient.organization:Organization.name:contains=surgery", &["o1"]),
                ("patient._id=bob", &["o2"]),
                ("patient.name=bell,hill&code=9", &["o2"]),
            ],
        );
    }

    #[test]
    fn follows_reverse_chains() {
        world().check(
            "Patient",
            &[
                ("_has:Observation:patient:code=1234-5", &["ann"]),
                ("_has:Observation:subject:code=9", &["bob"]),
                ("_has:Observation:subject:code=7", &[]),
                ("_has:Observation:patient:status=final&gender=male", &["bob"]),
                ("_has:Observation:patient:_has:Provenance:target:agent=org", &["bob"]),
                ("_has:Observation:patient:_has:Provenance:target:agent.name=hill", &["bob"]),
                ("_has:Observation:patient:patient.gender=female", &["ann"]),
                ("organization._has:Provenance:agent:recorded=2020", &["ann"]),
            ],
        );
        world().check("Organization", &[("_has:Patient:organization:_has:Observation:patient:code=1234-5", &["org"])]);
    }

    #[test]
    fn holds_the_types_on_both_sides() {
        let text =
            format!("{:?}", query("Observation", "subject:Patient.name=x", Handling::Strict).expect("valid").criterion);
        assert!(text.contains("Chain"));
        let patient = format!("{:?}", crate::row::of_type("Patient"));
        let observation = format!("{:?}", crate::row::of_type("Observation"));
        assert!(text.contains(&patient) && text.contains(&observation), "{text}");
    }

    #[test]
    fn refuses_what_leads_nowhere() {
        check_refused(
            "Observation",
            &[
                ("subject.nam=x", "no target of `subject` has the parameter `nam`, targets are "),
                ("subject:Patient.nam=x", "parameter `nam` of Patient is unknown, known are name, "),
                (
                    "subject:Slot.status=x",
                    "modifier `:Slot` of `subject` is unknown, allowed are :missing, :identifier, :below, :",
                ),
                ("code.name=x", "parameter `code` of Observation is no reference to follow"),
                ("subjekt.name=x", "parameter `subjekt` of Observation is unknown, known are subject, "),
                ("patient.birthdate=x", "parameter `birthdate` has the value `x`, expected a date"),
                ("subject.birthdate=x", "parameter `birthdate` has the value `x`, expected a date"),
                (
                    "patient.link.link.link.link.link.name=x",
                    "parameter `patient.link.link.link.link.link.name`: a parameter may chain 5 times",
                ),
                ("_has:Provenance=x", "must be `_has:Type:reference:parameter`"),
                ("_has:Prov:target:agent=x", "`Prov` in `_has` is no resource type"),
                ("_has:Provenance:tar:agent=x", "parameter `tar` of Provenance is unknown"),
                ("_has:Provenance:recorded:agent=x", "parameter `recorded` of Provenance is no reference"),
                (
                    "_has:Slot:schedule:status=x",
                    "parameter `schedule` of Slot does not lead to Observation, but to Schedule",
                ),
                ("_has:Provenance:target:x=y", "parameter `x` of Provenance is unknown"),
            ],
        );
        assert!(query("Observation", "patient.link.link.link.link.name=x", Handling::Strict).is_ok());
    }
}
