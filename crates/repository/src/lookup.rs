//! Looking resources up for the server's own purposes.

use ::search::{Handling, Query, Scope, parse_query_string};
use fhir::{IssueType, Outcome};
use store::{Count, Page, Version};

use crate::{SearchRequest, Session, fault};

impl Session<'_> {
    /// The first resources of a type that a query string (without `?`) finds, at most `limit`; nothing is counted or included.
    pub fn lookup(&self, resource_type: &str, query: &str, limit: usize) -> Result<Vec<Version>, Outcome> {
        let query = self.compiled(resource_type, query)?;
        let request = SearchRequest { query: &query, page: Page::First, limit, total: Count::None, explain: false };
        Ok(self.search(&request)?.matches)
    }

    /// How many resources of a type a query string (without `?`) finds; each is counted, in the index alone.
    pub fn count(&self, resource_type: &str, query: &str) -> Result<u64, Outcome> {
        let query = self.compiled(resource_type, query)?;
        let request = SearchRequest { query: &query, page: Page::First, limit: 0, total: Count::Exact, explain: false };
        Ok(self.search(&request)?.total.map_or(0, |total| total.count))
    }

    /// The organization whose client asks, whether or not the caller may see it: for what is decided about the caller. `None` where there is none.
    pub fn client_organization(&self) -> Result<Option<Version>, Outcome> {
        let Some(key) = self.requester().and_then(|requester| requester.organization.as_ref()) else {
            return Ok(None);
        };
        let snapshot = self.setup().store.snapshot().map_err(fault::outcome)?;
        Ok(snapshot.read(key).map_err(fault::outcome)?.filter(|version| version.body.is_some()))
    }

    pub(crate) fn compiled(&self, resource_type: &str, query: &str) -> Result<Query, Outcome> {
        let known = self.setup().definitions.resource_type(resource_type);
        let known = known
            .ok_or_else(|| Outcome::new(IssueType::NotSupported, format!("there is no type `{resource_type}`")))?;
        let scope = Scope { resource_type: Some(known), compartment: None };
        self.registry().query(&scope, &parse_query_string(query)?, Handling::Strict, self.now())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::House;

    #[test]
    fn finds_as_many_as_are_asked_for() {
        let house = House::new();
        house.hold(&[
            r#"{"resourceType":"Patient","id":"a","name":[{"family":"Ash"}]}"#,
            r#"{"resourceType":"Patient","id":"b","name":[{"family":"Ash"}]}"#,
            r#"{"resourceType":"Patient","id":"c","name":[{"family":"Birch"}]}"#,
        ]);
        let cases =
            [("family=ash", 9, Some(2)), ("family=ash", 1, Some(1)), ("family=oak", 9, Some(0)), ("x=y", 9, None)];
        for (query, limit, found) in cases {
            let versions = house.session().lookup("Patient", query, limit);
            assert_eq!(versions.ok().map(|versions| versions.len()), found, "{query}");
            let count = house.session().count("Patient", query).ok();
            assert_eq!(count.is_some(), found.is_some(), "{query}");
            assert!(count.is_none_or(|count| limit == 1 || Some(count as usize) == found), "{query}");
        }
        assert!(house.session().lookup("Person1", "", 1).is_err());
    }
}
