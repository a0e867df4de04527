//! The evaluator: walks the compiled form over borrowed items.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};

use super::compare::{self, distinct};
use super::expression::{Chain, Expr, Member, Operation, Operator, Path, Step, Variable};
use super::item::{one, optional, single, truth, truth_item};
use super::pattern::{self, Pattern};
use super::types::TypeName;
use super::{Collection, Context, ElementNode, EvaluationError, Item, Steps, Trace, operators, reflection};
use crate::definitions::StructureKind;

/// One evaluation visits at most this many items and operations: about a second of work.
pub(super) const STEPS_MAX: u32 = 10_000_000;
/// No collection holds more items than this: 16 MiB of them.
pub(super) const COLLECTION_LENGTH_MAX: usize = 256 * 1024;

/// No string that an expression makes is longer, in bytes.
pub(super) const STRING_LENGTH_MAX: usize = 4 * 1024 * 1024;

pub(super) type Evaluated<T> = Result<T, EvaluationError>;

/// One run of an expression: what it stands in, and how much work it has left.
pub(super) struct Evaluation<'a> {
    pub(super) context: Context<'a>,
    /// `%context`.
    input: Option<Item<'a>>,
    steps_left: Cell<u32>,
    /// The regular expression that was compiled last: criteria ask for the same one for each item.
    pattern: RefCell<Option<Pattern>>,
    /// Absent where nobody asks for traces.
    traces: Option<RefCell<Vec<Trace<'a>>>>,
}

/// What `$this`, `$index` and `$total` are at one place of an expression.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a, 's> {
    /// Absent where a function with a criterion stands on an empty collection.
    pub(super) this: Option<&'s Item<'a>>,
    pub(super) index: usize,
    pub(super) total: Option<&'s Collection<'a>>,
}

