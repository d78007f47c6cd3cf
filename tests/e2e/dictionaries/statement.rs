//! The statements of `infra/clickhouse`, under another name, with another layout or over another feed. In scope: text. What is tested is what
//! is delivered: only what a test has to change is changed.

use std::fs;

use anyhow::{Context, Result, ensure};
use xtask::paths;

/// The delivered statements that make a dictionary.
pub(super) const COUNTRIES: &str = "schema/0004_countries_dict.sql";
pub(super) const USER_SEGMENTS: &str = "schema/0005_user_segments_dict.sql";
pub(super) const USER_SEGMENTS_INCREMENTAL: &str = "dictionaries/user_segments_incremental.sql";

/// A delivered statement in the making of another.
#[derive(Clone)]
pub(super) struct Statement(String);

impl Statement {
    pub(super) fn read(file: &str) -> Result<Self> {
        let path = paths::root().join("infra/clickhouse").join(file);
        let text = fs::read_to_string(&path).with_context(|| format!("expected {}", path.display()))?;
        let text = text.trim_end().trim_end_matches(';');
        Ok(Self(text.replace("CREATE DICTIONARY IF NOT EXISTS", "CREATE OR REPLACE DICTIONARY")))
    }

    /// Another name.
    pub(super) fn named(self, name: &str) -> Result<Self> {
        let own = ["countries_dict", "user_segments_dict"];
        let own = own.iter().find(|own| self.0.contains(&format!("DICTIONARY ecommerce.{own}\n")));
        let own = own.context("expected a known dictionary")?;
        self.replace(&format!("DICTIONARY ecommerce.{own}\n"), &format!("DICTIONARY ecommerce.{name}\n"))
    }

    /// The same named collection, with another URL.
    pub(super) fn over(self, port: u16, path: &str) -> Result<Self> {
        let collection = path.split('?').next().unwrap_or(path).replace('-', "_");
        let source = format!("HTTP(NAME {collection}");
        self.replace(&format!("{source})"), &format!("{source} url 'http://127.0.0.1:{port}/{path}')"))
    }

    /// Another layout. CACHE keeps its LIFETIME, DIRECT has none.
    pub(super) fn laid_out(self, layout: &str) -> Result<Self> {
        let (start, rest) = self.0.split_once("LAYOUT(").context("expected a LAYOUT")?;
        let (_, rest) = rest.split_once('\n').context("expected LAYOUT on a line of its own")?;
        let (lifetime, settings) = rest.split_once('\n').context("expected LIFETIME on a line of its own")?;
        let lifetime = if layout.contains("DIRECT") { "" } else { lifetime };
        Ok(Self(format!("{start}LAYOUT({layout})\n{lifetime}\n{settings}")))
    }

    /// The variables that an operator sets for a template.
    pub(super) fn with_feed(self, port: u16, token: &str) -> Result<Self> {
        self.replace("'${LANDFALL_USER_SEGMENTS_URL}'", &format!("'http://127.0.0.1:{port}/user-segments'"))?
            .replace("'${LANDFALL_USER_SEGMENTS_TOKEN}'", &format!("'{token}'"))
    }

    pub(super) fn sql(&self) -> &str {
        &self.0
    }

    fn replace(self, from: &str, to: &str) -> Result<Self> {
        ensure!(self.0.contains(from), "expected {from:?} in {}", self.0);
        Ok(Self(self.0.replace(from, to)))
    }
}
