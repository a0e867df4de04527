//! Names that one consent holds at a time.

use fhir::Outcome;
use repository::{Key, Transaction};

use super::refusal::Reason;

/// The longest name in bytes.
const NAME_MAX: usize = 500;

/// Lets `owner` hold the names of `wanted` instead of those of `before`; one that another holds refuses the write for this reason. An import
/// leaves it to who has it.
pub(super) fn hold(
    transaction: &mut Transaction<'_>,
    owner: &Key,
    before: Vec<String>,
    wanted: Vec<String>,
    reason: Reason,
) -> Result<(), Outcome> {
    for name in before.into_iter().filter(|name| !wanted.contains(name)) {
        if holder(transaction, &name)?.as_deref() == Some(owner.as_str()) {
            transaction.release(name.into_bytes());
        }
    }
    for name in wanted {
        let is_import = transaction.is_import();
        match holder(transaction, &name)? {
            Some(other) if other != owner.as_str() && is_import => {}
            Some(other) if other != owner.as_str() => return Err(reason.refuse(told(transaction, other)?, "Consent")),
            _ if name.len() > NAME_MAX && is_import => {}
            _ if name.len() > NAME_MAX => return Err(Reason::Name.refuse(name.len(), "Consent")),
            _ => {
                let refusal = reason.refuse("another", "Consent");
                transaction.claim(name.into_bytes(), owner.as_str().as_bytes().to_vec(), refusal)?;
            }
        }
    }
    Ok(())
}

/// Another consent, for who may know it.
fn told(transaction: &Transaction<'_>, other: String) -> Result<String, Outcome> {
    let may_know = Key::parse(&other).map_or(Ok(false), |key| transaction.may_read(&key))?;
    Ok(if may_know { other } else { "another".to_owned() })
}

fn holder(transaction: &mut Transaction<'_>, name: &str) -> Result<Option<String>, Outcome> {
    if name.len() > NAME_MAX {
        return Ok(None);
    }
    let held = transaction.claimed(name.as_bytes())?;
    Ok(held.map(|held| String::from_utf8_lossy(&held).into_owned()))
}
