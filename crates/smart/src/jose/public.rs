//! Which addresses lie outside of every private network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// Looks names up, and knows none that leads to an address which is not public: the connection goes to the address that was looked at.
#[derive(Debug, Default)]
pub(super) struct PublicAddresses(DefaultResolver);

impl Resolver for PublicAddresses {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let addresses = self.0.resolve(uri, config, timeout)?;
        match addresses.iter().all(|address| is_public(address.ip())) {
            true => Ok(addresses),
            false => Err(ureq::Error::HostNotFound),
        }
    }
}

/// Whether an address is one that anybody in the internet reaches, by the registries of special addresses,
/// <https://www.iana.org/assignments/iana-ipv4-special-registry/> and <https://www.iana.org/assignments/iana-ipv6-special-registry/>.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let is_special = match (first, second, third) {
        // This network, private, loopback, link-local, multicast and reserved.
        (0 | 10 | 127 | 224.., ..) | (172, 16..=31, _) | (192, 168, _) | (169, 254, _) => true,
        // Shared by carriers, protocol assignments, benchmarks, documentation.
        (100, 64..=127, _) | (192, 0, 0 | 2) | (198, 18 | 19, _) | (198, 51, 100) | (203, 0, 113) => true,
        _ => false,
    };
    !is_special
}

/// Of global unicast, 2000::/3; where an address of IPv4 stands in it, that one decides.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match segments {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_public_v4(v4(high, low)),
        [0x2002, high, low, ..] => is_public_v4(v4(high, low)),
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_public_addresses() {
        let cases = [
            ("8.8.8.8 100.63.0.1 100.128.0.1 172.15.0.1 172.32.0.1 192.167.1.1 192.0.1.1 223.255.255.1", true),
            ("0.0.0.0 0.1.2.3 10.0.0.1 127.0.0.1 127.255.0.1 169.254.169.254 172.16.0.1 172.31.255.255", false),
            ("192.168.0.1 100.64.0.1 192.0.0.1 192.0.2.1 198.18.0.1 198.51.100.1 203.0.113.9", false),
            ("224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255", false),
            ("2606:4700::1111 2a00::1 2002:808:808::1 64:ff9b::808:808 2001:4860::1", true),
            (":: ::1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::127.0.0.1 fc00::1 fd12::1 fe80::1 fec0::1 ff02::1", false),
            ("2001:db8::1 2001::1 2002:a00:1::1 2002:7f00:1::1 64:ff9b::a00:1 64:ff9b:1::1 100::1 3fff::1", false),
        ];
        for (addresses, public) in cases {
            for address in addresses.split(' ') {
                assert_eq!(is_public(address.parse().expect(address)), public, "{address}");
            }
        }
    }
}
