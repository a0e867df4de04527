//! Yes, no, or the server's choice.

/// Whether a resource matches; `None` where the specification leaves it to the server.
pub(super) type Truth = Option<bool>;

/// True when one is, the server's choice when that could make one true.
pub(super) fn any(truths: impl IntoIterator<Item = Truth>) -> Truth {
    let mut all = Some(false);
    for truth in truths {
        match truth {
            Some(true) => return Some(true),
            None => all = None,
            Some(false) => {}
        }
    }
    all
}

/// False when one is, the server's choice when that could make one false.
pub(super) fn all(truths: impl IntoIterator<Item = Truth>) -> Truth {
    not(any(truths.into_iter().map(not)))
}

pub(super) fn not(truth: Truth) -> Truth {
    truth.map(|truth| !truth)
}
