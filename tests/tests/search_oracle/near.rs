//! `near` with random places, against the haversine formula.

use flint_tests::Flint;
use serde_json::json;
use store::testing::Random;

/// How many places there are, and how many circles are asked for.
const PLACES: u64 = 200;
const CIRCLES: u64 = 150;

/// Kilometers, the mean radius of the Earth; spheres that others use differ by a little.
const RADIUS: f64 = 6371.0;
const DOUBT: f64 = 0.006;

#[test]
fn near_is_within_the_distance() {
    let flint = Flint::start();
    let mut random = Random::new(9);
    let mut places = Vec::new();
    let mut entries = Vec::new();
    for number in 0..PLACES {
        let place = somewhere(&mut random);
        let id = format!("p{number}");
        let position = json!({"latitude": place.0, "longitude": place.1});
        let location = json!({"resourceType": "Location", "id": id, "position": position});
        entries.push(json!({"resource": location, "request": {"method": "PUT", "url": format!("Location/{id}")}}));
        places.push(place);
    }
    flint.send("POST /", json!({"resourceType": "Bundle", "type": "transaction", "entry": entries})).expect(200);
    let (mut found, mut doubtful) = (0, 0);
    for _ in 0..CIRCLES {
        let center = if random.one_in(2) { *random.pick(&places) } else { somewhere(&mut random) };
        let radius = *random.pick(&[0.001, 1.0, 30.0, 500.0, 3_000.0, 12_000.0, 21_000.0]);
        let (distance, unit) = *random.pick(&[(radius, "km"), (radius * 1_000.0, "m"), (radius / 1.609344, "[mi_i]")]);
        let url = format!("/Location?near={}%7C{}%7C{distance}%7C{unit}&_count=1000", center.0, center.1);
        let keys = flint.get(&url.replace('[', "%5B").replace(']', "%5D")).expect(200).keys("match");
        for (number, place) in places.iter().enumerate() {
            let is_found = keys.contains(&format!("Location/p{number}"));
            let distance = kilometers(center, *place);
            match (distance <= radius * (1.0 - DOUBT), distance <= radius * (1.0 + DOUBT)) {
                (false, true) => doubtful += 1,
                (is_near, _) => assert_eq!(is_found, is_near, "{place:?} is {distance} km from {url}"),
            }
            found += usize::from(is_found);
        }
    }
    println!("{CIRCLES} circles over {PLACES} places, {found} found, {doubtful} on the edge");
}

/// Often near London, near a pole, or where the longitudes meet.
fn somewhere(random: &mut Random) -> (f64, f64) {
    let mut within = |low: f64, high: f64| {
        let degrees = low + (high - low) * random.below(1_000_000) as f64 / 1e6;
        (degrees * 1e5).round() / 1e5
    };
    let kind = within(0.0, 5.0) as u8;
    match kind {
        0 => (within(51.4, 51.6), within(-0.3, 0.1)),
        1 => (within(89.0, 90.0), within(-180.0, 180.0)),
        2 => (within(-1.0, 1.0), if within(0.0, 1.0) < 0.5 { within(179.5, 180.0) } else { within(-180.0, -179.5) }),
        _ => (within(-90.0, 90.0), within(-180.0, 180.0)),
    }
}

fn kilometers(from: (f64, f64), to: (f64, f64)) -> f64 {
    let half = |one: f64, other: f64| ((other - one).to_radians() / 2.0).sin().powi(2);
    let (north, south) = (from.0.to_radians().cos(), to.0.to_radians().cos());
    let chord = half(from.0, to.0) + north * south * half(from.1, to.1);
    2.0 * RADIUS * chord.sqrt().min(1.0).asin()
}
