//! Who it was, as numbers that cannot be turned back.
//!
//! In scope: the daily visitor hash and its salts, the hash of a persistent visitor's id, user ids that are text, the stored form of addresses.
//! Out of scope: the cookie (`first_party`), where salts come from and when they are deleted (the Registry Durable Object).

use std::hash::Hasher;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use siphasher::sip::SipHasher24;
use uuid::Uuid;

use crate::client::Client;
use crate::event::User;
use crate::sampling::SamplingRate;
use crate::site::{IpMode, Site};

/// The random salts of the UTC days that are still remembered. Once a day's salt is gone, nobody can compute that day's visitor ids again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Salts {
    days: Vec<(i64, [u8; 16])>,
}

impl Salts {
    /// Days that are remembered: the present one, and the one before for sessions that cross midnight.
    pub const MAX_DAYS: usize = 2;

    /// Salts of the given days (days since 1970), of which some may come several times; only the latest `MAX_DAYS` are kept.
    pub fn new(given: impl IntoIterator<Item = (i64, [u8; 16])>) -> Self {
        let mut days: Vec<(i64, [u8; 16])> = Vec::with_capacity(Self::MAX_DAYS + 1);
        for (day, salt) in given {
            let place = days.partition_point(|(kept, _)| *kept > day);
            if days.get(place).is_none_or(|(kept, _)| *kept != day) {
                days.insert(place, (day, salt));
                days.truncate(Self::MAX_DAYS);
            }
        }
        Self { days }
    }

    /// The salt of a day.
    pub fn get(&self, day: i64) -> Option<&[u8; 16]> {
        self.days.iter().find(|(own, _)| *own == day).map(|(_, salt)| salt)
    }
}

/// The visitor with a first-party id; the site's permanent key hides the id itself.
pub fn persistent_id(site: &Site, id: Uuid) -> u64 {
    hash(&site.hash_key(), &[b"visitor", id.as_bytes()])
}

/// The visitor of one day on one site; 0 when it cannot be known: the day's salt is gone, or the site's server says nothing of the visitor.
pub fn daily_id(site: &Site, client: &Client<'_>, salts: &Salts, day: i64) -> u64 {
    if client.is_from_server && client.ip.is_none() && client.user_agent.is_none() {
        return 0;
    }
    let Some(salt) = salts.get(day) else { return 0 };
    // IPv4-mapped addresses are the same machine as their IPv4 form.
    let ip = client.ip.map_or([0; 16], |ip| as_ipv6(ip).octets());
    hash(salt, &[site.id.as_bytes(), &ip, client.user_agent().as_bytes()])
}

/// The number of a user: the id itself, or the hash of a text, keyed per site.
pub fn user_id(user: &User<'_>, site: &Site) -> u64 {
    match user {
        User::Anonymous => 0,
        User::Id(id) => *id,
        User::Key(key) => hash(&site.hash_key(), &[b"user", key.as_bytes()]),
    }
}

/// The key of the rate limit of a whole site.
pub(crate) fn site_key(site: &Site) -> u64 {
    hash(b"landfall limits ", &[site.id.as_bytes()])
}

/// The key of the rate limit of one sender's network on a site: /32 of IPv4, /64 of IPv6, because one sender has a whole /64.
pub fn address_key(site: &Site, client: &Client<'_>) -> u64 {
    let ip = client.ip.map_or(Ipv6Addr::UNSPECIFIED, as_ipv6);
    let bits = if ip.to_ipv4_mapped().is_some() { ip.to_bits() } else { ip.to_bits() >> 64 };
    hash(b"landfall limits ", &[site.id.as_bytes(), &bits.to_le_bytes()])
}

/// Whether a visitor is in the site's sample: the same visitor always gets the same answer. Nobody known always is.
pub fn is_sampled(site: &Site, visitor_id: u64) -> bool {
    if site.sampling_rate == SamplingRate::ALL || visitor_id == 0 {
        return true;
    }
    // Hashed again, because sampling by the visitor id itself would take one shard whole and leave another empty.
    let position = hash(&site.hash_key(), &[b"sample", &visitor_id.to_le_bytes()]) >> 32;
    site.sampling_rate.includes(u32::try_from(position).unwrap_or(u32::MAX))
}

/// The address as the column stores it.
pub fn stored_ip(ip: Option<IpAddr>, mode: IpMode) -> Ipv6Addr {
    let Some(ip) = ip else { return Ipv6Addr::UNSPECIFIED };
    match (mode, as_ipv6(ip)) {
        (IpMode::Drop, _) => Ipv6Addr::UNSPECIFIED,
        (IpMode::Keep, ip) => ip,
        (IpMode::Truncate, ip) => match ip.to_ipv4_mapped() {
            Some(v4) => Ipv4Addr::from_bits(v4.to_bits() & 0xffff_ff00).to_ipv6_mapped(),
            None => Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 80)),
        },
    }
}

