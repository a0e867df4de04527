//! Canonical urls, <https://hl7.org/fhir/R4/references.html#canonical>.

use std::cmp::Ordering;
use std::fmt;

/// `url|version`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the form names the parts")]
pub struct Canonical<'a> {
    pub url: &'a str,
    /// `None` for whichever is the latest.
    pub version: Option<&'a str>,
}

impl<'a> Canonical<'a> {
    /// Takes a canonical apart; a fragment at its end is left out.
    pub fn parse(text: &'a str) -> Canonical<'a> {
        let text = text.split_once('#').map_or(text, |(before, _)| before);
        match text.split_once('|') {
            Some((url, version)) => Canonical { url, version: Some(version).filter(|version| !version.is_empty()) },
            None => Canonical { url: text, version: None },
        }
    }

    /// Whether a definition of this version is meant.
    pub fn takes(self, version: Option<&str>) -> bool {
        self.version.is_none() || self.version == version
    }

    /// Orders versions: numbers between dots, hyphens and underscores as numbers, anything else as text; none comes first.
    pub fn compare_versions(left: Option<&str>, right: Option<&str>) -> Ordering {
        let parts = |version: Option<&'_ str>| -> Vec<(u64, String)> {
            let parts = version.unwrap_or_default().split(['.', '-', '_']);
            parts.map(|part| part.parse().map_or((0, part.to_owned()), |number| (number, String::new()))).collect()
        };
        left.is_some().cmp(&right.is_some()).then_with(|| parts(left).cmp(&parts(right)))
    }
}

impl fmt::Display for Canonical<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url)?;
        self.version.map_or(Ok(()), |version| write!(f, "|{version}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_canonicals_apart() {
        for (text, url, version) in [
            ("http://a.example/v", "http://a.example/v", None),
            ("http://a.example/v|1.0", "http://a.example/v", Some("1.0")),
            ("http://a.example/v|1.0#x", "http://a.example/v", Some("1.0")),
            ("http://a.example/v|", "http://a.example/v", None),
            ("", "", None),
        ] {
            assert_eq!(Canonical::parse(text), Canonical { url, version }, "{text}");
        }
    }

    #[test]
    fn orders_versions() {
        let ordered = [None, Some("draft"), Some("1.9"), Some("1.10"), Some("2"), Some("2.0.1"), Some("2019-11-01")];
        for pair in ordered.windows(2) {
            assert_eq!(Canonical::compare_versions(pair[0], pair[1]), Ordering::Less, "{pair:?}");
        }
        assert_eq!(Canonical::compare_versions(Some("1.0"), Some("1.0")), Ordering::Equal);
    }
}
