//! Networks where programs run rather than people sit.
//!
//! In scope: networks of hosting companies (`data/hosting_networks.txt`). Out of scope: single addresses, VPNs of people.
//!
//! Some people do come through a hosting network (VPNs, remote desktops): that is why it is only one piece of evidence.

use std::borrow::Cow;

use crate::client::Client;
use crate::filter::Signal;
use crate::known::{self, Kind};

/// Adds the signal of the sender's network.
pub fn check(client: &Client<'_>, signals: &mut Vec<Signal>) {
    if client.asn.and_then(known::network) == Some(Kind::Hosting) {
        signals.push(Cow::Borrowed("asn:hosting"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosting_networks_are_a_signal_and_networks_of_people_are_none() {
        for (name, asn, expected) in [
            ("Amazon", Some(16_509), &["asn:hosting"][..]),
            ("Hetzner", Some(24_940), &["asn:hosting"]),
            ("Deutsche Telekom", Some(3_320), &[]),
            ("Cloudflare, where private relays leave", Some(13_335), &[]),
            ("unknown", None, &[]),
        ] {
            let mut signals = Vec::new();
            check(&Client { asn, ..Client::default() }, &mut signals);
            assert_eq!(signals, expected, "{name}");
        }
    }
}
