//! `near`: places within a distance, <https://hl7.org/fhir/R4/location.html#search>, as `latitude|longitude|distance|units`.
//!
//! A position has one row of eight bytes, in which places near each other begin alike ([`Place`]). A circle is covered with a few
//! cells of such beginnings, and what lies in them is tested for its distance along a great circle. Units are lengths of UCUM,
//! kilometers when not given; without a distance, what lies within [`NEARBY`] counts as near.

use std::f64::consts::{FRAC_PI_2, PI};
use std::ops::Bound;

use fhir::fhirpath::Item;
use fhir::{Decimal, ucum};
use store::{Filter, Index, Match, Place, RADIUS, Range, Test};

use super::BadValue;
use super::item::node;
use crate::escape::{split, unescape};
use crate::row::{self, Rows};

pub(super) const MODIFIERS: &[&str] = &["missing"];

/// The parameter that is searched so.
pub(super) const URL: &str = "http://hl7.org/fhir/SearchParameter/Location-near";

const FORM: &str = "`latitude|longitude`, `latitude|longitude|distance` or `latitude|longitude|distance|units`";

/// Meters: what is near when nothing is said.
const NEARBY: f64 = 50_000.0;

/// Meters: everything is within half the way around the globe.
const FARTHEST: f64 = PI * RADIUS;

/// How many cells may cover a circle.
const CELLS_MAX: u64 = 16;

/// Radians that a circle is covered beyond its edge, some centimeters: more than places and distances are rounded by.
const SLACK: f64 = 1e-8;

pub(super) fn rows(item: &Item<'_>, index: Index, rows: &mut Rows) {
    let Some(position) = node(item) else { return };
    let degrees = |name| degrees(position.get(name)?.raw());
    let place = degrees("latitude").zip(degrees("longitude")).and_then(|(north, east)| Place::new(north, east));
    if let Some(place) = place {
        rows.push(index, place.to_bytes().into());
    }
}

fn degrees(text: &str) -> Option<f64> {
    Decimal::parse(text.strip_prefix('+').unwrap_or(text)).map(|number| number.to_f64())
}

pub(super) fn filter(index: Index, value: &str) -> Result<Filter, BadValue> {
    let parts: Vec<_> = split(value, b'|').map(unescape).collect();
    let (latitude, longitude, distance, units) = match parts.as_slice() {
        [latitude, longitude] => (latitude, longitude, "", ""),
        [latitude, longitude, distance] => (latitude, longitude, distance.as_ref(), ""),
        [latitude, longitude, distance, units] => (latitude, longitude, distance.as_ref(), units.as_ref()),
        _ => return Err(BadValue(FORM)),
    };
    let (Some(latitude), Some(longitude)) = (degrees(latitude), degrees(longitude)) else { return Err(BadValue(FORM)) };
    let center = Place::new(latitude, longitude)
        .ok_or(BadValue("a latitude from -90 to 90 and a longitude from -180 to 180"))?;
    let meters = if distance.is_empty() { NEARBY } else { meters(distance, units)?.min(FARTHEST) };
    let test = Test::Within { skip: 0, center, millimeters: (meters * 1000.0).round() as u64 };
    let cells = cover(center, meters / RADIUS).into_iter().map(|(first, last)| {
        let bound = |edge: u64| Bound::Included(edge.to_be_bytes().to_vec());
        let range = Range { low: bound(first), high: bound(last) };
        Filter::Match(Match { index, range, test: Some(test.clone()) })
    });
    Ok(row::any(cells.collect()))
}

fn meters(distance: &str, units: &str) -> Result<f64, BadValue> {
    const DISTANCE: &str = "a distance that is a number of at least 0";
    const UNITS: &str = "a unit of length of UCUM such as `km`, `m` or `[mi_i]`";
    let distance = Decimal::parse(distance).filter(|distance| *distance >= Decimal::ZERO).ok_or(BadValue(DISTANCE))?;
    let units = if units.is_empty() { "km" } else { units };
    let unit = ucum::Unit::of(units).filter(|unit| unit.base() == "m").ok_or(BadValue(UNITS))?;
    unit.to_base(distance).map(|meters| meters.to_f64()).ok_or(BadValue(DISTANCE))
}

