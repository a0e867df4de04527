//! What a caller may see and do: decided here, for every path by which a datum can leave.

use std::collections::BTreeMap;
use std::sync::Arc;

use fhir::{IssueType, Outcome};
use store::Filter;

/// The rights of one request.
#[derive(Clone, Debug)]
pub struct Access {
    /// By resource type; `None` for everything.
    granted: Option<Arc<BTreeMap<&'static str, Rights>>>,
}

/// What is granted on the resources of one type.
#[derive(Clone, Debug, Default)]
pub struct Rights {
    pub read: bool,
    pub write: bool,
    /// Only on those that satisfy this filter; `None` for all of the type. Nothing tells that there are others.
    pub only: Option<Filter>,
}

impl Access {
    /// Everything: for authentication turned off, and for the server's own commands.
    pub fn full() -> Access {
        Access { granted: None }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.granted.is_none()
    }

    /// These rights by resource type, and nothing on other types.
    pub fn limited(rights: impl IntoIterator<Item = (&'static str, Rights)>) -> Access {
        Access { granted: Some(Arc::new(rights.into_iter().collect())) }
    }

    /// The filter to AND into every search of this type; `None` when nothing is hidden.
    pub fn filter(&self, resource_type: &str) -> Option<&Filter> {
        self.granted.as_ref()?.get(resource_type)?.only.as_ref()
    }

    /// Whether nothing of this type is hidden.
    pub(crate) fn sees_all(&self, resource_type: &str) -> bool {
        self.permit_read(resource_type).is_ok() && self.filter(resource_type).is_none()
    }

    /// Whether resources of this type may be read at all.
    pub fn permit_read(&self, resource_type: &str) -> Result<(), Outcome> {
        self.permit(resource_type, "read", |rights| rights.read)
    }

    /// Whether resources of this type may be written.
    pub fn permit_write(&self, resource_type: &str) -> Result<(), Outcome> {
        self.permit(resource_type, "write", |rights| rights.write)
    }

    fn permit(&self, resource_type: &str, what: &str, has: fn(&Rights) -> bool) -> Result<(), Outcome> {
        match &self.granted {
            Some(granted) if !granted.get(resource_type).is_some_and(has) => {
                Err(Outcome::new(IssueType::Forbidden, format!("the caller may not {what} {resource_type}")))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use fhir::IssueType::{Forbidden, NotFound};
    use search::{Handling, Scope};

    use super::*;
    use crate::testing::*;
    use crate::{Change, ChangeKind, Counted, History, HistoryScope};

    /// The records of two patients.
    fn house() -> House {
        let house = House::new();
        let observation = |id: &str, patient: &str| {
            format!(
                r#"{{"resourceType":"Observation","id":"{id}","status":"final","code":{{"coding":[{{"code":"pulse"}}]}},"subject":{{"reference":"Patient/{patient}"}},"performer":[{{"reference":"Practitioner/doc"}}]}}"#
            )
        };
        house.hold(&[
            r#"{"resourceType":"Practitioner","id":"doc","name":[{"family":"Young"}]}"#,
            r#"{"resourceType":"Patient","id":"ann","name":[{"family":"Ash"}]}"#,
            r#"{"resourceType":"Patient","id":"bob","name":[{"family":"Birch"}]}"#,
            &observation("o-ann", "ann"),
            &observation("o-bob", "bob"),
        ]);
        house
    }

    /// What is Ann's: she reads and writes herself and her observations; of practitioners she reads nothing.
    fn ann(house: &House) -> Access {
        let only = |resource_type, name: &str| {
            let scope = Scope { resource_type: Some(resource_type), compartment: None };
            let parameters = [(name.to_owned(), "ann".to_owned())];
            let repository = &house.repository;
            let query = repository.registry().query(&scope, &parameters, Handling::Strict, repository.now());
            let query = query.expect("a query");
            match query.criterion {
                search::Criterion::Filter(filter) => Some(filter),
                other => panic!("{other:?} is no filter"),
            }
        };
        Access::limited([
            ("Patient", Rights { read: true, write: true, only: only("Patient", "_id") }),
            ("Observation", Rights { read: true, write: true, only: only("Observation", "patient") }),
            ("Group", Rights { read: true, ..Rights::default() }),
        ])
    }

    #[test]
    fn searches_show_what_is_granted() {
        let house = house();
        // Type, query, ids of matches and of what is included.
        let cases = [
            ("Patient", "", "ann", ""),
            ("Patient", "_id=bob", "", ""),
            ("Observation", "code=pulse", "o-ann", ""),
            ("Observation", "subject:Patient.name=birch", "", ""),
            ("Observation", "subject:Patient.name=ash", "o-ann", ""),
            ("Observation", "performer:Practitioner.name=young", "", ""),
            ("Patient", "_has:Observation:patient:code=pulse", "ann", ""),
            ("Observation", "_include=Observation:*", "o-ann", "ann"),
            ("Patient", "_revinclude=Observation:patient", "ann", "o-ann"),
        ];
        for (resource_type, query, matches, included) in cases {
            let page = house.search_as(ann(&house), resource_type, query).expect(query);
            let ids = |versions: &[store::Version]| {
                versions.iter().map(|version| version.key.id().to_owned()).collect::<Vec<_>>().join(" ")
            };
            assert_eq!((ids(&page.matches).as_str(), ids(&page.included).as_str()), (matches, included), "{query}");
            assert_eq!(page.total, Some(Counted::exactly(page.matches.len() as u64)), "{query}");
        }
        let refused = house.search_as(ann(&house), "Practitioner", "").expect_err("refused");
        assert_eq!(refused.issues[0].code, Forbidden);
    }

    /// What is counted on the way to an answer is counted before the access narrows it.
    #[test]
    fn plans_count_for_those_who_see_everything() {
        let house = house();
        let plan = |access| {
            let page =
                house.search_as(access, "Observation", "code=pulse&subject:Patient.name=ash&_include=*&_explain=true");
            page.expect("found").plan.join("; ")
        };
        let (whole, limited) = (plan(Access::full()), plan(ann(&house)));
        for text in ["search: ", "by a value of `Observation.", "intersect"] {
            assert!(whole.contains(text) && limited.contains(text), "{text}: {whole}: {limited}");
        }
        assert!(whole.contains("2 resources"), "{whole}");
        assert!(
            !limited.contains("resources") && !limited.contains(|letter: char| letter.is_ascii_digit()),
            "{limited}"
        );
    }

    #[test]
    fn reads_show_what_is_granted() {
        let house = house();
        let session = || house.repository.open(ann(&house));
        let history = |scope| {
            let history = History { scope, since: None, before: None, after: None, limit: 100, total: true };
            let page = session().history(&history);
            page.map(|page| (page.versions.len(), page.total)).map_err(|outcome| outcome.issues[0].code)
        };
        for (of, code) in [("Patient/bob", NotFound), ("Observation/o-bob", NotFound), ("Practitioner/doc", Forbidden)]
        {
            assert_eq!(session().read(&key(of)).expect_err(of).issues[0].code, code, "{of}");
            assert_eq!(session().vread(&key(of), "1").expect_err(of).issues[0].code, code, "{of}");
            assert_eq!(history(HistoryScope::Document(key(of))), Err(code), "{of}");
        }
        for of in ["Patient/ann", "Observation/o-ann"] {
            assert!(session().read(&key(of)).is_ok() && session().vread(&key(of), "1").is_ok(), "{of}");
            assert_eq!(history(HistoryScope::Document(key(of))), Ok((1, None)), "{of}");
        }
        assert_eq!(history(HistoryScope::Collection("Observation".to_owned())), Ok((1, None)));
        assert_eq!(history(HistoryScope::Collection("Practitioner".to_owned())), Err(Forbidden));
        assert_eq!(history(HistoryScope::All), Ok((2, None)));
    }

    #[test]
    fn writes_only_what_is_granted() {
        let house = house();
        let change = |change: Change| house.repository.open(ann(&house)).transact(vec![change]);
        let observation = |patient: &str| {
            format!(
                r#"{{"resourceType":"Observation","status":"final","code":{{"text":"x"}},"subject":{{"reference":"Patient/{patient}"}}}}"#
            )
        };
        let refused = [
            put(r#"{"resourceType":"Patient","id":"bob"}"#),
            put(r#"{"resourceType":"Practitioner","id":"doc"}"#),
            put(r#"{"resourceType":"Group","id":"g","type":"person","actual":true}"#),
            post(&observation("bob")),
            delete("Observation/o-bob"),
            delete("Practitioner/doc"),
            patch("Patient/bob", "[]"),
            patch("Observation/o-ann", r#"[{"op":"replace","path":"/subject/reference","value":"Patient/bob"}]"#),
            put_at("Practitioner?name=young", r#"{"resourceType":"Practitioner"}"#),
        ];
        for wrong in refused {
            let shown = format!("{wrong:?}");
            let refusal = change(wrong).expect_err(&shown);
            assert_eq!(refusal.outcome.issues[0].code, Forbidden, "{shown}");
        }
        let accepted = [
            (put(r#"{"resourceType":"Patient","id":"ann","active":true}"#), ChangeKind::Updated),
            (post(&observation("ann")), ChangeKind::Created),
            (post_unless(&observation("ann"), "code=pulse"), ChangeKind::Existing),
            (delete("Observation?patient=bob"), ChangeKind::NothingToDelete),
            (delete("Observation/o-ann"), ChangeKind::Deleted),
        ];
        for (right, kind) in accepted {
            let shown = format!("{right:?}");
            assert_eq!(change(right).expect(&shown)[0].kind, kind, "{shown}");
        }
        assert!(house.session().read(&key("Observation/o-bob")).is_ok());
    }
}
