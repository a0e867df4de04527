//! One parameter of a Parameters resource beside its definition. Inputs and outputs are checked alike.

use fhir::json::Node;
use fhir::outcome::quoted;
use fhir::validate::validate_value;
use fhir::{Definitions, IssueType, Outcome, Reference, Severity};

use super::{Holds, Parameter};

/// A list of parameters beside what it may hold.
pub(super) struct Parts<'a> {
    /// What they are called: `input` or `output`.
    noun: &'static str,
    allowed: &'a [Parameter],
    /// How often each was met.
    met: Vec<usize>,
    /// The names of the parameters around these, each followed by a dot.
    within: String,
}

impl<'a> Parts<'a> {
    pub(super) fn of(noun: &'static str, allowed: &'a [Parameter]) -> Parts<'a> {
        Parts { noun, allowed, met: vec![0; allowed.len()], within: String::new() }
    }

    /// Finds the definition of a parameter that was met, by its name.
    pub(super) fn meet(&mut self, name: &str) -> Result<&'a Parameter, Outcome> {
        match self.allowed.iter().position(|known| known.name == name) {
            Some(at) => Ok(self.meet_at(at)),
            None => {
                let names: Vec<_> = self.allowed.iter().map(|known| known.name.as_str()).collect();
                let has = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
                let whose = match self.within.strip_suffix('.') {
                    Some(around) => format!("the {} `{around}` has no part", self.noun),
                    None => format!("the operation has no {}", self.noun),
                };
                Err(bad(format!("{whose} {}; it has {has}", quoted(name))))
            }
        }
    }

    pub(super) fn meet_at(&mut self, at: usize) -> &'a Parameter {
        self.met[at] += 1;
        &self.allowed[at]
    }

    /// Checks parameters that stand in the member `member` of `node`, which stands at `place`.
    pub(super) fn check(&mut self, node: Node<'_>, member: &str, place: &str) -> Result<(), Outcome> {
        for (at, part) in node.get(member).into_iter().flat_map(Node::items).enumerate() {
            let place = format!("{place}.{member}[{at}]");
            let name = part.get("name").and_then(Node::as_str);
            let name = name.ok_or_else(|| bad("a parameter must have a `name`").at(place.clone()))?;
            let parameter = self.meet(&name).map_err(|outcome| outcome.at(format!("{place}.name")))?;
            self.one(parameter, part, &place).map_err(|outcome| outcome.at(place))?;
        }
        Ok(())
    }

    /// Refuses what is missing, and what is there too often.
    pub(super) fn finish(&self) -> Result<(), Outcome> {
        for (parameter, &met) in self.allowed.iter().zip(&self.met) {
            let name = self.name(parameter);
            let refuse = |code: IssueType, what: String| Err(Outcome::new(code, format!("{name} {what}")));
            match parameter.max {
                _ if met == 0 && parameter.min > 0 => return refuse(IssueType::Required, "is missing".to_owned()),
                _ if met < parameter.min => {
                    let text = format!("is given {met} times; at least {} are needed", parameter.min);
                    return refuse(IssueType::Required, text);
                }
                Some(1) if met > 1 => return refuse(IssueType::BadRequest, "is given more than once".to_owned()),
                Some(max) if met > max => {
                    return refuse(IssueType::BadRequest, format!("is given {met} times; at most {max} are taken"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What a parameter is called in a refusal.
    pub(super) fn name(&self, parameter: &Parameter) -> String {
        format!("the {} `{}{}`", self.noun, self.within, parameter.name)
    }

    fn one(&self, parameter: &Parameter, node: Node<'_>, place: &str) -> Result<(), Outcome> {
        let name = self.name(parameter);
        let wrong = |what: String| Err(bad(format!("{name} {what}")));
        let is_content = |member: &str| member.starts_with("value") || matches!(member, "resource" | "part");
        let mut contents = node.members().filter(|(member, _)| is_content(member));
        let content = contents.next();
        if matches!(parameter.holds, Holds::Anything) {
            return Ok(());
        }
        let Some((member, content)) = content else {
            // What stands in an extension instead is for the operation to judge.
            return match node.get("extension") {
                Some(_) => Ok(()),
                None => wrong(format!("is empty; it must have {}", parameter.holds.described())),
            };
        };
        if let Some((other, _)) = contents.next() {
            return wrong(format!("has both `{member}` and {}; it holds one thing", quoted(other)));
        }
        match &parameter.holds {
            Holds::Anything => Ok(()),
            Holds::Parts(allowed) if member == "part" => {
                let mut parts =
                    Parts { within: format!("{}{}.", self.within, parameter.name), ..Parts::of(self.noun, allowed) };
                parts.check(node, "part", place)?;
                parts.finish()
            }
            Holds::Resource(structure) if member == "resource" => match structure_fits(content, structure.name) {
                Ok(()) => Ok(()),
                Err(found) => wrong(format!("holds {found}; it takes {}", parameter.holds.described())),
            },
            Holds::Value(structure, targets) if member.starts_with("value") => {
                let definitions = Definitions::r4();
                let choice = definitions.structure("Parameters.parameter").and_then(|it| it.member(member));
                let found = choice.map(|(_, element_type)| element_type);
                let Some(found) = found.filter(|found| definitions.is_a(found.code, structure.name)) else {
                    return wrong(format!("has {}; it takes {}", quoted(member), parameter.holds.described()));
                };
                let issues = validate_value(definitions, definitions.structure_of(found), content);
                if let Some(issue) =
                    issues.iter().min_by_key(|issue| issue.severity).filter(|issue| issue.severity <= Severity::Error)
                {
                    return wrong(format!("has a wrong value: {}", issue.diagnostics));
                }
                match strays(content, targets) {
                    Some(target) => wrong(format!("refers to {}; it takes {}", quoted(&target), targets.join(", "))),
                    None => Ok(()),
                }
            }
            holds => wrong(format!("has {}; it takes {}", quoted(member), holds.described())),
        }
    }
}

/// Whether a resource is of this type; else what it is.
pub(super) fn structure_fits(resource: Node<'_>, wanted: &str) -> Result<(), String> {
    match resource.resource_type() {
        // What is no type of R4 is refused where the resource is read.
        Some(_) if wanted == "Resource" => Ok(()),
        Some(found) if Definitions::r4().is_a(found, wanted) => Ok(()),
        Some(found) => Err(quoted(found)),
        None => Err("no resource".to_owned()),
    }
}

/// The literal reference, if it leads to none of the types.
fn strays(value: Node<'_>, targets: &[String]) -> Option<String> {
    let reference = value.get("reference").and_then(Node::as_str).filter(|_| !targets.is_empty())?;
    match Reference::parse(&reference)? {
        Reference::Relative { resource_type, .. } | Reference::Absolute { resource_type, .. }
            if !targets.iter().any(|target| target == resource_type) =>
        {
            Some(reference.into_owned())
        }
        _ => None,
    }
}

impl Holds {
    /// What would be right.
    fn described(&self) -> String {
        match self {
            Holds::Value(structure, _) if structure.name == "Element" => "a value".to_owned(),
            Holds::Value(structure, _) => {
                let mut letters = structure.name.chars();
                let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
                format!("`value{first}{}`", letters.as_str())
            }
            Holds::Resource(structure) if structure.name == "Resource" => "a `resource`".to_owned(),
            Holds::Resource(structure) => format!("a `resource` of the type {}", structure.name),
            Holds::Parts(parts) => {
                let names: Vec<_> = parts.iter().map(|part| part.name.as_str()).collect();
                format!("parts: {}", names.join(", "))
            }
            Holds::Anything => "parts".to_owned(),
        }
    }
}

pub(super) fn bad(text: impl Into<String>) -> Outcome {
    Outcome::new(IssueType::BadRequest, text)
}
