//! Ports. In scope: the plan of a stack's ports, and finding a free block for a test's stack.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

/// A stack takes at most this many ports from its base on (two per region behind the first ten).
const BLOCK: u16 = 32;
const BLOCK_START_MIN: u16 = 20_000;
const BLOCKS: u16 = 380;
/// The most regions that one embedded stack has.
pub const MAX_REGIONS: usize = 8;

/// The ports of one stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    pub collector: u16,
    pub shop: u16,
    pub countries: u16,
    pub user_segments: u16,
    /// HTTP and native port per region.
    pub clickhouse: Vec<(u16, u16)>,
}

impl Ports {
    /// The well-known ones.
    pub fn default_for(regions: usize) -> Self {
        let clickhouse = (0..regions).map(|index| (8123 + offset(index), 9000 + offset(index))).collect();
        Self { collector: 8787, shop: 8080, countries: 8091, user_segments: 8092, clickhouse }
    }

    /// A block from `base` on, so that several stacks run side by side.
    pub fn from_base(base: u16, regions: usize) -> Result<Self> {
        if base.checked_add(BLOCK).is_none() || base < 1024 {
            bail!("expected --port-base between 1024 and {}, found {base}", u16::MAX - BLOCK);
        }
        let clickhouse =
            (0..regions).map(|index| (base + 10 + 2 * offset(index), base + 11 + 2 * offset(index))).collect();
        Ok(Self { collector: base, shop: base + 1, countries: base + 2, user_segments: base + 3, clickhouse })
    }

    /// Every port with what it is for.
    pub fn all(&self) -> Vec<(u16, &'static str)> {
        let mut ports = vec![
            (self.collector, "collector"),
            (self.shop, "shop"),
            (self.countries, "countries"),
            (self.user_segments, "user-segments"),
        ];
        for (http, tcp) in &self.clickhouse {
            ports.extend([(*http, "ClickHouse HTTP"), (*tcp, "ClickHouse native")]);
        }
        ports
    }
}

fn offset(index: usize) -> u16 {
    // At most MAX_REGIONS regions, so it always fits.
    u16::try_from(index).unwrap_or(u16::MAX)
}

/// Whether nobody listens on a loopback port.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// A port that is free now.
pub fn free() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// The base of a block of ports that are all free now, another one at each call: two threads that try the same ports would take each
/// other for the program that has them.
pub fn free_block() -> Result<u16> {
    static TRIED: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % u32::from(BLOCKS))?;
    for _ in 0..BLOCKS {
        let step = TRIED.fetch_add(1, Ordering::Relaxed) % BLOCKS;
        let base = BLOCK_START_MIN + (start + step) % BLOCKS * BLOCK;
        if (base..base + BLOCK).all(is_free) {
            return Ok(base);
        }
    }
    bail!("expected a block of {BLOCK} free loopback ports from {BLOCK_START_MIN} on, found none")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_bases_do_not_overlap() {
        let first = Ports::from_base(20_000, MAX_REGIONS).expect("a valid base");
        let second = Ports::from_base(20_000 + BLOCK, MAX_REGIONS).expect("a valid base");
        let taken: Vec<u16> = first.all().into_iter().map(|(port, _)| port).collect();
        assert!(second.all().iter().all(|(port, _)| !taken.contains(port)));
    }

    #[test]
    fn no_block_is_given_twice() {
        assert_ne!(free_block().expect("free ports"), free_block().expect("free ports"));
    }

    #[test]
    fn the_default_ports_are_the_documented_ones() {
        let ports = Ports::default_for(2);
        assert_eq!((ports.collector, ports.shop, ports.countries, ports.user_segments), (8787, 8080, 8091, 8092));
        assert_eq!(ports.clickhouse, [(8123, 9000), (8124, 9001)]);
    }

    #[test]
    fn a_base_too_high_is_refused() {
        assert!(Ports::from_base(65_530, 1).is_err());
    }
}
