//! A range of time cut into parts that fit into a file each.

use fhir::{Instant, Outcome};

/// How many lines a file has.
pub(super) const LINES_MAX: usize = 10_000;

/// A range of time: from the first instant to before the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: Instant,
    pub(super) to: Instant,
}

/// One second, in microseconds.
pub(super) const SECOND: i64 = 1_000_000;

/// The parts of a range with something in them, in order. A part of `finest` microseconds is not cut further.
pub(super) fn split(
    span: Span,
    finest: i64,
    count: &mut dyn FnMut(Span) -> Result<u64, Outcome>,
) -> Result<Vec<Span>, Outcome> {
    let mut parts = Vec::new();
    let mut rest = vec![span];
    while let Some(span) = rest.pop() {
        let length = span.to.0 - span.from.0;
        match count(span)? {
            0 => {}
            lines if lines <= LINES_MAX as u64 || length <= finest => parts.push(span),
            _ => {
                // Halves begin where the finest parts do.
                let half = Instant(span.from.0 + (length / 2 / finest).max(1) * finest);
                rest.push(Span { from: half, to: span.to });
                rest.push(Span { from: span.from, to: half });
            }
        }
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_fits_and_none_is_lost() {
        // At each of these, so many.
        let cases: [&[(i64, u64)]; 4] =
            [&[], &[(5, 10_000)], &[(5, 10_000), (6, 1)], &[(0, 9_000), (1, 9_000), (2, 9_000), (63, 10_001)]];
        for held in cases {
            let mut count = |span: Span| {
                let inside = held.iter().filter(|(at, _)| (span.from.0..span.to.0).contains(at));
                Ok(inside.map(|(_, lines)| lines).sum())
            };
            let whole = Span { from: Instant(0), to: Instant(64) };
            let parts = split(whole, 1, &mut count).expect("counted");
            assert!(parts.windows(2).all(|pair| pair[0].to <= pair[1].from), "{parts:?}");
            let mut total = 0;
            for part in &parts {
                let lines = count(*part).expect("counted");
                assert!(lines > 0 && (lines <= LINES_MAX as u64 || part.to.0 - part.from.0 == 1), "{part:?}: {lines}");
                total += lines;
            }
            assert_eq!(total, held.iter().map(|(_, lines)| lines).sum::<u64>());
        }
    }
}
