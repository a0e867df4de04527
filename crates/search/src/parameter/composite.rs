//! Composite parameters: components that hold together, <https://hl7.org/fhir/R4/search.html#composite>.
//!
//! The last component has its ordinary rows, in the composite's own indexes; before each stands a 16-byte hash of the components
//! before it. So whatever the last component can answer, ranges included, stays one range under that hash. The components before
//! the last compare for equality: tokens with or without system or by their system alone, references with or without type. Two
//! numbers at the end, such as start and end of a window, both take prefixes: they stand one after the other.

use std::borrow::Cow;
use std::ops::Bound;
use std::sync::Arc;

use fhir::definitions::SearchKind;
use fhir::fhirpath::{Context, Expression, Item};
use fhir::{Definitions, Instant, Reference};
use store::{Filter, Index, Match, Range, Test};

use super::code::{compared, fold};
use super::item::{member, node, text};
use super::token::{self, Wanted};
use super::{BadValue, Narrowing, Site, number};
use crate::escape::{split, unescape};
use crate::row::{KEY_LENGTH, ROWS_MAX, Rows, push_part};
use crate::shape::Shape;

pub(super) const MODIFIERS: &[&str] = &["missing"];

/// A component with its expression, relative to the composite's own.
pub(crate) struct Component {
    kind: SearchKind,
    expression: Expression,
}

impl Component {
    /// The components of a composite, of these kinds; `None` when an expression is wrong.
    pub(crate) fn all(
        kinds: &[SearchKind],
        components: &[(Cow<'static, str>, Cow<'static, str>)],
    ) -> Option<Vec<Component>> {
        let expressions = components.iter().map(|(_, expression)| Expression::parse(expression).ok());
        kinds
            .iter()
            .zip(expressions)
            .map(|(&kind, expression)| Some(Component { kind, expression: expression? }))
            .collect()
    }
}

/// The kinds of the components, when they can be compared where they stand.
pub(super) fn kinds(
    definitions: &Definitions,
    components: &[(Cow<'static, str>, Cow<'static, str>)],
) -> Option<Vec<SearchKind>> {
    let kind_of = |(url, _): &(Cow<'static, str>, Cow<'static, str>)| Some(definitions.search_parameter(url)?.kind);
    let kinds: Vec<_> = components.iter().map(kind_of).collect::<Option<_>>()?;
    composite_kinds(&kinds).then_some(kinds)
}

/// Whether components of these kinds can be compared where they stand.
pub(crate) fn composite_kinds(kinds: &[SearchKind]) -> bool {
    let Some((last, leading)) = kinds.split_last() else { return false };
    let hashed = match leading {
        [hashed @ .., SearchKind::Number] if *last == SearchKind::Number => hashed,
        leading => leading,
    };
    let leads = hashed.iter().all(|kind| matches!(kind, SearchKind::Token | SearchKind::Reference));
    let ends = !matches!(last, SearchKind::Composite | SearchKind::Special);
    !leading.is_empty() && ends && leads
}

/// The rows of one element that the composite's own expression gave.
pub(super) fn rows<'a>(
    site: Site<'_>,
    components: &'a [Component],
    context: &Context<'a>,
    focus: &Item<'a>,
    index: Index,
    rows: &mut Rows,
) {
    let Some((last, leading)) = components.split_last() else { return };
    let values = |component: &'a Component| component.expression.evaluate(context, focus.clone()).unwrap_or_default();
    let start = rows.len();
    let leading = match leading.split_last() {
        Some((first, leading)) if first.kind == SearchKind::Number => {
            number::pair_rows(&values(first), &values(last), index, rows);
            leading
        }
        _ => {
            for item in values(last) {
                super::simple_rows(last.kind, site, &item, Shape::default(), None, index, rows);
            }
            leading
        }
    };
    if rows.len() == start {
        return;
    }
    let mut combinations = vec![Vec::new()];
    for component in leading {
        let forms: Vec<Vec<u8>> = values(component).iter().flat_map(|item| forms(component.kind, site, item)).collect();
        if combinations.len() * forms.len() > ROWS_MAX {
            return rows.overflow();
        }
        combinations =
            combinations.iter().flat_map(|before| forms.iter().map(move |form| joined(before, form))).collect();
    }
    combinations.sort_unstable();
    combinations.dedup();
    let keys: Vec<_> = combinations.iter().map(|combination| key(combination)).collect();
    rows.put_under(start, &keys);
}

