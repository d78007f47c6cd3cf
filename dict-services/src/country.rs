//! The countries feed: ISO 3166-1 codes with name, continent and population.
//!
//! In scope: the vendored data (`data/countries.jsonl`, origin in `data/README.md`), its checks, its entries; newer data from an
//! upstream ([`upstream`], [`refresh`]).
//! Out of scope: regions, languages, translated names.

pub mod refresh;
pub mod upstream;

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use crate::entries::{Defect, Entries, PENDING};

/// ISO 3166-1 has had 249 codes since 2011; a list this much shorter has lost lines.
pub const MIN_COUNTRIES: usize = 200;
/// Room for codes that are in use without being in the standard, such as XK.
pub const MAX_COUNTRIES: usize = 300;
/// Bytes of a name. The longest vendored one has 38.
pub const MAX_NAME_BYTES: usize = 100;
/// No country has 2 billion people yet.
pub const MAX_POPULATION: u64 = 2_000_000_000;

const VENDORED: &str = include_str!("../data/countries.jsonl");
const CONTINENTS: [&str; 7] = ["AF", "AN", "AS", "EU", "NA", "OC", "SA"];

/// One entry. Year and source of the population stay in the data file: a dictionary has no use for them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Country {
    /// ISO 3166-1 alpha-2, the key.
    pub code: String,
    /// ISO 3166-1 alpha-3.
    pub code3: String,
    /// Common English name.
    pub name: String,
    /// Two letters: AF AN AS EU NA OC SA.
    pub continent: String,
    /// Inhabitants, 0 where nobody lives permanently.
    pub population: u64,
}

/// All countries, by code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Countries {
    countries: Vec<Country>,
    updated_at: Vec<u32>,
}

/// One line of a key lookup.
#[derive(Debug, Deserialize)]
pub struct CountryKey {
    code: String,
}

impl Countries {
    /// The data this program was built with.
    pub fn vendored() -> Result<Self, Defect> {
        Self::parse(VENDORED)
    }

    /// Parses one JSON object per line; fields besides those of [`Country`] are skipped.
    pub fn parse(text: &str) -> Result<Self, Defect> {
        let mut countries = text
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<Vec<Country>, _>>()
            .map_err(|error| Defect::new("countries", "one JSON object per line", error))?;
        countries.sort_by(|left, right| left.code.cmp(&right.code));
        let parsed = Self { updated_at: vec![PENDING; countries.len()], countries };
        parsed.check()?;
        Ok(parsed)
    }

    /// Keeps the update time of every country that is as it was in `previous`.
    #[must_use]
    pub fn succeeding(mut self, previous: &Self) -> Self {
        for (country, updated_at) in self.countries.iter().zip(&mut self.updated_at) {
            let old = previous.position(&country.code);
            if let Some(old) = old.filter(|&old| previous.countries[old] == *country) {
                *updated_at = previous.updated_at[old];
            }
        }
        self
    }

    /// Whether an entry changed or is gone since `previous`. Asked of content that succeeds it and is not published yet.
    pub fn differs_from(&self, previous: &Self) -> bool {
        self.len() != previous.len() || self.updated_at.contains(&PENDING)
    }

    fn position(&self, code: &str) -> Option<usize> {
        self.countries.binary_search_by(|country| country.code.as_str().cmp(code)).ok()
    }
}

impl Entries for Countries {
    const FEED: &'static str = "countries";
    const SCHEMA_VERSION: u32 = 1;
    type Key = CountryKey;

    fn len(&self) -> usize {
        self.countries.len()
    }

    fn updated_at(&self, index: usize) -> u32 {
        self.updated_at[index]
    }

    fn stamp(&mut self, at: u32) {
        for updated_at in self.updated_at.iter_mut().filter(|at| **at == PENDING) {
            *updated_at = at;
        }
    }

    fn write_entry(&self, index: usize, out: &mut Vec<u8>) {
        serde_json::to_writer(&mut *out, &self.countries[index])
            .expect("strings and integers always serialize, and a Vec takes every byte");
        out.push(b'\n');
    }

    fn find(&self, key: &CountryKey) -> Option<usize> {
        self.position(&key.code)
    }

    fn check(&self) -> Result<(), Defect> {
        if self.countries.len() < MIN_COUNTRIES {
            let found = self.countries.len();
            return Err(Defect::new("countries", "at least 200 entries", found));
        }
        if self.countries.len() > MAX_COUNTRIES {
            let found = self.countries.len();
            return Err(Defect::new("countries", "at most 300 entries", found));
        }
        if self.updated_at.len() != self.countries.len() {
            let found = self.updated_at.len();
            return Err(Defect::new("updated_at", "one time per country", found));
        }
        if let Some(pair) = self.countries.windows(2).find(|pair| pair[0].code >= pair[1].code) {
            return Err(Defect::new("code", "each code once, sorted", &pair[1].code));
        }
        self.countries.iter().try_for_each(check_country)
    }

