//! Refreshing the countries from an upstream.
//!
//! In scope: one refresh, and the checks that an upstream's data must pass.
//! Out of scope: fetching ([`super::upstream`]), the schedule ([`crate::schedule`]).
//!
//! Countries hardly change, so data that differs much from what this program was built with is taken for an accident or an attack: no
//! code may be missing, a code keeps its alpha-3 and continent, and populations stay within a factor of
//! [`MAX_POPULATION_FACTOR`]; small ones may shrink to nothing and stay small.

use std::sync::Arc;

use super::upstream::{Upstream, UpstreamError};
use super::{Countries, Country};
use crate::clock;
use crate::entries::Defect;
use crate::route::Shell;
use crate::schedule::Refreshed;
use crate::store::Store;

/// The fastest growing country takes 18 years to double.
pub const MAX_POPULATION_FACTOR: u64 = 2;
/// Below this many inhabitants sources disagree about who counts.
pub const MIN_COMPARED_POPULATION: u64 = 100_000;

/// What a refresh works with.
pub struct Refresher {
    /// What is served.
    pub shell: Arc<Shell<Countries>>,
    /// Where newer data comes from.
    pub upstream: Upstream,
    /// Where the snapshot is kept.
    pub store: Store<Countries>,
    /// What this program was built with, to compare with.
    pub vendored: Countries,
}

impl Refresher {
    /// One refresh.
    pub async fn refresh(&self) -> Result<Refreshed, UpstreamError> {
        let fetched = self.upstream.fetch().await?;
        check_plausible(&fetched, &self.vendored)?;
        let now = clock::unix_now();
        let feed = &self.shell.feed;
        let next = match feed.snapshot() {
            Some(previous) => {
                let next = fetched.succeeding(&previous);
                if !next.differs_from(&previous) {
                    feed.confirm(now);
                    return Ok(Refreshed::Unchanged);
                }
                next
            }
            None => fetched,
        };
        let published = feed.publish(next, now)?;
        self.shell.save(&self.store, &published, now);
        Ok(Refreshed::Changed)
    }
}

/// Whether `countries` can be true if `vendored` was.
pub fn check_plausible(countries: &Countries, vendored: &Countries) -> Result<(), Defect> {
    vendored.countries.iter().try_for_each(|known| {
        let position = countries.position(&known.code);
        let position = position.ok_or_else(|| Defect::new("code", "every known code", format!("no {}", known.code)))?;
        check_same(&countries.countries[position], known)
    })
}

fn check_same(country: &Country, known: &Country) -> Result<(), Defect> {
    let of = |found: &dyn ToString| format!("{} for {}", found.to_string(), known.code);
    if country.code3 != known.code3 {
        return Err(Defect::new("code3", "the known alpha-3 of each code", of(&country.code3)));
    }
    if country.continent != known.continent {
        return Err(Defect::new("continent", "the known continent of each code", of(&country.continent)));
    }
    let is_small = known.population < MIN_COMPARED_POPULATION;
    let low = if is_small { 0 } else { known.population / MAX_POPULATION_FACTOR };
    let high = known.population.max(MIN_COMPARED_POPULATION) * MAX_POPULATION_FACTOR;
    if !(low..=high).contains(&country.population) {
        return Err(Defect::new("population", "within half and double the known one", of(&country.population)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_plausible;
    use crate::country::{Countries, VENDORED};

    #[test]
    fn small_changes_and_new_codes_are_plausible() {
        let vendored = Countries::vendored().unwrap();
        assert!(check_plausible(&vendored, &vendored).is_ok());
        let more = r#"{"code":"XK","code3":"XKX","name":"Kosovo","continent":"EU","population":1586659}"#;
        let text = VENDORED.replace(r#""name":"Germany""#, r#""name":"Deutschland""#) + more;
        assert!(check_plausible(&Countries::parse(&text).unwrap(), &vendored).is_ok());
    }

    #[test]
    fn what_cannot_be_true_is_refused_by_field() {
        let vendored = Countries::vendored().unwrap();
        let germany = VENDORED.lines().find(|line| line.contains(r#""code":"DE""#)).unwrap();
        for (good, bad, field) in [
            (germany, "", "in code"),
            (r#""code3":"DEU""#, r#""code3":"FRA""#, "in code3"),
            (r#""name":"Germany","continent":"EU""#, r#""name":"Germany","continent":"AS""#, "in continent"),
            (
                r#""name":"Germany","continent":"EU","population":8"#,
                r#""name":"Germany","continent":"EU","population":"#,
                "in population",
            ),
            (
                r#""name":"Germany","continent":"EU","population":"#,
                r#""name":"Germany","continent":"EU","population":9"#,
                "in population",
            ),
            (
                r#""name":"Monaco","continent":"EU","population":3"#,
                r#""name":"Monaco","continent":"EU","population":93"#,
                "in population",
            ),
        ] {
            assert!(VENDORED.contains(good), "{good}");
            let text = VENDORED.replace(good, bad).replace("\n\n", "\n");
            let error = check_plausible(&Countries::parse(&text).unwrap(), &vendored).unwrap_err();
            assert!(error.to_string().ends_with(field), "{bad}: {error}");
        }
    }
}
