use super::*;

fn minified(text: &str) -> String {
    match Document::parse(text.as_bytes()) {
        Ok(document) => document.text().to_owned(),
        Err(error) => panic!("{text}: {error}"),
    }
}

fn refusal(bytes: &[u8]) -> String {
    match Document::parse(bytes) {
        Ok(document) => panic!("accepted {}", document.text()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn drops_white_space_and_nothing_else() {
    let cases = [
        ("null", "null"),
        (" \t\r\n true \n", "true"),
        ("\u{feff}{}", "{}"),
        ("[ ]", "[]"),
        ("{ }", "{}"),
        (r#" "a b\u0041\/" "#, r#""a b\u0041\/""#),
        ("[ 1 , -0 , 0.10 , 1e400 , 1E-2,-1.5e+07 ]", "[1,-0,0.10,1e400,1E-2,-1.5e+07]"),
        ("{\n  \"a\" : { \"b\" : [ { } , [ ] , \"  x  \" ] } ,\n  \"c\" : 1 }", r#"{"a":{"b":[{},[],"  x  "]},"c":1}"#),
        (r#"{ "\u0061b" : 1, "c":{"\ud83d\ude00":[ 2 ]} , "d":"x" }"#, r#"{"ab":1,"c":{"😀":[2]},"d":"x"}"#),
        (r#"[{"a":1},{"a":2,"b":{"a":3}}]"#, r#"[{"a":1},{"a":2,"b":{"a":3}}]"#),
        (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
        ("\"\u{7f}\u{2028}\"", "\"\u{7f}\u{2028}\""),
    ];
    for (text, expected) in cases {
        assert_eq!(minified(text), expected);
        assert_eq!(minified(expected), expected);
    }
}

#[test]
fn places_every_value() {
    let document = Document::parse(br#" { "\u0061" : [ 1 , "x" ] , "b" : { "c" : null } } "#).expect("valid");
    let raws: Vec<_> =
        document.tape.iter().map(|slot| &document.text[slot.start as usize..slot.end as usize]).collect();
    let expected = [
        r#"{"a":[1,"x"],"b":{"c":null}}"#,
        r#""a""#,
        r#"[1,"x"]"#,
        "1",
        r#""x""#,
        r#""b""#,
        r#"{"c":null}"#,
        r#""c""#,
        "null",
    ];
    assert_eq!(raws, expected);
    let next: Vec<_> = document.tape.iter().map(|slot| slot.next).collect();
    assert_eq!(next, [9, 2, 5, 4, 5, 6, 9, 8, 9]);
}

#[test]
fn refuses_what_is_no_json() {
    let cases: [(&[u8], &str); 47] = [
        (b"", "the text ends where a value should be at line 1, column 1"),
        (b"  ", "the text ends where a value should be at line 1, column 3"),
        (b"{", "the text ends where a member name in quotes should be at line 1, column 2"),
        (b"[", "the text ends where a value should be at line 1, column 2"),
        (b"[1", "the text ends where `,` or `]` should be at line 1, column 3"),
        (b"{\"a\":1", "the text ends where `,` or `}` should be at line 1, column 7"),
        (b"{\"a\":1]", "found `]` where `,` or `}` should be at line 1, column 7"),
        (b"[1}", "found `}` where `,` or `]` should be at line 1, column 3"),
        (b"[1,]", "found `]` where a value should be at line 1, column 4"),
        (b"[,1]", "found `,` where a value should be at line 1, column 2"),
        (b"{\"a\":1,}", "found `}` where a member name in quotes should be at line 1, column 8"),
        (b"{a:1}", "found `a` where a member name in quotes should be at line 1, column 2"),
        (b"{\"a\" 1}", "found `1` where `:` should be at line 1, column 6"),
        (b"{\"a\":}", "found `}` where a value should be at line 1, column 6"),
        (b"{\n \"a\": 1,\n \"b\": x}", "found `x` where a value should be at line 3, column 7"),
        (b"1 2", "found `2` where the end of the text should be at line 1, column 3"),
        (b"{} \n}", "found `}` where the end of the text should be at line 2, column 1"),
        (b"]", "found `]` where a value should be at line 1, column 1"),
        (b"tru", "found `t` where a value should be at line 1, column 1"),
        (b"truex", "found `x` where the end of the text should be at line 1, column 5"),
        (b"NaN", "found `N` where a value should be at line 1, column 1"),
        (b"-", "the text ends where a digit should be at line 1, column 2"),
        (b"+1", "found `+` where a value should be at line 1, column 1"),
        (b".5", "found `.` where a value should be at line 1, column 1"),
        (b"1.", "the text ends where a digit should be at line 1, column 3"),
        (b"1.e5", "found `e` where a digit should be at line 1, column 3"),
        (b"1e", "the text ends where a digit should be at line 1, column 3"),
        (b"1e+", "the text ends where a digit should be at line 1, column 4"),
        (b"01", "a number starts with a superfluous `0` at line 1, column 1"),
        (b"-00", "a number starts with a superfluous `0` at line 1, column 1"),
        (b"0x1", "found `x` where the end of the text should be at line 1, column 2"),
        (b"\"a", "the text ends where the closing quote of a string should be at line 1, column 3"),
        (b"\"a\nb\"", "a string holds the control character `\\u000a` unescaped at line 1, column 3"),
        (b"\"\0\"", "a string holds the control character `\\u0000` unescaped at line 1, column 2"),
        (br#""\x""#, "the escape is no valid JSON escape or half of a surrogate pair at line 1, column 2"),
        (br#""\u12g4""#, "the escape is no valid JSON escape or half of a surrogate pair at line 1, column 2"),
        (br#""\u+123""#, "the escape is no valid JSON escape or half of a surrogate pair at line 1, column 2"),
        (br#""\ud83d""#, "the escape is no valid JSON escape or half of a surrogate pair at line 1, column 2"),
        (br#""\ud83d\u0041""#, "the escape is no valid JSON escape or half of a surrogate pair at line 1, column 2"),
        (br#""\ude00\ud83d""#, "the escape is no valid JSON escape or half of a surrogate pair at line 1, column 2"),
        (b"\"\\", "the escape is no valid JSON escape or half of a surrogate pair at line 1, column 2"),
        (b"'a'", "found `\\'` where a value should be at line 1, column 1"),
        (b"[1] // x", "found `/` where the end of the text should be at line 1, column 5"),
        (b"\"\xff\"", "the text is not valid UTF-8 at line 1, column 2"),
        (b"\"\xed\xa0\x80\"", "the text is not valid UTF-8 at line 1, column 2"),
        (b"\xef\xbb\xbf\xef\xbb\xbf1", "found `\\u{feff}` where a value should be at line 1, column 1"),
        (
            br#"{"a\"b":1}"#,
            "the member name `a\"b` holds a quote, a backslash or a control character at line 1, column 2",
        ),
    ];
    for (bytes, expected) in cases {
        assert_eq!(refusal(bytes), expected);
    }
}

#[test]
fn refuses_duplicate_names() {
    assert_eq!(refusal(br#"{"a":1,"b":2,"a":3}"#), "the member name `a` is there twice at line 1, column 14");
    assert_eq!(refusal(br#"{"a":1,"\u0061":2}"#), "the member name `a` is there twice at line 1, column 8");
    assert_eq!(refusal(br#"[{"x":{"a":1,"a":{}}}]"#), "the member name `a` is there twice at line 1, column 14");
    // Whatever way of looking is used for this many names.
    for count in 1..80 {
        let names: Vec<_> = (0..count).map(|n| format!(r#""n{n}":{{"n0":0}}"#)).collect();
        let mut text = format!("{{{}}}", names.join(","));
        assert_eq!(minified(&text), text);
        text.truncate(text.len() - 1);
        text += &format!(r#","n{}":1}}"#, count / 2);
        assert!(refusal(text.as_bytes()).starts_with("the member name `n"), "{text}");
    }
}

#[test]
fn bounds_nesting() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let nested = |depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
        assert_eq!(minified(&nested(DEPTH_MAX)), nested(DEPTH_MAX));
        assert!(refusal(nested(DEPTH_MAX + 1).as_bytes()).starts_with("the text nests deeper than 128 levels"));
        assert!(refusal(open.repeat(100_000).as_bytes()).starts_with("the text nests deeper than 128 levels"));
    }
}
