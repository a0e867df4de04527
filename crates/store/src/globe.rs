//! Places on a globe, as rows hold them.

/// A place: latitude and longitude as fixed-point numbers, a unit being about a centimeter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// From the south pole to the north pole: all that a `u32` holds.
    pub latitude: u32,
    /// Eastwards from the date line, once around.
    pub longitude: u32,
}

/// How many degrees one of [`Place::longitude`] is; one of latitude is half of it.
const DEGREES: f64 = 360.0 / 4_294_967_296.0;

/// The mean radius of the earth in meters.
pub const RADIUS: f64 = 6_371_008.8;

impl Place {
    /// The bytes of a value.
    pub const LENGTH: usize = 8;

    /// A place by its degrees. `None` outside -90 to 90 north and -180 to 180 east.
    pub fn new(latitude: f64, longitude: f64) -> Option<Place> {
        let is_there = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude);
        is_there.then(|| Place {
            latitude: ((latitude + 90.0) / (DEGREES / 2.0)).round().min(f64::from(u32::MAX)) as u32,
            // The date line has two names.
            longitude: ((longitude + 180.0) / DEGREES).round() as u64 as u32,
        })
    }

    /// Bytes in which places near each other mostly begin alike: the bits of both numbers in turn, latitude first.
    pub fn to_bytes(self) -> [u8; Place::LENGTH] {
        (spread(self.latitude) << 1 | spread(self.longitude)).to_be_bytes()
    }

    /// What [`Place::to_bytes`] made.
    pub fn from_bytes(bytes: [u8; Place::LENGTH]) -> Place {
        let bits = u64::from_be_bytes(bytes);
        Place { latitude: gathered(bits >> 1), longitude: gathered(bits) }
    }

    /// The distance in meters along a great circle of a globe with the earth's mean radius.
    pub fn distance(self, other: Place) -> f64 {
        let ((north, east), (other_north, other_east)) = (self.radians(), other.radians());
        let half = |difference: f64| (difference / 2.0).sin().powi(2);
        let square = half(other_north - north) + north.cos() * other_north.cos() * half(other_east - east);
        2.0 * RADIUS * square.sqrt().min(1.0).asin()
    }

    fn radians(self) -> (f64, f64) {
        let degrees = (f64::from(self.latitude) * (DEGREES / 2.0) - 90.0, f64::from(self.longitude) * DEGREES);
        (degrees.0.to_radians(), degrees.1.to_radians())
    }
}

/// A zero before each bit.
fn spread(number: u32) -> u64 {
    let steps = [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555),
    ];
    steps.iter().fold(u64::from(number), |bits, (by, kept)| (bits | bits << by) & kept)
}

/// Every second bit.
fn gathered(bits: u64) -> u32 {
    let steps = [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff),
    ];
    steps.iter().fold(bits & 0x5555_5555_5555_5555, |bits: u64, (by, kept)| (bits | bits >> by) & kept) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(latitude: f64, longitude: f64) -> Place {
        Place::new(latitude, longitude).expect("on the globe")
    }

    #[test]
    fn measures_along_great_circles() {
        // Degrees, and kilometers to within half a percent, which is what a globe without flattening is off.
        let cases = [
            ((51.5074, -0.1278), (48.8566, 2.3522), 343.5),
            ((40.6413, -73.7781), (51.4700, -0.4543), 5540.0),
            ((0.0, 179.5), (0.0, -179.5), 111.2),
            ((89.5, 0.0), (89.5, 180.0), 111.2),
            ((90.0, 0.0), (90.0, 123.0), 0.0),
            ((90.0, 0.0), (-90.0, 0.0), 20015.1),
            ((10.0, 180.0), (10.0, -180.0), 0.0),
        ];
        for (from, to, kilometers) in cases {
            let meters = place(from.0, from.1).distance(place(to.0, to.1));
            assert!(
                (meters / 1000.0 - kilometers).abs() <= kilometers * 0.005 + 1e-4,
                "{from:?} to {to:?} is {meters}"
            );
        }
    }

    #[test]
    fn keeps_places_in_bytes() {
        for (latitude, longitude) in
            [(0.0, 0.0), (90.0, 180.0), (-90.0, -180.0), (51.5074, -0.1278), (-33.8688, 151.2093)]
        {
            let place = place(latitude, longitude);
            assert_eq!(Place::from_bytes(place.to_bytes()), place);
        }
        let near = [place(51.5, -0.12), place(51.5000001, -0.1200001)].map(Place::to_bytes);
        assert_eq!(near[0][..4], near[1][..4]);
        for (latitude, longitude) in [(90.1, 0.0), (-90.1, 0.0), (0.0, 180.1), (0.0, -180.1), (f64::NAN, 0.0)] {
            assert_eq!(Place::new(latitude, longitude), None);
        }
    }
}
