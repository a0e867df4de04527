//! The numbers of a prescription, in the form of the Electronic Prescription Service, made from the id of the resource.

use fhir::Outcome;
use fhir::json::{Document, Node};
use repository::{Key, Transaction};

use super::pharmacy::ODS;
use super::plan::Plan;

/// The values of the check character, by what is left of the number modulo 37.
const CHECKS: &[u8; 37] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ+";

/// The length of the middle part: an ODS code, filled with zeros.
const ODS_LENGTH: usize = 6;

/// The item's number: a UUID.
pub(super) fn item(prescription: &Key) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&blake3::hash(prescription.as_str().as_bytes()).as_bytes()[..16]);
    // RFC 9562, version 8: made by a rule of one's own.
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// The number of a prescription by the organization with this ODS code: `24F5DA-A83008-7EFE6Z`.
pub(super) fn prescription(prescription: &Key, ods: &str) -> String {
    let hash = blake3::hash(prescription.as_str().as_bytes()).to_hex().to_ascii_uppercase();
    // Digits that the item's number does not show.
    let number = format!("{}-{ods:0>ODS_LENGTH$}-{}", &hash[32..38], &hash[38..43]);
    let check = check(&number);
    number + &check.to_string()
}

/// The check character that makes a number whole: ISO 7064, modulo 37, 2.
fn check(number: &str) -> char {
    let digits = number.chars().filter_map(|digit| digit.to_digit(36));
    let sum = digits.fold(0, |sum, digit| (sum + digit) * 2 % 37);
    char::from(CHECKS[((38 - sum) % 37) as usize])
}

/// The ODS code of the organization for which a plan was written; `None` when that is not known here.
pub(super) fn ods(transaction: &mut Transaction<'_>, plan: Plan<'_>) -> Result<Option<String>, Outcome> {
    let mut reference = plan.get("requester").map(|requester| requester.raw().to_owned());
    // A role leads to its organization, and that is the end.
    for _ in 0..2 {
        let Some(text) = reference.take() else { return Ok(None) };
        let named = Document::parse(text.as_bytes())?;
        if let Some(code) = code(named.root().get("identifier")) {
            return Ok(Some(code));
        }
        let literal = named.root().get("reference").and_then(Node::as_str);
        let Some(key) = literal.and_then(|literal| transaction.local(&literal)) else { return Ok(None) };
        let Some(document) = transaction.read(&key)? else { return Ok(None) };
        match key.collection() {
            "Organization" => return Ok(code(document.root().get("identifier"))),
            "PractitionerRole" => reference = document.root().get("organization").map(|it| it.raw().to_owned()),
            _ => return Ok(None),
        }
    }
    Ok(None)
}

/// The ODS code among identifiers.
fn code(identifiers: Option<Node<'_>>) -> Option<String> {
    let mut identifiers = identifiers.into_iter().flat_map(Node::each);
    let of_ods =
        identifiers.find(|it| it.get("system").and_then(Node::as_str).is_some_and(|it| ODS.contains(&it.as_ref())));
    let code = of_ods?.get("value")?.as_str()?.to_ascii_uppercase();
    let fits = code.len() <= ODS_LENGTH && code.chars().all(|character| character.is_ascii_alphanumeric());
    fits.then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_published_numbers() {
        for number in ["24F5DA-A83008-7EFE6Z", "819851-A83008-2EFE34", "A96909-A99968-11EBAL", "1E5135-A99968-4595BT"] {
            let (digits, last) = number.split_at(number.len() - 1);
            assert_eq!(check(digits).to_string(), last, "{number}");
        }
    }

    #[test]
    fn numbers_follow_from_the_id() {
        let [one, other] = ["a", "b"].map(|id| Key::new("MedicationRequest", id).expect("a key"));
        assert_eq!(item(&one), item(&one));
        assert_ne!(item(&one), item(&other));
        assert_eq!(item(&one).len(), 36);
        assert_eq!(&item(&one)[14..15], "8");
        let number = prescription(&one, "A999");
        assert_eq!((number.len(), &number[6..14]), (20, "-00A999-"));
        assert_ne!(number, prescription(&other, "A999"));
        assert_eq!(check(&number[..19]).to_string(), number[19..]);
    }
}
