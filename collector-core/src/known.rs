//! Hosts and networks that are known for something.
//!
//! In scope: looking them up in tables that ship with the collector (the lists are text under `data/`, with their origin). Out of scope: what
//! follows from it (`enrich::channel`, `filter`).
//!
//! Hosts are kept as 32-bit hashes, a quarter of their text: a host that nobody listed is taken for a listed one about once in a million.

mod entry;
mod table;

pub use entry::Kind;

use entry::HostHash;
use table::Table;

/// The longest host that is looked up, in bytes: the longest that DNS allows.
pub const MAX_HOST_BYTES: usize = 253;

const HOSTS: Table<'_> = Table::new(include_bytes!(concat!(env!("OUT_DIR"), "/hosts.bin")));
const NETWORKS: Table<'_> = Table::new(include_bytes!(concat!(env!("OUT_DIR"), "/networks.bin")));

/// A host and its parent domains, the shortest first, each with what it is known for. A name without a dot is looked up only as a whole: as the
/// ending of a host it is a top-level domain (`blog.google`).
pub fn domains(host: &str) -> impl Iterator<Item = (&str, Option<Kind>)> {
    let host = if host.len() <= MAX_HOST_BYTES { host } else { "" };
    let (mut hash, mut is_ending) = (HostHash::EMPTY, true);
    host.bytes().enumerate().rev().filter_map(move |(at, byte)| {
        is_ending = is_ending && byte != b'.';
        hash = hash.preceded_by(byte);
        let is_label_start = at == 0 || host.as_bytes().get(at - 1) == Some(&b'.');
        let kind = || HOSTS.find(hash.key()).filter(|_| at == 0 || !is_ending);
        is_label_start.then(|| (host.get(at..).unwrap_or(""), kind()))
    })
}

/// What a name is known for under the endings of all countries: `google` of `google.de` and `google.co.uk`.
pub fn under_any_country(name: &str) -> Option<Kind> {
    let hash = name.bytes().rev().fold(HostHash::EMPTY.preceded_by(b'*').preceded_by(b'.'), HostHash::preceded_by);
    HOSTS.find(hash.key())
}

/// What a network is known for.
pub fn network(asn: u32) -> Option<Kind> {
    NETWORKS.find(asn)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The entries of a list with their sections.
    fn entries(text: &'static str) -> Vec<(&'static str, Kind)> {
        let mut section = None;
        let mut entries = Vec::new();
        for line in text.lines().map(|line| line.split('#').next().unwrap_or("").trim()) {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = Kind::ALL.iter().find(|(_, own)| *own == name).map(|(kind, _)| *kind);
            } else if let Some(kind) = section.filter(|_| !line.is_empty()) {
                entries.push((line, kind));
            }
        }
        entries
    }

    #[test]
    fn every_listed_host_is_found_as_it_is_listed() {
        let hosts =
            [include_str!("../data/sources.txt"), include_str!("../data/referrer_spam.txt")].map(entries).concat();
        for (host, kind) in &hosts {
            let found = match host.strip_suffix(".*") {
                Some(name) => under_any_country(name),
                None => domains(host).last().and_then(|(_, kind)| kind),
            };
            assert_eq!(found, Some(*kind), "{host}");
        }
        assert_eq!(HOSTS.len(), hosts.len());
    }

    #[test]
    fn every_listed_network_is_found() {
        let networks = entries(include_str!("../data/hosting_networks.txt"));
        for (number, kind) in &networks {
            assert_eq!(network(number.parse().unwrap()), Some(*kind), "{number}");
        }
        assert_eq!(NETWORKS.len(), networks.len());
        assert_eq!((network(0), network(3_320), network(13_335), network(u32::MAX)), (None, None, None, None));
    }

    #[test]
    fn a_host_comes_with_its_parents_the_shortest_first() {
        let found: Vec<_> = domains("l.facebook.com").collect();
        assert_eq!(found, [("com", None), ("facebook.com", Some(Kind::Social)), ("l.facebook.com", None)]);
        assert_eq!(domains("facebook").next(), Some(("facebook", Some(Kind::Social))));
        assert_eq!(domains("blog.google").next(), Some(("google", None)), "an ending is no name");
        assert_eq!(domains("").count(), 0);
        assert_eq!(domains(&"a.".repeat(MAX_HOST_BYTES)).count(), 0, "longer than any host");
    }

    #[test]
    fn hosts_that_nobody_listed_are_not_found() {
        // One of these hundred thousand would be found by chance with a probability of one in twelve.
        let found =
            (0..100_000).filter(|number| domains(&format!("host{number}.example")).any(|(_, kind)| kind.is_some()));
        assert_eq!(found.collect::<Vec<_>>(), [0; 0]);
    }

    #[test]
    fn a_damaged_table_finds_nothing() {
        let bytes = include_bytes!(concat!(env!("OUT_DIR"), "/hosts.bin"));
        let host = "facebook.com".bytes().rev().fold(HostHash::EMPTY, HostHash::preceded_by);
        for end in 0..bytes.len() {
            let found = Table::new(&bytes[..end]).find(host.key());
            assert!(found.is_none() || found == Some(Kind::Social), "cut at {end}");
        }
        assert_eq!(Table::new(&[0xff; 1_000]).find(host.key()), None);
    }
}