/// What rows hold of the places within so many radians of a center: ranges, first and last value, sorted and apart.
fn cover(center: Place, radius: f64) -> Vec<(u64, u64)> {
    let (south, north) = latitudes(center, radius + SLACK);
    let (west, width) = longitudes(center, radius + SLACK);
    // The finest grid of which few cells are enough. On level 0 the globe is one cell.
    let grid = |level: u32| {
        let cell = |edge: u64| edge >> (32 - level);
        let (rows, columns) = (cell(north) - cell(south) + 1, cell(west + width) - cell(west) + 1);
        (rows, columns.min(1 << level))
    };
    let is_fine = |level: &u32| {
        let (rows, columns) = grid(*level);
        rows.saturating_mul(columns) <= CELLS_MAX
    };
    let level = (0..=32).rev().find(is_fine).unwrap_or(0);
    let (rows, columns) = grid(level);
    let size = 32 - level;
    let mut ranges: Vec<_> = (0..rows)
        .flat_map(|row| (0..columns).map(move |column| (row, column)))
        .map(|(row, column)| {
            let corner = |edge: u64, cells: u64| (((edge >> size) + cells) << size) as u32;
            let corner = Place { latitude: corner(south, row), longitude: corner(west, column) };
            let first = u64::from_be_bytes(corner.to_bytes());
            (first, first | (((1_u128 << (2 * size)) - 1) as u64))
        })
        .collect();
    ranges.sort_unstable();
    ranges.dedup_by(|next, kept| {
        let is_next = kept.1.checked_add(1) == Some(next.0);
        if is_next {
            kept.1 = next.1;
        }
        is_next
    });
    ranges
}

/// The southernmost and the northernmost latitude within so many radians, as numbers of a [`Place`].
fn latitudes(center: Place, radius: f64) -> (u64, u64) {
    let reach = (radius * (4_294_967_296.0 / PI)).ceil() as u64;
    let middle = u64::from(center.latitude);
    (middle.saturating_sub(reach), middle.saturating_add(reach).min(u64::from(u32::MAX)))
}

