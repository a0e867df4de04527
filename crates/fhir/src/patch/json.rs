//! JSON Patch (<https://www.rfc-editor.org/rfc/rfc6902>) on a FHIR document, <https://hl7.org/fhir/R4/http.html#patch>.
use super::OPERATIONS_MAX;
use super::pointer::Pointer;
use crate::json::{DEPTH_MAX, Document, Kind, Node, Value};
use crate::outcome::quoted;
use crate::{Decimal, IssueType, Outcome};

/// The operations `move` and `copy` may touch this many values and bytes of text in one patch. It bounds the growth by copies
/// of copies.
const TOUCHED_MAX: usize = 16 * 1024 * 1024;

/// A parsed patch document.
#[derive(Clone, Debug)]
pub struct JsonPatch {
    operations: Vec<Operation>,
}

#[derive(Clone, Debug)]
struct Operation {
    action: Action,
    path: Pointer,
}

#[derive(Clone, Debug)]
enum Action {
    Add(Value),
    Remove,
    Replace(Value),
    Move(Pointer),
    Copy(Pointer),
    Test(Value),
}

impl JsonPatch {
    /// Parses a patch document. A malformed one is refused naming the operation's index, the member and what would be right:
    /// as [`IssueType::Syntax`] when it is no JSON, as [`IssueType::BadRequest`] when it is no patch, and as
    /// [`IssueType::TooCostly`] with more than [`OPERATIONS_MAX`] operations.
    pub fn parse(bytes: &[u8]) -> Result<JsonPatch, Outcome> {
        let document = Document::parse(bytes)?;
        let root = document.root();
        if root.kind() != Kind::Array {
            let found = match root.kind() {
                Kind::Object => "one object",
                _ => "one value",
            };
            let message = format!("the JSON Patch is {found} where an array of operations should be");
            return Err(Outcome::new(IssueType::BadRequest, message));
        }
        let count = root.items().count();
        if count > OPERATIONS_MAX {
            let message = format!("the JSON Patch has `{count}` operations, at most {OPERATIONS_MAX} are allowed");
            return Err(Outcome::new(IssueType::TooCostly, message));
        }
        let operations = root
            .items()
            .enumerate()
            .map(|(at, node)| Operation::parse(node).map_err(|message| refusal(IssueType::BadRequest, at, &message)));
        Ok(JsonPatch { operations: operations.collect::<Result<_, _>>()? })
    }

    /// A path that two operations change. What is added at the end of a list comes beside what is there.
    pub fn changed_twice(&self) -> Option<&str> {
        let changes = self.operations.iter().filter(|operation| !matches!(operation.action, Action::Test(_)));
        let mut paths: Vec<_> =
            changes.map(|change| change.path.as_str()).filter(|path| !path.ends_with("/-")).collect();
        paths.sort_unstable();
        paths.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
    }

    /// Applies all operations in order or none. A failed `test` and a path that leads nowhere are refused with
    /// [`IssueType::Processing`] (422), a patch that copies too much with [`IssueType::TooCostly`].
    pub fn apply(&self, target: &Document) -> Result<Document, Outcome> {
        let patched = self.patched(target.root().into())?;
        Ok(Document::parse(patched.to_string().as_bytes())?)
    }

    fn patched(&self, mut target: Value) -> Result<Value, Outcome> {
        let mut touched = 0;
        for (at, operation) in self.operations.iter().enumerate() {
            let code = |touched: usize| match touched {
                0..=TOUCHED_MAX => IssueType::Processing,
                _ => IssueType::TooCostly,
            };
            operation.apply(&mut target, &mut touched).map_err(|message| refusal(code(touched), at, &message))?;
        }
        Ok(target)
    }
}

fn refusal(code: IssueType, at: usize, message: &str) -> Outcome {
    Outcome::new(code, format!("operation {at} of the JSON Patch: {message}"))
}

