//! What `_text` and `_content` may ask: words, `and`, `or`, `not`, parentheses and phrases.
//!
//! Words side by side are joined by `and`, which binds closer than `or`. A phrase in quotes means all of its words. The operators
//! are words of their own in any case; R4's example is `(bone OR liver) and metastases`.

use store::{Filter, Index};

use super::words::{check_asked, every_word};
use crate::parameter::BadValue;

/// How deep parentheses and `not` may nest.
const DEPTH_MAX: usize = 16;

/// The filter of an expression over the words of an index; `text` is not escaped.
pub(crate) fn filter(index: Index, text: &str) -> Result<Filter, BadValue> {
    let mut parser = Parser { index, rest: text, words: 0 };
    let filter = parser.any(0)?;
    match parser.next()? {
        None => filter.ok_or(BadValue("at least one word")),
        Some(_) => Err(BadValue("a `(` before each `)`")),
    }
}

enum Token<'a> {
    Open,
    Close,
    And,
    Or,
    Not,
    Words(&'a str),
}

struct Parser<'a> {
    index: Index,
    rest: &'a str,
    /// How many were met.
    words: usize,
}

impl<'a> Parser<'a> {
    fn next(&mut self) -> Result<Option<Token<'a>>, BadValue> {
        let (token, rest) = split(self.rest)?;
        self.rest = rest;
        Ok(token)
    }

    fn peek(&self) -> Result<Option<Token<'a>>, BadValue> {
        Ok(split(self.rest)?.0)
    }

    /// Alternatives. `None` where there are no words: punctuation alone narrows nothing.
    fn any(&mut self, depth: usize) -> Result<Option<Filter>, BadValue> {
        let mut filters: Vec<_> = self.all(depth)?.into_iter().collect();
        while let Some(Token::Or) = self.peek()? {
            self.next()?;
            filters.extend(self.all(depth)?);
        }
        Ok(one_or(filters, Filter::Any))
    }

    fn all(&mut self, depth: usize) -> Result<Option<Filter>, BadValue> {
        let mut filters: Vec<_> = self.one(depth)?.into_iter().collect();
        loop {
            match self.peek()? {
                None | Some(Token::Or | Token::Close) => return Ok(one_or(filters, Filter::All)),
                Some(Token::And) => _ = self.next()?,
                Some(Token::Open | Token::Not | Token::Words(_)) => {}
            }
            filters.extend(self.one(depth)?);
        }
    }

    fn one(&mut self, depth: usize) -> Result<Option<Filter>, BadValue> {
        if depth > DEPTH_MAX {
            return Err(BadValue("parentheses and `not` at most 16 deep"));
        }
        match self.next()? {
            Some(Token::Not) => Ok(self.one(depth + 1)?.map(Filter::not)),
            Some(Token::Open) => {
                let filter = self.any(depth + 1)?;
                match self.next()? {
                    Some(Token::Close) => Ok(filter),
                    _ => Err(BadValue("a `)` for each `(`")),
                }
            }
            Some(Token::Words(words)) => {
                let (filter, words) = every_word(self.index, words)?;
                self.words += words.max(1);
                check_asked(self.words)?;
                Ok(filter)
            }
            Some(Token::And | Token::Or | Token::Close) | None => {
                Err(BadValue("a word on both sides of `and` and `or`, and after `not`"))
            }
        }
    }
}

fn one_or(mut filters: Vec<Filter>, join: fn(Vec<Filter>) -> Filter) -> Option<Filter> {
    match filters.len() {
        0 | 1 => filters.pop(),
        _ => Some(join(filters)),
    }
}

/// The first token of a text, and what comes after it.
fn split(text: &str) -> Result<(Option<Token<'_>>, &str), BadValue> {
    let text = text.trim_start();
    let Some(first) = text.chars().next() else { return Ok((None, "")) };
    match first {
        '(' => return Ok((Some(Token::Open), &text[1..])),
        ')' => return Ok((Some(Token::Close), &text[1..])),
        '"' => {
            let (phrase, rest) =
                text[1..].split_once('"').ok_or(BadValue("a second `\"` at the end of each phrase"))?;
            return Ok((Some(Token::Words(phrase)), rest));
        }
        _ => {}
    }
    let end = text.find(|char: char| char.is_whitespace() || matches!(char, '(' | ')' | '"')).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let is = |name: &str| word.eq_ignore_ascii_case(name);
    let token = match () {
        () if is("and") => Token::And,
        () if is("or") => Token::Or,
        () if is("not") => Token::Not,
        () => Token::Words(word),
    };
    Ok((Some(token), rest))
}

#[cfg(test)]
mod tests {
    use crate::testing::{check, check_refused};

    const REPORT: &str = r#"{"resourceType":"DiagnosticReport","id":"r","status":"final","code":{"text":"Biopsy"},
        "text":{"status":"additional","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>Liver: m&eacute;tastases, not in bone-marrow.</p></div>"},
        "conclusion":"Colon and bone, see letter (2020)"}"#;

    #[test]
    fn finds_by_words_and_operators() {
        check(
            REPORT,
            &[
                ("_text=liver", true),
                ("_text=LIVER", true),
                ("_text=metastases", true),
                ("_text=métastases", true),
                ("_text=live", false),
                ("_text=biopsy", false),
                ("_text=div", false),
                ("_text=(bone OR liver) and metastases", true),
                ("_text=(lung OR kidney) and metastases", false),
                ("_text=lung OR kidney AND metastases", false),
                ("_text=liver OR kidney AND lung", true),
                ("_text=kidney lung OR liver", true),
                ("_text=liver lung", false),
                ("_text=liver not lung", true),
                ("_text=NOT lung", true),
                ("_text=not liver", false),
                ("_text=not (liver and lung)", true),
                ("_text=not not liver", true),
                ("_text=\"marrow bone\"", true),
                ("_text=\"bone lung\"", false),
                ("_text=\"not\"", true),
                ("_text=bone-marrow", true),
                ("_text=lung,liver", true),
                (r"_text=lung\,liver", false),
                ("_text=liver -", true),
                ("_text=liver(bone)metastases", true),
                ("_content=biopsy", true),
                ("_content=colon liver 2020", true),
                ("_content=colon kidney", false),
                ("_content=final", false),
                ("_content=r", false),
            ],
        );
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        let many = format!("_text={}", ["x"; 101].join(" "));
        let deep = format!("_text={}x{}", "(".repeat(17), ")".repeat(17));
        check_refused(
            "Patient",
            &[
                ("_text=", "parameter `_text` has the value ``, expected a word on both sides"),
                ("_text=--", "expected at least one word"),
                ("_text=a,", "parameter `_text` has the value ``"),
                ("_text=a and", "expected a word on both sides of `and` and `or`"),
                ("_text=or a", "expected a word on both sides"),
                ("_text=not", "expected a word on both sides"),
                ("_text=(a", "expected a `)` for each `(`"),
                ("_text=()", "expected a word on both sides"),
                ("_text=a)", "expected a `(` before each `)`"),
                ("_text=\"a", "expected a second `\"`"),
                ("_content=(a", "parameter `_content` has the value `(a`"),
                ("_content:exact=a", "modifier `:exact` of `_content` is unknown, it has none"),
                (&many, "at most 100 words"),
                (&deep, "at most 16 deep"),
                ("_sort=_text", "parameter `_sort` has the value `_text`, expected a parameter that has an order"),
            ],
        );
        check_refused("Binary", &[("_text=a", "parameter `_text`")]);
    }
}
