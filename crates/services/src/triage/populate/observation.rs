//! Answers from Observations, <http://hl7.org/fhir/uv/sdc/populate.html#obs-pop>.

use fhir::fhirpath::{ElementNode, Item};
use fhir::json::{Document, Node};
use fhir::{CalendarUnit, DateTime, Decimal, Issue, Outcome, Precision};
use repository::{Key, query_string};

use super::super::extension::extension;
use super::asked::stored;
use super::expression::Evaluator;

/// How far back an Observation may be,
/// <http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-observationLinkPeriod>.
const LINK_PERIOD: &str = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-observationLinkPeriod";

/// So many Observations, newest first, are looked at for one with a value that fits, and so many members of one.
const OBSERVATIONS_MAX: usize = 20;

/// The Observation that an item was bound to, and its members: the items in it are answered by nothing else.
pub(super) struct Bound {
    observation: Document,
    members: Vec<Document>,
}

/// Whether an item is answered by the newest Observation of its code.
pub(super) fn is_linked(item: Node<'_>) -> bool {
    extension(item, LINK_PERIOD).is_some() && item.get("code").is_some()
}

impl Evaluator<'_> {
    /// The Observations of an item's code in its period, newest first; none where what is known here is not asked for.
    pub(super) fn observed(&self, item: Node<'_>, subject: Option<&Key>) -> Vec<Document> {
        let found = subject.filter(|_| self.is_local).map(|subject| self.find(item, subject));
        found.unwrap_or(Ok(Vec::new())).unwrap_or_else(|outcome| {
            let link_id = item.get("linkId").and_then(Node::as_str).unwrap_or_default();
            for Issue { code, diagnostics, .. } in outcome.issues {
                self.tell_item(&link_id, code, &diagnostics);
            }
            Vec::new()
        })
    }

    fn find(&self, item: Node<'_>, subject: &Key) -> Result<Vec<Document>, Outcome> {
        let Some(since) = extension(item, LINK_PERIOD).and_then(|it| since(self.now, it.get("valueDuration")?)) else {
            return Ok(Vec::new());
        };
        self.spend_query()?;
        let text =
            |coding: Node<'_>, name: &str| coding.get(name).and_then(Node::as_str).unwrap_or_default().into_owned();
        let codes = item.get("code").into_iter().flat_map(Node::items);
        let codes = codes.map(|coding| search::token(&text(coding, "system"), &text(coding, "code")));
        let codes = codes.collect::<Vec<_>>().join(",");
        let (subject, date) = (subject.to_string(), format!("ge{since}"));
        let query = query_string([
            ("subject", subject.as_str()),
            ("code", codes.as_str()),
            ("status", "final,amended,corrected"),
            ("date", date.as_str()),
            ("_sort", "-date"),
        ]);
        let mut documents = Vec::new();
        for version in self.session.lookup("Observation", &query, OBSERVATIONS_MAX)? {
            let document = Document::parse(version.body.as_deref().unwrap_or_default())?;
            // What is about somebody or something else, such as an unborn child.
            if document.root().get("focus").is_none() {
                documents.push(document);
            }
        }
        Ok(documents)
    }

    /// Binds a group to the newest Observation of its code.
    pub(super) fn bind(&self, observation: Document) -> Bound {
        let members = observation.root().get("hasMember").into_iter().flat_map(Node::items).take(OBSERVATIONS_MAX);
        let keys = members.filter_map(|member| self.session.local(&member.get("reference")?.as_str()?));
        let keys: Vec<_> = keys.filter(|key| key.collection() == "Observation").collect();
        let members = keys.iter().filter_map(|key| self.spend_query().and_then(|()| stored(self.session, key)).ok());
        Bound { members: members.collect(), observation }
    }

    /// The values that a bound Observation and its members have for an item.
    pub(super) fn bound<'x>(&self, bound: &'x Bound, item: Node<'_>) -> Vec<Item<'x>> {
        let components = self.root(&bound.observation).map(|root| root.members(self.definitions, "component"));
        let members = bound.members.iter().filter_map(|member| self.root(member));
        let parts = components.unwrap_or_default().into_iter().chain(members);
        parts.filter(|part| is_about(*part, item)).filter_map(|part| self.value(part)).collect()
    }

    /// The value of an Observation.
    pub(super) fn value_of<'x>(&self, observation: &'x Document) -> Option<Item<'x>> {
        self.value(self.root(observation)?)
    }

    fn value<'x>(&self, part: ElementNode<'x>) -> Option<Item<'x>> {
        part.members(self.definitions, "value").into_iter().next().map(Item::Element)
    }

    fn root<'x>(&self, document: &'x Document) -> Option<ElementNode<'x>> {
        ElementNode::resource(self.definitions, document.root())
    }
}

/// Whether a part has a code of the item.
fn is_about(part: ElementNode<'_>, item: Node<'_>) -> bool {
    let codings = part.value.and_then(|part| part.path(&["code", "coding"])).into_iter().flat_map(Node::items);
    let same = |one: Node<'_>, other: Node<'_>| {
        ["system", "code"].iter().all(|name| one.get(name).map(Node::raw) == other.get(name).map(Node::raw))
    };
    codings.into_iter().any(|coding| {
        let mut asked = item.get("code").into_iter().flat_map(Node::items);
        asked.any(|asked| same(coding, asked))
    })
}

/// The first moment of a period that ends now.
fn since(now: fhir::Instant, duration: Node<'_>) -> Option<DateTime> {
    let amount = Decimal::parse(duration.get("value")?.raw())?;
    let unit = duration.get("code").or(duration.get("unit")).and_then(Node::as_str)?;
    let unit = match unit.as_ref() {
        "a" => CalendarUnit::Year,
        "mo" => CalendarUnit::Month,
        "wk" => CalendarUnit::Week,
        "d" => CalendarUnit::Day,
        "h" => CalendarUnit::Hour,
        "min" => CalendarUnit::Minute,
        "s" => CalendarUnit::Second,
        _ => return None,
    };
    DateTime::from_instant(now, Precision::Second)?.add(-amount, unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_back() {
        let now = fhir::Instant::from_millis(1_803_888_000_000); // 2027-03-01T08:00:00Z
        for (value, code, expected) in [
            ("3", "mo", Some("2026-12-01T08:00:00Z")),
            ("1", "wk", Some("2027-02-22T08:00:00Z")),
            ("200", "a", Some("1827-03-01T08:00:00Z")),
            ("1", "min", Some("2027-03-01T07:59:00Z")),
            ("9000", "a", None),
            ("1", "kg", None),
        ] {
            let duration = Document::parse(format!(r#"{{"value":{value},"code":"{code}"}}"#).as_bytes()).expect("JSON");
            let since = since(now, duration.root()).map(|since| since.to_string());
            assert_eq!(since.as_deref(), expected, "{value} {code}");
        }
    }
}
