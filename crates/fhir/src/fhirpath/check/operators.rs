//! What operators make of types.

use super::Check;
use super::types::{Static, Values};
use crate::fhirpath::expression::{Operation, Operator, Place};

/// Values of one of these kinds are compared with each other.
const ORDERED: [Values; 5] = [Values::NUMBER, Values::STRING, Values::DAY, Values::TIME, Values::QUANTITY];

impl Check {
    pub(super) fn operation(&mut self, operation: &Operation, left: Static, right: Static) -> Static {
        use Operator::*;
        match operation.operator {
            Implies | Or | Xor | And | In | Contains | Equal | NotEqual | Equivalent | NotEquivalent => {
                Static::system("Boolean")
            }
            Less | LessOrEqual | Greater | GreaterOrEqual => {
                self.defined(operation, &left, &right, |left, right| {
                    ORDERED.iter().any(|kind| left.meets(*kind) && right.meets(*kind))
                });
                Static::system("Boolean")
            }
            Union => left.or(&right).many(),
            Concatenate => {
                self.defined(operation, &left, &right, |left, right| {
                    left.meets(Values::STRING) && right.meets(Values::STRING)
                });
                Static::system("String")
            }
            Add | Subtract | Multiply | Divide | Div | Mod => self.arithmetic(operation, &left, &right),
        }
    }

    /// What has no values of its own (an empty side, an open type) goes with anything.
    fn defined(
        &mut self,
        operation: &Operation,
        left: &Static,
        right: &Static,
        is_defined: impl Fn(Values, Values) -> bool,
    ) {
        let (Some(left_values), Some(right_values)) = (left.values(self.definitions), right.values(self.definitions))
        else {
            return;
        };
        if !is_defined(left_values, right_values) {
            let (symbol, left, right) = (operation.operator.symbol(), left.names(), right.names());
            self.problem(operation.at, format!("`{symbol}` is not defined for {left} and {right}"));
        }
    }

    fn arithmetic(&mut self, operation: &Operation, left: &Static, right: &Static) -> Static {
        use Operator::*;
        let operator = operation.operator;
        let is_sum = matches!(operator, Add | Subtract);
        let is_product = matches!(operator, Multiply | Divide);
        self.defined(operation, left, right, |left, right| {
            let both = |kind| left.meets(kind) && right.meets(kind);
            both(Values::NUMBER)
                || (operator == Add && both(Values::STRING))
                || (is_sum && left.meets(Values::MOMENT) && right.meets(Values::QUANTITY))
                || ((is_sum || is_product) && both(Values::QUANTITY))
                || (is_product && left.meets(Values::QUANTITY) && right.meets(Values::NUMBER))
                || (operator == Multiply && left.meets(Values::NUMBER) && right.meets(Values::QUANTITY))
        });
        let values = left.values(self.definitions).zip(right.values(self.definitions));
        match (operator, values) {
            (Div, _) => Static::system("Integer"),
            (Divide, Some((Values::INTEGER | Values::DECIMAL, Values::INTEGER | Values::DECIMAL))) => {
                Static::system("Decimal")
            }
            (_, Some((Values::INTEGER, Values::INTEGER))) => Static::system("Integer"),
            (_, Some((Values::INTEGER | Values::DECIMAL, Values::INTEGER | Values::DECIMAL))) => {
                Static::system("Decimal")
            }
            (_, Some((Values::STRING, Values::STRING))) => Static::system("String"),
            (_, Some((Values::QUANTITY, _) | (_, Values::QUANTITY))) if is_product => Static::system("Quantity"),
            (_, Some((_, Values::QUANTITY))) if is_sum => left.clone().single(),
            _ => Static::anything().single(),
        }
    }

    pub(super) fn negate(&mut self, at: Place, operand: Static) -> Static {
        self.takes(at, "the operand of `-`", Values::NUMBER.or(Values::QUANTITY), &operand);
        operand.single()
    }
}
