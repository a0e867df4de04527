mod published;

use super::*;
use crate::Definitions;
use crate::json::Document;

fn to_xml(json: &str) -> String {
    let document = Document::parse(json.as_bytes()).expect("JSON");
    write(Definitions::r4(), &document).unwrap_or_else(|outcome| panic!("{json}: {outcome}"))
}

fn to_json(xml: &str) -> String {
    match parse(Definitions::r4(), xml.as_bytes()) {
        Ok(document) => document.into_text().into(),
        Err(outcome) => panic!("{xml}: {outcome}"),
    }
}

fn refusal(xml: &str) -> String {
    match parse(Definitions::r4(), xml.as_bytes()) {
        Ok(document) => panic!("accepted {}", document.text()),
        Err(outcome) => outcome.to_string(),
    }
}

#[test]
fn writes_what_reads_back() {
    let div = r#"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p class='x'>a &amp; b<br/></p><!-- c --></div>"#;
    let cases = [
        (r#"{"resourceType":"Patient"}"#.to_owned(), "<Patient xmlns=\"http://hl7.org/fhir\"/>".to_owned()),
        (
            r#"{"resourceType":"Patient","id":"ann","active":true,"name":[{"id":"n","given":["A","B"]},{"family":"\"<&>'\n\t"}]}"#
                .to_owned(),
            concat!(
                r#"<Patient xmlns="http://hl7.org/fhir"><id value="ann"/><active value="true"/><name id="n"><given value="A"/>"#,
                r#"<given value="B"/></name><name><family value="&quot;&lt;&amp;&gt;'&#10;&#9;"/></name></Patient>"#
            )
            .to_owned(),
        ),
        (
            r#"{"resourceType":"Patient","name":[{"given":["A",null,"C"],"_given":[{"id":"x"},{"extension":[{"url":"http://u","valueString":"v"}]},null]}],"_birthDate":{"extension":[{"url":"http://u","valueDecimal":1.50}]}}"#.to_owned(),
            concat!(
                r#"<Patient xmlns="http://hl7.org/fhir"><name><given value="A" id="x"/><given><extension url="http://u">"#,
                r#"<valueString value="v"/></extension></given><given value="C"/></name><birthDate><extension url="http://u">"#,
                r#"<valueDecimal value="1.50"/></extension></birthDate></Patient>"#
            )
            .to_owned(),
        ),
        (
            format!(r#"{{"resourceType":"Patient","text":{{"status":"generated","div":"{div}"}}}}"#),
            format!(
                r#"<Patient xmlns="http://hl7.org/fhir"><text><status value="generated"/>{}</text></Patient>"#,
                div.replace('\\', "")
            ),
        ),
        (
            r#"{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"urn:x","resource":{"resourceType":"Observation","contained":[{"resourceType":"Patient","id":"p"},{"resourceType":"Patient","id":"q"}],"valueQuantity":{"value":-1e-7}}}]}"#.to_owned(),
            concat!(
                r#"<Bundle xmlns="http://hl7.org/fhir"><type value="collection"/><entry><fullUrl value="urn:x"/><resource>"#,
                r#"<Observation><contained><Patient><id value="p"/></Patient></contained><contained><Patient><id value="q"/>"#,
                r#"</Patient></contained><valueQuantity><value value="-1e-7"/></valueQuantity></Observation></resource></entry></Bundle>"#
            )
            .to_owned(),
        ),
    ];
    for (json, xml) in cases {
        let written = to_xml(&json);
        assert_eq!(written.strip_prefix(r#"<?xml version="1.0" encoding="UTF-8"?>"#), Some(xml.as_str()));
        assert_eq!(to_json(&written), json);
        let document = Document::parse(json.as_bytes()).expect("JSON");
        let pretty = write_pretty(Definitions::r4(), &document).expect("XML");
        assert_eq!(to_json(&pretty), json);
    }
}

#[test]
fn writes_the_order_of_the_definitions() {
    let xml = to_xml(
        r#"{"birthDate":"1980","_active":{"id":"a"},"name":[{"given":["A"],"family":"F"}],"active":true,"resourceType":"Patient"}"#,
    );
    let order = r#"<active value="true" id="a"/><name><family value="F"/><given value="A"/></name><birthDate value="1980"/></Patient>"#;
    assert!(xml.ends_with(order), "{xml}");
}

#[test]
fn reads_other_ways_to_write_the_same() {
    let expected = r#"{"resourceType":"Patient","id":"a","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">x<br></br></div>"}}"#;
    let text = [
        "\u{feff}<?xml version='1.0' encoding='utf-8' standalone='yes'?>\n<?x y?><!-- c --><f:Patient xmlns:f='http://hl7.org/fhir' ",
        "xmlns:h='http://www.w3.org/1999/xhtml' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:schemaLocation='a b'>",
        "<!-- c -->\n <f:id value = '&#x61;' ></f:id><f:text><f:status value='generated'/><h:div>x<h:br/></h:div></f:text></f:Patient >\n<!-- -->",
    ];
    assert_eq!(to_json(&text.concat()), expected);
    let text = "<Patient xmlns='http://hl7.org/fhir' xmlns:h='x'><id value='a'/><text><status value='generated'/><div xmlns='http://www.w3.org/1999/xhtml'><![CDATA[<a&]]></div></text></Patient>";
    assert!(to_json(text).contains("&lt;a&amp;</div>"));
}

#[test]
fn refuses_what_is_no_xml() {
    let cases = [
        ("", "structure: the text holds no element at line 1, column 1"),
        ("x", "structure: text stands outside the outermost element at line 1, column 1"),
        ("<a", "at line 1, column 1"),
        (
            "<Patient xmlns='http://hl7.org/fhir'>\n <id value='a'/>",
            "the text ends before its outermost element does at line 2, column 17",
        ),
        ("<Patient xmlns='http://hl7.org/fhir'></Person>", "at line 1, column 38"),
        (
            "<Patient xmlns='http://hl7.org/fhir'/><Patient xmlns='http://hl7.org/fhir'/>",
            "more than one outermost element at line 1, column 39",
        ),
        (
            "<!DOCTYPE Patient><Patient xmlns='http://hl7.org/fhir'/>",
            "a document type (DOCTYPE) is not read, nor are entities of its own at line 1, column 1",
        ),
        (
            "<!DOCTYPE lolz [<!ENTITY a \"a\"><!ENTITY b \"&a;&a;&a;&a;\">]><Patient xmlns='http://hl7.org/fhir'><id value='&b;'/></Patient>",
            "a document type (DOCTYPE) is not read",
        ),
        (
            "<Patient xmlns='http://hl7.org/fhir'><id value='&b;'/></Patient>",
            "the entity `b` is unknown; only `amp`, `lt`, `gt`, `quot` and `apos` are read at line 1, column 38",
        ),
        ("<Patient xmlns='http://hl7.org/fhir'><id value='<'/></Patient>", "`<` stands in the attribute `value`"),
        ("<Patient xmlns='http://hl7.org/fhir'><id value='a' value='b'/></Patient>", "an attribute is there twice"),
        ("<Patient xmlns='http://hl7.org/fhir'><id value=a/></Patient>", "no quotes around it at line 1, column 48"),
        ("<Patient xmlns='http://hl7.org/fhir'><id value/></Patient>", "an attribute has no `=`"),
        ("<Patient xmlns='http://hl7.org/fhir'><1/></Patient>", "`1` is no name of an element"),
        ("<f:Patient/>", "the prefix `f` is not declared"),
        ("<Patient xmlns='http://hl7.org/fhir'><!-- a -- b --></Patient>", "forbidden string `--`"),
        (
            "<?xml version='1.0' encoding='latin1'?><Patient xmlns='http://hl7.org/fhir'/>",
            "its encoding is `latin1`, only `UTF-8` is read",
        ),
        ("<Patient xmlns='http://hl7.org/fhir'>\u{1}</Patient>", "XML cannot hold the character `\\u{1}`"),
    ];
    for (xml, expected) in cases {
        let refused = refusal(xml);
        assert!(refused.contains(expected), "{xml}: {refused}");
        assert!(refused.starts_with("structure: "), "{refused}");
    }
    assert!(
        parse(Definitions::r4(), b"<a>\xff</a>")
            .is_err_and(|outcome| outcome.to_string().contains("not valid UTF-8 at line 1, column 4"))
    );
    assert!(parse(Definitions::r4(), b"\xff\xfe<\0").is_err_and(|outcome| outcome.to_string().contains("UTF-16")));
}

#[test]
fn refuses_what_is_no_resource() {
    let cases = [
        ("<Patient/>", "`<Patient>` is in no namespace, it should be in `http://hl7.org/fhir` at line 1, column 1"),
        ("<Patient xmlns='urn:x'/>", "`<Patient>` is in the namespace `urn:x`"),
        ("<Person xmlns='http://hl7.org/fhir'><id xmlns='' value='a'/></Person>", "`<id>` is in no namespace"),
        ("<Foo xmlns='http://hl7.org/fhir'/>", "`Foo` is not a resource type of R4"),
        ("<DomainResource xmlns='http://hl7.org/fhir'/>", "`DomainResource` is not a resource type of R4"),
        ("<Patient xmlns='http://hl7.org/fhir' id='a'/>", "`id` is not an attribute of `Patient`"),
        (
            "<Patient xmlns='http://hl7.org/fhir'>x</Patient>",
            "the text `x` stands between elements; values stand in `value`",
        ),
        ("<Patient xmlns='http://hl7.org/fhir'>&#65;</Patient>", "stands between elements"),
        ("<Patient xmlns='http://hl7.org/fhir'><![CDATA[ ]]></Patient>", "stands between elements"),
        (
            "<Patient xmlns='http://hl7.org/fhir'><nme/></Patient>",
            "`nme` is not an element of Patient at line 1, column 38 (Patient)",
        ),
        (
            "<Patient xmlns='http://hl7.org/fhir'><name/></Patient>",
            "`name` is empty: it has neither a value nor elements",
        ),
        ("<Patient xmlns='http://hl7.org/fhir'><birthDate/></Patient>", "`birthDate` is empty"),
        (
            "<Patient xmlns='http://hl7.org/fhir'><birthDate value='1980'/><birthDate value='1981'/></Patient>",
            "`birthDate` is there twice",
        ),
        (
            "<Patient xmlns='http://hl7.org/fhir'><birthDate value='1980'/><active value='true'/></Patient>",
            "`active` comes after `birthDate`, it should stand before it",
        ),
        (
            "<Patient xmlns='http://hl7.org/fhir'><deceasedBoolean value='true'/><deceasedDateTime value='2020'/></Patient>",
            "`deceasedDateTime` stands apart from `deceasedBoolean`",
        ),
        (
            "<Patient xmlns='http://hl7.org/fhir'><active value='yes'/></Patient>",
            "value: `yes` in `active` is not of type boolean",
        ),
        ("<Patient xmlns='http://hl7.org/fhir'><name x='1'/></Patient>", "`x` is not an attribute of `name`"),
        (
            "<Patient xmlns='http://hl7.org/fhir'><active value='true' x='1'/></Patient>",
            "`x` is not an attribute of `active`",
        ),
        ("<Patient xmlns='http://hl7.org/fhir'><contained/></Patient>", "`contained` is empty"),
        (
            "<Patient xmlns='http://hl7.org/fhir'><contained><Person/><Person/></contained></Patient>",
            "`contained` holds one resource, `Person` is a second one at line 1, column 58 (Patient.contained[0])",
        ),
        (
            "<Patient xmlns='http://hl7.org/fhir'><text><div>x</div></text></Patient>",
            "it should be in `http://www.w3.org/1999/xhtml`",
        ),
        ("<Patient xmlns='http://hl7.org/fhir'><name/></Patient>", "(Patient.name[0])"),
        (
            "<Patient xmlns='http://hl7.org/fhir'><text><div xmlns='http://www.w3.org/1999/xhtml'><x xmlns='urn:y'/></div></text></Patient>",
            "`<x>` is in the namespace `urn:y`",
        ),
    ];
    for (xml, expected) in cases {
        let refused = refusal(xml);
        assert!(refused.contains(expected), "{xml}: {refused}");
    }
}

#[test]
fn keeps_the_digits_of_numbers() {
    let decimal = |text: &str| {
        format!(
            "<Observation xmlns='http://hl7.org/fhir'><valueQuantity><value value='{text}'/></valueQuantity></Observation>"
        )
    };
    for text in ["0", "-0", "1.50", "0.000", "1e400", "-1.5E+07", "12345678901234567890.12345678901234567890"] {
        assert!(to_json(&decimal(text)).contains(&format!(r#""value":{text}}}"#)), "{text}");
    }
    for text in ["", "+1", ".5", "5.", "01", "1e", "1e+", "NaN", "1,5", " 1", "0x1", "--1", "-"] {
        assert!(refusal(&decimal(text)).contains("is not of type decimal"), "{text}");
    }
    let integer =
        |text: &str| format!("<Patient xmlns='http://hl7.org/fhir'><multipleBirthInteger value='{text}'/></Patient>");
    for text in ["1.0", "1e1", "01", ""] {
        assert!(refusal(&integer(text)).contains("is not of type integer"), "{text}");
    }
}

#[test]
fn bounds_nesting_and_attributes() {
    let nested = |depth: usize| {
        let item = "<item><linkId value='1'/>";
        format!(
            "<Questionnaire xmlns='http://hl7.org/fhir'>{}{}</Questionnaire>",
            item.repeat(depth),
            "</item>".repeat(depth)
        )
    };
    // Each item is an array and an object.
    assert!(parse(Definitions::r4(), nested(63).as_bytes()).is_ok());
    assert!(refusal(&nested(64)).contains("nests deeper than 128 levels of JSON"));
    assert!(refusal(&nested(100_000)).contains("nests deeper"));
    let div = |open: &str, count: usize| {
        format!(
            "<Patient xmlns='http://hl7.org/fhir'><text><div xmlns='http://www.w3.org/1999/xhtml'>{}",
            open.repeat(count)
        )
    };
    assert!(refusal(&div("<b>", 100_000)).contains("nest deeper than 256 levels"));
    let attributes: String = (0..100).map(|n| format!(" a{n}='1'")).collect();
    assert!(refusal(&format!("<Patient{attributes}/>")).contains("more than 64 attributes"));
    let prefixes: String = (0..40).map(|n| format!(" xmlns:a{n}='1'")).collect();
    assert!(
        refusal(&format!("<Patient xmlns='http://hl7.org/fhir'{prefixes}><id{prefixes} value='a'/></Patient>"))
            .contains("more than 64 namespaces")
    );
}

#[test]
fn refuses_to_write_what_xml_cannot_say() {
    let cases = [
        (r#"{"resourceType":"Patient","gender":"\u0001"}"#, "XML cannot hold the character `\\u{1}`"),
        (r#"{"resourceType":"Patient","x":1}"#, "`x` is not an element of Patient"),
        (r#"{"resourceType":"Patient","name":[1]}"#, "`name` holds no HumanName"),
        (r#"{"resourceType":"Patient","gender":{}}"#, "`gender` holds no code"),
        (r#"{"resourceType":"Patient","_gender":"x"}"#, "`gender` holds no code"),
        (r#"{"resourceType":"Patient","text":{"div":"<div><p></div>"}}"#, "the narrative is no XML"),
        (r#"{"resourceType":"Foo"}"#, "`Foo` is not a resource type of R4"),
        (r#"[]"#, "is not a resource type of R4"),
    ];
    for (json, expected) in cases {
        let document = Document::parse(json.as_bytes()).expect("JSON");
        let refused = write(Definitions::r4(), &document).expect_err(json).to_string();
        assert!(refused.contains(expected), "{json}: {refused}");
    }
}

/// Every text that is one change of a byte or a few away from a good one.
fn broken(text: &str) -> impl Iterator<Item = Vec<u8>> {
    const INSTEAD: [&[u8]; 12] = [b"", b"<", b">", b"&", b"\"", b"/", b"=", b":", b"\xff", b"<!--", b"]]>", b" x='1'"];
    let bytes = text.as_bytes();
    (0..bytes.len()).flat_map(move |at| {
        INSTEAD.iter().flat_map(move |instead| {
            // In the place of a byte, and before it.
            [1, 0].map(|gone| [&bytes[..at], instead, &bytes[at + gone..]].concat())
        })
    })
}

#[test]
fn survives_broken_texts() {
    let text = concat!(
        "<?xml version='1.0'?><f:Patient xmlns:f='http://hl7.org/fhir'><f:id value='é&#10;'/><f:text><f:status value=\"generated\"/>",
        "<div xmlns='http://www.w3.org/1999/xhtml'><!-- c --><p a='1'>x &amp; <![CDATA[<]]></p></div></f:text><f:active value='true'>",
        "<f:extension url='u'><f:valueDecimal value='1.0'/></f:extension></f:active></f:Patient>"
    );
    assert!(parse(Definitions::r4(), text.as_bytes()).is_ok());
    let (mut read, mut refused) = (0, 0);
    for text in broken(text) {
        let Ok(document) = parse(Definitions::r4(), &text) else {
            refused += 1;
            continue;
        };
        read += 1;
        // What was read can be written, or it is said why not; and it reads back the same.
        if let Ok(written) = write(Definitions::r4(), &document) {
            assert_eq!(to_json(&written), document.text(), "{}", String::from_utf8_lossy(&text));
        }
    }
    assert!(read > 100 && refused > 1000, "{read} read, {refused} refused");
}