impl Operation {
    fn parse(node: Node<'_>) -> Result<Operation, String> {
        if node.kind() != Kind::Object {
            return Err("an operation should be an object".to_owned());
        }
        let name = text(node, "op")?;
        let path = pointer(node, "path")?;
        let action = match name.as_str() {
            "add" => Action::Add(value(node)?),
            "remove" => Action::Remove,
            "replace" => Action::Replace(value(node)?),
            "move" => Action::Move(pointer(node, "from")?),
            "copy" => Action::Copy(pointer(node, "from")?),
            "test" => Action::Test(value(node)?),
            _ => {
                return Err(format!(
                    "`op` is {}, it should be `add`, `remove`, `replace`, `move`, `copy` or `test`",
                    quoted(&name)
                ));
            }
        };
        Ok(Operation { action, path })
    }

    fn apply(&self, target: &mut Value, touched: &mut usize) -> Result<(), String> {
        let path = &self.path;
        match &self.action {
            Action::Add(value) => {
                touch(value, path.depth(), &mut 0)?;
                match target.get("resourceType") {
                    Some(_) => path.add_to_resource(target, value.clone()),
                    None => path.add(target, value.clone()),
                }
            }
            Action::Remove => path.remove(target).map(drop),
            Action::Replace(value) => {
                touch(value, path.depth(), &mut 0)?;
                *path.get_mut(target)? = value.clone();
                Ok(())
            }
            Action::Move(from) if from.contains(path) => Err(format!("{from} cannot move into itself at {path}")),
            Action::Move(from) if from == path => from.get(target).map(drop),
            Action::Move(from) => {
                touch(from.get(target)?, path.depth(), touched)?;
                let value = from.remove(target)?;
                path.add(target, value)
            }
            Action::Copy(from) => {
                let value = from.get(target)?;
                touch(value, path.depth(), touched)?;
                let value = value.clone();
                path.add(target, value)
            }
            Action::Test(expected) => {
                let found = path.get(target)?;
                if equal(found, expected) { Ok(()) } else { Err(format!("the test of {path} failed")) }
            }
        }
    }
}

fn text(operation: Node<'_>, name: &str) -> Result<String, String> {
    let member = operation.get(name).ok_or_else(|| format!("the member `{name}` is missing"))?;
    member.as_str().map(|text| text.into_owned()).ok_or_else(|| format!("`{name}` should be a string"))
}

fn pointer(operation: Node<'_>, name: &str) -> Result<Pointer, String> {
    let text = text(operation, name)?;
    Pointer::parse(&text).ok_or_else(|| {
        format!("`{name}` is {}, it should be a JSON Pointer such as `/name/0/family`, or empty", quoted(&text))
    })
}

fn value(operation: Node<'_>) -> Result<Value, String> {
    operation.get("value").map(Value::from).ok_or_else(|| "the member `value` is missing".to_owned())
}

/// Counts what is to be put at `depth` into `touched`; refuses what would nest too deep or has become too much.
fn touch(value: &Value, depth: usize, touched: &mut usize) -> Result<(), String> {
    // A scalar may stand inside the innermost container that is allowed.
    let is_container = matches!(value, Value::Array(_) | Value::Object(_));
    if depth + usize::from(is_container) > DEPTH_MAX {
        return Err(format!("the result would nest deeper than {DEPTH_MAX} levels"));
    }
    let text = match value {
        Value::String(text) | Value::Number(text) => text.len(),
        _ => 0,
    };
    *touched = touched.saturating_add(size_of::<Value>() + text);
    if *touched > TOUCHED_MAX {
        return Err(format!("the patch moves and copies more than {TOUCHED_MAX} bytes"));
    }
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| touch(item, depth + 1, touched)),
        Value::Object(members) => members.iter().try_for_each(|(name, member)| {
            *touched = touched.saturating_add(size_of::<String>() + name.len());
            touch(member, depth + 1, touched)
        }),
        _ => Ok(()),
    }
}