fn joined(before: &[u8], form: &[u8]) -> Vec<u8> {
    [before, &(form.len() as u32).to_be_bytes(), form].concat()
}

fn key(combination: &[u8]) -> [u8; KEY_LENGTH] {
    let hash = blake3::hash(combination);
    std::array::from_fn(|at| hash.as_bytes()[at])
}

/// How many bytes of a part make a form; of a longer one its beginning and a hash, so that combinations stay small.
const PART_MAX: usize = 200;

/// How exactly a form names a value.
const LOOSELY: u8 = 1;
const EXACTLY: u8 = 2;
/// By its system alone.
const BY_SYSTEM: u8 = 3;

/// All the ways in which a query may name a leading value.
fn forms(kind: SearchKind, site: Site<'_>, item: &Item<'_>) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    match kind {
        SearchKind::Token => token::for_each(item, &mut |token| {
            forms.extend(token.system.as_deref().map(|system| form(BY_SYSTEM, &[system])));
            if let Some(code) = &token.code {
                forms.push(form(LOOSELY, &[&fold(code)]));
                forms.push(form(EXACTLY, &[&token.compared(), token.system.as_deref().unwrap_or_default()]));
            }
        }),
        SearchKind::Reference => {
            let reference = node(item).and_then(|node| member(node, "reference")).or_else(|| text(item));
            if let Some(reference) = reference {
                forms.extend(reference_forms(site, &reference));
            }
        }
        _ => {}
    }
    forms
}

fn reference_forms(site: Site<'_>, reference: &str) -> Vec<Vec<u8>> {
    match site.local(reference) {
        Some((resource_type, id)) => vec![form(LOOSELY, &[id]), form(EXACTLY, &[id, resource_type])],
        None => vec![form(EXACTLY, &[reference])],
    }
}

fn form(exactness: u8, parts: &[&str]) -> Vec<u8> {
    let mut form = vec![exactness];
    for part in parts {
        push_part(&mut form, part, PART_MAX);
        form.push(0);
    }
    form
}

pub(super) fn filter(
    site: Site<'_>,
    kinds: &[SearchKind],
    now: Instant,
    index: Index,
    value: &str,
) -> Result<Filter, BadValue> {
    let parts: Vec<_> = split(value, b'$').collect();
    let (Some((last, leading)), Some((last_kind, leading_kinds))) = (parts.split_last(), kinds.split_last()) else {
        return Err(BadValue("values for all components"));
    };
    if leading.len() != leading_kinds.len() {
        return Err(BadValue("one value for each component, separated by `$`"));
    }
    let mut combination = Vec::new();
    let mut hashed = leading_kinds.iter().zip(leading).peekable();
    while let Some((kind, value)) = hashed.next_if(|(kind, _)| **kind != SearchKind::Number) {
        combination = joined(&combination, &wanted_form(*kind, site, value)?);
    }
    let filter = match hashed.next() {
        Some((_, first)) => number::pair_filter(index, first, last)?,
        None => {
            let narrowing = Narrowing { named_type: None, shape: Shape::default(), now };
            super::simple_filter(*last_kind, site, None, narrowing, index, last)?
        }
    };
    Ok(under(&key(&combination), filter))
}

fn wanted_form(kind: SearchKind, site: Site<'_>, value: &str) -> Result<Vec<u8>, BadValue> {
    match kind {
        SearchKind::Token => match Wanted::parse(value)? {
            Wanted::Code(code) => Ok(form(LOOSELY, &[&fold(&code)])),
            Wanted::Exactly { system, code } => Ok(form(EXACTLY, &[&compared(&system, &code), &system])),
            Wanted::System(system) => Ok(form(BY_SYSTEM, &[&system])),
        },
        SearchKind::Reference => {
            let text = unescape(value);
            if fhir::reference::is_id(&text) {
                return Ok(form(LOOSELY, &[&text]));
            }
            match (site.local(&text), Reference::parse(&text)) {
                (Some((resource_type, id)), _) => Ok(form(EXACTLY, &[id, resource_type])),
                (None, Some(_)) => Ok(form(EXACTLY, &[&text])),
                (None, None) => Err(BadValue("a reference in the component that is one")),
            }
        }
        _ => Err(BadValue("tokens and references before the last component")),
    }
}

