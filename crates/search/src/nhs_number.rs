//! NHS numbers.

/// Their system, <https://digital.nhs.uk/services/nhs-number>.
pub const NHS_NUMBER: &str = "https://fhir.nhs.uk/Id/nhs-number";

/// Ten digits, of which the last makes a weighted sum a multiple of 11,
/// <https://www.datadictionary.nhs.uk/attributes/nhs_number.html>.
pub fn is_nhs_number(text: &str) -> bool {
    let digits = text.bytes().zip((1..=10).rev());
    let sum: u32 = digits.map(|(digit, weight)| u32::from(digit.wrapping_sub(b'0')) * weight).sum();
    text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit()) && sum.is_multiple_of(11)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_nhs_numbers() {
        for number in ["9000000009", "9476719931", "9000000017"] {
            assert!(is_nhs_number(number), "{number}");
        }
        for text in
            ["", "9000000008", "3478526985", "900000000", "90000000090", "90000000091", "900 000 0009", "900000000x"]
        {
            assert!(!is_nhs_number(text), "{text}");
        }
    }
}
