//! Tokens to the compiled form, by precedence climbing.

use std::borrow::Cow;

use super::expression::{Chain, Expr, Member, OPERATORS, Operation, Operator, Path, Place, Step, Variable};
use super::functions::{self, Function};
use super::lexer::{Token, tokens};
use super::pattern::{PATTERNS_MAX, Pattern};
use super::types::{Namespace, TypeName};
use super::{Item, ParseError, quantity};
use crate::{DateTime, Decimal, Time};

/// How deep parentheses, arguments and operators may nest. It bounds the recursion of parser and evaluator.
pub(super) const NESTING_MAX: usize = 64;
/// How many member names one [`Step::Members`] holds at most: they are walked recursively.
pub(super) const RUN_LENGTH_MAX: usize = 16;

pub(super) fn parse(text: &str) -> Result<Expr, ParseError> {
    let mut parser = Parser { tokens: tokens(text)?, next: 0, depth: 0, patterns: 0 };
    let expression = parser.expression(0)?;
    match parser.peek() {
        Token::End => Ok(expression),
        _ => parser.error("expected an operator or the end of the expression"),
    }
}

struct Parser<'t> {
    tokens: Vec<(usize, Token<'t>)>,
    next: usize,
    depth: usize,
    patterns: usize,
}

type Parsed<T> = Result<T, ParseError>;

