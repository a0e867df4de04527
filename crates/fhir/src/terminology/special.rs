//! Code systems that are not CodeSystem resources: their codes follow a rule, or stand in a registry,
//! <https://hl7.org/fhir/R4/terminologies-systems.html>.

use std::sync::{Arc, LazyLock};

use super::{Builder, Canonical, CodeSystem, Content, Header, Source};
use crate::published::Published;
use crate::ucum;

const CURRENCIES: &str = "urn:iso:std:iso:4217";
const COUNTRIES: &str = "urn:iso:std:iso:3166";
const LANGUAGES: &str = "urn:ietf:bcp:47";
const MEDIA_TYPES: &str = "urn:ietf:bcp:13";
const URIS: &str = "urn:ietf:rfc:3986";

/// Codes longer than this are none.
const CODE_MAX: usize = 1024;

/// Whether a code follows the rule of its system; `None` when there is no rule, or the rule alone does not tell.
pub(super) fn holds(system: &str, code: &str) -> Option<bool> {
    if code.len() > CODE_MAX {
        return name(system).map(|_| false);
    }
    match system {
        ucum::SYSTEM => Some(ucum::is_code(code)),
        LANGUAGES => is_language(code),
        MEDIA_TYPES => Some(is_media_type(code)),
        URIS => Some(is_uri(code)),
        _ => None,
    }
}

/// What a system with a rule is called.
fn name(system: &str) -> Option<&'static str> {
    Some(match system {
        ucum::SYSTEM => "UCUM",
        LANGUAGES => "BCP 47",
        MEDIA_TYPES => "BCP 13",
        URIS => "RFC 3986",
        _ => return None,
    })
}

/// A code system with the one code, if the code follows the rule of its system.
pub(super) fn lookup(system: Canonical<'_>, code: &str) -> Option<CodeSystem> {
    let name = name(system.url).filter(|_| holds(system.url, code) == Some(true))?;
    let mut builder = Builder::new(Header {
        url: system.url.to_owned(),
        version: system.version.map(str::to_owned),
        name: Some(name.to_owned()),
        content: Content::Fragment,
        is_case_sensitive: true,
        ..Header::default()
    });
    let at = builder.concept(code);
    builder.display(at, code);
    builder.build().ok()
}

/// The code systems of registries, as far as they are here; of whatever version.
pub(super) fn code_system(system: Canonical<'_>) -> Option<Arc<CodeSystem>> {
    static CURRENCY_SYSTEM: LazyLock<Arc<CodeSystem>> = LazyLock::new(|| {
        let currencies = include_str!("iso4217.txt").lines().filter_map(|line| line.split_once(' '));
        registry(CURRENCIES, "ISO 4217", Content::Complete, currencies)
    });
    // The two letters of countries are in one of R4's value sets; three letters and numbers are not known.
    static COUNTRY_SYSTEM: LazyLock<Option<Arc<CodeSystem>>> = LazyLock::new(|| {
        let letters = Canonical::parse("http://hl7.org/fhir/ValueSet/iso3166-1-2");
        let value_set = Published.value_set(letters).ok()??;
        let listed = value_set.includes.iter().flat_map(|include| &include.concepts);
        let countries = listed.map(|country| (country.code.as_str(), country.display.as_deref().unwrap_or_default()));
        Some(registry(COUNTRIES, "ISO 3166", Content::Fragment, countries))
    });
    match system.url {
        CURRENCIES => Some(CURRENCY_SYSTEM.clone()),
        COUNTRIES => COUNTRY_SYSTEM.clone(),
        _ => None,
    }
}

fn registry<'a>(
    url: &str,
    name: &str,
    content: Content,
    codes: impl Iterator<Item = (&'a str, &'a str)>,
) -> Arc<CodeSystem> {
    let header =
        Header { url: url.into(), name: Some(name.into()), content, is_case_sensitive: true, ..Header::default() };
    let mut builder = Builder::new(header);
    for (code, display) in codes {
        let at = builder.concept(code);
        builder.display(at, display);
    }
    Arc::new(builder.build().unwrap_or_default())
}

/// A media type with its parameters, <https://www.rfc-editor.org/rfc/rfc6838#section-4.2>, or one of the short forms that FHIR's
/// own capability statements use.
fn is_media_type(code: &str) -> bool {
    let is_name = |name: &str| {
        let is_first = |byte: &u8| byte.is_ascii_alphanumeric();
        let is_rest = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+*".contains(byte);
        name.as_bytes().first().is_some_and(|byte| is_first(byte) || *byte == b'*')
            && name.as_bytes().iter().all(is_rest)
    };
    if matches!(code, "xml" | "json" | "ttl") {
        return true;
    }
    let mut parts = code.split(';');
    let is_type = parts
        .next()
        .and_then(|kind| kind.trim_end().split_once('/'))
        .is_some_and(|(kind, name)| is_name(kind) && is_name(name));
    is_type
        && parts.all(|parameter| {
            parameter.trim().split_once('=').is_some_and(|(name, value)| is_name(name) && !value.is_empty())
        })
}

