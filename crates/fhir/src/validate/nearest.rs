//! The name that was probably meant, for messages about unknown ones.

/// Names longer than this are no slip of the pen, and are not compared.
const NAME_MAX: usize = 64;

/// The candidate closest to `name`, if a third of the letters or fewer differ (a changed, missing, added or swapped letter counts once).
pub(super) fn nearest<'c>(name: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    if name.len() > NAME_MAX {
        return None;
    }
    let allowed = (name.len() / 3).clamp(1, 3);
    let near = candidates.map(|candidate| (distance(name, candidate), candidate));
    near.filter(|(distance, _)| *distance <= allowed).min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// The optimal string alignment distance, over bytes and without regard to case.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if b.len() > NAME_MAX {
        return usize::MAX;
    }
    // The row of the letter before the last one, of the last one, and of this one.
    let mut rows = [[0; NAME_MAX + 1]; 3];
    rows[1] = std::array::from_fn(|column| column);
    for (i, letter) in a.iter().enumerate() {
        rows[2][0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let same = letter.eq_ignore_ascii_case(other);
            let mut cost = (rows[1][j] + usize::from(!same)).min(rows[1][j + 1] + 1).min(rows[2][j] + 1);
            if i > 0 && j > 0 && a[i - 1].eq_ignore_ascii_case(other) && letter.eq_ignore_ascii_case(&b[j - 1]) {
                cost = cost.min(rows[0][j - 1] + 1);
            }
            rows[2][j + 1] = cost;
        }
        rows.rotate_left(1);
    }
    rows[1][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proposes_only_what_is_close() {
        let names = ["name", "gender", "birthDate", "telecom", "active"];
        let cases = [
            ("nmae", Some("name")),
            ("nam", Some("name")),
            ("names", Some("name")),
            ("birthdate", Some("birthDate")),
            ("dateOfBirth", None),
            ("brithDat", Some("birthDate")),
            ("x", None),
            ("", None),
            ("éé", None),
        ];
        for (name, expected) in cases {
            assert_eq!(nearest(name, names.iter().copied()), expected, "{name}");
        }
        assert_eq!(nearest(&"n".repeat(NAME_MAX + 1), names.iter().copied()), None);
    }
}