impl<'t> Parser<'t> {
    fn peek(&self) -> &Token<'t> {
        &self.tokens[self.next].1
    }

    /// Takes a token; [`Token::End`] is never passed.
    fn take(&mut self) -> Token<'t> {
        let token = self.tokens[self.next].1.clone();
        if token != Token::End {
            self.next += 1;
        }
        token
    }

    fn take_symbol(&mut self, symbol: &str) -> bool {
        let is_match = matches!(self.peek(), Token::Symbol(found) if *found == symbol);
        self.next += usize::from(is_match);
        is_match
    }

    fn expect(&mut self, symbol: &str) -> Parsed<()> {
        if self.take_symbol(symbol) { Ok(()) } else { self.error(&format!("expected `{symbol}`")) }
    }

    fn error<T>(&self, message: &str) -> Parsed<T> {
        let (at, token) = &self.tokens[self.next];
        Err(ParseError { at: *at, message: format!("{message}, found {}", describe(token)) })
    }

    fn error_at<T>(&self, token: usize, message: String) -> Parsed<T> {
        Err(ParseError { at: self.tokens[token].0, message })
    }

    /// Where the next token stands.
    fn place(&self) -> Place {
        self.place_of(self.next)
    }

    fn place_of(&self, token: usize) -> Place {
        self.tokens[token].0 as Place
    }

    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == NESTING_MAX {
            return self.error(&format!("expression nests deeper than {NESTING_MAX}"));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// An expression whose operators stand at `level_min` or above.
    fn expression(&mut self, level_min: u8) -> Parsed<Expr> {
        self.nested(|parser| {
            let mut left = parser.polarity()?;
            // The level of the operator that made `left` in this loop, so that more operators of that level join its list.
            let mut level_open = None;
            loop {
                if level_min <= Operator::TYPE_LEVEL
                    && let Some(step) = parser.type_operator()?
                {
                    left = with_step(left, step, level_open == Some(Operator::TYPE_LEVEL));
                    level_open = Some(Operator::TYPE_LEVEL);
                    continue;
                }
                let Some(operator) = parser.peek_operator().filter(|operator| operator.level() >= level_min) else {
                    return Ok(left);
                };
                let at = parser.place();
                parser.take();
                let right = parser.expression(operator.level() + 1)?;
                left = with_operation(left, Operation { at, operator, right }, level_open == Some(operator.level()));
                level_open = Some(operator.level());
            }
        })
    }

    fn peek_operator(&self) -> Option<Operator> {
        let spelling = match self.peek() {
            Token::Word(word) => word,
            Token::Symbol(symbol) => *symbol,
            _ => return None,
        };
        OPERATORS.iter().find(|(symbol, _)| *symbol == spelling).map(|(_, operator)| *operator)
    }

    /// `is Type` or `as Type`.
    fn type_operator(&mut self) -> Parsed<Option<Step>> {
        let step = match self.peek() {
            Token::Word("is") => Step::Is,
            Token::Word("as") => Step::As,
            _ => return Ok(None),
        };
        let at = self.place();
        self.take();
        Ok(Some(step(at, self.type_name()?)))
    }

    /// A type specifier: `Patient`, `FHIR.Patient`, ``System.`String` ``.
    fn type_name(&mut self) -> Parsed<TypeName> {
        let mut name = self.identifier()?;
        let mut namespace = Namespace::Any;
        if self.take_symbol(".") {
            namespace = match &*name {
                "FHIR" => Namespace::Fhir,
                "System" => Namespace::System,
                _ => {
                    return self.error_at(self.next - 2, format!("type namespace `{name}` is neither FHIR nor System"));
                }
            };
            name = self.identifier()?;
        }
        Ok(TypeName { namespace, name: (&*name).into() })
    }

    fn identifier(&mut self) -> Parsed<Cow<'t, str>> {
        match self.peek().clone() {
            Token::Word(name) => {
                self.take();
                Ok(Cow::Borrowed(name))
            }
            Token::Delimited(name) => {
                self.take();
                Ok(name)
            }
            _ => self.error("expected a name"),
        }
    }

    /// Unary plus and minus bind less tightly than `.` and `[`.
    fn polarity(&mut self) -> Parsed<Expr> {
        let at = self.place();
        if self.take_symbol("-") {
            return Ok(Expr::Negate(at, Box::new(self.nested(Self::polarity)?)));
        }
        if self.take_symbol("+") {
            return self.nested(Self::polarity);
        }
        self.path()
    }

    /// A term and what follows it: `.name`, `.function(..)`, `[n]`.
    fn path(&mut self) -> Parsed<Expr> {
        let mut steps = Vec::new();
        let start = self.term(&mut steps)?;
        loop {
            let at = self.place();
            if self.take_symbol(".") {
                match self.peek() {
                    Token::Special("this") => {
                        self.take();
                    }
                    _ => self.invocation(&mut steps)?,
                }
            } else if self.take_symbol("[") {
                steps.push(Step::At(at, self.expression(0)?));
                self.expect("]")?;
            } else if steps.is_empty() {
                return Ok(start);
            } else {
                return Ok(Expr::Path(Box::new(Path { start, steps })));
            }
        }
    }

    /// What a path starts with. A leading name or function is a step from `$this`.
    fn term(&mut self, steps: &mut Vec<Step>) -> Parsed<Expr> {
        let at = self.next;
        match self.peek().clone() {
            Token::Symbol("(") => {
                self.take();
                let inner = self.expression(0)?;
                self.expect(")")?;
                Ok(inner)
            }
            Token::Symbol("{") => {
                self.take();
                self.expect("}")?;
                Ok(Expr::Empty)
            }
            Token::Word("true") => self.literal(Item::Boolean(true)),
            Token::Word("false") => self.literal(Item::Boolean(false)),
            Token::Text(text) => self.literal(Item::String(Cow::Owned(text.into_owned()))),
            Token::Number(digits) => self.number(digits),
            Token::Moment(text) => match moment(text) {
                Some(item) => self.literal(item),
                None => self.error_at(at, format!("`@{text}` is not a date or time")),
            },
            Token::Variable(name) => {
                self.take();
                match &*name {
                    "" => self.error_at(at, "`%` must be followed by a name such as `resource`".to_owned()),
                    name => Ok(variable(name).unwrap_or_else(|| Expr::Named(self.place_of(at), name.into()))),
                }
            }
            Token::Special(name) => {
                self.take();
                match name {
                    "this" => Ok(Expr::This),
                    "index" => Ok(Expr::Index),
                    "total" => Ok(Expr::Total),
                    _ => self.error_at(at, format!("`${name}` is none of $this, $index, $total")),
                }
            }
            Token::Word(_) | Token::Delimited(_) => {
                self.root(steps)?;
                Ok(Expr::This)
            }
            _ => self.error("expected a term"),
        }
    }

    /// The first name of a path: a type name filters `$this` by its type, anything else is an invocation on it.
    fn root(&mut self, steps: &mut Vec<Step>) -> Parsed<()> {
        let is_call = matches!(self.tokens.get(self.next + 1), Some((_, Token::Symbol("("))));
        let is_type = |name: &str| name.starts_with(|first: char| first.is_ascii_uppercase());
        match self.peek() {
            Token::Word(name) if !is_call && is_type(name) => {}
            Token::Delimited(name) if !is_call && is_type(name) => {}
            _ => return self.invocation(steps),
        }
        let at = self.place();
        let mut name = self.identifier()?;
        let mut namespace = Namespace::Any;
        if name == "FHIR" && self.take_symbol(".") {
            namespace = Namespace::Fhir;
            name = self.identifier()?;
        }
        steps.push(Step::Root(at, TypeName { namespace, name: (&*name).into() }));
        Ok(())
    }

    fn literal(&mut self, item: Item<'static>) -> Parsed<Expr> {
        self.take();
        Ok(Expr::Literal(item))
    }

    /// A number, or a quantity when a unit follows.
    fn number(&mut self, digits: &str) -> Parsed<Expr> {
        let at = self.next;
        self.take();
        let decimal = || Decimal::parse(digits);
        let too_long = format!("number `{digits}` has too many digits");
        let unit = match self.peek().clone() {
            Token::Text(code) => Some(code),
            Token::Word(word) => quantity::calendar_unit(word).map(Cow::Borrowed),
            _ => None,
        };
        if let Some(unit) = unit {
            self.take();
            return match decimal() {
                Some(value) => Ok(Expr::Literal(Item::Quantity(value, Cow::Owned(unit.into_owned())))),
                None => self.error_at(at, too_long),
            };
        }
        let item =
            if digits.contains('.') { decimal().map(Item::Decimal) } else { digits.parse().ok().map(Item::Integer) };
        item.map_or_else(|| self.error_at(at, too_long), |item| Ok(Expr::Literal(item)))
    }

    /// A member name or a function call, added to the steps.
    fn invocation(&mut self, steps: &mut Vec<Step>) -> Parsed<()> {
        let at = self.next;
        let name = self.identifier()?;
        if !self.take_symbol("(") {
            push_member(steps, Member { at: self.place_of(at), name: (&*name).into() });
            return Ok(());
        }
        let type_step = match &*name {
            "is" => Some(Step::Is as fn(Place, TypeName) -> Step),
            "as" => Some(Step::As as fn(Place, TypeName) -> Step),
            "ofType" => Some(Step::OfType as fn(Place, TypeName) -> Step),
            _ => None,
        };
        let step = match type_step {
            Some(step) => {
                let step = step(self.place_of(at), self.type_name()?);
                self.expect(")")?;
                step
            }
            None => {
                let mut arguments = self.arguments()?;
                if matches!(&*name, "matches" | "matchesFull" | "replaceMatches") {
                    self.compile_pattern(at, &mut arguments)?;
                }
                Step::Call(self.place_of(at), self.function(at, &name, arguments.len())?, arguments)
            }
        };
        steps.push(step);
        Ok(())
    }

    fn arguments(&mut self) -> Parsed<Vec<Expr>> {
        let mut arguments = Vec::new();
        if self.take_symbol(")") {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.expression(0)?);
            if self.take_symbol(")") {
                return Ok(arguments);
            }
            if !self.take_symbol(",") {
                return self.error("expected `,` or `)`");
            }
        }
    }

    /// A regular expression that is a literal is compiled here, once.
    fn compile_pattern(&mut self, at: usize, arguments: &mut [Expr]) -> Parsed<()> {
        if let Some(argument) = arguments.first_mut()
            && let Expr::Literal(Item::String(text)) = argument
        {
            if self.patterns == PATTERNS_MAX {
                return self.error_at(at, format!("expression has more than {PATTERNS_MAX} regular expressions"));
            }
            self.patterns += 1;
            let pattern = Pattern::new(text).or_else(|message| self.error_at(at, message))?;
            *argument = Expr::Pattern(Box::new(pattern));
        }
        Ok(())
    }

    fn function(&self, at: usize, name: &str, count: usize) -> Parsed<&'static Function> {
        let Some(function) = functions::find(name) else {
            return self.error_at(at, format!("function `{name}` is unknown"));
        };
        if function.arity.contains(&count) {
            return Ok(function);
        }
        let (low, high) = (function.arity.start(), function.arity.end());
        let expected = if low == high { low.to_string() } else { format!("{low} to {high}") };
        self.error_at(at, format!("function `{name}` has {count} arguments, {expected} would be right"))
    }
}

