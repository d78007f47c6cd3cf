//! Events that a site's own server sends, such as orders.
//!
//! In scope: ingest keys, and the visitor of whom a server tells. Out of scope: the settings (`site`), the fields (`event`).
//!
//! A key is sent as `Authorization: Bearer <key>`; the settings hold its SHA-256, so that whoever reads the settings cannot send. A browser
//! must not have it, and a request that bears a browser's marks is refused whatever its key.

use std::net::IpAddr;

use sha2::{Digest, Sha256};

use crate::client::Client;
use crate::outcome::InvalidReason;
use crate::site::Site;

/// Whether a request with this key may send for the site.
pub fn check_key(site: &Site, client: &Client<'_>, key: &str) -> Result<(), InvalidReason> {
    if client.is_browser() {
        return Err(InvalidReason::IngestKeyInBrowser);
    }
    let digest: [u8; 32] = Sha256::digest(key.as_bytes()).into();
    // Digests of what somebody guesses tell nothing by the time they take.
    let is_known = site.ingest_key_sha256.iter().any(|hex| parse_digest(hex) == Some(digest));
    if is_known { Ok(()) } else { Err(InvalidReason::WrongIngestKey) }
}

/// The visitor of whom a server tells. What the edge knows of the request is the server's, not the visitor's.
pub fn visitor(ip: Option<IpAddr>, user_agent: &str) -> Client<'_> {
    let user_agent = Some(user_agent).filter(|text| !text.is_empty());
    Client { ip, user_agent, is_from_server: true, ..Client::default() }
}

fn parse_digest(hex: &str) -> Option<[u8; 32]> {
    let mut digest = [0_u8; 32];
    for (byte, pair) in digest.iter_mut().zip(hex.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest).filter(|_| hex.len() == 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The SHA-256 of `key-1`, in upper case.
    const DIGEST: &str = "BE2974546978E3739E6D6DA85C4BE9F334CE32DF2B9FD4B6FF1B55C0D57E9D44";

    fn site() -> Site {
        let digests = ["0".repeat(64), DIGEST.to_owned()];
        let settings = serde_json::json!({"id": "demo", "domains": ["shop.example"], "ingest_key_sha256": digests});
        Site::parse(&settings.to_string()).unwrap()
    }

    #[test]
    fn a_key_is_known_by_its_digest() {
        let client = Client::default();
        assert_eq!(check_key(&site(), &client, "key-1"), Ok(()));
        assert_eq!(check_key(&site(), &client, "key-2"), Err(InvalidReason::WrongIngestKey));
        assert_eq!(check_key(&site(), &client, ""), Err(InvalidReason::WrongIngestKey));
        let without_keys = Site::new("demo", &["shop.example"]).unwrap();
        assert_eq!(check_key(&without_keys, &client, ""), Err(InvalidReason::WrongIngestKey));
    }

    #[test]
    fn a_browser_may_not_have_one() {
        for client in [
            Client { origin: Some("https://shop.example"), ..Client::default() },
            Client { sec_fetch_site: Some("same-origin"), ..Client::default() },
            Client { sec_fetch_mode: Some("cors"), ..Client::default() },
        ] {
            assert_eq!(check_key(&site(), &client, "key-1"), Err(InvalidReason::IngestKeyInBrowser), "{client:?}");
        }
    }
}
