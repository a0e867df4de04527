//! From text to tags: quick-xml finds them; this adds what it leaves to its callers: namespaces, references, positions and bounds.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::Event;
use quick_xml::events::attributes::{AttrError, Attributes};
use smallvec::SmallVec;

use super::escape::{Place, decode, first_illegal, reference};
use crate::json::{SyntaxError, line_and_column};
use crate::outcome::quoted;
use crate::{IssueType, Outcome};

/// A tag of more attributes is refused. HTML's richest element has fewer.
const ATTRIBUTES_MAX: usize = 64;
/// A text with more prefixes in scope at one place is refused.
const PREFIXES_MAX: usize = 64;
/// The name of a namespace is no longer, in bytes: every element in it may keep a copy.
const NAMESPACE_MAX: usize = 256;
/// Elements nest no deeper: what is deeper than JSON's limit is refused before, except in narrative and patches.
const ELEMENTS_MAX: usize = 256;

/// What a text is made of.
pub(crate) enum Token<'t> {
    Open(Tag<'t>),
    /// The end of the element that was opened last.
    Close,
    /// Text between tags as it is written, or one reference, or the content of a CDATA section.
    Text {
        raw: &'t str,
        is_literal: bool,
    },
    /// A comment or a processing instruction inside an element.
    Aside {
        is_comment: bool,
    },
    /// The end of the text.
    End,
}

/// The start of an element.
pub(crate) struct Tag<'t> {
    /// As it is written, its prefix included.
    pub(crate) qualified: &'t str,
    /// Without its prefix.
    pub(crate) name: &'t str,
    /// Empty for none.
    pub(crate) namespace: Cow<'t, str>,
    /// Those that declare no namespace.
    pub(crate) attributes: SmallVec<[Attribute<'t>; 2]>,
    /// The position of its `<`.
    pub(crate) at: usize,
}

/// An attribute of a tag.
pub(crate) struct Attribute<'t> {
    /// As it is written, its prefix included.
    pub(crate) qualified: &'t str,
    /// Empty for none, which is what every attribute without a prefix has.
    pub(crate) namespace: Cow<'t, str>,
    pub(crate) value: Cow<'t, str>,
}

/// What is wrong at which byte.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) code: IssueType,
    pub(crate) message: String,
}

impl Fault {
    /// The text is no well-formed XML.
    pub(crate) fn syntax(at: usize, message: impl Into<String>) -> Fault {
        Fault { at, code: IssueType::Syntax, message: message.into() }
    }

    /// The text is XML, and not what should stand here.
    pub(crate) fn structure(at: usize, message: impl Into<String>) -> Fault {
        Fault { at, code: IssueType::Structure, message: message.into() }
    }

    /// The outcome that says where in `text` it is.
    pub(crate) fn outcome(self, text: &str) -> Outcome {
        let (line, column) = line_and_column(text.as_bytes(), self.at);
        Outcome::new(self.code, SyntaxError { line, column, message: self.message }.to_string())
    }
}

/// The text of a body: UTF-8, without its byte order mark, and all of it characters of XML. Lines end with a line feed,
/// <https://www.w3.org/TR/xml/#sec-line-ends>.
pub(crate) fn text(bytes: &[u8]) -> Result<Cow<'_, str>, Outcome> {
    let refuse = |message: &str| Err(Outcome::new(IssueType::Syntax, message));
    if bytes.starts_with(b"\xfe\xff")
        || bytes.starts_with(b"\xff\xfe")
        || bytes.starts_with(b"<\0")
        || bytes.starts_with(b"\0<")
    {
        return refuse("the XML is in UTF-16, only UTF-8 is read");
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let at = |at: usize, message: String| {
        let (line, column) = line_and_column(bytes, at);
        Outcome::from(SyntaxError { line, column, message })
    };
    let text = std::str::from_utf8(bytes)
        .map_err(|error| at(error.valid_up_to(), "the text is not valid UTF-8".to_owned()))?;
    match first_illegal(text) {
        None if text.contains('\r') => Ok(Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))),
        None => Ok(Cow::Borrowed(text)),
        Some((place, character)) => {
            Err(at(place, format!("XML cannot hold the character {}", quoted(&character.to_string()))))
        }
    }
}

/// Reads a text token by token.
pub(crate) struct Scanner<'t> {
    pub(crate) text: &'t str,
    reader: Reader<&'t [u8]>,
    /// How many elements are open.
    depth: usize,
    /// The last tag was an element of its own (`<a/>`): its end is still to be told.
    is_closing: bool,
    /// The outermost element has ended.
    is_complete: bool,
    bindings: Vec<Binding<'t>>,
}

/// Of an attribute whose namespace is not known before the whole tag is.
type NameAndValue<'t> = (&'t str, Cow<'t, str>);

struct Binding<'t> {
    depth: usize,
    prefix: &'t str,
    namespace: Cow<'t, str>,
}

