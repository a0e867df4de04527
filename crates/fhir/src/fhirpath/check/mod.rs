//! Static typing: what can be said against an expression whatever the data, and what it gives,
//! <http://hl7.org/fhirpath/N1/#type-safety-and-strict-evaluation>.
//!
//! Evaluation stays lenient, as FHIR's own expressions need it: an unknown element is merely empty there.

mod operators;
mod signature;
mod steps;
mod types;

use self::types::Static;
use super::Expression;
use super::expression::{Chain, Expr, Path, Variable};
use crate::Definitions;
use crate::definitions::{Structure, StructureKind};

/// So many problems are listed at most.
const PROBLEMS_MAX: usize = 20;
/// A check visits so many parts of an expression; what comes after is not looked at.
const STEPS_MAX: u32 = 100_000;

/// A fault in an expression; `at` is a byte offset into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub at: usize,
    pub message: String,
    /// The element that is not there, and the type that lacks it, where that is the fault.
    pub unknown: Option<(String, &'static str)>,
}

/// What a check finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Everything that is wrong, in the order of the evaluation; empty when all is well.
    pub problems: Vec<Problem>,
    /// The type of the result: `string`, `Quantity|string`, `HumanName[]` where it may be several; `None` where it is open.
    pub result: Option<String>,
}

impl Expression {
    /// Checks the expression for evaluations on inputs of a type. More is refused than evaluation needs: elements that no type has,
    /// operators and functions on types they are not defined for, `as` on what may be several items, and an order asked of
    /// what has none.
    pub fn check(&self, definitions: &'static Definitions, structure: &'static Structure) -> Checked {
        let mut check = Check { definitions, root: structure, problems: Vec::new(), steps_left: STEPS_MAX };
        let this = Static::element(structure);
        let result = check.expression(&self.0, &Scope { this: &this });
        Checked { problems: check.problems, result: result.to_text() }
    }
}

/// What `$this` is.
#[derive(Clone, Copy)]
struct Scope<'s> {
    this: &'s Static,
}

struct Check {
    definitions: &'static Definitions,
    /// The type of the input.
    root: &'static Structure,
    problems: Vec<Problem>,
    steps_left: u32,
}

impl Check {
    fn problem(&mut self, at: u32, message: String) {
        self.add(Problem { at: at as usize, message, unknown: None });
    }

    /// Keeps a problem unless it is known from an earlier round of a `repeat()`.
    fn add(&mut self, problem: Problem) {
        if self.problems.len() < PROBLEMS_MAX && !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// The recursion is bounded as that of the evaluation is.
    fn expression(&mut self, expression: &Expr, scope: &Scope<'_>) -> Static {
        let Some(left) = self.steps_left.checked_sub(1) else { return Static::anything() };
        self.steps_left = left;
        match expression {
            Expr::Empty => Static::nothing(),
            Expr::Literal(item) => Static::system(item.system_type()),
            Expr::Pattern(_) => Static::system("String"),
            Expr::This => scope.this.clone(),
            Expr::Index => Static::system("Integer"),
            Expr::Total | Expr::Named(..) => Static::anything(),
            Expr::Variable(Variable::Context) => Static::element(self.root),
            Expr::Variable(Variable::Resource | Variable::RootResource) => match self.root.kind {
                StructureKind::Resource => Static::element(self.root).single(),
                _ => Static::anything().single(),
            },
            Expr::Path(path) => self.path(path, scope),
            Expr::Chain(chain) => self.chain(chain, scope),
            Expr::Negate(at, operand) => {
                let operand = self.expression(operand, scope);
                self.negate(*at, operand)
            }
        }
    }

    fn path(&mut self, path: &Path, scope: &Scope<'_>) -> Static {
        let mut found = self.expression(&path.start, scope);
        for step in &path.steps {
            found = self.step(step, found, scope);
        }
        found
    }

    fn chain(&mut self, chain: &Chain, scope: &Scope<'_>) -> Static {
        let mut left = self.expression(&chain.first, scope);
        for operation in &chain.rest {
            let right = self.expression(&operation.right, scope);
            left = self.operation(operation, left, right);
        }
        left
    }
}

#[cfg(test)]
mod tests;
