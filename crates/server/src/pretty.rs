//! `_pretty=true`: JSON with line breaks.

/// Indents a minified JSON text by two spaces a level.
pub(crate) fn indent(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len() * 2);
    let mut depth = 0;
    let mut in_string = false;
    let mut at = 0;
    while let Some(&byte) = json.get(at) {
        at += 1;
        if in_string {
            out.push(byte);
            match byte {
                b'\\' => {
                    out.extend(json.get(at));
                    at += 1;
                }
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'{' | b'[' if matches!(json.get(at), Some(b'}' | b']')) => {
                out.extend_from_slice(&json[at - 1..=at]);
                at += 1;
            }
            b'{' | b'[' => {
                out.push(byte);
                depth += 1;
                new_line(&mut out, depth);
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                new_line(&mut out, depth);
            }
            b':' => out.extend_from_slice(b": "),
            _ => {
                in_string = byte == b'"';
                out.push(byte);
            }
        }
    }
    out
}

fn new_line(out: &mut Vec<u8>, depth: usize) {
    out.push(b'\n');
    out.resize(out.len() + 2 * depth, b' ');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indents() {
        let cases = [
            ("", ""),
            ("{}", "{}"),
            (
                r#"{"a":[1,{"b":"x,{\"}"}],"c":[],"d":"\\"}"#,
                "{\n  \"a\": [\n    1,\n    {\n      \"b\": \"x,{\\\"}\"\n    }\n  ],\n  \"c\": [],\n  \"d\": \"\\\\\"\n}",
            ),
        ];
        for (json, expected) in cases {
            assert_eq!(String::from_utf8(indent(json.as_bytes())).expect("UTF-8"), expected);
        }
    }
}
