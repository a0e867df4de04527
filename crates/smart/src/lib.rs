//! smart
