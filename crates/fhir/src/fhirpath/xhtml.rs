//! The rules for a narrative's XHTML, <https://hl7.org/fhir/R4/narrative.html#xhtml>: basic formatting elements and attributes, links,
//! images and style attributes; well-formed; with some content.

/// Elements nest no deeper.
const DEPTH_MAX: usize = 128;

const NAMESPACE: &str = "http://www.w3.org/1999/xhtml";

const ELEMENTS: [&str; 59] = [
    "a",
    "abbr",
    "acronym",
    "address",
    "b",
    "bdo",
    "big",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "del",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "ins",
    "kbd",
    "li",
    "ol",
    "p",
    "pre",
    "q",
    "s",
    "samp",
    "small",
    "span",
    "strike",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "tt",
    "u",
    "ul",
    "var",
    "center",
    "font",
    "map",
];

const ATTRIBUTES: [&str; 52] = [
    "abbr",
    "accesskey",
    "align",
    "alt",
    "axis",
    "bgcolor",
    "border",
    "cellhalign",
    "cellpadding",
    "cellspacing",
    "cellvalign",
    "char",
    "charoff",
    "charset",
    "cite",
    "class",
    "color",
    "colspan",
    "compact",
    "coords",
    "datetime",
    "dir",
    "frame",
    "headers",
    "height",
    "href",
    "hreflang",
    "id",
    "lang",
    "longdesc",
    "name",
    "nowrap",
    "rel",
    "rowspan",
    "rules",
    "scope",
    "shape",
    "span",
    "src",
    "start",
    "style",
    "summary",
    "tabindex",
    "title",
    "rev",
    "type",
    "usemap",
    "valign",
    "value",
    "width",
    "xml:lang",
    "xmlns",
];

/// True when a `div` follows the rules.
pub(super) fn is_narrative(text: &str) -> bool {
    Reader { rest: text.trim() }.narrative().is_some()
}

struct Reader<'t> {
    rest: &'t str,
}

/// A tag as it was read.
struct Tag<'t> {
    name: &'t str,
    is_empty: bool,
}

impl<'t> Reader<'t> {
    /// `None` for the first rule that is broken.
    fn narrative(mut self) -> Option<()> {
        let mut open: Vec<&str> = Vec::new();
        let mut has_content = false;
        loop {
            // Nothing but an element may stand outside of elements.
            if open.is_empty() && !self.rest.starts_with('<') {
                return None;
            }
            let (text, markup) = self.rest.split_at(self.rest.find('<')?);
            has_content |= !text.trim().is_empty();
            check_entities(text)?;
            self.rest = markup;
            if let Some(comment) = markup.strip_prefix("<!--") {
                self.rest = &comment[comment.find("-->")? + 3..];
            } else if let Some(end) = markup.strip_prefix("</") {
                let (name, rest) = end.split_once('>')?;
                self.rest = rest;
                if open.pop() != Some(name.trim_end()) {
                    return None;
                }
                if open.is_empty() {
                    return (has_content && self.rest.trim().is_empty()).then_some(());
                }
            } else {
                let is_root = open.is_empty();
                let tag = self.tag(is_root)?;
                has_content |= tag.name == "img";
                if !tag.is_empty {
                    open.push(tag.name);
                } else if is_root {
                    return None;
                }
            }
            if open.len() > DEPTH_MAX {
                return None;
            }
        }
    }

    /// Reads `<name attribute="value" ..>` or `<name .. />`.
    fn tag(&mut self, is_root: bool) -> Option<Tag<'t>> {
        self.rest = self.rest.strip_prefix('<')?;
        let name = self.name()?;
        if !ELEMENTS.contains(&name) || (is_root && name != "div") {
            return None;
        }
        let mut has_namespace = !is_root;
        loop {
            self.rest = self.rest.trim_start();
            if let Some(rest) = self.rest.strip_prefix("/>") {
                self.rest = rest;
                return has_namespace.then_some(Tag { name, is_empty: true });
            }
            if let Some(rest) = self.rest.strip_prefix('>') {
                self.rest = rest;
                return has_namespace.then_some(Tag { name, is_empty: false });
            }
            let (attribute, value) = self.attribute()?;
            if attribute == "xmlns" {
                if value != NAMESPACE {
                    return None;
                }
                has_namespace = true;
            }
        }
    }

    fn attribute(&mut self) -> Option<(&'t str, &'t str)> {
        let name = self.name()?;
        if !ATTRIBUTES.contains(&name) {
            return None;
        }
        self.rest = self.rest.trim_start().strip_prefix('=')?.trim_start();
        let quote = self.rest.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        let (value, rest) = self.rest[1..].split_once(quote)?;
        self.rest = rest;
        check_entities(value)?;
        let is_script =
            matches!(name, "href" | "src") && value.trim_start().to_ascii_lowercase().starts_with("javascript:");
        (!is_script && !value.contains('<')).then_some((name, value))
    }

    fn name(&mut self) -> Option<&'t str> {
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, ':' | '-' | '_');
        let end = self.rest.find(|letter| !is_part(letter))?;
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!name.is_empty()).then_some(name)
    }
}

/// Every `&` must begin an entity.
fn check_entities(text: &str) -> Option<()> {
    for (at, _) in text.match_indices('&') {
        let (entity, _) = text[at + 1..].split_once(';')?;
        let is_good = match entity.strip_prefix('#') {
            Some(number) => {
                !number.is_empty() && number.trim_start_matches('x').bytes().all(|digit| digit.is_ascii_hexdigit())
            }
            None => !entity.is_empty() && entity.bytes().all(|letter| letter.is_ascii_alphanumeric()),
        };
        if !is_good {
            return None;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::is_narrative;

    #[test]
    fn accepts_formatting_and_refuses_the_rest() {
        let cases = [
            ("<div xmlns=\"http://www.w3.org/1999/xhtml\">Ann</div>", true),
            (
                "<div xmlns='http://www.w3.org/1999/xhtml'><p style=\"color: red\">A &amp; B&nbsp;&#160;&#xA0;</p><br/></div>",
                true,
            ),
            ("<div xmlns=\"http://www.w3.org/1999/xhtml\"><!-- note --><a href=\"Patient/ann\">Ann</a></div>", true),
            ("<div xmlns=\"http://www.w3.org/1999/xhtml\"><img src=\"#pic\" alt=\"\"/></div>", true),
            ("<div>no namespace</div>", false),
            ("<div xmlns=\"http://www.w3.org/1999/xhtml\"> <p> </p> </div>", false),
            ("<div xmlns=\"http://www.w3.org/1999/xhtml\"/>", false),
            ("<div xmlns=\"http://www.w3.org/1999/xhtml\"><script>alert(1)</script></div>", false),
            ("<div xmlns=\"http://www.w3.org/1999/xhtml\"><p onclick=\"x()\">Ann</p></div>", false),
            ("<div xmlns=\"http://www.w3.org/1999/xhtml\"><a href=\" JavaScript:x()\">Ann</a></div>", false),
            ("<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>Ann</div></p>", false),
            ("<div xmlns=\"http://www.w3.org/1999/xhtml\">A & B</div>", false),
            ("<div xmlns=\"http://www.w3.org/1999/xhtml\">Ann</div><div/>", false),
            ("<p xmlns=\"http://www.w3.org/1999/xhtml\">Ann</p>", false),
            ("Ann", false),
            ("", false),
            ("<", false),
            ("<div", false),
        ];
        for (text, expected) in cases {
            assert_eq!(is_narrative(text), expected, "{text}");
        }
        let deep = format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{}x", "<p>".repeat(100_000));
        assert!(!is_narrative(&deep));
    }
}