/// The same filter on rows that stand under a key.
fn under(key: &[u8; KEY_LENGTH], filter: Filter) -> Filter {
    let each = |filters: Vec<Filter>| filters.into_iter().map(|filter| under(key, filter)).collect();
    match filter {
        Filter::All(filters) => Filter::All(each(filters)),
        Filter::Any(filters) => Filter::Any(each(filters)),
        Filter::Not(filter) => under(key, *filter).not(),
        word @ Filter::Word { .. } => word,
        Filter::OneOf { index, values } => Filter::OneOf { index, values: all_under(key, &values) },
        Filter::Match(Match { index, range, test }) => {
            let all = Range::prefix(key.to_vec());
            let join = |bound: Vec<u8>| [key.as_slice(), &bound].concat();
            let bound = |bound: Bound<Vec<u8>>, end: Bound<Vec<u8>>| match bound {
                Bound::Unbounded => end,
                bound => bound.map(join),
            };
            let range = Range { low: bound(range.low, all.low), high: bound(range.high, all.high) };
            Filter::Match(Match { index, range, test: test.map(|test| after_key(key, test)) })
        }
        // No value of a parameter is about other documents.
        join @ (Filter::LinksTo { .. } | Filter::LinkedFrom { .. }) => join,
    }
}

fn all_under(key: &[u8; KEY_LENGTH], values: &[Vec<u8>]) -> Arc<[Vec<u8>]> {
    values.iter().map(|value| [key.as_slice(), value].concat()).collect()
}