/// Equality of RFC 6902, section 4.6: numbers by value, objects in any order.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => match (Decimal::parse(a), Decimal::parse(b)) {
            (Some(a), Some(b)) => a == b,
            _ => a == b,
        },
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            // Sorted, since both may be large.
            let (a, b) = (sorted(a), sorted(b));
            a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.0 == b.0 && equal(&a.1, &b.1))
        }
        _ => left == right,
    }
}

fn sorted(members: &[(String, Value)]) -> Vec<&(String, Value)> {
    let mut members: Vec<_> = members.iter().collect();
    members.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patched(target: &str, patch: &str) -> Result<String, String> {
        let patch = JsonPatch::parse(patch.as_bytes()).map_err(|outcome| outcome.to_string())?;
        let target = Value::parse(target).expect("a valid target");
        patch.patched(target).map(|value| value.to_string()).map_err(|outcome| outcome.to_string())
    }

    #[test]
    fn tells_what_is_changed_twice() {
        let operation = |text: &str| {
            let (op, path) = text.split_once(' ').expect("an operation and its path");
            format!(r#"{{"op":"{op}","path":"{path}","from":"/c","value":1}}"#)
        };
        for (operations, twice) in [
            (&["replace /a", "test /a", "replace /b"][..], None),
            (&["add /a/-", "add /a/-"], None),
            (&["replace /a", "replace /a/b"], None),
            (&["replace /b", "replace /a", "remove /b"], Some("/b")),
            (&["move /a", "copy /a"], Some("/a")),
        ] {
            let operations: Vec<_> = operations.iter().map(|text| operation(text)).collect();
            let patch = JsonPatch::parse(format!("[{}]", operations.join(",")).as_bytes()).expect("a patch");
            assert_eq!(patch.changed_twice(), twice, "{operations:?}");
        }
    }

    #[test]
    fn applies_operations() {
        let patient = r#"{"a":{"b":[1,2.0]},"c":"x"}"#;
        let cases = [
            ("[]", r#"{"a":{"b":[1,2.0]},"c":"x"}"#),
            (r#"[{"op":"add","path":"/a/b/1","value":9}]"#, r#"{"a":{"b":[1,9,2.0]},"c":"x"}"#),
            (r#"[{"op":"add","path":"/a/b/2","value":null}]"#, r#"{"a":{"b":[1,2.0,null]},"c":"x"}"#),
            (r#"[{"op":"add","path":"/a/b/-","value":1e5}]"#, r#"{"a":{"b":[1,2.0,1e5]},"c":"x"}"#),
            (r#"[{"op":"add","path":"/c","value":"y"}]"#, r#"{"a":{"b":[1,2.0]},"c":"y"}"#),
            (r#"[{"op":"add","path":"","value":{}}]"#, "{}"),
            (r#"[{"op":"replace","path":"","value":[]}]"#, "[]"),
            (r#"[{"op":"replace","path":"/a/b/0","value":{}}]"#, r#"{"a":{"b":[{},2.0]},"c":"x"}"#),
            (r#"[{"op":"remove","path":"/a"}]"#, r#"{"c":"x"}"#),
            (r#"[{"op":"remove","path":"/a/b/0"}]"#, r#"{"a":{"b":[2.0]},"c":"x"}"#),
            (r#"[{"op":"move","from":"/a/b/0","path":"/a/b/1"}]"#, r#"{"a":{"b":[2.0,1]},"c":"x"}"#),
            (r#"[{"op":"move","from":"/a/b","path":"/c"}]"#, r#"{"a":{},"c":[1,2.0]}"#),
            (r#"[{"op":"move","from":"/c","path":"/c"}]"#, patient),
            (r#"[{"op":"copy","from":"/a","path":"/a/b/-"}]"#, r#"{"a":{"b":[1,2.0,{"b":[1,2.0]}]},"c":"x"}"#),
            (
                r#"[{"op":"test","path":"/a","value":{"b":[1.0,20e-1]}},{"op":"remove","path":"/c"}]"#,
                r#"{"a":{"b":[1,2.0]}}"#,
            ),
            (
                r#"[{"op":"test","path":"","value":{"c":"x","a":{"b":[1,2]}}},{"op":"add","path":"/~1","value":1}]"#,
                r#"{"a":{"b":[1,2.0]},"c":"x","/":1}"#,
            ),
        ];
        for (patch, expected) in cases {
            assert_eq!(patched(patient, patch).as_deref(), Ok(expected), "{patch}");
        }
    }

    #[test]
    fn adds_to_the_lists_of_a_resource() {
        let cases = [
            ("/a/-", "3", r#""a":[1,2,3]"#),
            ("/a/-", "[3,4]", r#""a":[1,2,3,4]"#),
            ("/a/-", "[]", r#""a":[1,2]"#),
            ("/a/0", "[3]", r#""a":[[3],1,2]"#),
            ("/b/-", "3", r#""a":[1,2],"b":[3]"#),
            ("/b/-", "[3,4]", r#""a":[1,2],"b":[3,4]"#),
        ];
        for (path, value, expected) in cases {
            let patch = format!(r#"[{{"op":"add","path":"{path}","value":{value}}}]"#);
            let added = patched(r#"{"resourceType":"X","a":[1,2]}"#, &patch);
            assert_eq!(added, Ok(format!(r#"{{"resourceType":"X",{expected}}}"#)), "{path} {value}");
        }
        let refused = patched(r#"{"resourceType":"X"}"#, r#"[{"op":"add","path":"/b/c/-","value":1}]"#);
        assert!(refused.is_err_and(|text| text.ends_with("`/b/c/-` leads through a place that does not exist")));
    }

    #[test]
    fn refuses_what_does_not_apply() {
        let cases = [
            (r#"{"op":"add","path":"/b/c","value":1}"#, "`/b/c` leads through a place that does not exist"),
            (r#"{"op":"add","path":"/c/d","value":1}"#, "`/c/d` leads into a value that is neither object nor array"),
            (
                r#"{"op":"add","path":"/a/b/3","value":1}"#,
                "`3` at the end of `/a/b/3` should be an index from 0 to 2 or `-`",
            ),
            (
                r#"{"op":"add","path":"/a/b/01","value":1}"#,
                "`01` at the end of `/a/b/01` should be an index from 0 to 2 or `-`",
            ),
            (
                r#"{"op":"add","path":"/a/b/x","value":1}"#,
                "`x` at the end of `/a/b/x` should be an index from 0 to 2 or `-`",
            ),
            (r#"{"op":"remove","path":"/a/b/2"}"#, "there is nothing at `/a/b/2`"),
            (r#"{"op":"remove","path":"/a/b/-"}"#, "there is nothing at `/a/b/-`"),
            (r#"{"op":"remove","path":"/x"}"#, "there is nothing at `/x`"),
            (r#"{"op":"remove","path":"/x/y"}"#, "there is nothing at `/x/y`"),
            (r#"{"op":"remove","path":""}"#, "the whole resource cannot be removed"),
            (r#"{"op":"replace","path":"/x","value":1}"#, "there is nothing at `/x`"),
            (r#"{"op":"move","from":"/a","path":"/a/b"}"#, "`/a` cannot move into itself at `/a/b`"),
            (r#"{"op":"move","from":"/x","path":"/x"}"#, "there is nothing at `/x`"),
            (r#"{"op":"copy","from":"/x","path":"/y"}"#, "there is nothing at `/x`"),
            (r#"{"op":"test","path":"/c","value":1}"#, "the test of `/c` failed"),
            (r#"{"op":"test","path":"/a/b","value":[2,1]}"#, "the test of `/a/b` failed"),
            (r#"{"op":"test","path":"/a","value":{"b":[1,2],"c":1}}"#, "the test of `/a` failed"),
            (r#"{"op":"test","path":"/x","value":null}"#, "there is nothing at `/x`"),
        ];
        for (operation, expected) in cases {
            let patch = format!(r#"[{{"op":"add","path":"/new","value":1}},{operation}]"#);
            let refused = patched(r#"{"a":{"b":[1,2.0]},"c":"x"}"#, &patch);
            assert_eq!(refused, Err(format!("processing: operation 1 of the JSON Patch: {expected}")), "{operation}");
        }
    }

    #[test]
    fn refuses_what_is_no_patch() {
        let operation = "invalid: operation 0 of the JSON Patch: ";
        let cases = [
            ("{", "structure: the text ends where a member name in quotes should be at line 1, column 2".to_owned()),
            (
                r#"{"op":"remove","path":"/a"}"#,
                "invalid: the JSON Patch is one object where an array of operations should be".to_owned(),
            ),
            ("null", "invalid: the JSON Patch is one value where an array of operations should be".to_owned()),
            ("[1]", format!("{operation}an operation should be an object")),
            ("[{}]", format!("{operation}the member `op` is missing")),
            (r#"[{"op":1}]"#, format!("{operation}`op` should be a string")),
            (r#"[{"op":"add","value":1}]"#, format!("{operation}the member `path` is missing")),
            (r#"[{"op":"add","path":"/a"}]"#, format!("{operation}the member `value` is missing")),
            (r#"[{"op":"test","path":"/a"}]"#, format!("{operation}the member `value` is missing")),
            (r#"[{"op":"move","path":"/a"}]"#, format!("{operation}the member `from` is missing")),
            (r#"[{"op":"move","path":"/a","from":null}]"#, format!("{operation}`from` should be a string")),
            (
                r#"[{"op":"Add","path":"/a","value":1}]"#,
                format!("{operation}`op` is `Add`, it should be `add`, `remove`, `replace`, `move`, `copy` or `test`"),
            ),
            (
                r#"[{"op":"remove","path":"a"}]"#,
                format!("{operation}`path` is `a`, it should be a JSON Pointer such as `/name/0/family`, or empty"),
            ),
        ];
        for (patch, expected) in cases {
            assert_eq!(patched("{}", patch), Err(expected), "{patch}");
        }
        let many = |count| format!("[{}]", vec![r#"{"op":"test","path":"","value":{}}"#; count].join(","));
        assert!(patched("{}", &many(OPERATIONS_MAX)).is_ok());
        let refused = patched("{}", &many(OPERATIONS_MAX + 1)).expect_err("too many");
        assert_eq!(refused, "too-costly: the JSON Patch has `1001` operations, at most 1000 are allowed");
    }

    #[test]
    fn bounds_growth() {
        let repeated = |operation: &str, count| format!("[{}]", vec![operation; count].join(","));
        let doubling = repeated(r#"{"op":"copy","from":"/a","path":"/a/-"}"#, 40);
        let refused = patched(r#"{"a":["x"]}"#, &doubling).expect_err("too much");
        assert!(refused.starts_with("too-costly: operation "), "{refused}");
        let nesting = repeated(r#"{"op":"copy","from":"","path":"/a"}"#, DEPTH_MAX);
        let refused = patched("{}", &nesting).expect_err("too deep");
        assert_eq!(
            refused,
            "processing: operation 127 of the JSON Patch: the result would nest deeper than 128 levels"
        );
        let nested = repeated(r#"{"op":"copy","from":"","path":"/a"}"#, DEPTH_MAX - 1);
        let result = patched("{}", &nested).expect("just not too deep");
        assert!(Value::parse(&result).is_ok());
    }

    #[test]
    fn passes_the_published_cases() {
        let path =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/fhir-test-cases/r4/patch/json-patch-tests.json");
        let Ok(text) = std::fs::read_to_string(path) else { return println!("no published cases here") };
        let cases = Value::parse(&text).expect("valid");
        for case in cases.items() {
            let part = |name: &str| case.get(name).map(ToString::to_string);
            let patched = patched(&part("doc").expect("a target"), &part("patch").expect("a patch"));
            match case.get("expected") {
                Some(expected) => {
                    let patched = Value::parse(&patched.expect("applies")).expect("valid");
                    assert!(equal(&patched, expected), "{case}");
                }
                None => assert!(patched.is_err(), "{case}"),
            }
        }
        println!("ran {} published cases", cases.items().len());
    }
}
