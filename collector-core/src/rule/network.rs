//! Networks of addresses, in CIDR notation.

use std::net::IpAddr;

/// What a network may look like.
const EXPECTED: &str = "an address or a network such as \"203.0.113.0/24\"";

/// Bits before the address of IPv4 that is written as IPv6.
const MAPPED_BITS: u8 = 96;

/// A network: an address and how many of its first bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Reads `203.0.113.0/24`, `2001:db8::/32` or a single address; `Err` says what may stand there. A network of IPv4 that is written as IPv6, as
    /// ClickHouse shows it, is one of IPv4.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| EXPECTED)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let is_plain = |bits: &str| bits.bytes().all(|b| b.is_ascii_digit()) && (bits == "0" || !bits.starts_with('0'));
        let bits: u8 = match bits {
            None => most,
            Some(bits) => bits.parse().ok().filter(|own| *own <= most && is_plain(bits)).ok_or(EXPECTED)?,
        };
        let canonical = address.to_canonical();
        let bits = if canonical.is_ipv4() == address.is_ipv4() {
            bits
        } else {
            bits.checked_sub(MAPPED_BITS).ok_or(EXPECTED)?
        };
        let network = Self { address: canonical, bits };
        if network.has_host_bits() {
            Err("a network whose other bits are 0, such as \"203.0.113.0/24\"")
        } else {
            Ok(network)
        }
    }

    /// Whether bits are set that do not count: then somebody meant something else.
    fn has_host_bits(&self) -> bool {
        let host = |address: u128, bits: u8| address.checked_shl(bits.into()).unwrap_or(0) != 0;
        match self.address {
            IpAddr::V4(own) => host(u128::from(own.to_bits()) << 96, self.bits),
            IpAddr::V6(own) => host(own.to_bits(), self.bits),
        }
    }

    /// True if the address is in the network. An IPv4 address that is written as IPv6 is one of IPv4.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                has_prefix(u128::from(own.to_bits()) << 96, u128::from(other.to_bits()) << 96, self.bits)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => has_prefix(own.to_bits(), other.to_bits(), self.bits),
            _ => false,
        }
    }

    /// The same for an address of which only the first bits are known; `None` if the others decide.
    pub(crate) fn contains_prefix(&self, address: IpAddr, known_bits: u8) -> Option<bool> {
        let prefix = Self { address: self.address, bits: self.bits.min(known_bits) };
        if prefix.contains(address) && self.bits > known_bits { None } else { Some(prefix.contains(address)) }
    }
}

/// True if the first bits of two addresses are the same.
fn has_prefix(own: u128, other: u128, bits: u8) -> bool {
    (own ^ other).leading_zeros() >= u32::from(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_their_addresses() {
        for (network, address, expected) in [
            ("203.0.113.0/24", "203.0.113.255", true),
            ("203.0.113.0/24", "203.0.114.0", false),
            ("203.0.113.7", "203.0.113.7", true),
            ("203.0.113.7", "203.0.113.8", false),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "::1", false),
            ("203.0.113.0/24", "::ffff:203.0.113.9", true),
            ("::ffff:203.0.113.9", "203.0.113.9", true),
            ("::ffff:203.0.113.0/120", "203.0.113.9", true),
            ("::ffff:203.0.113.0/120", "::ffff:203.0.114.9", false),
            ("::ffff:0.0.0.0/96", "203.0.113.9", true),
            ("::ffff:0.0.0.0/96", "::1", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "2001:db9::1", true),
        ] {
            let network = Network::parse(network).unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), expected, "{network:?} {address}");
        }
    }

    #[test]
    fn an_address_of_which_a_part_is_known_may_be_in_a_network() {
        for (network, address, known_bits, expected) in [
            ("203.0.113.0/24", "203.0.113.0", 24, Some(true)),
            ("203.0.0.0/16", "203.0.113.0", 24, Some(true)),
            ("203.0.114.0/24", "203.0.113.0", 24, Some(false)),
            ("203.0.113.7", "203.0.113.0", 24, None),
            ("203.0.114.7", "203.0.113.0", 24, Some(false)),
            ("203.0.113.7", "::ffff:203.0.113.7", 32, Some(true)),
            ("2001:db8:1:2::/64", "2001:db8:1::", 48, None),
            ("2001:db8:2::/64", "2001:db8:1::", 48, Some(false)),
            ("2001:db8::/32", "203.0.113.0", 24, Some(false)),
        ] {
            let network = Network::parse(network).unwrap();
            let found = network.contains_prefix(address.parse().unwrap(), known_bits);
            assert_eq!(found, expected, "{network:?} {address}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "203.0.113.0/33",
            "::/129",
            "203.0.113/24",
            "203.0.113.0/",
            "203.0.113.0/-1",
            "example.com",
            "10.0.0.0/08",
            "10.0.0.0/+8",
            "::ffff:0.0.0.0/95",
        ] {
            assert_eq!(Network::parse(text), Err(EXPECTED), "{text}");
        }
        for text in ["10.0.0.1/8", "203.0.113.1/31", "1.0.0.0/0", "2001:db8::1/64", "::ffff:10.0.0.1/104"] {
            assert!(Network::parse(text).is_err_and(|expected| expected.contains("other bits")), "{text}");
        }
    }
}