fn describe(token: &Token<'_>) -> String {
    match token {
        Token::Word(text) | Token::Number(text) => format!("`{text}`"),
        Token::Symbol(text) => format!("`{text}`"),
        Token::Delimited(text) => format!("`{text}`"),
        Token::Text(text) => format!("`'{text}'`"),
        Token::Moment(text) => format!("`@{text}`"),
        Token::Special(text) => format!("`${text}`"),
        Token::Variable(text) => format!("`%{text}`"),
        Token::End => "the end".to_owned(),
    }
}

fn push_member(steps: &mut Vec<Step>, member: Member) {
    match steps.last_mut() {
        Some(Step::Members(run)) if run.len() < RUN_LENGTH_MAX => run.push(member),
        _ => steps.push(Step::Members(vec![member])),
    }
}

fn with_step(left: Expr, step: Step, is_open: bool) -> Expr {
    match left {
        Expr::Path(mut path) if is_open => {
            path.steps.push(step);
            Expr::Path(path)
        }
        start => Expr::Path(Box::new(Path { start, steps: vec![step] })),
    }
}

fn with_operation(left: Expr, operation: Operation, is_open: bool) -> Expr {
    match left {
        Expr::Chain(mut chain) if is_open => {
            chain.rest.push(operation);
            Expr::Chain(chain)
        }
        first => Expr::Chain(Box::new(Chain { first, rest: vec![operation] })),
    }
}

fn moment(text: &str) -> Option<Item<'static>> {
    if let Some(time) = text.strip_prefix('T') {
        return Time::parse(time).map(Item::Time);
    }
    if text.contains('T') {
        return DateTime::parse_partial(text).map(Item::DateTime);
    }
    DateTime::parse_partial(text).map(Item::Date)
}

/// The variables of <https://hl7.org/fhir/R4/fhirpath.html#variables>. Any other is the caller's.
fn variable(name: &str) -> Option<Expr> {
    let text = match name {
        "context" => return Some(Expr::Variable(Variable::Context)),
        "resource" => return Some(Expr::Variable(Variable::Resource)),
        "rootResource" => return Some(Expr::Variable(Variable::RootResource)),
        "ucum" => "http://unitsofmeasure.org".to_owned(),
        "sct" => "http://snomed.info/sct".to_owned(),
        "loinc" => "http://loinc.org".to_owned(),
        _ => match name.split_once('-') {
            Some(("vs", id)) => format!("http://hl7.org/fhir/ValueSet/{id}"),
            Some(("ext", id)) => format!("http://hl7.org/fhir/StructureDefinition/{id}"),
            _ => return None,
        },
    };
    Some(Expr::Literal(Item::String(Cow::Owned(text))))
}
