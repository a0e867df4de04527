//! Sharing: what patients decide about their records, and what overrides it.

mod break_glass;

pub(crate) use break_glass::BreakGlass;
