//! The syntax tree of a condition.
//!
//! `and` and `or` hold their operands in one vector, so that a long chain is wide and not deep.

use std::ops::Range;

/// An expression and where it stands.
#[derive(Debug, Clone)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// The bytes of the text.
    pub span: Range<usize>,
}

/// The kinds of expression.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// `a and b and …`, at least two.
    And(Vec<Expr>),
    /// `a or b or …`, at least two.
    Or(Vec<Expr>),
    /// `not a`, `!a`
    Not(Box<Expr>),
    /// A field that is a boolean, or a reference to a macro.
    Bare(Operand),
    /// A field held against something.
    Test(Test),
    /// What could not be read.
    Error,
}

/// A field held against something.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    /// The field.
    pub operand: Operand,
    /// Whether a `not` stands before the operator.
    pub negated: bool,
    /// The operator.
    pub operator: Operator,
    /// What stands on its right.
    pub right: Right,
    /// Whether `nocase` stands behind it.
    pub nocase: bool,
}

/// The operators that stand after a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `=`, `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `>`
    Greater,
    /// `<`
    Less,
    /// `>=`
    GreaterEqual,
    /// `<=`
    LessEqual,
    /// `contains`
    Contains,
    /// `in`
    In,
    /// `like`
    Like,
    /// `regex`
    Regex,
    /// `startswith`
    StartsWith,
    /// `endswith`
    EndsWith,
    /// `within`
    Within,
    /// `exists`
    Exists,
}

/// What stands on the right of an operator.
#[derive(Debug, Clone, PartialEq)]
pub enum Right {
    /// Nothing: `exists`.
    Nothing,
    /// One value.
    Value(Literal),
    /// `in (…)`
    Items(Vec<Literal>),
}

impl Right {
    /// The values, one by one.
    pub(crate) fn literals(&self) -> &[Literal] {
        match self {
            Self::Nothing => &[],
            Self::Value(value) => std::slice::from_ref(value),
            Self::Items(items) => items,
        }
    }
}

/// A value as it was written.
#[derive(Debug, Clone)]
pub struct Literal {
    /// What it is.
    pub kind: LiteralKind,
    /// The bytes of the text.
    pub span: Range<usize>,
}

/// The kinds of literal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LiteralKind {
    /// `"…"`, without its quotes and escapes.
    Text(String),
    /// A word without quotes: text as well.
    Word(String),
    /// A number, as it was written.
    Number(String),
    /// `true`, `false` and their spellings.
    Bool(bool),
    /// `${name}`
    Reference(String),
}

/// The left side: a field path, or a reference with a path after it.
#[derive(Debug, Clone)]
pub struct Operand {
    /// `${name}`, if it starts with one.
    pub reference: Option<String>,
    /// The steps of the path, after the reference if there is one.
    pub steps: Vec<Step>,
    /// The bytes of the text.
    pub span: Range<usize>,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// A member by its name, as it was written.
    Key(String),
    /// `[*]`: any element.
    Any,
    /// `[3]`: that element, from 0.
    Index(usize),
    /// `[1:5]`: all elements from the first number up to but without the second.
    Range(usize, Option<usize>),
}

// Where a thing stands is no part of what it is: trees are compared across texts.

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl PartialEq for Literal {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl PartialEq for Operand {
    fn eq(&self, other: &Self) -> bool {
        self.reference == other.reference && self.steps == other.steps
    }
}

impl Operator {
    /// The operator as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Greater => ">",
            Self::Less => "<",
            Self::GreaterEqual => ">=",
            Self::LessEqual => "<=",
            Self::Contains => "contains",
            Self::In => "in",
            Self::Like => "like",
            Self::Regex => "regex",
            Self::StartsWith => "startswith",
            Self::EndsWith => "endswith",
            Self::Within => "within",
            Self::Exists => "exists",
        }
    }

    /// Whether KubeSphere has it too.
    pub(crate) fn is_shared(self) -> bool {
        !matches!(self, Self::StartsWith | Self::EndsWith | Self::Within)
    }

    /// The operators that are words: those that may have a `not` before them.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "contains" => Self::Contains,
            "in" => Self::In,
            "like" => Self::Like,
            "regex" | "regexp" => Self::Regex,
            "startswith" => Self::StartsWith,
            "endswith" => Self::EndsWith,
            "within" => Self::Within,
            "exists" => Self::Exists,
            _ => return None,
        })
    }
}