/// The westernmost longitude within so many radians, and how far it is to the easternmost. Where a pole is within, all are.
fn longitudes(center: Place, radius: f64) -> (u64, u64) {
    const AROUND: u64 = 1 << 32;
    let latitude = f64::from(center.latitude) * (PI / 4_294_967_296.0) - FRAC_PI_2;
    let reach = if latitude.abs() + radius >= FRAC_PI_2 - SLACK {
        PI
    } else {
        (radius.sin() / latitude.cos()).min(1.0).asin() + SLACK / latitude.cos()
    };
    let width = (2.0 * reach * (4_294_967_296.0 / (2.0 * PI))).ceil() as u64 + 2;
    if width >= AROUND {
        return (0, AROUND - 1);
    }
    ((u64::from(center.longitude) + AROUND - width / 2) % AROUND, width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, check_refused, query};
    use crate::{Criterion, Handling};

    fn location(latitude: &str, longitude: &str) -> String {
        format!(
            r#"{{"resourceType":"Location","id":"l","position":{{"longitude":{longitude},"latitude":{latitude}}}}}"#
        )
    }

    #[test]
    fn finds_what_is_near() {
        // The Houses of Parliament; the Tower of London is 3.5 km away, Paris 342 km.
        check(
            &location("51.4995", "-0.1248"),
            &[
                ("near=51.5081|-0.0759|4|km", true),
                ("near=51.5081|-0.0759|3|km", false),
                ("near=51.5081|-0.0759|4", true),
                ("near=51.5081|-0.0759|3", false),
                ("near=51.5081|-0.0759|4000|m", true),
                ("near=51.5081|-0.0759|3000|m", false),
                ("near=51.5081|-0.0759|2.5|[mi_i]", true),
                ("near=51.5081|-0.0759|2|[mi_us]", false),
                ("near=51.5081|-0.0759", true),
                ("near=51.5081|-0.0759|", true),
                ("near=51.5081|-0.0759||km", true),
                ("near=48.8566|2.3522", false),
                ("near=48.8566|2.3522|350", true),
                ("near=48.8566|2.3522|330", false),
                ("near=48.8566|2.3522|1,51.5|-0.12|1", true),
                ("near=48.8566|2.3522|350&near=51.5|-0.12|1", true),
                ("near=51.4995|-0.1248|0", true),
                ("near=51.4996|-0.1248|0", false),
                ("near=+51.5|-1.2e-1|1", true),
                ("near=-51.5|179.88|20037", true),
                ("near=-51.5|179.88|1e300", true),
                ("near:missing=false", true),
                ("near:missing=true", false),
            ],
        );
        let none = r#"{"resourceType":"Location","id":"l"}"#;
        check(none, &[("near=0|0|1e300", false), ("near:missing=true", true)]);
        check(&location("91", "0"), &[("near=90|0|1e300", false), ("near:missing=false", true)]);
    }

    #[test]
    fn circles_cross_poles_and_the_date_line() {
        check(&location("-17.8", "179.9"), &[("near=-17.8|-179.9|22", true), ("near=-17.8|-179.9|21", false)]);
        check(&location("-17.8", "-180"), &[("near=-17.8|180|0.001", true), ("near=-17.8|179.9|11", true)]);
        check(&location("89.9", "10"), &[("near=89.9|-170|23", true), ("near=89.9|-170|22", false)]);
        check(&location("-90", "10"), &[("near=-89.9|-170|12", true), ("near=-89.9|-170|11", false)]);
        check(&location("90", "0"), &[("near=90|77|0.001", true), ("near=-90|0|20015", false)]);
    }

    #[test]
    fn cells_cover_every_circle() {
        let mut state = 7_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let mut count = [0; 2];
        for _ in 0..20_000 {
            let center = Place::new(random() * 180.0 - 90.0, random() * 360.0 - 180.0).expect("on the globe");
            let radius = PI * 10_f64.powf(random() * -8.0);
            let cells = cover(center, radius);
            assert!(cells.len() as u64 <= CELLS_MAX);
            // Places around the center, about as far as its edge.
            let reach = radius.to_degrees() * 1.1;
            let (north, east) = ((random() * 2.0 - 1.0) * reach, (random() * 2.0 - 1.0) * reach);
            let origin = (
                f64::from(center.latitude) * 180.0 / 4_294_967_296.0 - 90.0,
                f64::from(center.longitude) * 360.0 / 4_294_967_296.0 - 180.0,
            );
            let east = (origin.1 + east / origin.0.to_radians().cos() + 180.0).rem_euclid(360.0) - 180.0;
            let Some(place) = Place::new(origin.0 + north, east) else { continue };
            let is_near = place.distance(center) <= radius * RADIUS;
            let value = u64::from_be_bytes(place.to_bytes());
            let is_covered = cells.iter().any(|(first, last)| (*first..=*last).contains(&value));
            assert!(is_covered || !is_near, "{place:?} is {} from {center:?}, within {radius}", place.distance(center));
            count[usize::from(is_near)] += 1;
        }
        assert!(count.iter().all(|count| *count > 2_000), "{count:?}");
    }

    #[test]
    fn is_part_of_chains() {
        let text = "location.near=51.5|-0.12|1";
        let query = query("HealthcareService", text, Handling::Strict).expect("valid");
        assert!(!matches!(query.criterion, Criterion::Filter(_)), "{query:?}");
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        check_refused(
            "Location",
            &[
                ("near=", "parameter `near` has the value ``, expected `latitude|longitude`"),
                ("near=51.5", "expected `latitude|longitude`"),
                ("near=51.5|", "expected `latitude|longitude`"),
                ("near=a|b|1|km", "expected `latitude|longitude`"),
                ("near=1|2|3|km|5", "expected `latitude|longitude`"),
                ("near=90.1|0|1|km", "the value `90.1|0|1|km`, expected a latitude from -90 to 90"),
                ("near=0|180.1|1|km", "expected a latitude from -90 to 90 and a longitude from -180 to 180"),
                ("near=0|0|-1|km", "expected a distance"),
                ("near=0|0|far|km", "expected a distance"),
                ("near=0|0|1|miles", "expected a unit of length"),
                ("near=0|0|1|kg", "expected a unit of length"),
                ("near:exact=0|0", "modifier `:exact` of `near` is unknown, allowed are :missing"),
                ("_sort=near", "parameter `_sort` has the value `near`"),
            ],
        );
    }
}
