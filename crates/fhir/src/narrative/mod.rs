//! The XHTML of a narrative, <https://hl7.org/fhir/R4/narrative.html#xhtml>: rules txt-1 and txt-2.
//!
//! One pass over the text: well-formed tags, only formatting elements and attributes, nothing active, and some content.

mod links;

use smallvec::SmallVec;

use crate::outcome::quoted;
use crate::xml::XHTML;

pub use links::{is_letter, links};

/// How deep elements may nest.
const DEPTH_MAX: usize = 128;

/// What is wrong with the text as the content of `Narrative.div`; `None` when it may stand.
pub(crate) fn fault(text: &str) -> Option<String> {
    Scanner { rest: text.trim(), open: SmallVec::new(), has_content: false }.run().err()
}

struct Scanner<'a> {
    rest: &'a str,
    /// The elements that are not closed yet, the innermost last.
    open: SmallVec<[&'a str; 8]>,
    has_content: bool,
}

impl<'a> Scanner<'a> {
    fn run(mut self) -> Result<(), String> {
        if self.rest.strip_prefix("<div").is_none_or(|rest| rest.starts_with(is_name_byte)) {
            return Err(format!("narrative is one `<div>` element, but this starts with {}", quoted(self.rest)));
        }
        loop {
            let text = self.until('<');
            self.text(text)?;
            if self.rest.is_empty() {
                break;
            }
            self.tag()?;
            if self.open.is_empty() {
                break;
            }
        }
        match (self.open.last(), self.rest.trim_start()) {
            (Some(name), _) => Err(format!("`<{name}>` is not closed in the narrative")),
            (None, rest) if !rest.is_empty() => {
                Err(format!("narrative ends with its `<div>`, but {} follows", quoted(rest)))
            }
            _ if !self.has_content => Err("the narrative has neither text nor an image".to_owned()),
            _ => Ok(()),
        }
    }

    fn text(&mut self, mut text: &str) -> Result<(), String> {
        self.has_content |= text.contains(|letter: char| !letter.is_whitespace());
        if text.contains("]]>") {
            return Err("`]]>` stands in the narrative; write `]]&gt;`".to_owned());
        }
        while let Some(at) = text.find('&') {
            text = &text[at + 1..];
            let entity = text.split_once(';').map(|(entity, _)| entity.strip_prefix('#').unwrap_or(entity));
            let is_entity = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
            if !entity.is_some_and(is_entity) {
                return Err(format!("`&` in the narrative starts no entity such as `&amp;`: {}", quoted(text)));
            }
        }
        Ok(())
    }

    /// Reads a tag or comment; the text stands at its `<`.
    fn tag(&mut self) -> Result<(), String> {
        if let Some(comment) = self.rest.strip_prefix("<!--") {
            let end = comment.find("--").ok_or("a comment in the narrative does not end")?;
            if !comment[end..].starts_with("-->") {
                return Err("`--` stands in a comment of the narrative, only `-->` may, which ends it".to_owned());
            }
            self.rest = &comment[end + 3..];
            return Ok(());
        }
        self.rest = &self.rest[1..];
        if let Some(rest) = self.rest.strip_prefix('/') {
            self.rest = rest;
            let name = self.name();
            self.skip_space();
            self.expect(">")?;
            return match self.open.pop() {
                Some(open) if open == name => Ok(()),
                Some(open) => Err(format!("`</{name}>` closes `<{open}>` in the narrative")),
                None => Err(format!("`</{name}>` closes nothing in the narrative")),
            };
        }
        let name = self.name();
        if !is_allowed_element(name) {
            return Err(format!(
                "`<{name}>` may not stand in a narrative, only HTML's formatting elements may (txt-1)"
            ));
        }
        self.has_content |= name == "img";
        let mut names: SmallVec<[&str; 4]> = SmallVec::new();
        while !self.rest.starts_with(['>', '/']) {
            let Some(attribute) = self.attribute(name)? else { continue };
            if names.contains(&attribute) {
                return Err(format!("the attribute `{attribute}` of `<{name}>` is there twice in the narrative"));
            }
            names.push(attribute);
        }
        match self.rest.strip_prefix('/') {
            Some(rest) => self.rest = rest,
            None if self.open.len() == DEPTH_MAX => {
                return Err(format!("the narrative nests deeper than {DEPTH_MAX} elements"));
            }
            None => self.open.push(name),
        }
        self.expect(">")
    }

