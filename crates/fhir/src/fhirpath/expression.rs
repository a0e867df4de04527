//! The compiled form of an expression.

use super::Item;
use super::functions::Function;
use super::pattern::Pattern;
use super::types::TypeName;

/// One node of a compiled expression. Its depth is bounded by [`super::parser::NESTING_MAX`]: long paths and long chains
/// of operators are lists, not towers.
#[derive(Debug)]
pub(super) enum Expr {
    /// `{}`.
    Empty,
    Literal(Item<'static>),
    /// A literal that is used as a regular expression.
    Pattern(Box<Pattern>),
    /// `$this`, also where it is not written.
    This,
    /// `$index`.
    Index,
    /// `$total`.
    Total,
    Variable(Variable),
    /// A variable of the caller.
    Named(Place, Box<str>),
    Path(Box<Path>),
    Chain(Box<Chain>),
    /// Unary minus.
    Negate(Place, Box<Expr>),
}

/// The variables whose value is not known before evaluation.
#[derive(Clone, Copy, Debug)]
pub(super) enum Variable {
    Context,
    Resource,
    RootResource,
}

/// Where something stands in the text of an expression, in bytes.
pub(super) type Place = u32;

/// A name in a path.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) at: Place,
    pub(super) name: Box<str>,
}

/// `start.step.step`.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) start: Expr,
    pub(super) steps: Vec<Step>,
}

#[derive(Debug)]
pub(super) enum Step {
    /// A run of member names: walked depth first without collections in between. At most [`super::parser::RUN_LENGTH_MAX`].
    Members(Vec<Member>),
    /// A type name at the start of an expression, as in `Patient.name`.
    Root(Place, TypeName),
    Is(Place, TypeName),
    /// Keeps what has the type. FHIRPath allows `as` one item only, but R4's search expressions use it on many.
    As(Place, TypeName),
    OfType(Place, TypeName),
    /// `[n]`.
    At(Place, Expr),
    Call(Place, &'static Function, Vec<Expr>),
}

/// `first op operand op operand`: operators of one level of precedence, from left to right.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) first: Expr,
    pub(super) rest: Vec<Operation>,
}

/// An operator and its right side.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) at: Place,
    pub(super) operator: Operator,
    pub(super) right: Expr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Implies,
    Or,
    Xor,
    And,
    In,
    Contains,
    Equal,
    NotEqual,
    Equivalent,
    NotEquivalent,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Union,
    Add,
    Subtract,
    Concatenate,
    Multiply,
    Divide,
    Div,
    Mod,
}

impl Operator {
    /// How tightly it binds: a higher level first. `is` and `as` stand at [`Operator::TYPE_LEVEL`].
    pub(super) fn level(self) -> u8 {
        use Operator::*;
        match self {
            Implies => 0,
            Or | Xor => 1,
            And => 2,
            In | Contains => 3,
            Equal | NotEqual | Equivalent | NotEquivalent => 4,
            Less | LessOrEqual | Greater | GreaterOrEqual => 5,
            Union => 6,
            Add | Subtract | Concatenate => 8,
            Multiply | Divide | Div | Mod => 9,
        }
    }

    pub(super) const TYPE_LEVEL: u8 = 7;

    /// As it is written.
    pub(super) fn symbol(self) -> &'static str {
        OPERATORS.iter().find(|(_, operator)| *operator == self).map_or("", |(symbol, _)| symbol)
    }
}

/// Every binary operator by its spelling.
pub(super) const OPERATORS: [(&str, Operator); 22] = [
    ("implies", Operator::Implies),
    ("or", Operator::Or),
    ("xor", Operator::Xor),
    ("and", Operator::And),
    ("in", Operator::In),
    ("contains", Operator::Contains),
    ("=", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("~", Operator::Equivalent),
    ("!~", Operator::NotEquivalent),
    ("<", Operator::Less),
    ("<=", Operator::LessOrEqual),
    (">", Operator::Greater),
    (">=", Operator::GreaterOrEqual),
    ("|", Operator::Union),
    ("+", Operator::Add),
    ("-", Operator::Subtract),
    ("&", Operator::Concatenate),
    ("*", Operator::Multiply),
    ("/", Operator::Divide),
    ("div", Operator::Div),
    ("mod", Operator::Mod),
];