/// An absolute URI: a scheme, and no character that a URI cannot have.
fn is_uri(code: &str) -> bool {
    let Some((scheme, rest)) = code.split_once(':') else { return false };
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme
        && !rest.is_empty()
        && !rest.chars().any(|part| part.is_whitespace() || part.is_control() || "<>\"{}|\\^`".contains(part))
}

/// The languages of two letters, <https://www.loc.gov/standards/iso639-2/php/English_list.php>, and three that were renamed.
const TWO_LETTERS: &str = "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz \
    ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik in io is it iu iw ja ji \
    jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no \
    nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg sh si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti \
    tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu";

/// A language tag, <https://www.rfc-editor.org/rfc/rfc5646#section-2.1>. Of languages with three letters and more only the form can
/// be told.
fn is_language(code: &str) -> Option<bool> {
    let mut subtags = code.split('-');
    let language = subtags.next().unwrap_or_default();
    let is_form = subtags
        .all(|subtag| (1..=8).contains(&subtag.len()) && subtag.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let is_letters = language.bytes().all(|byte| byte.is_ascii_alphabetic());
    match language.len() {
        _ if !is_form || !is_letters => Some(false),
        1 => matches!(language, "x" | "i" | "X" | "I").then(|| code.contains('-')).or(Some(false)),
        2 => Some(TWO_LETTERS.split_whitespace().any(|known| known.eq_ignore_ascii_case(language))),
        3..=8 => None,
        _ => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_rules() {
        for (system, code, expected) in [
            (ucum::SYSTEM, "mg/dL", Some(true)),
            (ucum::SYSTEM, "[pH]", Some(true)),
            (ucum::SYSTEM, "B[SPL]", Some(true)),
            (ucum::SYSTEM, "{beats}/min", Some(true)),
            (ucum::SYSTEM, "U/(10.g){feces}", Some(true)),
            (ucum::SYSTEM, "furlongs", Some(false)),
            (ucum::SYSTEM, "", Some(false)),
            (LANGUAGES, "en", Some(true)),
            (LANGUAGES, "de-CH-1996", Some(true)),
            (LANGUAGES, "x-private", Some(true)),
            (LANGUAGES, "xx", Some(false)),
            (LANGUAGES, "en_US", Some(false)),
            (LANGUAGES, "en-", Some(false)),
            (LANGUAGES, "x", Some(false)),
            (LANGUAGES, "gsw", None),
            (MEDIA_TYPES, "application/fhir+json; fhirVersion=4.0", Some(true)),
            (MEDIA_TYPES, "image/*", Some(true)),
            (MEDIA_TYPES, "xml", Some(true)),
            (MEDIA_TYPES, "png", Some(false)),
            (MEDIA_TYPES, "image/", Some(false)),
            (MEDIA_TYPES, "image/png;x", Some(false)),
            (URIS, "urn:oid:1.2.3", Some(true)),
            (URIS, "https://a.example/x?y#z", Some(true)),
            (URIS, "not a uri", Some(false)),
            (URIS, "a:b c", Some(false)),
            (URIS, "1.2.3", Some(false)),
            ("urn:other", "x", None),
        ] {
            assert_eq!(holds(system, code), expected, "{system}|{code}");
        }
        assert_eq!(holds(URIS, &format!("urn:{}", "x".repeat(CODE_MAX))), Some(false));
    }

    #[test]
    fn knows_registries() {
        for (system, code, expected) in [
            (CURRENCIES, "GBP", Some("Pound sterling")),
            (CURRENCIES, "gbp", None),
            (COUNTRIES, "GB", Some("United Kingdom")),
            (COUNTRIES, "XX", None),
        ] {
            let known = code_system(Canonical::parse(system)).expect("known");
            let display = known.find(code).and_then(|concept| concept.display());
            match expected {
                Some(expected) => {
                    assert!(display.is_some_and(|display| display.starts_with(expected)), "{code}: {display:?}")
                }
                None => assert_eq!(display, None, "{code}"),
            }
        }
        assert!(code_system(Canonical::parse("urn:other")).is_none());
    }
}
