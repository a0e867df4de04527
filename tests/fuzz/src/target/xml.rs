//! XML as a body: what is read is written, and read again is the same.

use fhir::json::Document;
use fhir::{Definitions, xml};

use super::{EXAMPLES, Target};

pub(super) const TARGET: Target = Target {
    name: "xml",
    corpus: || {
        let documents = EXAMPLES.iter().filter_map(|text| Document::parse(text.as_bytes()).ok());
        let texts = documents.filter_map(|document| xml::write(Definitions::r4(), &document).ok());
        texts.map(String::into_bytes).collect()
    },
    words: &[
        "<",
        ">",
        "/>",
        "</",
        "\"",
        "'",
        "&",
        "&amp;",
        "&#0;",
        "&#x10ffff;",
        "&nbsp;",
        "&a;",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<?xml?>",
        "<!DOCTYPE a [<!ENTITY a \"b\">]>",
        " xmlns=\"http://hl7.org/fhir\"",
        " xmlns:x=\"http://www.w3.org/1999/xhtml\"",
        "<div xmlns=\"http://www.w3.org/1999/xhtml\">",
        "<id value=\"a\"/>",
        "<extension url=\"u\">",
        "<contained>",
        " value=\"",
        "<valueDecimal value=\"1e400\"/>",
        " id=\"x\"",
        "\u{feff}",
        "\0",
    ],
    run,
};

fn run(input: &[u8]) {
    let Ok(document) = xml::parse(Definitions::r4(), input) else { return };
    // What is no valid resource need not have a form in XML.
    let Ok(written) = xml::write(Definitions::r4(), &document) else { return };
    let again = xml::parse(Definitions::r4(), written.as_bytes()).expect("what was written can be read");
    assert_eq!(again.text(), document.text(), "{written}");
}
