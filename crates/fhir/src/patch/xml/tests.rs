use std::path::Path;

use super::*;
use crate::xml::scan::is_blank;

fn patched(target: &str, operations: &str) -> Result<String, String> {
    let patch =
        format!(r#"<diff xmlns="http://hl7.org/fhir" xmlns:x="http://www.w3.org/1999/xhtml">{operations}</diff>"#);
    let patch = XmlPatch::parse(patch.as_bytes()).map_err(|outcome| outcome.to_string())?;
    let target = Document::parse(target.as_bytes()).expect("JSON");
    let patched = patch.apply(Definitions::r4(), &target).map_err(|outcome| outcome.to_string())?;
    Ok(patched.into_text().into())
}

const PATIENT: &str = r#"{"resourceType":"Patient","id":"a","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><!-- c --><p>x &amp; y</p></div>"},"active":true,"name":[{"use":"official","family":"F","given":["A","B"]},{"use":"usual","text":"T"}],"birthDate":"1980"}"#;

#[test]
fn changes_what_is_selected() {
    let cases = [
        (r#"<replace sel="f:Patient/f:birthDate/@value">1981</replace>"#, r#""1980""#, r#""1981""#),
        (r#"<replace sel="Patient/birthDate/@value">1981</replace>"#, r#""1980""#, r#""1981""#),
        (r#"<replace sel="/f:Patient/f:birthDate"><birthDate value="1981"/></replace>"#, r#""1980""#, r#""1981""#),
        (
            r#"<add sel="f:Patient"><deceasedBoolean value="true"/></add>"#,
            r#""1980"}"#,
            r#""1980","deceasedBoolean":true}"#,
        ),
        (
            r#"<add sel="f:Patient/f:active" pos="after"> <name><family value="&quot;N"/></name> </add>"#,
            r#""name":["#,
            r#""name":[{"family":"\"N"},"#,
        ),
        (
            r#"<add sel="f:Patient/f:name[1]" pos="before"><name><family value="N"/></name></add>"#,
            r#""name":["#,
            r#""name":[{"family":"N"},"#,
        ),
        (
            r#"<add sel="f:Patient/f:name[f:use/@value='usual']"><given value="C"/></add>"#,
            r#""text":"T""#,
            r#""text":"T","given":["C"]"#,
        ),
        (
            r#"<add sel="f:Patient/f:name[2]/f:use" type="@id">u</add>"#,
            r#""use":"usual""#,
            r#""use":"usual","_use":{"id":"u"}"#,
        ),
        (
            r#"<add sel="f:Patient/f:birthDate"><extension url="urn:x"><valueInteger value="1"/></extension></add>"#,
            r#""1980"}"#,
            r#""1980","_birthDate":{"extension":[{"url":"urn:x","valueInteger":1}]}}"#,
        ),
        (r#"<remove sel="f:Patient/f:name[1]/f:given[2]"/>"#, r#"["A","B"]"#, r#"["A"]"#),
        (
            r#"<remove sel="f:Patient/f:name[f:given/@value='A']"/>"#,
            r#"{"use":"official","family":"F","given":["A","B"]},"#,
            "",
        ),
        (r#"<remove sel="f:Patient/f:active"/><remove sel="f:Patient/f:birthDate"/>"#, r#","birthDate":"1980""#, ""),
        (r#"<replace sel="f:Patient/f:text/h:div/h:p/text()">z</replace>"#, "x &amp; y", "z"),
        (r#"<replace sel="f:Patient/f:text/x:div/x:p"><x:b>n</x:b></replace>"#, "<p>x &amp; y</p>", "<b>n</b>"),
        (r#"<remove sel="f:Patient/f:text/h:div/comment()"/>"#, "<!-- c -->", ""),
        (r#"<remove sel="*/*[@value='1980']"/>"#, r#","birthDate":"1980""#, ""),
    ];
    for (operations, from, to) in cases {
        let expected = PATIENT.replacen(from, to, 1);
        let expected =
            if operations.contains("f:active\"/>") { expected.replace(r#""active":true,"#, "") } else { expected };
        assert_eq!(patched(PATIENT, operations), Ok(expected), "{operations}");
    }
}

#[test]
fn refuses_what_does_not_apply() {
    let cases = [
        (
            r#"<remove sel="f:Patient/f:gender"/>"#,
            "operation 0 of the XML Patch: `sel` `f:Patient/f:gender` finds nothing",
        ),
        (r#"<remove sel="f:Person"/>"#, "finds nothing"),
        (r#"<remove sel="f:Patient/f:name"/>"#, "finds 2 nodes, it should find one"),
        (r#"<remove sel="f:Patient/f:name[3]"/>"#, "finds nothing"),
        (r#"<remove sel="f:Patient/f:name[0]"/>"#, "finds nothing"),
        (r#"<remove sel="f:Patient"/>"#, "the outermost element cannot be removed"),
        (r#"<add sel="f:Patient" pos="after"><x/></add>"#, "beside the outermost element"),
        (r#"<add sel="f:Patient/f:active" type="@value">x</add>"#, "the attribute `value` is there already"),
        (r#"<add sel="f:Patient/f:active/@value">x</add>"#, "finds an attribute"),
        (r#"<replace sel="f:Patient/f:active">x</replace>"#, "an element is replaced by one element"),
        (r#"<remove sel="f:Patient/f:active" ws="before"/>"#, "no white space"),
        (
            r#"<add sel="f:Patient"><active value="true"/></add>"#,
            "the XML Patch makes what is no resource: `active` comes after `birthDate`",
        ),
        (r#"<remove sel="f:Patient/f:name[2]/f:text"/><remove sel="f:Patient/f:name[2]/f:use"/>"#, "`name` is empty"),
    ];
    for (operations, expected) in cases {
        let refused = patched(PATIENT, operations).expect_err(expected);
        assert!(refused.starts_with("processing: ") && refused.contains(expected), "{operations}: {refused}");
    }
}

#[test]
fn refuses_what_is_no_patch() {
    let cases = [
        ("", "the XML Patch has no operations"),
        ("<move sel='a'/>", "`move` should be `add`, `replace` or `remove`"),
        ("<remove/>", "the attribute `sel` is missing"),
        ("<remove sel=''/>", "a name should stand"),
        ("<remove sel='@a'/>", "an element should come first"),
        ("<remove sel='//a'/>", "a name should stand"),
        ("<remove sel='a/../b'/>", "is not read"),
        ("<remove sel='a[b]'/>", "`=` should stand"),
        ("<remove sel='a[last()]'/>", "`last` is no name"),
        ("<remove sel='a[@b=1]'/>", "a text in quotes should stand"),
        ("<remove sel='q:a'/>", "the prefix `q` is not declared"),
        ("<remove sel='a' x='1'/>", "`x` is not an attribute of `remove`"),
        ("<remove sel='a' ws='x'/>", "`ws` is `x`"),
        ("<add sel='a' pos='x'/>", "`pos` is `x`"),
        ("<add sel='a' type='x'/>", "`type` is `x`"),
        ("<add sel='a' pos='after' type='@x'/>", "`pos` and `type` stand together"),
        ("<remove", "structure: "),
    ];
    for (operations, expected) in cases {
        let refused = patched(PATIENT, operations).expect_err(expected);
        assert!(refused.contains(expected), "{operations}: {refused}");
    }
    let many = "<remove sel='a'/>".repeat(OPERATIONS_MAX + 1);
    assert!(patched(PATIENT, &many).is_err_and(|refused| refused.contains("at most 1000 are allowed")));
    assert!(XmlPatch::parse(b"<x/>").is_err_and(|outcome| outcome.to_string().contains("it should be `diff`")));
    let long = format!("<remove sel='{}'/>", "a/".repeat(2000));
    assert!(patched(PATIENT, &long).is_err_and(|refused| refused.contains("longer than 2000 bytes")));
}

/// The inside of the first element of that name, without white space between tags.
fn inside(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let tree = rest.split_once(&format!("</{name}>"))?.0.trim().to_owned();
    Some(without_space(&tree))
}

fn without_space(xml: &str) -> String {
    let Ok(tree) = Tree::parse(xml) else { return xml.to_owned() };
    let blank = tree.nodes.iter().filter(|node| matches!(node.kind, Kind::Text) && is_blank(&xml[node.span.clone()]));
    let edits = blank.map(|node| crate::json::Edit { range: node.span.clone(), text: String::new() }).collect();
    let text = crate::json::splice(xml, edits);
    // `<a></a>` and `<a/>` are the same.
    let mut text = text;
    for name in ["foo t=\"2\"", "foo a=\"1\"", "doc xmlns=\"http://hl7.org/fhir\""] {
        let end = name.split(' ').next().unwrap_or_default();
        text = text.replace(&format!("<{name}></{end}>"), &format!("<{name}/>"));
    }
    text
}

#[test]
fn passes_the_official_cases() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/fhir-test-cases/r4/patch/xml-patch-tests.xml");
    let Ok(text) = std::fs::read_to_string(path) else { return println!("no XML Patch cases at hand: skipped") };
    // Cases inside comments are none.
    let tree = Tree::parse(&text).expect("XML");
    let cases: Vec<&str> = (0..tree.nodes.len())
        .filter(|&node| tree.element(node).is_some_and(|it| it.name == "case"))
        .map(|node| tree.source(node))
        .collect();
    for case in &cases {
        let name = case.split('"').nth(1).unwrap_or_default();
        let target = inside(case, "target").expect("a target");
        let start = case.find("<patch ").expect("a patch");
        let patch = &case[start..case.find("</patch>").expect("a patch") + "</patch>".len()];
        let patched = XmlPatch::parse(patch.as_bytes()).and_then(|patch| patch.apply_to(target));
        match inside(case, "patched") {
            Some(expected) => {
                let patched = patched.unwrap_or_else(|outcome| panic!("{name}: {outcome}"));
                assert_eq!(without_space(&patched), expected, "{name}");
            }
            None => assert!(patched.is_err(), "{name}"),
        }
    }
    println!("{} official cases of XML Patch", cases.len());
}

#[test]
fn survives_broken_patches() {
    let patch = r#"<diff xmlns='http://hl7.org/fhir' xmlns:q="urn:q"><add sel="f:Patient/*[@value='1980']" type="@id">x</add><replace sel="/f:Patient/f:text/h:div/h:p[1]/text()">é</replace><remove sel="f:Patient/f:name[f:use/@value='usual'][1]" ws='after'/></diff>"#;
    let target = write(Definitions::r4(), &Document::parse(PATIENT.as_bytes()).expect("JSON")).expect("XML");
    let instead: [&[u8]; 10] = [b"", b"<", b">", b"&", b"'", b"/", b"[", b"@", b"*", b"\xff"];
    for at in 0..patch.len() {
        for instead in instead {
            let patch = [&patch.as_bytes()[..at], instead, &patch.as_bytes()[at + 1..]].concat();
            if let Ok(patch) = XmlPatch::parse(&patch) {
                drop(patch.apply_to(target.clone()));
            }
        }
    }
}
