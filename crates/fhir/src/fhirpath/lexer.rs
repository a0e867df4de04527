//! Text to tokens.

use std::borrow::Cow;

use super::ParseError;

/// An expression longer than this many bytes is refused; R4's longest has less than 4 KiB.
pub(super) const TEXT_LENGTH_MAX: usize = 64 * 1024;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'t> {
    /// An identifier or a keyword: the grammar allows some keywords as identifiers.
    Word(&'t str),
    /// An identifier in backticks.
    Delimited(Cow<'t, str>),
    /// A string literal, escapes decoded.
    Text(Cow<'t, str>),
    /// `4` or `4.0`.
    Number(&'t str),
    /// What follows `@`: a date, a date and time, or `T` and a time.
    Moment(&'t str),
    /// `this`, `index` or `total` after `$`.
    Special(&'t str),
    /// The name after `%`.
    Variable(Cow<'t, str>),
    Symbol(&'static str),
    End,
}

/// Longest first: `<=` must be tried before `<`.
const SYMBOLS: [&str; 22] =
    ["<=", ">=", "!=", "!~", ".", ",", "(", ")", "[", "]", "{", "}", "+", "-", "*", "/", "&", "|", "<", ">", "=", "~"];

/// All tokens of a text with the byte offset where each begins, [`Token::End`] last.
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token<'_>)>, ParseError> {
    if text.len() > TEXT_LENGTH_MAX {
        let message = format!("expression has {} bytes, at most {TEXT_LENGTH_MAX} are allowed", text.len());
        return Err(ParseError { at: 0, message });
    }
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blank()?;
        let at = lexer.at;
        let token = lexer.token()?;
        let is_end = token == Token::End;
        tokens.push((at, token));
        if is_end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn error<T>(&self, at: usize, message: impl Into<String>) -> Result<T, ParseError> {
        Err(ParseError { at, message: message.into() })
    }

    /// White space and both forms of comments.
    fn skip_blank(&mut self) -> Result<(), ParseError> {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if trimmed.starts_with("//") {
                self.at += trimmed.find(['\n', '\r']).unwrap_or(trimmed.len());
            } else if trimmed.starts_with("/*") {
                let Some(end) = trimmed.find("*/") else {
                    return self.error(self.at, "comment is not closed by `*/`");
                };
                self.at += end + 2;
            } else {
                return Ok(());
            }
        }
    }

    fn token(&mut self) -> Result<Token<'t>, ParseError> {
        let Some(first) = self.peek() else { return Ok(Token::End) };
        match first {
            b'A'..=b'Z' | b'a'..=b'z' | b'_' => Ok(Token::Word(self.word())),
            b'0'..=b'9' => Ok(Token::Number(self.number())),
            b'\'' | b'"' => self.quoted(first).map(Token::Text),
            b'`' => self.quoted(first).map(Token::Delimited),
            b'@' => self.moment(),
            b'$' => {
                self.at += 1;
                Ok(Token::Special(self.word()))
            }
            b'%' => {
                self.at += 1;
                match self.peek() {
                    Some(quote @ (b'`' | b'\'')) => self.quoted(quote).map(Token::Variable),
                    _ => Ok(Token::Variable(Cow::Borrowed(self.word()))),
                }
            }
            _ => self.symbol(),
        }
    }

    fn symbol(&mut self) -> Result<Token<'t>, ParseError> {
        match SYMBOLS.iter().find(|symbol| self.rest().starts_with(**symbol)) {
            Some(symbol) => {
                self.at += symbol.len();
                Ok(Token::Symbol(symbol))
            }
            None => {
                let character = self.rest().chars().next().unwrap_or_default();
                self.error(self.at, format!("character `{}` is not part of FHIRPath", character.escape_default()))
            }
        }
    }

    fn take_while(&mut self, accept: impl Fn(u8) -> bool) -> &'t str {
        let rest = self.rest();
        let length = rest.bytes().position(|byte| !accept(byte)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn word(&mut self) -> &'t str {
        self.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    }

    /// Takes `prefix` and exactly `count` digits, or nothing.
    fn digits(&mut self, prefix: &str, count: usize) -> bool {
        let Some(rest) = self.rest().strip_prefix(prefix) else { return false };
        let is_match = rest.len() >= count && rest.as_bytes()[..count].iter().all(u8::is_ascii_digit);
        if is_match {
            self.at += prefix.len() + count;
        }
        is_match
    }

    /// The dot belongs to the number only when a digit follows: `1.toString()`.
    fn number(&mut self) -> &'t str {
        let start = self.at;
        self.take_while(|byte| byte.is_ascii_digit());
        if self.digits(".", 1) {
            self.take_while(|byte| byte.is_ascii_digit());
        }
        &self.text[start..self.at]
    }

    fn moment(&mut self) -> Result<Token<'t>, ParseError> {
        self.at += 1;
        let start = self.at;
        let has_date = self.digits("", 4);
        let _ = has_date && self.digits("-", 2) && self.digits("-", 2);
        if self.peek() == Some(b'T') {
            self.at += 1;
            let has_time = self.digits("", 2);
            if has_time && self.digits(":", 2) && self.digits(":", 2) && self.digits(".", 1) {
                self.take_while(|byte| byte.is_ascii_digit());
            }
            if has_date && has_time {
                self.offset();
            }
        } else if !has_date {
            return self.error(start, "`@` must be followed by a date such as `2015-02-04` or a time such as `T14:30`");
        }
        Ok(Token::Moment(&self.text[start..self.at]))
    }

    /// The zone of a date and time: `Z`, `+10:00`, or none.
    fn offset(&mut self) {
        let start = self.at;
        if self.peek() == Some(b'Z') {
            self.at += 1;
        } else if (self.digits("+", 2) || self.digits("-", 2)) && !self.digits(":", 2) {
            self.at = start;
        }
    }

    /// A string or delimited identifier; `\` escapes as in the grammar's ESC rule.
    fn quoted(&mut self, quote: u8) -> Result<Cow<'t, str>, ParseError> {
        let start = self.at;
        self.at += 1;
        let plain = self.take_while(|byte| byte != quote && byte != b'\\');
        let mut decoded = Cow::Borrowed(plain);
        loop {
            match self.peek() {
                None => return self.error(start, format!("no closing `{}`", quote as char)),
                Some(byte) if byte == quote => {
                    self.at += 1;
                    return Ok(decoded);
                }
                Some(_) => {
                    let escaped = self.escape()?;
                    let decoded = decoded.to_mut();
                    decoded.push(escaped);
                    decoded.push_str(self.take_while(|byte| byte != quote && byte != b'\\'));
                }
            }
        }
    }

    /// The character that an escape stands for; the lexer is at its `\`.
    fn escape(&mut self) -> Result<char, ParseError> {
        let start = self.at;
        self.at += 1;
        let Some(letter) = self.rest().chars().next() else {
            return self.error(start, "`\\` at the end of the expression");
        };
        self.at += letter.len_utf8();
        match letter {
            '\'' | '"' | '`' | '\\' | '/' => Ok(letter),
            'f' => Ok('\u{c}'),
            'n' => Ok('\n'),
            'r' => Ok('\r'),
            't' => Ok('\t'),
            'u' => self.unicode(start),
            _ => self.error(start, format!("`\\{letter}` is not an escape; a backslash itself is `\\\\`")),
        }
    }

    /// One or two (a surrogate pair) groups of four hexadecimal digits; the lexer is behind the first `\u`.
    fn unicode(&mut self, start: usize) -> Result<char, ParseError> {
        let mut units = [0u16; 2];
        let mut count = 0;
        while count < 2 {
            let Some(unit) = self.rest().get(..4).and_then(|digits| u16::from_str_radix(digits, 16).ok()) else {
                return self.error(start, "`\\u` must be followed by four hexadecimal digits");
            };
            self.at += 4;
            units[count] = unit;
            count += 1;
            let is_first_half = count == 1 && (0xD800..0xDC00).contains(&unit);
            if !is_first_half || !self.rest().starts_with("\\u") {
                break;
            }
            self.at += 2;
        }
        match char::decode_utf16(units[..count].iter().copied()).next() {
            Some(Ok(character)) => Ok(character),
            _ => self.error(start, "`\\u` names half of a surrogate pair"),
        }
    }
}
