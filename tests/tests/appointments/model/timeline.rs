use flint_tests::Flint;
use serde_json::Value;

/// One version that is stored.
#[derive(Debug)]
pub(super) struct Version {
    pub(super) key: String,
    pub(super) number: u64,
    /// As text that sorts like the time it says.
    pub(super) time: String,
    /// `None` for a deletion.
    pub(super) resource: Option<Value>,
}

impl Version {
    fn new(entry: &Value) -> Version {
        let text = |pointer: &str| entry.pointer(pointer).and_then(Value::as_str).expect("text").to_owned();
        let url = text("/fullUrl");
        let id = url.rsplitn(3, '/').take(2).collect::<Vec<_>>();
        let number = text("/response/etag").trim_start_matches("W/").trim_matches('"').parse().expect("a number");
        Version {
            key: format!("{}/{}", id[1], id[0]),
            number,
            time: text("/response/lastModified"),
            resource: entry.get("resource").cloned(),
        }
    }

    pub(super) fn is(&self, resource_type: &str) -> bool {
        self.key.split('/').next() == Some(resource_type)
    }
}

/// Everything written, oldest first, what was written at once together.
pub(super) fn commits(flint: &Flint) -> Vec<Vec<Version>> {
    let (mut versions, mut url) = (Vec::new(), Some("/_history?_count=1000".to_owned()));
    while let Some(at) = url {
        let page = flint.get(&at).expect(200);
        versions.extend(page.json()["entry"].as_array().expect("entries").iter().map(Version::new));
        url = page.link("next");
    }
    let mut commits: Vec<Vec<Version>> = Vec::new();
    for version in versions.into_iter().rev() {
        match commits.last_mut().filter(|commit| commit[0].time == version.time) {
            Some(commit) => commit.push(version),
            None => commits.push(vec![version]),
        }
    }
    commits
}
