//! From text to an expression.

use std::borrow::Cow;
use std::str::FromStr;

use fhir::json::Document;

use super::operator::Operator;
use crate::refusal::{Refusal, shortened};

/// How deep parentheses, brackets and `not` may nest; `and` after `or` and `or` after `and` nest what is left of them.
const NESTING_MAX: usize = 32;

pub(super) enum Expression<'a> {
    All(Vec<Expression<'a>>),
    Any(Vec<Expression<'a>>),
    Not(Box<Expression<'a>>),
    Test(Test<'a>),
}

/// `path operator value`.
pub(super) struct Test<'a> {
    /// At least one step.
    pub(super) path: Vec<Step<'a>>,
    pub(super) operator: Operator,
    pub(super) value: Cow<'a, str>,
}

/// One name of a path, `subject:Patient` or `_has:Observation:patient:code`, and what its targets must satisfy besides.
pub(super) struct Step<'a> {
    pub(super) name: &'a str,
    pub(super) filter: Option<Box<Expression<'a>>>,
}

pub(super) fn expression(text: &str) -> Result<Expression<'_>, Refusal> {
    let mut parser = Parser { text, at: 0 };
    let expression = parser.expression(0)?;
    match parser.rest().is_empty() {
        true if expression.height() > NESTING_MAX => Err(too_deep()),
        true => Ok(expression),
        false => Err(parser.expected("`and` or `or`")),
    }
}

fn too_deep() -> Refusal {
    Refusal::too_costly(format!("an expression may nest {NESTING_MAX} deep"))
}

impl<'a> Expression<'a> {
    fn and(self, other: Expression<'a>) -> Expression<'a> {
        match self {
            Expression::All(mut parts) => {
                parts.push(other);
                Expression::All(parts)
            }
            one => Expression::All(vec![one, other]),
        }
    }

    fn or(self, other: Expression<'a>) -> Expression<'a> {
        match self {
            Expression::Any(mut parts) => {
                parts.push(other);
                Expression::Any(parts)
            }
            one => Expression::Any(vec![one, other]),
        }
    }

    /// How many expressions stand inside one another.
    fn height(&self) -> usize {
        let highest = |parts: &[Expression<'_>]| parts.iter().map(Expression::height).max().unwrap_or(0);
        match self {
            Expression::All(parts) | Expression::Any(parts) => 1 + highest(parts),
            Expression::Not(inner) => 1 + inner.height(),
            Expression::Test(test) => {
                let filters = test.path.iter().filter_map(|step| step.filter.as_deref());
                filters.map(|filter| 1 + filter.height()).max().unwrap_or(0)
            }
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn expected(&self, what: &str) -> Refusal {
        let found = shortened(self.rest());
        let at = self.at;
        Refusal::bad(format!("parameter `_filter` has `{found}` at byte {at}, expected {what}"))
    }

    fn skip_spaces(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn takes(&mut self, char: char) -> bool {
        let is_there = self.rest().starts_with(char);
        if is_there {
            self.at += char.len_utf8();
        }
        is_there
    }

    /// The characters that belong to a name, colons of types among them.
    fn name(&mut self) -> &'a str {
        let rest = self.rest();
        let is_part = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | ':');
        let name = &rest[..rest.find(|char| !is_part(char)).unwrap_or(rest.len())];
        self.at += name.len();
        name
    }

    /// Takes a word that stands alone.
    fn takes_word(&mut self, word: &str) -> bool {
        let start = self.at;
        let is_there = self.name() == word;
        if !is_there {
            self.at = start;
        }
        is_there
    }

    fn expression(&mut self, depth: usize) -> Result<Expression<'a>, Refusal> {
        let mut left = self.term(depth)?;
        loop {
            self.skip_spaces();
            left = if self.takes_word("and") {
                left.and(self.term(depth)?)
            } else if self.takes_word("or") {
                left.or(self.term(depth)?)
            } else {
                return Ok(left);
            };
        }
    }

    fn term(&mut self, depth: usize) -> Result<Expression<'a>, Refusal> {
        if depth >= NESTING_MAX {
            return Err(too_deep());
        }
        self.skip_spaces();
        if self.takes('(') {
            return self.group(depth);
        }
        let start = self.at;
        if self.takes_word("not") {
            self.skip_spaces();
            return match self.takes('(') {
                true => Ok(Expression::Not(Box::new(self.group(depth)?))),
                false => Err(self.expected("`(` after `not`")),
            };
        }
        self.at = start;
        self.test(depth).map(Expression::Test)
    }

    /// What comes after `(`.
    fn group(&mut self, depth: usize) -> Result<Expression<'a>, Refusal> {
        let expression = self.expression(depth + 1)?;
        self.skip_spaces();
        match self.takes(')') {
            true => Ok(expression),
            false => Err(self.expected("`)`")),
        }
    }

    fn test(&mut self, depth: usize) -> Result<Test<'a>, Refusal> {
        let path = self.path(depth)?;
        self.skip_spaces();
        let word = self.name();
        if word.is_empty() {
            return Err(self.expected("an operator"));
        }
        let operator = Operator::from_str(word)?;
        self.skip_spaces();
        Ok(Test { path, operator, value: self.value()? })
    }

    fn path(&mut self, depth: usize) -> Result<Vec<Step<'a>>, Refusal> {
        let mut path = Vec::new();
        loop {
            let name = self.name();
            if name.is_empty() {
                return Err(self.expected("the name of a parameter"));
            }
            let mut filter = None;
            if self.takes('[') {
                filter = Some(Box::new(self.expression(depth + 1)?));
                self.skip_spaces();
                if !self.takes(']') {
                    return Err(self.expected("`]`"));
                }
                if !self.rest().starts_with('.') {
                    return Err(self.expected("`.` after `]`"));
                }
            }
            path.push(Step { name, filter });
            if !self.takes('.') {
                return Ok(path);
            }
        }
    }

    fn value(&mut self) -> Result<Cow<'a, str>, Refusal> {
        if self.rest().starts_with('"') {
            return self.string();
        }
        let rest = self.rest();
        // A unit such as mm[Hg] has brackets of its own.
        let mut open = 0_usize;
        let end = rest.find(|char: char| {
            match char {
                '[' => open += 1,
                ']' if open > 0 => {
                    open -= 1;
                    return false;
                }
                _ => {}
            }
            char.is_whitespace() || matches!(char, ')' | ']')
        });
        let value = &rest[..end.unwrap_or(rest.len())];
        if value.is_empty() {
            return Err(self.expected("a value"));
        }
        self.at += value.len();
        Ok(Cow::Borrowed(value))
    }

    /// A JSON string.
    fn string(&mut self) -> Result<Cow<'a, str>, Refusal> {
        let rest = self.rest();
        let mut escaped = false;
        let end = rest.bytes().skip(1).position(|byte| {
            let is_end = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            is_end
        });
        let Some(end) = end else { return Err(self.expected("a closing `\"`")) };
        let string = &rest[..end + 2];
        let object = format!("{{\"value\":{string}}}");
        let document = Document::parse(object.as_bytes()).map_err(|_| self.expected("a JSON string"))?;
        let value = document.root().get("value").and_then(|value| value.as_str()).map(Cow::into_owned);
        self.at += string.len();
        value.map(Cow::Owned).ok_or_else(|| self.expected("a JSON string"))
    }
}
