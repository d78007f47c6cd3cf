//! The Registry: one Durable Object with the site settings and the daily salts. In scope: its storage and its small internal interface.
//! Out of scope: who may change a site (`http`), caching (`site_cache`).
//!
//! Salts are random, one per UTC day. Today's and yesterday's exist (a session may cross midnight); an older one is deleted when the
//! day after is first asked for, by a beacon or by the sweep, and from then on nobody can compute that day's visitor ids again.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};

use collector_core::site::{Site, Sites};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use worker::{
    DurableObject, Env, Error, Method, Request, Response, Result, SqlStorage, SqlStorageValue as Value, State,
    durable_object,
};

use crate::sqlite::{blob, integer, number, text};
use crate::{clock, log, random};

/// The name of the only object of its class.
pub(crate) const NAME: &str = "registry";
const MS_PER_DAY: i64 = 86_400_000;
const SALT_BYTES: usize = 16;

/// What a collector isolate needs to know of a site.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The settings as JSON text; absent if there is no such site.
    pub(crate) settings: Option<String>,
    pub(crate) salts: Vec<Salt>,
}

/// The salt of one UTC day.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Salt {
    /// Days since 1970-01-01.
    pub(crate) day: i64,
    pub(crate) salt: [u8; SALT_BYTES],
}

#[durable_object(fetch)]
pub struct Registry {
    state: State,
    env: Env,
    /// Whose pages may send, for preflights; empty until the first one.
    origins: RefCell<Option<Vec<Site>>>,
    /// The sites of the `SITES` variable, each as it stands there; read once, since beacons may name any id.
    bootstrap: OnceCell<Vec<Box<RawValue>>>,
}

impl DurableObject for Registry {
    fn new(state: State, env: Env) -> Self {
        Self { state, env, origins: RefCell::default(), bootstrap: OnceCell::new() }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        // An error would be the caller's exception; a status says what is wrong.
        self.answer(&mut request).await.or_else(|error| {
            log::warn("registry_failed", &error);
            Response::error(error.to_string(), 503)
        })
    }
}

impl Registry {
    async fn answer(&self, request: &mut Request) -> Result<Response> {
        let method = request.method();
        let path = request.path();
        let Some(id) = path.strip_prefix("/sites/") else {
            return match path.as_str() {
                "/origin" => self.allows_origin(&request.text().await?),
                "/salts" => self.clean(),
                _ => self.list(),
            };
        };
        match method {
            Method::Put => {
                let settings = request.text().await?;
                self.put(id, &settings)
            }
            Method::Delete => self.delete(id),
            _ => self.entry(id),
        }
    }

    /// SQLite with the two tables of this object.
    fn sql(&self) -> Result<SqlStorage> {
        let sql = self.state.storage().sql();
        sql.exec("CREATE TABLE IF NOT EXISTS sites (id TEXT PRIMARY KEY, settings TEXT) WITHOUT ROWID", None)?;
        sql.exec("CREATE TABLE IF NOT EXISTS salts (day INTEGER PRIMARY KEY, salt BLOB NOT NULL)", None)?;
        Ok(sql)
    }

    fn entry(&self, id: &str) -> Result<Response> {
        let sql = self.sql()?;
        let settings = match stored(&sql, id)? {
            Stored::Settings(settings) => Some(settings),
            Stored::Deleted => None,
            Stored::Never => {
                self.bootstrap_sites()?.iter().find(|site| Named::of(site).id == id).map(|site| site.get().to_owned())
            }
        };
        Response::from_json(&Entry { settings, salts: salts(&sql, clock::now_ms())? })
    }

    /// The sites of the `SITES` variable.
    fn bootstrap_sites(&self) -> Result<&[Box<RawValue>]> {
        if let Some(sites) = self.bootstrap.get() {
            return Ok(sites);
        }
        let text = self.env.var("SITES").map_or_else(|_| String::new(), |text| text.to_string());
        let text = if text.is_empty() { "[]" } else { &text };
        // With a mistake in the list nobody can tell which sites there are, and "no such site" would be final.
        Sites::parse(text).map_err(|error| Error::RustError(format!("variable SITES: {error}")))?;
        let sites = serde_json::from_str(text)?;
        Ok(self.bootstrap.get_or_init(|| sites))
    }

    fn put(&self, id: &str, settings: &str) -> Result<Response> {
        let values = vec![text(id), text(settings)];
        self.sql()?.exec("INSERT OR REPLACE INTO sites (id, settings) VALUES (?, ?)", values)?;
        self.origins.take();
        Response::empty()
    }