fn after_key(key: &[u8; KEY_LENGTH], test: Test) -> Test {
    match test {
        Test::Tail { skip, range } => Test::Tail { skip: skip + KEY_LENGTH, range },
        Test::Contains { skip, needle } => Test::Contains { skip: skip + KEY_LENGTH, needle },
        Test::Within { skip, center, millimeters } => Test::Within { skip: skip + KEY_LENGTH, center, millimeters },
        Test::Ending { ending, except } => Test::Ending { ending, except: all_under(key, &except) },
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check, check_refused};

    const PRESSURE: &str = r#"{"resourceType":"Observation","id":"o","status":"final",
        "code":{"coding":[{"system":"http://loinc.org","code":"85354-9"},{"code":"bp"}]},
        "component":[{"code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},"valueQuantity":{"value":107,"unit":"mmHg",
            "system":"http://unitsofmeasure.org","code":"mm[Hg]"}},
            {"code":{"coding":[{"system":"http://loinc.org","code":"8462-4"}]},"valueQuantity":{"value":60,"unit":"mmHg",
            "system":"http://unitsofmeasure.org","code":"mm[Hg]"}}]}"#;

    #[test]
    fn components_hold_together() {
        check(
            PRESSURE,
            &[
                ("component-code-value-quantity=8480-6$107", true),
                ("component-code-value-quantity=8480-6$60", false),
                ("component-code-value-quantity=8462-4$60", true),
                ("component-code-value-quantity=http://loinc.org|8480-6$gt100", true),
                ("component-code-value-quantity=http://loinc.org|8462-4$gt100", false),
                ("component-code-value-quantity=urn:other|8480-6$gt100", false),
                ("component-code-value-quantity=http://loinc.org|$gt100", true),
                ("component-code-value-quantity=http://loinc.org|$gt107", false),
                ("component-code-value-quantity=urn:other|$gt100", false),
                ("component-code-value-quantity=8480-6$14.3|http://unitsofmeasure.org|kPa", true),
                ("component-code-value-quantity=8480-6$15.3|http://unitsofmeasure.org|kPa", false),
                ("component-code-value-quantity=|8480-6$gt100", false),
                ("component-code-value-quantity=8480-6$lt100", false),
                ("component-code-value-quantity=8480-6$ne107", false),
                ("component-code-value-quantity=8480-6$ap100", true),
                (r"component-code-value-quantity=8480-6$107|http://unitsofmeasure.org|mm[Hg]", true),
                (r"component-code-value-quantity=8480-6$107||mmHg", true),
                (r"component-code-value-quantity=8480-6$107||kPa", false),
                ("component-code-value-quantity=8480-6$60,8462-4$60", true),
                ("combo-code-value-quantity=8480-6$ge107", true),
                ("combo-code-value-quantity=85354-9$ge107", false),
                ("code-value-quantity=85354-9$107", false),
                ("component-code-value-quantity:missing=false", true),
                ("code-value-quantity:missing=true", true),
            ],
        );
    }

    fn observation(value: &str) -> String {
        format!(
            r#"{{"resourceType":"Observation","id":"o","status":"final","code":{{"coding":[{{"system":"http://loinc.org","code":"1"}},{{"code":"x"}}]}},{value}}}"#
        )
    }

    #[test]
    fn takes_last_components_of_all_types() {
        check(
            &observation(r#""valueQuantity":{"value":5.4,"unit":"mg","comparator":"<"}"#),
            &[
                ("code-value-quantity=1$lt6", true),
                ("code-value-quantity=1$lt5||mg", true),
                ("code-value-quantity=1$gt6", false),
                ("combo-code-value-quantity=x$lt5", true),
            ],
        );
        check(
            &observation(r#""valueCodeableConcept":{"coding":[{"system":"urn:s","code":"pos"}]}"#),
            &[
                ("code-value-concept=1$pos", true),
                ("code-value-concept=http://loinc.org|1$urn:s|pos", true),
                ("code-value-concept=1$urn:t|pos", false),
                ("code-value-concept=1$urn:s|", true),
                ("code-value-concept=1$urn:t|", false),
                ("code-value-concept=2$pos", false),
                ("combo-code-value-concept=|x$pos", true),
            ],
        );
        check(
            &observation(r#""valueDateTime":"2020-05-06""#),
            &[
                ("code-value-date=1$2020", true),
                ("code-value-date=1$ge2020-05-06", true),
                ("code-value-date=1$gt2020-05-06", false),
                ("code-value-date=1$sa2019", true),
            ],
        );
        check(
            &observation(r#""valuePeriod":{"start":"2015-01-01"}"#),
            &[
                ("code-value-date=1$gt2030", true),
                ("code-value-date=1$lt2014", false),
                ("code-value-date=2$gt2030", false),
            ],
        );
        check(
            &observation(r#""valueString":"Große Menge""#),
            &[
                ("code-value-string=1$grosse", true),
                ("code-value-string=1$menge", false),
                ("code-value-string=2$grosse", false),
            ],
        );
    }

    #[test]
    fn takes_references_groups_and_coordinates() {
        let document = r#"{"resourceType":"DocumentReference","id":"d","status":"current","content":[{"attachment":{}}],
            "relatesTo":[{"code":"replaces","target":{"reference":"DocumentReference/old"}}]}"#;
        check(
            document,
            &[
                ("relationship=replaces$old", true),
                ("relationship=replaces$DocumentReference/old", true),
                ("relationship=replaces$https://flint.example/fhir/DocumentReference/old", true),
                ("relationship=appends$old", false),
                ("relationship=replaces$new", false),
            ],
        );
        let group = r#"{"resourceType":"Group","id":"g","type":"person","actual":true,"characteristic":[
            {"code":{"coding":[{"code":"gender"}]},"valueCodeableConcept":{"coding":[{"code":"female"}]},"exclude":false},
            {"code":{"coding":[{"code":"alive"}]},"valueBoolean":true,"exclude":false}]}"#;
        check(
            group,
            &[
                ("characteristic-value=gender$female", true),
                ("characteristic-value=gender$true", false),
                ("characteristic-value=alive$true", true),
            ],
        );
        let sequence = r#"{"resourceType":"MolecularSequence","id":"m","coordinateSystem":0,
            "referenceSeq":{"chromosome":{"coding":[{"code":"NC_1"}]},"windowStart":10,"windowEnd":50}}"#;
        check(
            sequence,
            &[
                ("chromosome-window-coordinate=NC_1$10$lt60", true),
                ("chromosome-window-coordinate=NC_1$10$gt60", false),
                ("chromosome-window-coordinate=NC_1$11$lt60", false),
                ("chromosome-window-coordinate=NC_1$lt345$gt40", true),
                ("chromosome-window-coordinate=NC_1$lt10$gt40", false),
                ("chromosome-window-coordinate=NC_1$lt345$gt50", false),
                ("chromosome-window-coordinate=NC_1$le10$ge50", true),
                ("chromosome-window-coordinate=NC_1$ge10$le50", true),
                ("chromosome-window-coordinate=NC_1$gt10$le50", false),
                ("chromosome-window-coordinate=NC_1$sa9$eb51", true),
                ("chromosome-window-coordinate=NC_1$ne11$ne51", true),
                ("chromosome-window-coordinate=NC_1$ne10$50", false),
                ("chromosome-window-coordinate=NC_1$ap10$ap52", true),
                ("chromosome-window-coordinate=NC_1$ap12$ap52", false),
                ("chromosome-window-coordinate=NC_2$lt345$gt40", false),
                ("chromosome-window-coordinate=|NC_1$lt345$gt40,NC_2$1$2", true),
                ("chromosome-window-coordinate:missing=false", true),
            ],
        );
        let questionnaire = r#"{"resourceType":"Questionnaire","id":"q","status":"active","useContext":[
            {"code":{"code":"age"},"valueRange":{"low":{"value":18},"high":{"value":65}}},{"code":{"code":"focus"},"valueCodeableConcept":{"coding":[{"code":"asthma"}]}}]}"#;
        check(
            questionnaire,
            &[
                ("context-type-quantity=age$gt50", true),
                ("context-type-quantity=age$gt70", false),
                ("context-type-quantity=focus$gt50", false),
                ("context-type-value=focus$asthma", true),
                ("context-type-value=age$asthma", false),
                ("context-quantity=gt50", true),
                ("context=asthma", true),
            ],
        );
    }

    #[test]
    fn leaves_no_combination_out() {
        let codings = |prefix: &str, count: usize| {
            let codings: Vec<_> = (0..count).map(|code| format!(r#"{{"code":"{prefix}{code}"}}"#)).collect();
            codings.join(",")
        };
        let observation = format!(
            r#"{{"resourceType":"Observation","id":"o","status":"final","code":{{"coding":[{}]}},"valueCodeableConcept":{{"coding":[{}]}}}}"#,
            codings("c", 300),
            codings("v", 3)
        );
        check(
            &observation,
            &[
                ("code-value-concept=c299$v2", true),
                ("code-value-concept=c0$v0", true),
                ("code-value-concept=c300$v2", false),
            ],
        );
        let (long, other) = ("c".repeat(1_000), "c".repeat(1_001));
        let observation = format!(
            r#"{{"resourceType":"Observation","id":"o","status":"final","code":{{"coding":[{{"code":"{long}"}}]}},"valueString":"high"}}"#
        );
        check(
            &observation,
            &[(&format!("code-value-string={long}$high"), true), (&format!("code-value-string={other}$high"), false)],
        );
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        check_refused(
            "Observation",
            &[
                (
                    "code-value-quantity=1",
                    "parameter `code-value-quantity` has the value `1`, expected one value for each component",
                ),
                ("code-value-quantity=1$2$3", "expected one value for each component"),
                ("code-value-quantity=$2", "expected `code`"),
                ("code-value-quantity=1$", "expected `5.4`"),
                ("code-value-quantity=1$x", "expected `5.4`"),
                (r"code-value-quantity=1\$5", "expected one value for each component"),
                (
                    "code-value-quantity:not=1$5",
                    "modifier `:not` of `code-value-quantity` is unknown, allowed are :missing",
                ),
            ],
        );
        check_refused(
            "MolecularSequence",
            &[
                ("chromosome-window-coordinate=NC_1$x$60", "the value `NC_1$x$60`, expected a number"),
                ("chromosome-window-coordinate=NC_1$10$", "expected a number"),
                ("chromosome-window-coordinate=NC_1$10", "expected one value for each component"),
            ],
        );
    }
}