impl<'t> Scanner<'t> {
    pub(crate) fn new(text: &'t str) -> Scanner<'t> {
        let mut reader = Reader::from_str(text);
        reader.config_mut().check_comments = true;
        Scanner { text, reader, depth: 0, is_closing: false, is_complete: false, bindings: Vec::new() }
    }

    /// The position after the last token.
    pub(crate) fn position(&self) -> usize {
        self.reader.buffer_position() as usize
    }

    /// Whether the tag read last says what namespace names without a prefix are in.
    pub(crate) fn declares_default(&self) -> bool {
        self.bindings.iter().any(|binding| binding.depth == self.depth && binding.prefix.is_empty())
    }

    /// The next token.
    pub(crate) fn next(&mut self) -> Result<Token<'t>, Fault> {
        if std::mem::take(&mut self.is_closing) {
            return Ok(self.close());
        }
        loop {
            let at = self.position();
            let event = match self.reader.read_event() {
                Ok(event) => event,
                Err(error) => return Err(Fault::syntax(self.reader.error_position() as usize, error.to_string())),
            };
            match event {
                Event::Start(_) => return self.open(at, false).map(Token::Open),
                Event::Empty(_) => return self.open(at, true).map(Token::Open),
                Event::End(_) => return Ok(self.close()),
                Event::Text(_) => {
                    let raw = &self.text[at..self.position()];
                    if self.depth > 0 {
                        self.check_text(raw, at)?;
                        return Ok(Token::Text { raw, is_literal: false });
                    }
                    if !is_blank(raw) {
                        return Err(Fault::syntax(at, "text stands outside the outermost element"));
                    }
                }
                Event::GeneralRef(_) | Event::CData(_) if self.depth == 0 => {
                    return Err(Fault::syntax(at, "text stands outside the outermost element"));
                }
                Event::GeneralRef(name) => {
                    reference(&name).map_err(|message| Fault::syntax(at, message))?;
                    return Ok(Token::Text { raw: &self.text[at..self.position()], is_literal: false });
                }
                Event::CData(_) => {
                    let raw = &self.text[at..self.position()];
                    let raw = raw.strip_prefix("<![CDATA[").and_then(|raw| raw.strip_suffix("]]>")).unwrap_or_default();
                    return Ok(Token::Text { raw, is_literal: true });
                }
                Event::DocType(_) => {
                    return Err(Fault::syntax(
                        at,
                        "a document type (DOCTYPE) is not read, nor are entities of its own",
                    ));
                }
                Event::Decl(declaration) => {
                    let encoding = declaration.encoding().and_then(Result::ok);
                    self.check_declaration(at, encoding.as_deref())?;
                }
                Event::Comment(_) | Event::PI(_) if self.depth == 0 => {}
                Event::Comment(_) => return Ok(Token::Aside { is_comment: true }),
                Event::PI(_) => return Ok(Token::Aside { is_comment: false }),
                Event::Eof if self.depth > 0 => {
                    return Err(Fault::syntax(at, "the text ends before its outermost element does"));
                }
                Event::Eof if !self.is_complete => return Err(Fault::syntax(at, "the text holds no element")),
                Event::Eof => return Ok(Token::End),
            }
        }
    }

    fn check_declaration(&self, at: usize, encoding: Option<&str>) -> Result<(), Fault> {
        if at > 0 {
            return Err(Fault::syntax(at, "the XML declaration stands only at the beginning"));
        }
        match encoding {
            Some(encoding) if !["utf-8", "us-ascii"].iter().any(|read| encoding.eq_ignore_ascii_case(read)) => Err(
                Fault::syntax(at, format!("the XML says its encoding is {}, only `UTF-8` is read", quoted(encoding))),
            ),
            _ => Ok(()),
        }
    }

    fn check_text(&self, raw: &str, at: usize) -> Result<(), Fault> {
        match raw.find("]]>") {
            Some(found) => Err(Fault::syntax(at + found, "`]]>` stands in text; write `]]&gt;`")),
            None => Ok(()),
        }
    }

