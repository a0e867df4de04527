//! FHIR's decimal: exact digits and the precision they imply, <https://hl7.org/fhir/R4/datatypes.html#decimal>.

/// A decimal number that knows how many digits it was given with.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {/* private: i128 mantissa and scale */}

impl Decimal {
    /// Parses JSON number syntax (also with an exponent). `None` when it is none or needs more than 38 digits.
    pub fn parse(_text: &str) -> Option<Decimal> {
        todo!()
    }
}
