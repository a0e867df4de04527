//! Names that one consent holds at a time.

use fhir::Outcome;
use repository::{Key, Planned, Transaction};

use super::agreement::Agreement;
use super::refusal::Reason;

/// The longest name in bytes.
const NAME_MAX: usize = 500;

/// The names that a consent has, of those that one consent has at a time.
type Names = fn(&mut Transaction<'_>, Agreement<'_>) -> Result<Vec<String>, Outcome>;

/// Lets a consent hold the names that it is to have instead of those that it had; one that another has refuses the write for this reason. An
/// import leaves it to who has it.
pub(super) fn hold(
    transaction: &mut Transaction<'_>,
    planned: &Planned,
    names: Names,
    reason: Reason,
) -> Result<(), Outcome> {
    let owner = &planned.key;
    let [before, wanted] = [&planned.before, &planned.after].map(|content| match content {
        Some(content) => names(transaction, Agreement::new(content)),
        None => Ok(Vec::new()),
    });
    let (before, wanted) = (before?, wanted?);
    for name in before.into_iter().filter(|name| !wanted.contains(name)) {
        if holder(transaction, &name)?.as_deref() == Some(owner.as_str()) {
            transaction.release(name.into_bytes());
        }
    }
    for name in wanted {
        let is_import = transaction.is_import();
        let mut held = holder(transaction, &name)?;
        if let Some(other) = held.as_deref().filter(|other| *other != owner.as_str())
            && !has(transaction, other, &name, names)?
        {
            transaction.release(name.clone().into_bytes());
            held = None;
        }
        match held {
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

/// Whether another consent still has a name: people get other NHS numbers, and what they had is somebody else's.
fn has(transaction: &mut Transaction<'_>, other: &str, name: &str, names: Names) -> Result<bool, Outcome> {
    let Some(other) = Key::parse(other) else { return Ok(false) };
    let Some(content) = transaction.read(&other)? else { return Ok(false) };
    Ok(names(transaction, Agreement::new(&content))?.iter().any(|one| one == name))
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