    fn close(&mut self) -> Token<'t> {
        let depth = self.depth;
        while self.bindings.last().is_some_and(|binding| binding.depth == depth) {
            self.bindings.pop();
        }
        self.depth -= 1;
        self.is_complete = self.depth == 0;
        Token::Close
    }

    fn open(&mut self, at: usize, is_empty: bool) -> Result<Tag<'t>, Fault> {
        if self.is_complete {
            return Err(Fault::syntax(at, "there is more than one outermost element"));
        }
        if self.depth == ELEMENTS_MAX {
            return Err(Fault::syntax(at, format!("the elements nest deeper than {ELEMENTS_MAX} levels")));
        }
        self.depth += 1;
        self.is_closing = is_empty;
        let content = &self.text[at + 1..self.position() - 1 - usize::from(is_empty)];
        let name_length = content.find([' ', '\t', '\n', '\r']).unwrap_or(content.len());
        let (qualified, rest) = content.split_at(name_length);
        if !is_name(qualified) {
            return Err(Fault::syntax(at, format!("{} is no name of an element", quoted(qualified))));
        }
        let attributes = if is_blank(rest) { SmallVec::new() } else { self.attributes(content, name_length, at)? };
        let attributes = attributes.into_iter().map(|(name, value)| {
            let namespace = match name.split_once(':') {
                Some((prefix, _)) => self.namespace(prefix, at)?,
                None => Cow::Borrowed(""),
            };
            Ok(Attribute { qualified: name, namespace, value })
        });
        let attributes = attributes.collect::<Result<_, Fault>>()?;
        let (prefix, name) = qualified.split_once(':').unwrap_or(("", qualified));
        Ok(Tag { qualified, name, namespace: self.namespace(prefix, at)?, attributes, at })
    }

    /// The attributes of a tag; those that declare a namespace become bindings instead.
    fn attributes(
        &mut self,
        content: &'t str,
        name_length: usize,
        at: usize,
    ) -> Result<SmallVec<[NameAndValue<'t>; 2]>, Fault> {
        let mut attributes = SmallVec::new();
        for (count, attribute) in Attributes::new(content, name_length).enumerate() {
            if count == ATTRIBUTES_MAX {
                return Err(Fault::syntax(at, format!("the tag has more than {ATTRIBUTES_MAX} attributes")));
            }
            let attribute = attribute.map_err(|error| attribute_fault(error, at))?;
            let (Cow::Borrowed(raw), name) = (attribute.value, attribute.key.0) else { continue };
            if !is_name(name) {
                return Err(Fault::syntax(at, format!("{} is no name of an attribute", quoted(name))));
            }
            if raw.contains('<') {
                return Err(Fault::syntax(at, format!("`<` stands in the attribute `{name}`; write `&lt;`")));
            }
            let value = decode(raw, Place::Attribute).map_err(|message| Fault::syntax(at, message))?;
            match name.strip_prefix("xmlns") {
                Some("") => self.bind("", value, at)?,
                Some(prefix) if prefix.starts_with(':') => self.bind(&prefix[1..], value, at)?,
                _ => attributes.push((name, value)),
            }
        }
        Ok(attributes)
    }

    fn bind(&mut self, prefix: &'t str, namespace: Cow<'t, str>, at: usize) -> Result<(), Fault> {
        if self.bindings.len() == PREFIXES_MAX {
            return Err(Fault::syntax(at, format!("more than {PREFIXES_MAX} namespaces are declared here")));
        }
        if namespace.len() > NAMESPACE_MAX {
            return Err(Fault::syntax(at, format!("the name of a namespace is longer than {NAMESPACE_MAX} bytes")));
        }
        if matches!(prefix, "xml" | "xmlns") || (namespace.is_empty() && !prefix.is_empty()) {
            return Err(Fault::syntax(at, format!("the prefix `{prefix}` may not be declared so")));
        }
        self.bindings.push(Binding { depth: self.depth, prefix, namespace });
        Ok(())
    }

    fn namespace(&self, prefix: &str, at: usize) -> Result<Cow<'t, str>, Fault> {
        if prefix == "xml" {
            return Ok(Cow::Borrowed("http://www.w3.org/XML/1998/namespace"));
        }
        match self.bindings.iter().rev().find(|binding| binding.prefix == prefix) {
            Some(binding) => Ok(binding.namespace.clone()),
            None if prefix.is_empty() => Ok(Cow::Borrowed("")),
            None => Err(Fault::syntax(at, format!("the prefix {} is not declared", quoted(prefix)))),
        }
    }
}

/// True for nothing but white space.
pub(crate) fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
}

/// True for a name with at most one prefix. All letters beyond ASCII may be part of one.
fn is_name(name: &str) -> bool {
    let is_start = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80;
    let is_part = |part: &str| {
        part.bytes().next().is_some_and(is_start)
            && part.bytes().all(|byte| is_start(byte) || byte.is_ascii_digit() || matches!(byte, b'-' | b'.'))
    };
    match name.split_once(':') {
        Some((prefix, local)) => is_part(prefix) && is_part(local),
        None => is_part(name),
    }
}

fn attribute_fault(error: AttrError, tag: usize) -> Fault {
    let (offset, message) = match error {
        AttrError::ExpectedEq(offset) => (offset, "an attribute has no `=`"),
        AttrError::ExpectedValue(offset) => (offset, "an attribute has no value"),
        AttrError::UnquotedValue(offset) => (offset, "an attribute's value has no quotes around it"),
        AttrError::ExpectedQuote(offset, _) => (offset, "an attribute's value does not end"),
        AttrError::Duplicated(offset, _) => (offset, "an attribute is there twice"),
    };
    // Offsets count from the tag's name.
    Fault::syntax(tag + 1 + offset, message)
}
