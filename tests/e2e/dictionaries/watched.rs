//! A dictionary of countries that is looked at while things go wrong.

use anyhow::{Context, Result, ensure};
use xtask::stack::clickhouse::Endpoint;

use super::health::Health;
use super::statement::{COUNTRIES, Statement};
use crate::lab;

/// A dictionary of countries over a proxy, loaded.
pub(super) struct Watched<'a> {
    pub(super) endpoint: &'a Endpoint,
    pub(super) name: &'a str,
}

impl<'a> Watched<'a> {
    pub(super) fn create(endpoint: &'a Endpoint, name: &'a str, port: u16) -> Result<Self> {
        endpoint.query(Statement::read(COUNTRIES)?.named(name)?.over(port, "countries")?.sql())?;
        let watched = Self { endpoint, name };
        watched.reload()?;
        Ok(watched)
    }

    pub(super) fn reload(&self) -> Result<()> {
        self.endpoint.query(&format!("SYSTEM RELOAD DICTIONARY ecommerce.{}", self.name)).map(drop)
    }

    /// What it answers for Germany, if it has every country.
    pub(super) fn germany(&self) -> Result<String> {
        let name = self.name;
        let sql = format!("SELECT dictGet('ecommerce.{name}', 'name', 'DE'), count() FROM ecommerce.{name}");
        let answer = self.endpoint.query(&sql)?;
        let germany =
            answer.strip_suffix("\t249").with_context(|| format!("expected all countries, found {answer}"))?;
        Ok(germany.to_owned())
    }

    /// A reload fails, the data stays, and a monitor sees it. The server loads a new dictionary by itself: a reload may meet the end of that.
    pub(super) fn expect_failing(&self, fault: &str) -> Result<()> {
        lab::wait_for(&format!("{fault}: a reload that fails"), 5, || Ok(self.reload().err()))?;
        ensure!(self.germany()? == "Germany", "{fault}: expected the last good data, found {}", self.germany()?);
        let health = Health::expect(self.endpoint, self.name, "failing").with_context(|| fault.to_owned())?;
        ensure!(health.errors >= 1 && health.rows == 249 && health.age_s.is_some(), "{fault}: {health:?}");
        Ok(())
    }

    pub(super) fn expect_good(&self) -> Result<()> {
        lab::wait_for("a reload that succeeds", 5, || self.reload().map(Some))?;
        ensure!(self.germany()? == "Germany", "expected good data, found {}", self.germany()?);
        let health = Health::expect(self.endpoint, self.name, "ok")?;
        ensure!(health.rows == 249 && health.errors == 0, "{health:?}");
        Ok(())
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        // The next test's dictionary has another name, so what is left does no harm.
        self.endpoint.query(&format!("DROP DICTIONARY IF EXISTS ecommerce.{}", self.name)).ok();
    }
}
