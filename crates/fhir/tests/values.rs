//! What must hold for all dates and decimals.

use std::cmp::Ordering;

use fhir::{CalendarUnit, DateTime, Decimal, Time};
use proptest::prelude::*;

fn decimal() -> impl Strategy<Value = Decimal> {
    (-10_i128.pow(38) + 1..10_i128.pow(38), 0..39_u32, -40..40_i32)
        .prop_map(|(mantissa, cut, scale)| Decimal::new(mantissa / 10_i128.pow(cut.min(38)), scale).expect("in range"))
}

/// Numbers with few digits, so that many are equal or close.
fn small() -> impl Strategy<Value = Decimal> {
    (-1200..1200_i128, -3..4_i32).prop_map(|(mantissa, scale)| Decimal::new(mantissa, scale).expect("in range"))
}

fn offset() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), Just("Z".to_owned()), "[+-](0[1-9]|1[0-3]):[0-5][0-9]"]
}

fn datetime() -> impl Strategy<Value = String> {
    let date = (1..9999, 1..=12, 1..=28).prop_map(|(year, month, day)| format!("{year:04}-{month:02}-{day:02}"));
    let time = prop_oneof!["([01][0-9]|2[0-3]):[0-5][0-9]", "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?"];
    (date, time, offset(), 0..4).prop_map(|(date, time, offset, precision)| match precision {
        0 => date[..4].to_owned(),
        1 => date[..7].to_owned(),
        2 => date,
        _ => format!("{date}T{time}{offset}"),
    })
}

fn unit() -> impl Strategy<Value = CalendarUnit> {
    use CalendarUnit::{Day, Hour, Millisecond, Minute, Month, Second, Week, Year};
    prop::sample::select(vec![Year, Month, Week, Day, Hour, Minute, Second, Millisecond])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn decimals_read_what_they_write(number in decimal()) {
        let read = Decimal::parse(&number.to_string()).expect("its own text");
        prop_assert_eq!((read.mantissa(), read.scale()), (number.mantissa(), number.scale()));
    }

    #[test]
    fn decimal_keys_sort_as_numbers(pair in prop_oneof![(decimal(), decimal()), (small(), small())]) {
        let (a, b) = pair;
        prop_assert_eq!(a.order_key().cmp(&b.order_key()), a.cmp(&b));
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        let (low, high) = a.implicit_range();
        prop_assert!((low < a && a < high) || (low == high));
    }

    #[test]
    fn small_decimals_calculate_exactly(a in small(), b in small()) {
        let sum = a.checked_add(b).expect("small");
        prop_assert_eq!(sum.checked_sub(b), Some(a));
        prop_assert_eq!(sum.cmp(&a), b.cmp(&Decimal::ZERO));
        let product = a.checked_mul(b).expect("small");
        if b.is_zero() {
            prop_assert_eq!((a.checked_div(b), a.checked_rem(b)), (None, None));
        } else {
            prop_assert_eq!(product.checked_div(b), Some(a));
            let rest = a.checked_rem(b).expect("small");
            prop_assert!(rest.abs() < b.abs());
        }
        prop_assert!(a.floor() <= Some(a) && Some(a) <= a.ceiling());
    }

    #[test]
    fn decimals_never_panic(a in decimal(), b in decimal(), scale in -600..600_i32, text in "[-+0-9.eE]{0,50}") {
        let _ = (a.checked_add(b), a.checked_sub(b), a.checked_mul(b), a.checked_div(b), a.checked_rem(b));
        let _ = (a.at_scale(scale), a.truncate(), a.floor(), a.ceiling(), a.to_i64(), Decimal::from_f64(a.to_f64()));
        if let Some(number) = Decimal::parse(&text) {
            prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok() || number.to_f64().is_infinite());
        }
    }

    #[test]
    fn moments_read_what_they_write(text in datetime()) {
        let moment = DateTime::parse(&text).expect("a dateTime");
        prop_assert_eq!(DateTime::parse(&moment.to_string()), Some(moment));
        let (first, after) = moment.range();
        prop_assert!(first < after);
        // The first instant, written and cut to the same precision, is the value again.
        let again = DateTime::from_instant(first, moment.precision()).expect("in range").range().0;
        prop_assert!(again <= first && first.0 - again.0 < 1000);
    }

    #[test]
    fn moments_compare_as_their_ranges(left in datetime(), right in datetime()) {
        let (a, b) = (DateTime::parse(&left).expect("a dateTime"), DateTime::parse(&right).expect("a dateTime"));
        prop_assert_eq!(a.compare(&a), Some(Ordering::Equal));
        prop_assert_eq!(a.compare(&b), b.compare(&a).map(Ordering::reverse));
        if a.offset().is_some() == b.offset().is_some() && a.compare(&b) == Some(Ordering::Less) {
            prop_assert!(a.range().0 <= b.range().0);
        }
    }

    #[test]
    fn durations_never_panic(text in datetime(), amount in decimal(), unit in unit()) {
        let moment = DateTime::parse(&text).expect("a dateTime");
        if let Some(sum) = moment.add(amount, unit) {
            prop_assert_eq!(sum.precision(), moment.precision());
            prop_assert_eq!(DateTime::parse(&sum.to_string()), Some(sum));
            let (before, after) = (moment.range().0, sum.range().0);
            prop_assert!(amount.is_zero() || before == after || (before < after) == (amount > Decimal::ZERO));
        }
        if let Some(time) = moment.time() {
            let _ = time.add(amount, unit);
        }
    }

    #[test]
    fn no_text_makes_dates_panic(text in "[-+0-9TZ:.é]{0,30}") {
        let _ = (DateTime::parse(&text), DateTime::parse_partial(&text), Time::parse(&text), fhir::Reference::parse(&text));
    }
}