impl<'a, 's> Scope<'a, 's> {
    /// The same scope with another item in focus.
    pub(super) fn at<'n>(&self, this: Option<&'n Item<'a>>, index: usize) -> Scope<'a, 'n>
    where
        's: 'n,
    {
        Scope { this, index, total: self.total }
    }
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(context: Context<'a>, input: Option<Item<'a>>) -> Evaluation<'a> {
        Evaluation { context, input, steps_left: Cell::new(STEPS_MAX), pattern: RefCell::default(), traces: None }
    }

    /// One that takes no more than so many steps.
    pub(super) fn within(context: Context<'a>, input: Option<Item<'a>>, steps: &Steps) -> Evaluation<'a> {
        Evaluation { steps_left: Cell::new(steps.0), ..Evaluation::new(context, input) }
    }

    /// One that also keeps what `trace()` meets.
    pub(super) fn traced(context: Context<'a>, input: Option<Item<'a>>, steps: &Steps) -> Evaluation<'a> {
        Evaluation { traces: Some(RefCell::default()), ..Evaluation::within(context, input, steps) }
    }

    /// Fails where a target is needed that is not at hand, if that matters to who asks.
    pub(super) fn miss_target(&self) -> Evaluated<()> {
        match self.context.resolver.is_some_and(|resolver| resolver.needs_targets()) {
            true => Err(EvaluationError::new("the target of a reference is not at hand")),
            false => Ok(()),
        }
    }

    pub(super) fn steps_left(&self) -> Steps {
        Steps(self.steps_left.get())
    }

    pub(super) fn into_traces(self) -> Vec<Trace<'a>> {
        self.traces.map(RefCell::into_inner).unwrap_or_default()
    }

    /// Compiles a regular expression that is no literal.
    pub(super) fn pattern(&self, text: &str) -> Evaluated<Pattern> {
        if let Some(pattern) = self.pattern.borrow().as_ref().filter(|pattern| *pattern.text == *text) {
            return Ok(pattern.clone());
        }
        self.spend(pattern::COMPILE_STEPS)?;
        let pattern = Pattern::new(text).map_err(EvaluationError::new)?;
        *self.pattern.borrow_mut() = Some(pattern.clone());
        Ok(pattern)
    }

    /// Whether traces are asked for, so that what they project is worth evaluating.
    pub(super) fn is_traced(&self) -> bool {
        self.traces.is_some()
    }

    /// Keeps a trace; all of them hold no more items than one collection may.
    pub(super) fn keep_trace(&self, trace: Trace<'a>) -> Evaluated<()> {
        let Some(traces) = &self.traces else { return Ok(()) };
        let mut traces = traces.borrow_mut();
        let length: usize = traces.iter().map(|trace| trace.items.len() + 1).sum();
        self.spend(traces.len() + trace.items.len())?;
        if length + trace.items.len() > COLLECTION_LENGTH_MAX {
            return Err(EvaluationError::new(format!("traces have more than {COLLECTION_LENGTH_MAX} items")));
        }
        traces.push(trace);
        Ok(())
    }

    /// Evaluates a whole expression on the input.
    pub(super) fn run(&self, expression: &'a Expr) -> Evaluated<Collection<'a>> {
        self.eval(expression, &self.scope())
    }

    /// The truth of a whole expression on the input.
    pub(super) fn run_truth(&self, expression: &'a Expr) -> Evaluated<Option<bool>> {
        self.truth(expression, &self.scope())
    }

    fn scope(&self) -> Scope<'a, '_> {
        Scope { this: self.input.as_ref(), index: 0, total: None }
    }

    /// Counts work; fails when an evaluation takes too much of it.
    pub(super) fn spend(&self, steps: usize) -> Evaluated<()> {
        let left = u32::try_from(steps).ok().and_then(|steps| self.steps_left.get().checked_sub(steps));
        match left {
            Some(left) => {
                self.steps_left.set(left);
                Ok(())
            }
            None => Err(EvaluationError::new(format!("evaluation takes more than {STEPS_MAX} steps"))),
        }
    }

    /// Counts the work that a text of so many bytes makes.
    pub(super) fn spend_text(&self, length: usize) -> Evaluated<()> {
        self.spend(length / 8)
    }

    /// Counts the making of a string; refuses one that would become too long.
    pub(super) fn spend_string(&self, length: usize) -> Evaluated<()> {
        if length > STRING_LENGTH_MAX {
            return Err(EvaluationError::new(format!("string of {length} bytes is longer than {STRING_LENGTH_MAX}")));
        }
        self.spend_text(length)
    }

    /// Adds an item to a collection that is being made.
    pub(super) fn push(&self, collection: &mut Collection<'a>, item: Item<'a>) -> Evaluated<()> {
        self.spend(1)?;
        if collection.len() == COLLECTION_LENGTH_MAX {
            return Err(EvaluationError::new(format!("collection has more than {COLLECTION_LENGTH_MAX} items")));
        }
        if collection.len() == collection.capacity() {
            collection.reserve(collection.len().max(3));
        }
        collection.push(item);
        Ok(())
    }

    pub(super) fn eval(&self, expression: &'a Expr, scope: &Scope<'a, '_>) -> Evaluated<Collection<'a>> {
        match expression {
            Expr::Empty => Ok(Collection::new()),
            Expr::Literal(item) => Ok(one(item.lend())),
            Expr::Pattern(pattern) => Ok(one(Item::String(Cow::Borrowed(&pattern.text)))),
            Expr::This => Ok(optional(scope.this.cloned())),
            Expr::Index => Ok(one(Item::Integer(scope.index as i64))),
            Expr::Total => Ok(scope.total.cloned().unwrap_or_default()),
            Expr::Variable(variable) => Ok(self.variable(*variable)),
            Expr::Named(at, name) => self.named(name).map_err(|error| error.within(*at)),
            Expr::Path(path) => self.path(path, scope),
            Expr::Chain(chain) => self.chain(chain, scope),
            Expr::Negate(at, operand) => {
                operators::negate(self, self.eval(operand, scope)?).map_err(|error| error.within(*at))
            }
        }
    }

    /// An expression as a truth value, without a collection around it where it can be avoided.
    pub(super) fn truth(&self, expression: &'a Expr, scope: &Scope<'a, '_>) -> Evaluated<Option<bool>> {
        match expression {
            Expr::Chain(chain) => match chain.rest.as_slice() {
                [operation] if operation.operator.is_logical() => {
                    self.logic(self.truth(&chain.first, scope)?, operation, scope)
                }
                [Operation { operator: Operator::Equal, right: Expr::Literal(literal), .. }] => {
                    self.equals_literal(&chain.first, literal, scope)
                }
                _ => truth(&self.chain(chain, scope)?),
            },
            _ => truth(&self.eval(expression, scope)?),
        }
    }

    fn variable(&self, variable: Variable) -> Collection<'a> {
        let element = |element: ElementNode<'a>| optional((!element.is_type_only()).then_some(Item::Element(element)));
        match variable {
            Variable::Context => optional(self.input.clone()),
            Variable::Resource => element(self.context.resource),
            Variable::RootResource => element(self.context.root_resource),
        }
    }

    fn named(&self, name: &str) -> Evaluated<Collection<'a>> {
        match self.context.variables.iter().find(|(known, _)| *known == name) {
            Some((_, items)) => {
                self.spend(items.len())?;
                Ok(items.iter().cloned().collect())
            }
            None => Err(EvaluationError::new(format!("variable `%{name}` is unknown"))),
        }
    }

    fn path(&self, path: &'a Path, scope: &Scope<'a, '_>) -> Evaluated<Collection<'a>> {
        let mut steps = path.steps.as_slice();
        let mut items = match (&path.start, steps) {
            // The most common path is members of one element: no collection is made for what they start from.
            (Expr::This, [Step::Members(members), rest @ ..]) => {
                steps = rest;
                let mut items = Collection::new();
                match scope.this {
                    Some(Item::Element(element)) => self.walk(*element, members, &mut items)?,
                    Some(item @ (Item::Type(..) | Item::TypeElement(_))) => {
                        reflection::walk(self, item.clone(), members, &mut items)?;
                    }
                    _ => {}
                }
                items
            }
            (Expr::This, [Step::Root(_, name), Step::Members(members), rest @ ..]) => {
                steps = rest;
                let mut items = Collection::new();
                if let Some(item @ Item::Element(element)) = scope.this
                    && self.is_root(name, item)?
                {
                    self.walk(*element, members, &mut items)?;
                }
                items
            }
            (start, _) => self.eval(start, scope)?,
        };
        for step in steps {
            items = self.step(step, items, scope)?;
        }
        Ok(items)
    }

    fn step(&self, step: &'a Step, items: Collection<'a>, scope: &Scope<'a, '_>) -> Evaluated<Collection<'a>> {
        match step {
            Step::Members(members) => {
                let mut found = Collection::new();
                for item in items {
                    match item {
                        Item::Element(element) => self.walk(element, members, &mut found)?,
                        Item::Type(..) | Item::TypeElement(_) => reflection::walk(self, item, members, &mut found)?,
                        _ => {}
                    }
                }
                Ok(found)
            }
            Step::Root(_, name) => self.filter(items, |item| self.is_root(name, item)),
            Step::Is(at, name) => self.is(name, items).map_err(|error| error.within(*at)),
            Step::As(at, name) | Step::OfType(at, name) => self
                .filter(items, |item| name.selects(self.context.definitions, item))
                .map_err(|error| error.within(*at)),
            Step::At(at, index) => {
                let index = self.integer(index, scope).map_err(|error| error.within(*at))?;
                let position = index.and_then(|index| usize::try_from(index).ok());
                Ok(position.and_then(|position| items.into_iter().nth(position)).into_iter().collect())
            }
            Step::Call(at, function, arguments) => {
                let call = super::functions::Call { input: items, arguments, scope };
                self.spend(1).and_then(|()| (function.body)(self, call)).map_err(|error| error.within(*at))
            }
        }
    }

    fn is(&self, name: &TypeName, items: Collection<'a>) -> Evaluated<Collection<'a>> {
        match single(&items)? {
            Some(item) => Ok(one(Item::Boolean(name.includes(self.context.definitions, item)?))),
            None => Ok(items),
        }
    }

    /// Follows member names depth first: the order is that of following them one collection after another. The recursion is
    /// bounded by the length of a run of members.
    fn walk(&self, element: ElementNode<'a>, members: &[Member], found: &mut Collection<'a>) -> Evaluated<()> {
        match members {
            [] => self.push(found, Item::Element(element)),
            [member, rest @ ..] => {
                self.spend(1)?;
                if element.value.is_none() && element.sibling.is_none() {
                    self.miss_target()?;
                }
                element.visit_member(self.context.definitions, &member.name, &mut |child| self.walk(child, rest, found))
            }
        }
    }

    /// Search expressions list many types, of which one fits: the others must cost next to nothing.
    fn is_root(&self, name: &TypeName, item: &Item<'a>) -> Evaluated<bool> {
        match item {
            Item::Element(element) if *element.structure.name == *name.name => Ok(true),
            // Of the resource types only the abstract ones are specialized.
            Item::Element(element) if element.structure.kind == StructureKind::Resource => {
                Ok(matches!(&*name.name, "Resource" | "DomainResource")
                    && self.context.definitions.is_a(element.structure.name, &name.name))
            }
            _ => name.includes(self.context.definitions, item),
        }
    }

    /// The items that fulfill a criterion.
    pub(super) fn filter(
        &self,
        items: Collection<'a>,
        mut criterion: impl FnMut(&Item<'a>) -> Evaluated<bool>,
    ) -> Evaluated<Collection<'a>> {
        let mut kept = Collection::new();
        for item in items {
            if criterion(&item)? {
                self.push(&mut kept, item)?;
            }
        }
        Ok(kept)
    }

    /// What an expression gives for each item, one after another.
    pub(super) fn project(
        &self,
        projection: &'a Expr,
        items: &Collection<'a>,
        scope: &Scope<'a, '_>,
    ) -> Evaluated<Collection<'a>> {
        let mut projected = Collection::new();
        for (index, item) in items.iter().enumerate() {
            for item in self.eval(projection, &scope.at(Some(item), index))? {
                self.push(&mut projected, item)?;
            }
        }
        Ok(projected)
    }

    fn chain(&self, chain: &'a Chain, scope: &Scope<'a, '_>) -> Evaluated<Collection<'a>> {
        let Some(first_operator) = chain.rest.first().map(|operation| operation.operator) else {
            return self.eval(&chain.first, scope);
        };
        if first_operator.is_logical() {
            let mut left = self.truth(&chain.first, scope)?;
            for operation in &chain.rest {
                left = self.logic(left, operation, scope)?;
            }
            return Ok(truth_item(left));
        }
        let mut left = self.eval(&chain.first, scope)?;
        if first_operator == Operator::Union {
            for operation in &chain.rest {
                let right = self.eval(&operation.right, scope)?;
                if left.is_empty() {
                    left = right;
                } else {
                    for item in right {
                        self.push(&mut left, item)?;
                    }
                }
            }
            return distinct(self, left);
        }
        for Operation { at, operator, right } in &chain.rest {
            let right = self.eval(right, scope)?;
            left = operators::apply(self, *operator, left, right).map_err(|error| error.within(*at))?;
        }
        Ok(left)
    }

    /// Three-valued logic; the right side is not evaluated when the left decides.
    fn logic(&self, left: Option<bool>, operation: &'a Operation, scope: &Scope<'a, '_>) -> Evaluated<Option<bool>> {
        self.spend(1)?;
        let Operation { at, operator, right } = operation;
        let decided = match (operator, left) {
            (Operator::And, Some(false)) => Some(false),
            (Operator::Or, Some(true)) | (Operator::Implies, Some(false)) => Some(true),
            _ => None,
        };
        if decided.is_some() {
            return Ok(decided);
        }
        let right = self.truth(right, scope).map_err(|error| error.within(*at))?;
        Ok(match operator {
            Operator::And => match (left, right) {
                (_, Some(false)) => Some(false),
                (Some(true), right) => right,
                _ => None,
            },
            Operator::Or => match (left, right) {
                (_, Some(true)) => Some(true),
                (Some(false), right) => right,
                _ => None,
            },
            Operator::Xor => left.zip(right).map(|(left, right)| left != right),
            _ => match (left, right) {
                (_, Some(true)) => Some(true),
                (Some(true), right) => right,
                _ => None,
            },
        })
    }

    /// `path = 'literal'`, the most common criterion: text is compared where it stands.
    fn equals_literal(
        &self,
        left: &'a Expr,
        literal: &'a Item<'static>,
        scope: &Scope<'a, '_>,
    ) -> Evaluated<Option<bool>> {
        let left = self.eval(left, scope)?;
        match left.as_slice() {
            [] => Ok(None),
            [item] => {
                self.spend(1)?;
                compare::equal(self, item, &literal.lend())
            }
            _ => Ok(Some(false)),
        }
    }

    /// An argument that must be an integer; `None` when it is empty.
    pub(super) fn integer(&self, expression: &'a Expr, scope: &Scope<'a, '_>) -> Evaluated<Option<i64>> {
        let value = self.eval(expression, scope)?;
        match single(&value)?.map(|item| item.system(self.context.definitions)) {
            None => Ok(None),
            Some(Item::Integer(value)) => Ok(Some(value)),
            Some(other) => Err(EvaluationError::new(format!("expected an integer, found {other:?}"))),
        }
    }
}

impl Operator {
    fn is_logical(self) -> bool {
        matches!(self, Operator::And | Operator::Or | Operator::Xor | Operator::Implies)
    }
}
