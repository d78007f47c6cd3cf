//! Which region stores a row.
//!
//! In scope: the order of permitted regions for one client, the shard of a visitor. Out of scope: health and failover in time (the shell).

use serde::{Deserialize, Serialize};

use crate::client::Client;
use crate::site::{Site, is_id};

/// The most regions of one installation; the order of regions is kept as bytes.
pub const MAX_REGIONS: usize = 32;

/// The most shards of one region.
pub const MAX_SHARDS: u32 = 99;

/// A named place with a ClickHouse.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// Short name, as in `collector_region`.
    pub name: String,
    /// Countries that belong here first, two upper-case letters.
    #[serde(default)]
    pub countries: Vec<String>,
    /// Continents that belong here next, two upper-case letters.
    #[serde(default)]
    pub continents: Vec<String>,
    /// Degrees north.
    #[serde(default)]
    pub latitude: f64,
    /// Degrees east.
    #[serde(default)]
    pub longitude: f64,
    /// Batchers of the region.
    #[serde(default = "one")]
    pub shards: u32,
}

const fn one() -> u32 {
    1
}

/// Positions of regions in `Regions`, nearest first; only permitted ones.
pub type RegionOrder = Vec<u8>;

/// The regions of an installation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Regions {
    list: Vec<Region>,
}

impl Regions {
    /// Reads the regions: a JSON array. The error says what is wrong.
    pub fn parse(json: &str) -> Result<Self, String> {
        let list: Vec<Region> =
            serde_json::from_str(json).map_err(|error| format!("expected an array of regions, found {error}"))?;
        Self::new(list)
    }

    /// Checks a list of regions.
    pub fn new(list: Vec<Region>) -> Result<Self, String> {
        if list.is_empty() || list.len() > MAX_REGIONS {
            return Err(format!("expected 1 to {MAX_REGIONS} regions, found {}", list.len()));
        }
        for (index, region) in list.iter().enumerate() {
            if !is_id(&region.name) || list.iter().take(index).any(|other| other.name == region.name) {
                return Err(format!("expected a unique lower-case name of region {index}, found {:?}", region.name));
            }
            if region.shards == 0 || region.shards > MAX_SHARDS {
                return Err(format!(
                    "expected 1 to {MAX_SHARDS} shards of region {}, found {}",
                    region.name, region.shards
                ));
            }
        }
        Ok(Self { list })
    }

    /// The region at a position.
    pub fn get(&self, position: u8) -> Option<&Region> {
        self.list.get(usize::from(position))
    }

    /// Every region, in configured order.
    pub fn iter(&self) -> impl Iterator<Item = &Region> {
        self.list.iter()
    }

    /// The regions that may store the site's rows, nearest to the client first: by country, then continent, then distance, then configured order.
    ///
    /// Empty only if the site permits none of the installed regions: then nothing may be stored.
    pub fn order(&self, site: &Site, client: &Client<'_>) -> RegionOrder {
        let mut order: Vec<(u8, f64, u8)> = Vec::with_capacity(self.list.len());
        let is_before = |a: &(u8, f64, u8), b: &(u8, f64, u8)| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).is_le();
        for (position, region) in (0_u8..).zip(&self.list) {
            if site.regions.is_empty() || site.regions.contains(&region.name) {
                let entry = (rank(region, client), distance(region, client), position);
                order.insert(order.partition_point(|other| is_before(other, &entry)), entry);
            }
        }
        order.into_iter().map(|(_, _, position)| position).collect()
    }
}

/// The shard of a visitor in a region: the same visitor always goes to the same one, so that one Batcher can count what a visitor does. An event
/// that comes again under another address, and so another visitor id, may miss the Batcher that knows its id.
pub fn shard(visitor_id: u64, region: &Region) -> u32 {
    // The multiplication spreads ids that differ little; the high bits are the mixed ones.
    let mixed = visitor_id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    u32::try_from(mixed % u64::from(region.shards.max(1))).unwrap_or(0)
}

/// The name of a Batcher: `<region>-<nn>`.
pub fn batcher_name(region: &Region, shard: u32) -> String {
    format!("{}-{shard:02}", region.name)
}

fn rank(region: &Region, client: &Client<'_>) -> u8 {
    let has = |list: &[String], value: Option<&str>| {
        value.is_some_and(|value| list.iter().any(|own| own.eq_ignore_ascii_case(value)))
    };
    if has(&region.countries, client.country) {
        0
    } else if has(&region.continents, client.continent) {
        1
    } else {
        2
    }
}

