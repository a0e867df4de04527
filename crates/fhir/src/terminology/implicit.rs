//! Value sets that no resource defines, but the code system they are of: <https://hl7.org/fhir/R4/snomedct.html#implicit>,
//! <https://hl7.org/fhir/R4/loinc.html#implicit>.

use super::{Canonical, Filter, Include, Operator, ValueSet};

const SNOMED: &str = "http://snomed.info/sct";
const LOINC: &str = "http://loinc.org";

/// The value set that a url itself defines; `None` for any other url.
pub fn implicit(canonical: Canonical<'_>) -> Option<ValueSet> {
    let include = match canonical.url.strip_prefix(LOINC) {
        Some(rest) => loinc(rest)?,
        None => snomed(canonical.url.strip_prefix(SNOMED)?)?,
    };
    let version = canonical.version.map(str::to_owned);
    let include = Include { version: include.version.or_else(|| version.clone()), ..include };
    Some(ValueSet { url: canonical.url.to_owned(), version, includes: vec![include], ..ValueSet::default() })
}

/// `?fhir_vs`, `?fhir_vs=isa/ID`, `?fhir_vs=refset`, `?fhir_vs=refset/ID`, also after the url of an edition's version.
fn snomed(rest: &str) -> Option<Include> {
    let (edition, query) = rest.split_once('?')?;
    let version = match edition {
        "" => None,
        edition if edition.contains("/version/") => Some(format!("{SNOMED}{edition}")),
        _ => return None,
    };
    let filter = match query.strip_prefix("fhir_vs")? {
        "" => None,
        "=refset" => Some(filter("refset-concept", Operator::Equal, "true")),
        rest => Some(match rest.strip_prefix('=')?.split_once('/')? {
            ("isa", id) if is_digits(id) => filter("concept", Operator::IsA, id),
            ("refset", id) if is_digits(id) => filter("refset", Operator::Equal, id),
            _ => return None,
        }),
    };
    Some(Include { version, ..include(SNOMED, filter) })
}

/// `/vs`, `/vs/LL1-2` for an answer list, `/vs/LP1-2` for a part and what is below it.
fn loinc(rest: &str) -> Option<Include> {
    let filter = match rest.strip_prefix("/vs")? {
        "" => None,
        rest => match rest.strip_prefix('/')? {
            list if list.starts_with("LL") => Some(filter("LIST", Operator::Equal, list)),
            part if part.starts_with("LP") => Some(filter("concept", Operator::IsA, part)),
            _ => return None,
        },
    };
    Some(include(LOINC, filter))
}

fn include(system: &str, filter: Option<Filter>) -> Include {
    Include { system: Some(system.to_owned()), filters: filter.into_iter().collect(), ..Include::default() }
}

fn filter(property: &str, operator: Operator, value: &str) -> Filter {
    Filter { property: property.to_owned(), operator: Some(operator), value: value.to_owned() }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_urls_define() {
        for (url, expected) in [
            ("http://snomed.info/sct?fhir_vs", Some((None, ""))),
            ("http://snomed.info/sct?fhir_vs=isa/73211009", Some((None, "concept IsA 73211009"))),
            ("http://snomed.info/sct?fhir_vs=refset", Some((None, "refset-concept Equal true"))),
            ("http://snomed.info/sct?fhir_vs=refset/999", Some((None, "refset Equal 999"))),
            (
                "http://snomed.info/sct/900000000000207008/version/20260101?fhir_vs",
                Some((Some("http://snomed.info/sct/900000000000207008/version/20260101"), "")),
            ),
            ("http://snomed.info/sct?fhir_vs|v1", Some((Some("v1"), ""))),
            ("http://loinc.org/vs", Some((None, ""))),
            ("http://loinc.org/vs/LL1-2", Some((None, "LIST Equal LL1-2"))),
            ("http://loinc.org/vs/LP1-2", Some((None, "concept IsA LP1-2"))),
            ("http://snomed.info/sct", None),
            ("http://snomed.info/sct?fhir_vs=isa/", None),
            ("http://snomed.info/sct?fhir_vs=isa/x", None),
            ("http://snomed.info/sct?fhir_vs=ecl/*", None),
            ("http://snomed.info/sct?fhir_cm=900000000000526001", None),
            ("http://snomed.info/sct/900000000000207008?fhir_vs", None),
            ("http://loinc.org", None),
            ("http://loinc.org/vs/1-2", None),
            ("http://loinc.org/vsx", None),
            ("http://v.example/vs", None),
        ] {
            let found = implicit(Canonical::parse(url));
            let told = found.as_ref().map(|value_set| {
                let [include] = &value_set.includes[..] else { panic!("{url}: one include") };
                let filter = include.filters.first();
                let filter = filter.map(|it| format!("{} {:?} {}", it.property, it.operator.expect("R4's"), it.value));
                (include.version.as_deref(), filter.unwrap_or_default())
            });
            assert_eq!(told, expected.map(|(version, filter)| (version, filter.to_owned())), "{url}");
        }
    }
}