    fn encode(&self, out: &mut dyn Write) -> io::Result<()> {
        Ok(serde_json::to_writer(out, self)?)
    }

    fn decode(bytes: &[u8]) -> Result<Self, Defect> {
        let decoded: Self =
            serde_json::from_slice(bytes).map_err(|error| Defect::new("countries", "a snapshot", error))?;
        decoded.check()?;
        Ok(decoded)
    }
}

fn check_country(country: &Country) -> Result<(), Defect> {
    let is_letters = |text: &str, length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_uppercase());
    if !is_letters(&country.code, 2) {
        return Err(Defect::new("code", "two capital letters", &country.code));
    }
    if !is_letters(&country.code3, 3) {
        return Err(Defect::new("code3", "three capital letters", &country.code3));
    }
    let name = &country.name;
    if name.is_empty() || name.len() > MAX_NAME_BYTES || name.chars().any(char::is_control) {
        return Err(Defect::new("name", "1 to 100 printable bytes", name));
    }
    if !CONTINENTS.contains(&country.continent.as_str()) {
        let found = &country.continent;
        return Err(Defect::new("continent", "AF AN AS EU NA OC or SA", found));
    }
    if country.population > MAX_POPULATION {
        let found = country.population;
        return Err(Defect::new("population", "at most 2 billion", found));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Countries, VENDORED};
    use crate::entries::{Entries, PENDING};
    use std::collections::BTreeSet;

    #[test]
    fn the_vendored_list_is_complete() {
        let all = Countries::vendored().unwrap().countries;
        assert_eq!(all.len(), 249);
        let code3: BTreeSet<&str> = all.iter().map(|country| country.code3.as_str()).collect();
        assert_eq!(code3.len(), 249);
        let world: u64 = all.iter().map(|country| country.population).sum();
        assert!((8_000_000_000..8_400_000_000).contains(&world), "{world}");
        let empty: Vec<&str> =
            all.iter().filter(|country| country.population == 0).map(|country| country.code.as_str()).collect();
        assert_eq!(empty, ["AQ", "BV", "HM", "UM"]);
    }

    #[test]
    fn every_population_names_its_source() {
        for line in VENDORED.lines() {
            let country: serde_json::Value = serde_json::from_str(line).unwrap();
            match country["population_source"].as_str() {
                Some("worldbank") => assert!(country["population_year"].is_u64(), "{line}"),
                Some("geonames") => assert!(country["population_year"].is_null(), "{line}"),
                _ => panic!("expected a known population_source: {line}"),
            }
        }
    }

    #[test]
    fn bad_data_names_the_field() {
        for (good, bad, field) in [
            (r#""code":"DE""#, r#""code":"de""#, "in code"),
            (r#""code":"DE""#, r#""code":"FR""#, "in code"),
            (r#""code3":"DEU""#, r#""code3":"DE""#, "in code3"),
            (r#""name":"Germany""#, r#""name":"""#, "in name"),
            (r#""name":"Germany","continent":"EU""#, r#""name":"Germany","continent":"XX""#, "in continent"),
            (
                r#""code3":"DEU","name":"Germany","continent":"EU","population":"#,
                r#""code3":"DEU","name":"Germany","continent":"EU","population":99"#,
                "in population",
            ),
            (r#""name":"Germany","#, "", "in countries"),
        ] {
            assert!(VENDORED.contains(good), "{good}");
            let error = Countries::parse(&VENDORED.replace(good, bad)).unwrap_err();
            assert!(error.to_string().ends_with(field), "{bad}: {error}");
        }
        let half: String = VENDORED.lines().take(100).collect::<Vec<_>>().join("\n");
        assert!(Countries::parse(&half).is_err());
        assert!(Countries::parse("").is_err());
    }

    #[test]
    fn only_a_changed_country_gets_a_new_time() {
        let mut old = Countries::vendored().unwrap();
        old.stamp(100);
        let text = VENDORED.replace(r#""name":"Germany""#, r#""name":"Deutschland""#);
        let new = Countries::parse(&text).unwrap().succeeding(&old);
        let changed: Vec<&str> = (0..new.len())
            .filter(|&index| new.updated_at(index) == PENDING)
            .map(|index| new.countries[index].code.as_str())
            .collect();
        assert_eq!(changed, ["DE"]);
    }
}
