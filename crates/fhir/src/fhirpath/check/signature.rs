//! What the functions take and give, as far as it can be said without data.

use super::types::Values;

/// A function's types.
pub(super) struct Signature {
    pub(super) input: Needs,
    /// For each argument: whether it is evaluated on each item of the input, and what it may be. The last one stands for all that follow.
    pub(super) arguments: &'static [(bool, Values)],
    pub(super) gives: Gives,
}

#[derive(Clone, Copy)]
pub(super) enum Needs {
    Anything,
    /// Items whose order means something.
    Order,
    Value(Values),
}

#[derive(Clone, Copy)]
pub(super) enum Gives {
    /// Items of the input.
    Input,
    /// One item of the input.
    Item,
    /// One value of a System type.
    One(&'static str),
    Several(&'static str),
    /// What the first argument gives for each item.
    Projection,
    /// The items of the input and of the first argument.
    Both,
    /// What the second or the third argument gives.
    Choice,
    /// Elements of a type.
    Elements(&'static str),
    /// Elements of any type in no order.
    Children,
    /// One resource for each item.
    Targets,
    Anything,
}

const ANY: (bool, Values) = (false, Values::ALL);
const TEXT: (bool, Values) = (false, Values::TEXT);
const INTEGER: (bool, Values) = (false, Values::INTEGER);
const NUMBER: (bool, Values) = (false, Values::NUMBER);
/// Evaluated on each item.
const PROJECTION: (bool, Values) = (true, Values::ALL);
const CRITERION: (bool, Values) = (true, Values::BOOLEAN);

const QUANTIFIABLE: Values = Values::NUMBER.or(Values::QUANTITY);
const BOUNDED: Values = QUANTIFIABLE.or(Values::MOMENT);

/// The signature of a function by its name.
pub(super) fn signature(name: &str) -> Option<Signature> {
    use Gives::*;
    let (input, arguments, gives): (Needs, &'static [(bool, Values)], Gives) = match name {
        "empty" | "allTrue" | "anyTrue" | "allFalse" | "anyFalse" | "isDistinct" | "not" | "hasValue"
        | "htmlChecks" => (Needs::Anything, &[], One("Boolean")),
        "exists" | "all" => (Needs::Anything, &[PROJECTION], One("Boolean")),
        "subsetOf" | "supersetOf" | "subsumes" | "subsumedBy" | "comparable" => {
            (Needs::Anything, &[ANY], One("Boolean"))
        }
        "memberOf" | "conformsTo" | "hasExtension" => (Needs::Anything, &[TEXT], One("Boolean")),
        "count" => (Needs::Anything, &[], One("Integer")),
        "where" | "sort" => (Needs::Anything, &[PROJECTION], Input),
        "select" => (Needs::Anything, &[PROJECTION], Projection),
        "repeat" => (Needs::Anything, &[PROJECTION], Anything),
        "aggregate" => (Needs::Anything, &[PROJECTION, ANY], Anything),
        "distinct" | "checkModifiers" => (Needs::Anything, &[], Input),
        "intersect" | "exclude" => (Needs::Anything, &[ANY], Input),
        "trace" => (Needs::Anything, &[TEXT, PROJECTION], Input),
        "single" => (Needs::Anything, &[], Item),
        "first" | "last" => (Needs::Order, &[], Item),
        "tail" => (Needs::Order, &[], Input),
        "skip" | "take" => (Needs::Order, &[INTEGER], Input),
        "union" | "combine" => (Needs::Anything, &[ANY], Both),
        "iif" => (Needs::Anything, &[CRITERION, PROJECTION], Choice),
        "children" | "descendants" => (Needs::Anything, &[], Children),
        "type" => (Needs::Anything, &[], Several("TypeInfo")),
        "resolve" => (Needs::Anything, &[], Targets),
        "extension" => (Needs::Anything, &[TEXT], Elements("Extension")),
        "elementDefinition" => (Needs::Anything, &[], Elements("ElementDefinition")),
        "slice" => (Needs::Anything, &[TEXT, TEXT], Input),
        "getValue" => (Needs::Anything, &[], Item),
        "now" => (Needs::Anything, &[], One("DateTime")),
        "today" => (Needs::Anything, &[], One("Date")),
        "timeOfDay" => (Needs::Anything, &[], One("Time")),
        _ => return conversion(name).or_else(|| on_text(name)).or_else(|| on_value(name)),
    };
    Some(Signature { input, arguments, gives })
}

fn conversion(name: &str) -> Option<Signature> {
    let gives = match name {
        "toBoolean" => "Boolean",
        "toInteger" => "Integer",
        "toDecimal" => "Decimal",
        "toString" => "String",
        "toDate" => "Date",
        "toDateTime" => "DateTime",
        "toTime" => "Time",
        "toQuantity" => "Quantity",
        _ if name.starts_with("convertsTo") => "Boolean",
        _ => return None,
    };
    Some(Signature { input: Needs::Anything, arguments: &[TEXT], gives: Gives::One(gives) })
}

fn on_text(name: &str) -> Option<Signature> {
    let (arguments, gives): (&'static [(bool, Values)], Gives) = match name {
        "startsWith" | "endsWith" | "contains" | "matches" | "matchesFull" => (&[TEXT], Gives::One("Boolean")),
        "indexOf" | "lastIndexOf" => (&[TEXT], Gives::One("Integer")),
        "length" => (&[], Gives::One("Integer")),
        "substring" => (&[INTEGER], Gives::One("String")),
        "upper" | "lower" | "trim" => (&[], Gives::One("String")),
        "replace" | "replaceMatches" | "join" | "encode" | "decode" | "escape" | "unescape" => {
            (&[TEXT], Gives::One("String"))
        }
        "split" | "toChars" => (&[TEXT], Gives::Several("String")),
        _ => return None,
    };
    Some(Signature { input: Needs::Value(Values::TEXT), arguments, gives })
}

fn on_value(name: &str) -> Option<Signature> {
    let (input, arguments, gives): (Values, &'static [(bool, Values)], Gives) = match name {
        "abs" => (QUANTIFIABLE, &[], Gives::Item),
        "ceiling" | "floor" | "truncate" => (Values::NUMBER, &[], Gives::One("Integer")),
        "exp" | "ln" | "sqrt" => (Values::NUMBER, &[], Gives::One("Decimal")),
        "log" => (Values::NUMBER, &[NUMBER], Gives::One("Decimal")),
        "power" => (Values::NUMBER, &[NUMBER], Gives::Item),
        "round" => (Values::NUMBER, &[INTEGER], Gives::One("Decimal")),
        "lowBoundary" | "highBoundary" => (BOUNDED, &[INTEGER], Gives::Anything),
        "precision" => (BOUNDED, &[], Gives::One("Integer")),
        _ => return None,
    };
    Some(Signature { input: Needs::Value(input), arguments, gives })
}
