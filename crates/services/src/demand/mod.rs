//! What people ask for and what there is for them: the figures by which a practice plans.

mod figures;
mod operation;
mod period;

pub(crate) use operation::Demand;
