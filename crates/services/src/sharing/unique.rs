//! Names that one consent holds at a time.

use fhir::Outcome;
use repository::{Key, Planned, Transaction};

use super::agreement::Agreement;
use super::refusal::Reason;

/// The longest name in bytes.
const NAME_MAX: usize = 500;

/// The names that a consent has, of those that one consent has at a time.
type Names = fn(&mut Transaction<'_>, Agreement<'_>) -> Result<Vec<String>, Outcome>;

/// Lets a consent hold the names that it is to have instead of those that it had; one that another has refuses the write for this reason.
///
/// The other keeps the name, and nothing is refused, where the write is an import, where the consent had the name before, and where the caller
/// may not know of the other: a refusal would tell that it is there.
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
    for name in before.iter().filter(|name| !wanted.contains(name)) {
        if holder(transaction, name)?.as_ref() == Some(owner) {
            transaction.release(name.clone().into_bytes());
        }
    }
    for name in wanted {
        let is_import = transaction.is_import();
        let mut held = holder(transaction, &name)?.filter(|held| held != owner);
        if let Some(other) = &held
            && !has(transaction, other, &name, names)?
        {
            transaction.release(name.clone().into_bytes());
            held = None;
        }
        match held {
            Some(_) if is_import || before.contains(&name) => {}
            Some(other) if transaction.is_told(&other)? => {
                return Err(reason.refuse(told(transaction, other)?, "Consent"));
            }
            Some(_) => {}
            None if name.len() > NAME_MAX && is_import => {}
            None if name.len() > NAME_MAX => return Err(Reason::Name.refuse(name.len(), "Consent")),
            None => {
                let refusal = reason.refuse("another", "Consent");
                transaction.claim(name.into_bytes(), owner.as_str().as_bytes().to_vec(), refusal)?;
            }
        }
    }
    Ok(())
}

/// Whether another consent still has a name: people get other NHS numbers, and what they had is somebody else's.
fn has(transaction: &mut Transaction<'_>, other: &Key, name: &str, names: Names) -> Result<bool, Outcome> {
    let Some(content) = transaction.read(other)? else { return Ok(false) };
    Ok(names(transaction, Agreement::new(&content))?.iter().any(|one| one == name))
}

/// Another consent, for who may read it.
fn told(transaction: &Transaction<'_>, other: Key) -> Result<String, Outcome> {
    Ok(if transaction.may_read(&other)? { other.to_string() } else { "another".to_owned() })
}

/// The consent that has a name.
fn holder(transaction: &mut Transaction<'_>, name: &str) -> Result<Option<Key>, Outcome> {
    if name.len() > NAME_MAX {
        return Ok(None);
    }
    let held = transaction.claimed(name.as_bytes())?;
    Ok(held.and_then(|held| Key::parse(std::str::from_utf8(&held).ok()?)))
}
