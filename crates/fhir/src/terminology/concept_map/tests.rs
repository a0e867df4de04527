//! Translations over a few maps.

use std::sync::Arc;

use super::*;
use crate::Outcome;
use crate::json::Document;
use crate::published::Published;
use crate::terminology::{Canonical, CodeSystem, Coded, Source, ValueSet};

const MAP: &str = r#"{"resourceType":"ConceptMap","url":"urn:map","sourceUri":"urn:v:from","targetCanonical":"urn:v:to|2","group":[
    {"source":"urn:from","target":"urn:to","element":[
        {"code":"a","display":"An a","target":[{"code":"1","display":"One","equivalence":"equal"},{"code":"2","equivalence":"wider","comment":"roughly"}]},
        {"code":"b","target":[
            {"code":"3","equivalence":"narrower","dependsOn":[{"property":"urn:site","system":"urn:s","value":"arm"}],
             "product":[{"property":"urn:side","value":"left"}]},
            {"code":"4","equivalence":"narrower","dependsOn":[{"property":"urn:site","value":"leg"}]}]},
        {"code":"c","target":[{"equivalence":"unmatched"}]},{"code":"d"}],
     "unmapped":{"mode":"other-map","url":"urn:other"}},
    {"source":"urn:from2","target":"urn:to2","targetVersion":"9","unmapped":{"mode":"fixed","code":"?","display":"Other"}},
    {"source":"urn:from3","target":"urn:to3","unmapped":{"mode":"provided"}},
    {"source":"urn:from4","target":"urn:to4","unmapped":{"mode":"other-map","url":"urn:map"}},
    {"source":"urn:from5","target":"urn:to5","unmapped":{"mode":"other-map","url":"urn:missing"}}]}"#;

const OTHER: &str = r#"{"resourceType":"ConceptMap","url":"urn:other","group":[
    {"source":"urn:from","target":"http://hl7.org/fhir/administrative-gender","element":[{"code":"f","target":[{"code":"female","equivalence":"equivalent"}]}]}]}"#;

struct World;

fn map(text: &str) -> Arc<ConceptMap> {
    Arc::new(ConceptMap::new(Document::parse(text.as_bytes()).expect("well formed").root()))
}

impl Source for World {
    fn code_system(&self, canonical: Canonical<'_>) -> Result<Option<Arc<CodeSystem>>, Outcome> {
        Published.code_system(canonical)
    }

    fn value_set(&self, _: Canonical<'_>) -> Result<Option<Arc<ValueSet>>, Outcome> {
        Ok(None)
    }

    fn concept_map(&self, canonical: Canonical<'_>) -> Result<Option<Arc<ConceptMap>>, Outcome> {
        Ok(match canonical.url {
            "urn:map" => Some(map(MAP)),
            "urn:other" => Some(map(OTHER)),
            _ => None,
        })
    }
}

fn translated(request: &TranslationRequest<'_>) -> String {
    let translation = match translate(&World, &[map(MAP)], request) {
        Ok(translation) => translation,
        Err(outcome) => return outcome.to_string(),
    };
    let shown = translation.matches.iter().map(|found| {
        let products: Vec<_> = found.products.iter().map(|product| format!("+{}", product.value)).collect();
        format!(
            "{} {}|{}{} ",
            found.equivalence.code(),
            found.code.as_deref().unwrap_or("-"),
            found.display.as_deref().unwrap_or_default(),
            products.concat()
        )
    });
    let shown: String = shown.collect();
    format!("{} {shown}{}", translation.result, translation.message.unwrap_or_default()).trim_end().to_owned()
}

#[test]
fn translates_codes() {
    let arm = [Dependency { property: "urn:site".into(), value: "arm".into(), ..Dependency::default() }];
    let coded = |system, code| Coded { system: Some(system), code, ..Coded::default() };
    let from = |system, code| TranslationRequest { coded: coded(system, code), ..TranslationRequest::default() };
    let back = |system, code| TranslationRequest { is_reverse: true, ..from(system, code) };
    for (request, expected) in [
        (from("urn:from", "a"), "true equal 1|One wider 2|"),
        (
            TranslationRequest { dependencies: &arm, ..from("urn:from", "b") },
            "true narrower 3|+left further mappings of `b` depend on urn:site",
        ),
        (from("urn:from", "b"), "false further mappings of `b` depend on urn:site"),
        (from("urn:from", "c"), "false unmatched -| the concept map has nothing that matches `c`"),
        (from("urn:from", "d"), "false no concept map that fits has a mapping for `d`"),
        (from("urn:from", "f"), "true equivalent female|Female"),
        (from("urn:from", "g"), "false no concept map that fits has a mapping for `g`"),
        (from("urn:from2", "x"), "true relatedto ?|Other"),
        (from("urn:from3", "x"), "true equal x|"),
        (
            from("urn:from4", "x"),
            "processing: the concept map `urn:map` refers to itself or to more than 8 others for what it does not map",
        ),
        (
            from("urn:from5", "x"),
            "not-found: the concept map `urn:map` refers to `urn:missing`, which is not known here",
        ),
        (from("urn:none", "x"), "false no concept map that fits has a mapping for `x`"),
        (
            TranslationRequest { target_system: Some("urn:to2"), ..from("urn:from", "a") },
            "false no concept map that fits has a mapping for `a`",
        ),
        (
            TranslationRequest { source: Some("urn:v:from"), target: Some("urn:v:to"), ..from("urn:from", "a") },
            "true equal 1|One wider 2|",
        ),
        (
            TranslationRequest { target: Some("urn:v:else"), ..from("urn:from", "a") },
            "false no concept map that fits has a mapping for `a`",
        ),
        (back("urn:to", "2"), "true narrower a|An a"),
        (back("urn:to", "9"), "false no concept map that fits has a mapping for `9`"),
        (TranslationRequest { source: Some("urn:v:to"), ..back("urn:to", "1") }, "true equal a|An a"),
        (
            TranslationRequest { source: Some("urn:v:from"), ..back("urn:to", "1") },
            "false no concept map that fits has a mapping for `1`",
        ),
    ] {
        assert_eq!(translated(&request), expected, "{request:?}");
    }
}

#[test]
fn reads_every_published_map() {
    let (mut maps, mut codes) = (0, 0);
    for url in crate::published::urls("ConceptMap") {
        let map = Published.concept_map(Canonical::parse(url)).expect("no I/O").expect("published");
        maps += 1;
        for group in &map.groups {
            for element in &group.elements {
                let coded = Coded { system: group.source.as_deref(), code: &element.code, ..Coded::default() };
                let request = TranslationRequest { coded, ..TranslationRequest::default() };
                let translation = translate(&Published, std::slice::from_ref(&map), &request).expect("well made");
                assert_eq!(
                    translation.matches.is_empty(),
                    element.targets.iter().all(|target| !target.depends_on.is_empty()),
                    "{url} {}",
                    element.code
                );
                codes += 1;
            }
        }
    }
    println!("{maps} maps with {codes} codes");
    assert!(maps > 70 && codes > 600, "{maps} maps with {codes} codes");
}