/// Grows with the great-circle distance; infinite when the client's place is unknown.
fn distance(region: &Region, client: &Client<'_>) -> f64 {
    let (Some(latitude), Some(longitude)) = (client.latitude, client.longitude) else {
        return f64::INFINITY;
    };
    // The haversine formula without its final arcsine, which keeps the order.
    haversine(latitude - region.latitude)
        + cosine(latitude) * cosine(region.latitude) * haversine(longitude - region.longitude)
}

/// Half of one minus the cosine of an angle in degrees.
fn haversine(degrees: f64) -> f64 {
    f64::midpoint(1.0, -cosine(degrees))
}

/// The cosine of an angle in degrees, to six decimals from -360 to 360. By its series, because the library's functions are 8 KB of Wasm.
fn cosine(degrees: f64) -> f64 {
    /// Terms of the series that are added to the first.
    const TERMS: u32 = 8;
    // From the far side of the circle the series would need twice as many.
    let degrees = if degrees.abs() > 180.0 { degrees.abs() - 360.0 } else { degrees };
    let square = degrees.to_radians() * degrees.to_radians();
    let (mut sum, mut term) = (1.0, 1.0);
    for at in (1..=TERMS).map(|at| f64::from(2 * at)) {
        term *= -square / (at * (at - 1.0));
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn regions() -> Regions {
        Regions::parse(
            r#"[{"name":"eu","continents":["EU"],"latitude":50.1,"longitude":8.7},
                {"name":"us","continents":["NA"],"latitude":39.0,"longitude":-77.5,"shards":4},
                {"name":"jp","countries":["JP"],"latitude":35.7,"longitude":139.7}]"#,
        )
        .unwrap()
    }

    fn names(site: &Site, client: &Client<'_>) -> Vec<String> {
        let regions = regions();
        regions.order(site, client).into_iter().filter_map(|at| regions.get(at)).map(|r| r.name.clone()).collect()
    }

    #[test]
    fn the_nearest_permitted_region_comes_first() {
        let mut site = Site::new("demo", &["shop.example"]).unwrap();
        let place = |country, continent, latitude, longitude| Client {
            country: Some(country),
            continent: Some(continent),
            latitude: Some(latitude),
            longitude: Some(longitude),
            ..Client::default()
        };
        assert_eq!(names(&site, &place("JP", "AS", 35.0, 139.0)), ["jp", "eu", "us"]);
        assert_eq!(names(&site, &place("CA", "NA", 49.0, -123.0)), ["us", "jp", "eu"]);
        assert_eq!(names(&site, &place("KE", "AF", -1.3, 36.8)), ["eu", "jp", "us"]);
        assert_eq!(names(&site, &Client::default()), ["eu", "us", "jp"]);
        let nowhere = |country, continent| Client { country, continent, ..Client::default() };
        assert_eq!(names(&site, &nowhere(Some("jp"), Some("NA"))), ["jp", "us", "eu"]);
        site.regions = vec!["us".into(), "eu".into()];
        assert_eq!(names(&site, &place("JP", "AS", 35.0, 139.0)), ["eu", "us"]);
        site.regions = vec!["elsewhere".into()];
        assert!(names(&site, &Client::default()).is_empty());
    }

    #[test]
    fn impossible_regions_are_refused() {
        for json in
            ["[]", "{}", r#"[{"name":"EU"}]"#, r#"[{"name":"eu"},{"name":"eu"}]"#, r#"[{"name":"eu","shards":0}]"#]
        {
            assert!(Regions::parse(json).is_err(), "{json}");
        }
    }

    proptest! {
        #[test]
        fn cosines_are_exact_to_six_decimals(degrees in -360.0_f64..=360.0) {
            prop_assert!((cosine(degrees) - degrees.to_radians().cos()).abs() < 1e-6, "{}", degrees);
        }

        #[test]
        fn no_client_leaves_the_permitted_regions(
            permitted in proptest::sample::subsequence(vec!["eu", "us", "jp"], 1..=3),
            latitude in any::<f64>(),
            longitude in any::<f64>(),
            country in "[A-Z]{2}",
        ) {
            let mut site = Site::new("demo", &["shop.example"]).unwrap();
            site.regions = permitted.iter().map(|name| (*name).to_owned()).collect();
            let client = Client { latitude: Some(latitude), longitude: Some(longitude), country: Some(&country), ..Client::default() };
            let mut found = names(&site, &client);
            found.sort();
            site.regions.sort();
            prop_assert_eq!(found, site.regions);
        }

        #[test]
        fn a_shard_is_one_of_the_region(visitor in any::<u64>(), shards in 1..=MAX_SHARDS) {
            let region = Region { shards, ..regions().list.remove(0) };
            prop_assert!(shard(visitor, &region) < shards);
        }
    }
}
