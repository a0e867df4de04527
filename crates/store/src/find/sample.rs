//! Which documents are in the samples from which numbers are estimated.

/// How many documents there are for one in the sample of each level. A sample is for estimates: the finer ones cost more and tell more.
pub(crate) const SAMPLE_SHARES: [u64; 5] = [1 << 14, 1 << 12, 1 << 10, 1 << 8, 1 << 6];

/// The levels whose samples have this document. In every run of as many numbers as a level's share, one document is in its sample, at
/// a place that looks random: this spreads a sample evenly over time, and its members can be enumerated.
pub(crate) fn samples_of(number: u64) -> impl Iterator<Item = u8> {
    (0..SAMPLE_SHARES.len() as u8).filter(move |level| sample_member(*level, number / share(*level)) == number)
}

/// How many documents there are for one in a level's sample.
pub(crate) const fn share(level: u8) -> u64 {
    SAMPLE_SHARES[level as usize]
}

/// The number of the document in a level's sample among the `run`th `share(level)` numbers.
pub(crate) fn sample_member(level: u8, run: u64) -> u64 {
    let share = share(level);
    let place = run.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32 & (share - 1);
    run.saturating_mul(share).saturating_add(place)
}
