//! What a caller is told when the store could not do it: the one place where a [`StoreError`] becomes an [`Outcome`].

use fhir::{IssueType, Outcome};
use store::StoreError;

/// The refusal for an error of the store. What the engine said goes to the log, never to the caller.
pub(crate) fn outcome(error: StoreError) -> Outcome {
    match error {
        StoreError::Conflict(_) | StoreError::Claimed(_) => Outcome::new(
            IssueType::Conflict,
            "other requests changed the same data at the same time; send the request again",
        ),
        StoreError::TooCostly(part) => {
            Outcome::new(IssueType::TooCostly, format!("the search would cost more than this server allows: {part}"))
        }
        StoreError::Full => {
            tracing::error!("the store is full");
            Outcome::new(IssueType::Transient, "the server has no room left; nothing was written")
        }
        StoreError::TooLarge(what) => Outcome::new(IssueType::TooLong, format!("there is no room for it: {what}")),
        StoreError::Unreachable(cause) => {
            tracing::error!(cause, "the database does not answer");
            Outcome::new(IssueType::Transient, "the server cannot reach its database; try again later")
        }
        StoreError::Misuse(cause) | StoreError::Unusable(cause) | StoreError::Engine(cause) => exception(&cause),
    }
}

/// A fault of this server: logged with its cause.
pub(crate) fn exception(cause: &str) -> Outcome {
    tracing::error!(cause, "a fault in the repository");
    Outcome::new(IssueType::Exception, "the server failed; its log has the cause")
}

#[cfg(test)]
mod tests {
    use store::{Limit, TooCostly};

    use super::*;

    #[test]
    fn tells_no_engine_text() {
        let cases = [
            (StoreError::Conflict(0), IssueType::Conflict),
            (StoreError::Claimed(b"secret".to_vec()), IssueType::Conflict),
            (StoreError::TooCostly(TooCostly { index: None, limit: Limit::Time }), IssueType::TooCostly),
            (StoreError::Full, IssueType::Transient),
            (StoreError::TooLarge("`Binary/1`".to_owned()), IssueType::TooLong),
            (StoreError::Unreachable("secret".to_owned()), IssueType::Transient),
            (StoreError::Misuse("secret".to_owned()), IssueType::Exception),
            (StoreError::Unusable("secret".to_owned()), IssueType::Exception),
            (StoreError::Engine("secret".to_owned()), IssueType::Exception),
        ];
        for (error, code) in cases {
            let outcome = outcome(error);
            assert_eq!(outcome.issues[0].code, code);
            assert!(!outcome.to_string().contains("secret"), "{outcome}");
        }
    }
}
