//! Where in the text that was sent an element stands: from a FHIRPath expression to a line and a column. Done only when there is an issue to tell.

mod json;
mod xml;

use crate::Issue;
use crate::json::line_and_column;

/// How many steps of an expression are followed.
const STEPS_MAX: usize = 256;

/// How many issues are placed, the first ones: each is looked for among all items of its lists.
const PLACED_MAX: usize = 64;

/// A resource as it was sent.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the formats speak for themselves")]
pub enum Text<'a> {
    Json(&'a [u8]),
    Xml(&'a [u8]),
}

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in bytes.
    pub column: usize,
}

/// Notes on each issue where its element stands: the value in JSON, the tag in XML; for an element that is not there, what it is missing in.
/// Issues without expression, those about another resource than the one in the text, and those after the first 64 stay as they are.
pub fn place<'i>(text: Text<'_>, issues: impl Iterator<Item = &'i mut Issue>) {
    let issues = issues.filter(|issue| issue.place.is_none() && !issue.expression.is_empty());
    let mut issues: Vec<_> = issues.take(PLACED_MAX).collect();
    if issues.is_empty() {
        return;
    }
    let targets: Vec<_> = issues.iter().map(|issue| steps(&issue.expression[0])).collect();
    let (text, found) = match text {
        Text::Json(bytes) => json::offsets(bytes, &targets),
        Text::Xml(bytes) => xml::offsets(bytes, &targets),
    };
    for (issue, at) in issues.iter_mut().zip(found) {
        issue.place = at.map(|at| {
            let (line, column) = line_and_column(text, at);
            Place { line, column }
        });
    }
}

/// `name[1]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step<'a> {
    name: &'a str,
    index: Option<usize>,
}

/// The steps of an expression, up to the first that is more than a name and an index.
fn steps(expression: &str) -> Vec<Step<'_>> {
    let step = |text| {
        let (name, index) = match str::split_once(text, '[') {
            Some((name, rest)) => (name, Some(rest.strip_suffix(']')?.parse().ok()?)),
            None => (text, None),
        };
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_name.then_some(Step { name, index })
    };
    expression.split('.').map_while(step).take(STEPS_MAX).collect()
}

impl Step<'_> {
    /// Whether a member or element is meant: by its name, or as the choice of a type for `value[x]`.
    fn is(&self, member: &str) -> bool {
        let rest = member.strip_prefix(self.name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(|first: char| first.is_ascii_uppercase()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::IssueType;

    fn found(text: Text<'_>, expressions: &[&str]) -> Vec<Option<(usize, usize)>> {
        let issue = |expression: &&str| Issue::error(IssueType::Value, "x").at(*expression);
        let mut issues: Vec<_> = expressions.iter().map(issue).collect();
        place(text, issues.iter_mut());
        issues.iter().map(|issue| issue.place.map(|place| (place.line, place.column))).collect()
    }

    #[test]
    fn places_elements_of_json() {
        let text = "\u{feff}{\n  \"resourceType\": \"Parameters\",\n  \"parameter\": [\n    {\"name\": \"a\\\"\", \"valueString\": \"x\"},\n    {\"name\" : \"r\",\"resource\":{\"resourceType\":\"Patient\",\n\"birthD\\u0061te\": \"1970\", \"_birthDate\":{\"extension\":[ {\"url\":\"u\"}]},\n\t\"name\":[{\"given\":[null, \"é\" ,\"z\"],\"_given\":[{\"id\":\"i\"},null,null]}]}}]}";
        let cases = [
            ("Parameters", Some((1, 1))),
            ("Parameters.resourceType", Some((2, 19))),
            ("Parameters.parameter[0].value", Some((4, 36))),
            ("Parameters.parameter[0].part[3].name", Some((4, 5))),
            ("Parameters.parameter[1].name", Some((5, 15))),
            ("Parameters.parameter[1].resource.birthDate", Some((6, 19))),
            ("Parameters.parameter[1].resource.birthDate.extension[0].url", Some((6, 62))),
            ("Parameters.parameter[1].resource.name[0].given[1]", Some((7, 26))),
            ("Parameters.parameter[1].resource.name[0].given[2]", Some((7, 32))),
            ("Parameters.parameter[1].resource.name[0].given[0].id", Some((7, 53))),
            ("Parameters.parameter[1].resource.name.where(use = 'a')", Some((7, 9))),
            ("Parameters.parameter[7]", Some((3, 16))),
            ("Patient.birthDate", None),
            ("", None),
        ];
        let expressions = cases.map(|(expression, _)| expression);
        assert_eq!(found(Text::Json(text.as_bytes()), &expressions), cases.map(|(_, place)| place));
        assert_eq!(found(Text::Json(b"{"), &["Patient"]), [None]);
    }

    #[test]
    fn places_elements_of_xml() {
        let text = "<?xml version=\"1.0\"?>\n<Bundle xmlns=\"http://hl7.org/fhir\">\n  <entry><fullUrl value=\"urn:a\"/></entry>\n  <entry>\n    <resource><Patient>\n      <text><div xmlns=\"http://www.w3.org/1999/xhtml\"><p>a</p></div></text>\n      <name><given value=\"a\"/><given value=\"b\"/></name>\n      <deceasedBoolean value=\"true\"/>\n    </Patient></resource>\n  </entry>\n</Bundle>";
        let cases = [
            ("Bundle", Some((2, 1))),
            ("Bundle.entry[0].fullUrl", Some((3, 10))),
            ("Bundle.entry[1].resource", Some((5, 5))),
            ("Bundle.entry[1].resource.name[0].given[1]", Some((7, 31))),
            ("Bundle.entry[1].resource.deceased", Some((8, 7))),
            ("Bundle.entry[1].resource.gender", Some((5, 5))),
            ("Bundle.type", Some((2, 1))),
            ("Patient.name", None),
        ];
        let expressions = cases.map(|(expression, _)| expression);
        assert_eq!(found(Text::Xml(text.as_bytes()), &expressions), cases.map(|(_, place)| place));
        assert_eq!(found(Text::Xml(b"<"), &["Patient"]), [None]);
    }
}
