//! The rules one by one.

use super::{Definitions, definition};
use crate::json::{Document, Node};
use crate::profile::snapshot;

/// A base, a differential, and of some elements of the snapshot (by id) a member and its JSON; `None` when it is not there.
type Case = (&'static str, &'static str, &'static [(&'static str, &'static str, Option<&'static str>)]);

const COLOR: &str = r#"{"path":"Extension","short":"A color","isModifier":true},
    {"path":"Extension.url","fixedUri":"http://ours.example/color"},{"path":"Extension.valueCode","min":1}"#;
const SLICED: &str = r#"{"path":"Patient.gender","mustSupport":true},
    {"path":"Patient.identifier","slicing":{"discriminator":[{"type":"value","path":"system"}],"rules":"open"},"max":"5"},
    {"path":"Patient.identifier","sliceName":"nhs","min":1,"max":"1"},{"path":"Patient.identifier.system","fixedUri":"urn:nhs"}"#;

const BY_TYPE: &str = r#"{"discriminator":[{"type":"type","path":"$this"}],"ordered":false,"rules":"open"}"#;
const BY_TYPE_CLOSED: &str = r#"{"discriminator":[{"type":"type","path":"$this"}],"ordered":false,"rules":"closed"}"#;
const BY_URL: &str = r#"{"discriminator":[{"type":"value","path":"url"}],"description":"Extensions are always sliced by (at least) url","rules":"open"}"#;

fn element<'a>(made: &'a Document, id: &str) -> Option<Node<'a>> {
    made.root().path(&["snapshot", "element"])?.items().find(|it| it.get("id").is_some_and(|it| it.is_str(id)))
}

fn check(cases: &[Case]) {
    let all =
        [definition("color", "Extension", "constraint", COLOR), definition("sliced", "Patient", "constraint", SLICED)];
    let library = Definitions::of(&all);
    for (base, differential, expected) in cases {
        let made = snapshot(&library, &definition("it", base, "constraint", differential));
        let made = made.unwrap_or_else(|outcome| panic!("{differential}: {outcome}"));
        for (id, member, value) in *expected {
            let element = element(&made, id);
            let found = element.and_then(|element| element.get(member)).map(Node::raw);
            assert_eq!(found, *value, "{differential}: {id} {member} of {element:?}");
        }
    }
}