    /// Reads white space and, unless the tag ends there, an attribute; gives its name.
    fn attribute(&mut self, element: &str) -> Result<Option<&'a str>, String> {
        let is_apart = self.skip_space();
        if self.rest.starts_with(['>', '/']) {
            return Ok(None);
        }
        let name = self.name();
        if !is_apart || name.is_empty() {
            return Err(format!("the tag `<{element}>` in the narrative is not well formed at {}", quoted(self.rest)));
        }
        self.skip_space();
        self.expect("=")?;
        self.skip_space();
        let quote = self.rest.chars().next().filter(|quote| matches!(quote, '"' | '\''));
        let quote =
            quote.ok_or_else(|| format!("the attribute `{name}` in the narrative has no quotes around its value"))?;
        self.rest = &self.rest[1..];
        let value = self.until(quote);
        self.rest = self.rest.strip_prefix(quote).ok_or("an attribute's value in the narrative does not end")?;
        if !is_allowed_attribute(name) {
            return Err(format!(
                "the attribute `{name}` may not stand in a narrative, only HTML's formatting ones may (txt-1)"
            ));
        }
        if matches!(name, "href" | "src") && is_active(value) {
            return Err(format!(
                "the attribute `{name}` of a narrative may not hold script: {} (txt-1)",
                quoted(value)
            ));
        }
        if name == "xmlns" && value != XHTML {
            return Err(format!("the narrative is in the namespace {}, it should be in `{XHTML}`", quoted(value)));
        }
        // A bare `&`, as in `?a=1&b=2`, is common in published narratives and harmless; a bracket is not.
        match value.contains('<') {
            true => Err(format!("`<` stands in the attribute `{name}` of the narrative: {}", quoted(value))),
            false => Ok(Some(name)),
        }
    }

    fn name(&mut self) -> &'a str {
        let end = self.rest.find(|letter| !is_name_byte(letter)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        name
    }

    fn until(&mut self, end: char) -> &'a str {
        let (text, rest) = self.rest.split_at(self.rest.find(end).unwrap_or(self.rest.len()));
        self.rest = rest;
        text
    }

    fn skip_space(&mut self) -> bool {
        let trimmed = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
        let skipped = trimmed.len() < self.rest.len();
        self.rest = trimmed;
        skipped
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        match self.rest.strip_prefix(token) {
            Some(rest) => self.rest = rest,
            None => return Err(format!("`{token}` is missing in the narrative at {}", quoted(self.rest))),
        }
        Ok(())
    }
}

fn is_name_byte(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, ':' | '-' | '_' | '.')
}

/// True for a URL that runs script when followed, also when its scheme hides behind white space or entities.
fn is_active(url: &str) -> bool {
    let (scheme, rest) = url.split_at(url.find([':', '/', '?']).unwrap_or(url.len()));
    let scheme: String = scheme.chars().filter(|letter| !letter.is_whitespace() && !letter.is_control()).collect();
    match scheme.to_ascii_lowercase().as_str() {
        "javascript" | "vbscript" => true,
        "data" => {
            rest.trim_start_matches([':', ' ']).get(..9).is_some_and(|start| start.eq_ignore_ascii_case("text/html"))
        }
        scheme => scheme.replace("&amp;", "").contains('&'),
    }
}

/// The elements of chapters 7 to 11 (without 9.4) and 15 of HTML 4.0, links, and images.
fn is_allowed_element(element: &str) -> bool {
    matches!(
        element,
        "div"
            | "span"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "h5"
            | "h6"
            | "address"
            | "bdo"
            | "em"
            | "strong"
            | "dfn"
            | "code"
            | "samp"
            | "kbd"
            | "var"
            | "cite"
            | "abbr"
            | "acronym"
            | "blockquote"
            | "q"
            | "sub"
            | "sup"
            | "p"
            | "br"
            | "pre"
            | "ul"
            | "ol"
            | "li"
            | "dl"
            | "dt"
            | "dd"
            | "dir"
            | "menu"
            | "table"
            | "caption"
            | "thead"
            | "tfoot"
            | "tbody"
            | "colgroup"
            | "col"
            | "tr"
            | "th"
            | "td"
            | "tt"
            | "i"
            | "b"
            | "big"
            | "small"
            | "strike"
            | "s"
            | "u"
            | "font"
            | "center"
            | "hr"
            | "a"
            | "img"
            | "map"
            | "area"
    )
}