    /// A deleted site that the `SITES` variable may name stays as a mark, so that the variable does not bring it back.
    fn delete(&self, id: &str) -> Result<Response> {
        let is_named = self.bootstrap_sites().map_or(true, |sites| sites.iter().any(|site| Named::of(site).id == id));
        let statement = if is_named {
            "INSERT OR REPLACE INTO sites (id, settings) VALUES (?, NULL)"
        } else {
            "DELETE FROM sites WHERE id = ?"
        };
        self.sql()?.exec(statement, vec![text(id)])?;
        self.origins.take();
        Response::empty()
    }

    fn list(&self) -> Result<Response> {
        Response::from_json(&self.sites()?)
    }

    /// Whether a page of this origin may send for some site: `true` or `false`.
    fn allows_origin(&self, origin: &str) -> Result<Response> {
        let mut known = self.origins.borrow_mut();
        let sites = match &mut *known {
            Some(sites) => sites,
            none => none.insert(self.sites()?.iter().filter_map(|site| Named::of(site).into_site()).collect()),
        };
        Response::from_json(&sites.iter().any(|site| site.allows_origin(Some(origin))))
    }

    /// Deletes the salts of days that are over, also when nobody sends.
    fn clean(&self) -> Result<Response> {
        salts(&self.sql()?, clock::now_ms())?;
        Response::empty()
    }

    /// Every site's settings.
    fn sites(&self) -> Result<Vec<Box<RawValue>>> {
        let cursor = self.sql()?.exec("SELECT id, settings FROM sites ORDER BY id", None)?;
        let mut sites = Vec::new();
        let mut known = Vec::new();
        for row in cursor.raw() {
            let mut row = row?.into_iter();
            if let Some(Value::String(id)) = row.next() {
                known.push(id);
            }
            if let Some(Value::String(settings)) = row.next() {
                sites.extend(RawValue::from_string(settings).ok());
            }
        }
        let is_new = |site: &RawValue| !known.iter().any(|known| *known == Named::of(site).id);
        sites.extend(self.bootstrap_sites()?.iter().filter(|site| is_new(site)).cloned());
        Ok(sites)
    }
}

/// What of a site's settings does not need all of them to be read.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Named<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    domains: Vec<String>,
    allow_null_origin: bool,
}

impl<'a> Named<'a> {
    fn of(settings: &'a RawValue) -> Self {
        serde_json::from_str(settings.get()).unwrap_or_default()
    }

    /// The site, as far as origins go.
    fn into_site(self) -> Option<Site> {
        let domains: Vec<&str> = self.domains.iter().map(String::as_str).collect();
        Some(Site { allow_null_origin: self.allow_null_origin, ..Site::new(&self.id, &domains).ok()? })
    }
}

/// What the storage knows of a site.
enum Stored {
    Settings(String),
    Deleted,
    Never,
}

fn stored(sql: &SqlStorage, id: &str) -> Result<Stored> {
    let cursor = sql.exec("SELECT settings FROM sites WHERE id = ?", vec![text(id)])?;
    let row = cursor.raw().next().transpose()?;
    Ok(match row.map(|row| row.into_iter().next()) {
        Some(Some(Value::String(settings))) => Stored::Settings(settings),
        Some(_) => Stored::Deleted,
        None => Stored::Never,
    })
}

/// Today's and yesterday's salts; today's is made when it is first asked for, and everything older is deleted then.
fn salts(sql: &SqlStorage, now_ms: i64) -> Result<Vec<Salt>> {
    let today = now_ms.div_euclid(MS_PER_DAY);
    let mut salts = Vec::new();
    // A clock that was ahead has left salts of days to come.
    let query = "SELECT day, salt FROM salts WHERE day BETWEEN ? AND ? ORDER BY day DESC";
    for row in sql.exec(query, vec![number(today - 1)?, number(today)?])?.raw() {
        let mut row = row?.into_iter();
        if let Ok(day) = integer(row.next().as_ref())
            && let Ok(bytes) = blob(row.next())
            && let Ok(salt) = <[u8; SALT_BYTES]>::try_from(bytes)
        {
            salts.push(Salt { day, salt });
        }
    }
    if !salts.iter().any(|salt| salt.day == today) {
        let salt = random::bytes::<SALT_BYTES>()?;
        sql.exec("INSERT INTO salts (day, salt) VALUES (?, ?)", vec![number(today)?, Value::Blob(salt.to_vec())])?;
        // Days that follow one another are true. A clock that leaps days ahead may be wrong, and would take the present day's salt.
        if salts.iter().any(|salt| salt.day == today - 1) {
            sql.exec("DELETE FROM salts WHERE day < ?", vec![number(today - 1)?])?;
        }
        salts.insert(0, Salt { day: today, salt });
    }
    Ok(salts)
}