#[test]
fn properties_are_laid_over_the_base() {
    check(&[
        (
            "Patient",
            r#"{"path":"Patient.gender","min":1,"mustSupport":true,"short":"Sex"}"#,
            &[
                ("Patient.gender", "path", Some(r#""Patient.gender""#)),
                ("Patient.gender", "min", Some("1")),
                ("Patient.gender", "max", Some(r#""1""#)),
                ("Patient.gender", "short", Some(r#""Sex""#)),
                ("Patient.gender", "mustSupport", Some("true")),
                ("Patient.gender", "base", Some(r#"{"path":"Patient.gender","min":0,"max":"1"}"#)),
                ("Patient.birthDate", "min", Some("0")),
                ("Patient.id", "base", Some(r#"{"path":"Resource.id","min":0,"max":"1"}"#)),
            ],
        ),
        // A text that goes on, and properties that add to the base's.
        (
            "Patient",
            r#"{"path":"Patient.gender","short":"... as told","alias":["sex"],"condition":["x"]}"#,
            &[
                ("Patient.gender", "short", Some(r#""male | female | other | unknown\r\n as told""#)),
                ("Patient.gender", "alias", Some(r#"["sex"]"#)),
                ("Patient.gender", "condition", Some(r#"["x"]"#)),
            ],
        ),
        // A binding keeps what is not said anew, one fixed value takes the place of another, types are narrowed.
        (
            "sliced",
            r#"{"path":"Patient.gender","binding":{"strength":"preferred"}},{"path":"Patient.deceased[x]","type":[{"code":"boolean"}]},
               {"path":"Patient.identifier","sliceName":"nhs"},{"path":"Patient.identifier.system","fixedString":"y"}"#,
            &[
                (
                    "Patient.gender",
                    "binding",
                    Some(
                        r#"{"description":"The gender of a person used for administrative purposes.","valueSet":"http://hl7.org/fhir/ValueSet/administrative-gender|4.0.1","strength":"preferred"}"#,
                    ),
                ),
                ("Patient.gender", "mustSupport", Some("true")),
                ("Patient.deceased[x]", "type", Some(r#"[{"code":"boolean"}]"#)),
                ("Patient.identifier:nhs.system", "fixedUri", None),
                ("Patient.identifier:nhs.system", "fixedString", Some(r#""y""#)),
            ],
        ),
    ]);
}

#[test]
fn constraints_add_up() {
    let rule = r#"{"path":"Period","constraint":[{"key":"own-1","severity":"error","human":"h","expression":"true"}]}"#;
    let made = snapshot(&Definitions::default(), &definition("it", "Period", "constraint", rule)).expect("a snapshot");
    let constraints = element(&made, "Period").and_then(|it| it.get("constraint")).expect("constraints");
    let keys: Vec<_> =
        constraints.items().map(|it| ["key", "source"].map(|name| it.get(name).map_or("", Node::raw))).collect();
    let expected = [
        [r#""ele-1""#, r#""http://hl7.org/fhir/StructureDefinition/Element""#],
        [r#""per-1""#, r#""http://hl7.org/fhir/StructureDefinition/Period""#],
        [r#""own-1""#, r#""http://ours.example/it""#],
    ];
    assert_eq!(keys, expected);
}

#[test]
fn types_and_content_references_are_unfolded() {
    check(&[
        (
            "Patient",
            r#"{"path":"Patient.contact.name.family","min":1}"#,
            &[
                ("Patient.contact.name.family", "min", Some("1")),
                ("Patient.contact.name.given", "path", Some(r#""Patient.contact.name.given""#)),
                ("Patient.contact.name.given", "base", Some(r#"{"path":"HumanName.given","min":0,"max":"*"}"#)),
                ("Patient.contact.name.period.start", "path", None),
                ("Patient.name.family", "path", None),
            ],
        ),
        (
            "Questionnaire",
            r#"{"path":"Questionnaire.item.item.item.text","max":"0"}"#,
            &[
                ("Questionnaire.item.item.item.text", "max", Some(r#""0""#)),
                ("Questionnaire.item.item", "contentReference", None),
                ("Questionnaire.item.item", "type", Some(r#"[{"code":"BackboneElement"}]"#)),
                ("Questionnaire.item.item.item.item", "contentReference", Some(r##""#Questionnaire.item""##)),
            ],
        ),
        // The profile of a type, where it is known,
        (
            "Patient",
            r#"{"path":"Patient.extension","sliceName":"color","type":[{"code":"Extension","profile":["http://ours.example/color"]}]},
               {"id":"Patient.extension:color.value[x]","path":"Patient.extension.value[x]","fixedCode":"red"}"#,
            &[
                ("Patient.extension", "slicing", Some(BY_URL)),
                ("Patient.extension:color", "short", Some(r#""A color""#)),
                ("Patient.extension:color", "isModifier", Some("true")),
                ("Patient.extension:color.url", "fixedUri", Some(r#""http://ours.example/color""#)),
                ("Patient.extension:color.value[x]", "type", Some(r#"[{"code":"code"}]"#)),
                ("Patient.extension:color.value[x]", "fixedCode", Some(r#""red""#)),
            ],
        ),
        // and the type where it is not.
        (
            "Patient",
            r#"{"path":"Patient.extension","sliceName":"x","type":[{"code":"Extension","profile":["http://ours.example/unknown"]}]},
               {"path":"Patient.extension.url","short":"u"}"#,
            &[("Patient.extension:x.url", "short", Some(r#""u""#))],
        ),
    ]);
}

#[test]
fn slices_begin_as_what_they_slice() {
    check(&[
        (
            "sliced",
            r#"{"path":"Patient.identifier","sliceName":"local","max":"2"},{"path":"Patient.identifier","sliceName":"nhs"},
               {"path":"Patient.identifier.value","min":1}"#,
            &[
                ("Patient.identifier", "max", Some(r#""5""#)),
                ("Patient.identifier", "sliceName", None),
                ("Patient.identifier:nhs", "min", Some("1")),
                ("Patient.identifier:nhs", "slicing", None),
                ("Patient.identifier:nhs.value", "min", Some("1")),
                ("Patient.identifier:nhs.system", "fixedUri", Some(r#""urn:nhs""#)),
                ("Patient.identifier:local", "sliceName", Some(r#""local""#)),
                ("Patient.identifier:local", "path", Some(r#""Patient.identifier""#)),
                ("Patient.identifier:local", "min", Some("0")),
                ("Patient.identifier:local", "max", Some(r#""2""#)),
                ("Patient.identifier.system", "path", None),
            ],
        ),
        // Slices of a slice.
        (
            "sliced",
            r#"{"path":"Patient.identifier","sliceName":"nhs","slicing":{"discriminator":[{"type":"value","path":"use"}],"rules":"closed"}},
               {"path":"Patient.identifier","sliceName":"nhs/old","max":"1"},{"path":"Patient.identifier.use","fixedCode":"old"}"#,
            &[
                (
                    "Patient.identifier:nhs",
                    "slicing",
                    Some(r#"{"discriminator":[{"type":"value","path":"use"}],"rules":"closed"}"#),
                ),
                ("Patient.identifier:nhs/old", "sliceName", Some(r#""nhs/old""#)),
                ("Patient.identifier:nhs/old", "min", Some("0")),
                ("Patient.identifier:nhs/old", "slicing", None),
                ("Patient.identifier:nhs/old.system", "fixedUri", Some(r#""urn:nhs""#)),
                ("Patient.identifier:nhs/old.use", "fixedCode", Some(r#""old""#)),
                ("Patient.identifier:nhs.use", "fixedCode", None),
            ],
        ),
    ]);
}

#[test]
fn choices_are_sliced_by_type() {
    check(&[
        // The short form says nothing of other types,
        (
            "Observation",
            r#"{"path":"Observation.valueQuantity.code","min":1}"#,
            &[
                ("Observation.value[x]", "slicing", Some(BY_TYPE)),
                ("Observation.value[x]:valueQuantity", "sliceName", Some(r#""valueQuantity""#)),
                ("Observation.value[x]:valueQuantity", "type", Some(r#"[{"code":"Quantity"}]"#)),
                ("Observation.value[x]:valueQuantity.code", "min", Some("1")),
                ("Observation.value[x]:valueQuantity.code", "path", Some(r#""Observation.value[x].code""#)),
            ],
        ),
        // unless that value must be there.
        (
            "Observation",
            r#"{"path":"Observation.valueQuantity","min":1}"#,
            &[
                ("Observation.value[x]", "slicing", Some(BY_TYPE_CLOSED)),
                ("Observation.value[x]", "type", Some(r#"[{"code":"Quantity"}]"#)),
            ],
        ),
        // The long form without its slicing, and with it.
        (
            "Observation",
            r#"{"path":"Observation.value[x]","sliceName":"valueString","max":"0"}"#,
            &[
                ("Observation.value[x]", "slicing", Some(BY_TYPE)),
                ("Observation.value[x]:valueString", "type", Some(r#"[{"code":"string"}]"#)),
                ("Observation.value[x]:valueString", "max", Some(r#""0""#)),
            ],
        ),
        (
            "Observation",
            r#"{"path":"Observation.value[x]","slicing":{"discriminator":[{"type":"type","path":"$this"}],"rules":"closed"}},
               {"path":"Observation.value[x]","sliceName":"text","type":[{"code":"string"}]},{"path":"Observation.valueQuantity","min":0}"#,
            &[
                (
                    "Observation.value[x]",
                    "slicing",
                    Some(r#"{"discriminator":[{"type":"type","path":"$this"}],"rules":"closed"}"#),
                ),
                ("Observation.value[x]:text", "type", Some(r#"[{"code":"string"}]"#)),
                ("Observation.value[x]:valueQuantity", "min", Some("0")),
            ],
        ),
    ]);
}

#[test]
fn a_specialization_adds_elements() {
    let elements = r#"{"path":"Ticket","short":"t"},{"path":"Ticket.seat","min":1,"max":"2","type":[{"code":"BackboneElement"}]},
        {"path":"Ticket.seat.row","min":0,"max":"1","type":[{"code":"string"}]}"#;
    let made = snapshot(&Definitions::default(), &definition("Ticket", "Resource", "specialization", elements));
    let made = made.expect("a snapshot");
    let all = made.root().path(&["snapshot", "element"]).into_iter().flat_map(Node::items);
    let ids: Vec<_> = all.filter_map(|it| it.get("id")).map(Node::raw).collect();
    let seat = [".seat", ".seat.id", ".seat.extension", ".seat.modifierExtension", ".seat.row"];
    let expected = ["", ".id", ".meta", ".implicitRules", ".language"].into_iter().chain(seat);
    assert_eq!(ids, expected.map(|id| format!(r#""Ticket{id}""#)).collect::<Vec<_>>());
    let row = element(&made, "Ticket.seat.row").expect("added");
    assert_eq!(row.get("base").map(Node::raw), Some(r#"{"path":"Ticket.seat.row","min":0,"max":"1"}"#));
    assert_eq!(
        row.path(&["constraint"]).and_then(|it| it.items().next()?.get("key")).map(Node::raw),
        Some(r#""ele-1""#)
    );
    assert_eq!(element(&made, "Ticket").and_then(|it| it.get("short")).map(Node::raw), Some(r#""t""#));
}