/// The attributes that stand in the same chapters.
fn is_allowed_attribute(attribute: &str) -> bool {
    matches!(
        attribute,
        "abbr"
            | "accesskey"
            | "align"
            | "alt"
            | "axis"
            | "bgcolor"
            | "border"
            | "cellhalign"
            | "cellpadding"
            | "cellspacing"
            | "cellvalign"
            | "char"
            | "charoff"
            | "charset"
            | "cite"
            | "class"
            | "color"
            | "colspan"
            | "compact"
            | "coords"
            | "datetime"
            | "dir"
            | "frame"
            | "headers"
            | "height"
            | "href"
            | "hreflang"
            | "id"
            | "lang"
            | "longdesc"
            | "name"
            | "nowrap"
            | "rel"
            | "rowspan"
            | "rules"
            | "scope"
            | "shape"
            | "span"
            | "src"
            | "start"
            | "style"
            | "summary"
            | "tabindex"
            | "title"
            | "rev"
            | "type"
            | "usemap"
            | "valign"
            | "value"
            | "width"
            | "xml:lang"
            | "xmlns"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_formatted_text() {
        let cases = [
            "<div>x</div>",
            r#"<div xmlns="http://www.w3.org/1999/xhtml"><p class='a' style="color: red">a<br/>b &amp; &#160; &nbsp;</p></div>"#,
            r##" <div><a name="x"></a><a href="Patient/1?a=1&b=2">x</a><a href="#x">y</a></div> "##,
            r#"<div><img src="data:image/png;base64,QQ==" alt="1 &lt; 2" /></div>"#,
            "<div><!-- a > b --><table ><tr><td>x</td ></tr></table></div>",
            "<div>1 > 0</div>",
        ];
        for text in cases {
            assert_eq!(fault(text), None, "{text}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        let cases = [
            ("x", "narrative is one `<div>` element"),
            ("<p>x</p>", "narrative is one `<div>` element"),
            ("<divx>x</divx>", "narrative is one `<div>` element"),
            ("<div>x</div><p>y</p>", "`<p>y</p>` follows"),
            ("<div> </div>", "neither text nor an image"),
            ("<div/>", "neither text nor an image"),
            ("<div>x", "`<div>` is not closed"),
            ("<div><p>x</div>", "`</div>` closes `<p>`"),
            ("<div>x</div", "`>` is missing"),
            ("<div", "not well formed"),
            ("<div id", "`=` is missing"),
            ("<div id=1>y</div>", "no quotes"),
            ("<div id='1>y</div>", "does not end"),
            ("<div id='1'class='2'>y</div>", "not well formed"),
            ("<div id='<'>y</div>", "stands in the attribute"),
            ("<div><p class='a' id='b' class='c'>y</p></div>", "is there twice"),
            ("<div><p\u{a0}class='a'>y</p></div>", "not well formed"),
            ("<div xmlns='http://hl7.org/fhir'>y</div>", "it should be in `http://www.w3.org/1999/xhtml`"),
            ("<div>y<!-- a -- b --></div>", "stands in a comment"),
            ("<div>y ]]></div>", "write `]]&gt;`"),
            ("<div>a & b</div>", "starts no entity"),
            ("<div>a &b</div>", "starts no entity"),
            ("<div><!-- x</div>", "does not end"),
            ("<div><![CDATA[x]]></div>", "`<>` may not stand"),
            ("<div><script>x</script></div>", "`<script>` may not stand"),
            ("<div><SCRIPT>x</SCRIPT></div>", "`<SCRIPT>` may not stand"),
            ("<div><form>x</form></div>", "`<form>` may not stand"),
            ("<div onclick='x()'>y</div>", "attribute `onclick` may not stand"),
            ("<div data-x='1'>y</div>", "attribute `data-x` may not stand"),
            ("<div><a href='javascript:x()'>y</a></div>", "may not hold script"),
            ("<div><a href=' Java\nScript:x()'>y</a></div>", "may not hold script"),
            ("<div><a href='java&#115;cript:x()'>y</a></div>", "may not hold script"),
            ("<div><a href='javascript&colon;x()'>y</a></div>", "may not hold script"),
            ("<div><a href='data: text/html,x'>y</a></div>", "may not hold script"),
        ];
        for (text, expected) in cases {
            let message = fault(text).unwrap_or_default();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }

    #[test]
    fn nests_no_deeper_than_allowed() {
        let nested = |depth: usize| format!("{}x{}", "<div>".repeat(depth), "</div>".repeat(depth));
        assert_eq!(fault(&nested(DEPTH_MAX)), None);
        assert!(fault(&nested(DEPTH_MAX + 1)).is_some_and(|message| message.contains("deeper than 128")));
        assert!(fault(&nested(100_000)).is_some_and(|message| message.len() < 100));
    }
}