fn as_ipv6(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

/// SipHash-2-4 of several parts, each with its length, so that ("ab", "c") and ("a", "bc") differ.
pub(crate) fn hash(key: &[u8; 16], parts: &[&[u8]]) -> u64 {
    let mut hasher = SipHasher24::new_with_key(key);
    for part in parts {
        hasher.write(&(part.len() as u64).to_le_bytes());
        hasher.write(part);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(ip: &str) -> Client<'static> {
        Client { ip: ip.parse().ok(), user_agent: Some("Mozilla/5.0"), ..Client::default() }
    }

    #[test]
    fn a_visitor_is_the_same_for_one_day_on_one_site() {
        let site = Site::new("demo", &["shop.example"]).unwrap();
        let other = Site::new("other", &["shop.example"]).unwrap();
        let salts = Salts::new(vec![(10, [1; 16]), (11, [2; 16])]);
        let visitor = daily_id(&site, &client("192.0.2.1"), &salts, 11);
        assert_eq!(visitor, daily_id(&site, &client("::ffff:192.0.2.1"), &salts, 11));
        assert_ne!(visitor, daily_id(&site, &client("192.0.2.2"), &salts, 11));
        assert_ne!(visitor, daily_id(&site, &client("192.0.2.1"), &salts, 10));
        assert_ne!(visitor, daily_id(&other, &client("192.0.2.1"), &salts, 11));
    }

    #[test]
    fn a_day_without_its_salt_has_no_visitors() {
        let site = Site::new("demo", &["shop.example"]).unwrap();
        let salts = Salts::new(vec![(10, [1; 16]), (12, [3; 16]), (11, [2; 16])]);
        assert_eq!(salts.get(10), None, "only the latest two days are kept");
        assert_eq!((salts.get(11), salts.get(12)), (Some(&[2; 16]), Some(&[3; 16])));
        let twice = Salts::new([(11, [2; 16]), (12, [3; 16]), (12, [3; 16]), (11, [2; 16])]);
        assert_eq!(twice, salts, "every site of a beacon brings the same days");
        assert_eq!(daily_id(&site, &client("192.0.2.1"), &salts, 10), 0);
    }

    #[test]
    fn a_persistent_visitor_is_another_on_every_site() {
        let site = |id: &str| Site::new(id, &["shop.example"]).unwrap();
        let id = Uuid::from_u128(7);
        assert_eq!(persistent_id(&site("demo"), id), persistent_id(&site("demo"), id));
        assert_ne!(persistent_id(&site("demo"), id), persistent_id(&site("other"), id));
        assert_ne!(persistent_id(&site("demo"), id), persistent_id(&site("demo"), Uuid::from_u128(8)));
    }

    #[test]
    fn addresses_are_stored_as_the_site_says() {
        for (ip, mode, stored) in [
            ("192.0.2.77", IpMode::Truncate, "::ffff:192.0.2.0"),
            ("::ffff:192.0.2.77", IpMode::Truncate, "::ffff:192.0.2.0"),
            ("2001:db8:1:2:3:4:5:6", IpMode::Truncate, "2001:db8:1::"),
            ("2001:db8:1:2:3:4:5:6", IpMode::Keep, "2001:db8:1:2:3:4:5:6"),
            ("192.0.2.77", IpMode::Keep, "::ffff:192.0.2.77"),
            ("192.0.2.77", IpMode::Drop, "::"),
        ] {
            assert_eq!(stored_ip(ip.parse().ok(), mode).to_string(), stored, "{ip} {mode:?}");
        }
        assert_eq!(stored_ip(None, IpMode::Keep), Ipv6Addr::UNSPECIFIED);
    }

    #[test]
    fn sampling_is_stable_and_near_its_rate() {
        let mut site = Site::new("demo", &["shop.example"]).unwrap();
        site.sampling_rate = SamplingRate::from(0.25);
        let sampled = (0..10_000_u64).filter(|visitor| is_sampled(&site, *visitor)).count();
        assert!((2_300..2_700).contains(&sampled), "{sampled} of 10000 at a rate of 0.25");
    }

    #[test]
    fn text_user_ids_differ_by_site_key() {
        let mut site = Site::new("demo", &["shop.example"]).unwrap();
        let key = User::Key("ann".into());
        let by_id = user_id(&key, &site);
        site.user_id_key = Some("00112233445566778899aabbccddeeff".into());
        assert_ne!(by_id, user_id(&key, &site));
        assert_eq!(user_id(&User::Id(42), &site), 42);
        assert_eq!(user_id(&User::Anonymous, &site), 0);
    }
}
