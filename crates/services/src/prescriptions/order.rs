//! A Task as the rules read it.

use std::borrow::Cow;

use fhir::json::{Document, Node};
use fhir::{DateTime, Instant};
use repository::{Key, Transaction};

use super::dispensing;

/// SNOMED CT: renewal of prescription.
const RENEWAL: &str = "103742009";

/// The systems under which SNOMED CT is sent; the second is not its own.
const SNOMED: [&str; 2] = ["http://snomed.info/sct", "https://snomed.info/sct"];

/// What `input` and `output` of an order say, by GP Connect Patient Facing Prescriptions.
const PARAMETER: &str = "https://fhir.nhs.uk/England/CodeSystem/England-PFSPrescriptionOrderingParameter";

/// The numbers of prescribed items in the Electronic Prescription Service.
pub(super) const ITEM_NUMBER: &str = "https://fhir.nhs.uk/Id/prescription-order-item-number";

/// The states in which an order waits for the practice.
const OPEN: [&str; 3] = ["requested", "accepted", "in-progress"];

/// The order of a repeat prescription.
#[derive(Clone, Copy)]
pub(super) struct Order<'a>(Node<'a>);

/// An identifier as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identifier {
    pub(super) system: String,
    pub(super) value: String,
}

impl<'a> Order<'a> {
    /// A Task that orders a repeat, known by its code; `None` for any other.
    pub(super) fn of(task: &'a Document) -> Option<Order<'a>> {
        let mut codings = task.root().path(&["code", "coding"]).into_iter().flat_map(Node::each);
        let is_renewal = |coding: Node<'_>| {
            let system = coding.get("system").and_then(Node::as_str).unwrap_or_default();
            SNOMED.contains(&system.as_ref()) && coding.get("code").is_some_and(|code| code.is_str(RENEWAL))
        };
        codings.any(is_renewal).then(|| Order(task.root()))
    }

    /// A member as it is written.
    pub(super) fn raw(self, name: &str) -> Option<&'a str> {
        self.0.get(name).map(Node::raw)
    }

    fn text(self, name: &str) -> Cow<'a, str> {
        self.0.get(name).and_then(Node::as_str).unwrap_or_default()
    }

    pub(super) fn status(self) -> Cow<'a, str> {
        self.text("status")
    }

    pub(super) fn is_open(self) -> bool {
        OPEN.contains(&self.status().as_ref())
    }

    /// The reference in `focus`, as it stands.
    pub(super) fn focus(self) -> Cow<'a, str> {
        self.0.path(&["focus", "reference"]).and_then(Node::as_str).unwrap_or_default()
    }

    /// The plan that `focus` leads to, whether or not it is there.
    pub(super) fn plan(self, transaction: &Transaction<'_>) -> Option<Key> {
        transaction.local(&self.focus()).filter(|key| key.collection() == "MedicationRequest")
    }

    /// `Task.for`.
    pub(super) fn patient(self) -> Option<Node<'a>> {
        self.0.get("for")
    }

    /// Whom `Task.for` names, for a message.
    pub(super) fn patient_text(self) -> Cow<'a, str> {
        let by = |path: &[&str]| self.patient()?.path(path)?.as_str();
        by(&["reference"]).or_else(|| by(&["identifier", "value"])).unwrap_or_default()
    }

    /// The lengths of its notes in characters.
    pub(super) fn notes(self) -> impl Iterator<Item = usize> + use<'a> {
        let notes = self.0.get("note").into_iter().flat_map(Node::each);
        notes.map(|note| note.get("text").and_then(Node::as_str).unwrap_or_default().chars().count())
    }

    /// When it was written, as it stands and as the first moment that it can mean.
    pub(super) fn authored_on(self) -> Option<(Cow<'a, str>, Instant)> {
        let text = self.0.get("authoredOn")?.as_str()?;
        let moment = DateTime::parse(&text)?.range().0;
        Some((text, moment))
    }

    /// The pharmacies that it names for itself alone: the positions in `input`, and the identifiers where there are some.
    pub(super) fn pharmacies(self) -> impl Iterator<Item = (usize, Option<Identifier>)> + use<'a> {
        let inputs = self.0.get("input").into_iter().flat_map(Node::each).enumerate();
        let named = inputs.filter(|(_, input)| is_parameter(*input, "preferred-performer"));
        named.map(|(at, input)| (at, input.get("valueIdentifier").and_then(Identifier::of)))
    }

    /// The references to prescriptions in `output`, with their positions.
    pub(super) fn prescriptions(self) -> impl Iterator<Item = (usize, Cow<'a, str>)> + use<'a> {
        let outputs = self.0.get("output").into_iter().flat_map(Node::each).enumerate();
        let references =
            outputs.filter_map(|(at, output)| Some((at, output.path(&["valueReference", "reference"])?.as_str()?)));
        references.filter(|(_, reference)| reference.contains("MedicationRequest/"))
    }

    /// The number under which the practice's own system has sent the item to the Electronic Prescription Service.
    pub(super) fn item_number(self) -> Option<String> {
        let mut outputs = self.0.get("output").into_iter().flat_map(Node::each);
        let sent = outputs.find(|output| is_parameter(*output, "sent-to-eps"))?;
        let number = Identifier::of(sent.get("valueIdentifier")?)?;
        (number.system == ITEM_NUMBER).then_some(number.value)
    }

    /// How far its pharmacy is: the codes of `businessStatus`.
    pub(super) fn dispensing(self) -> impl Iterator<Item = Cow<'a, str>> + use<'a> {
        let codings = self.0.path(&["businessStatus", "coding"]).into_iter().flat_map(Node::each);
        let of_system =
            codings.filter(|coding| coding.get("system").is_some_and(|system| system.is_str(dispensing::SYSTEM)));
        of_system.map(|coding| coding.get("code").and_then(Node::as_str).unwrap_or_default())
    }
}

fn is_parameter(part: Node<'_>, code: &str) -> bool {
    let mut codings = part.path(&["type", "coding"]).into_iter().flat_map(Node::each);
    let is = |coding: Node<'_>, name: &str, text: &str| coding.get(name).is_some_and(|node| node.is_str(text));
    codings.any(|coding| is(coding, "system", PARAMETER) && is(coding, "code", code))
}

impl Identifier {
    /// An identifier with its system.
    pub(super) fn of(node: Node<'_>) -> Option<Identifier> {
        let text = |name| Some(node.get(name)?.as_str()?.into_owned());
        Some(Identifier { system: text("system")?, value: text("value")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_known_by_its_code() {
        for (code, expected) in [
            (r#","code":{"coding":[{"system":"http://snomed.info/sct","code":"103742009"}]}"#, true),
            (r#","code":{"coding":[{"code":"x"},{"system":"https://snomed.info/sct","code":"103742009"}]}"#, true),
            (r#","code":{"coding":[{"system":"http://snomed.info/sct","code":"103742001"}]}"#, false),
            (r#","code":{"coding":[{"system":"urn:x","code":"103742009"}]}"#, false),
            (r#","code":{"text":"103742009"}"#, false),
            ("", false),
        ] {
            let task = Document::parse(format!(r#"{{"resourceType":"Task"{code}}}"#).as_bytes()).expect("JSON");
            assert_eq!(Order::of(&task).is_some(), expected, "{code}");
        }
    }
}
