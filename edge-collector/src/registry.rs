//! The Registry: one Durable Object with the site settings and the daily salts. In scope: its storage and its small internal interface.
//! Out of scope: who may change a site (`http`), caching (`site_cache`).
//!
//! Salts are random, one per UTC day. Today's and yesterday's exist (a session may cross midnight); an older one is deleted when a newer
//! day is first asked for, and from then on nobody can compute that day's visitor ids again.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use worker::{
    DurableObject, Env, Method, Request, Response, Result, SqlStorage, SqlStorageValue as Value, State, durable_object,
};

use crate::clock;

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
}

impl DurableObject for Registry {
    fn new(state: State, env: Env) -> Self {
        Self { state, env }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let method = request.method();
        let path = request.path();
        let Some(id) = path.strip_prefix("/sites/") else {
            return self.list();
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
}

impl Registry {
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
                self.bootstrap_sites().into_iter().find(|site| site_id(site) == id).map(|site| site.get().to_owned())
            }
        };
        Response::from_json(&Entry { settings, salts: salts(&sql, clock::now_ms())? })
    }

    /// The sites of the `SITES` variable, each as it stands there.
    fn bootstrap_sites(&self) -> Vec<Box<RawValue>> {
        let sites = self.env.var("SITES").ok().and_then(|text| serde_json::from_str(&text.to_string()).ok());
        sites.unwrap_or_default()
    }

    fn put(&self, id: &str, settings: &str) -> Result<Response> {
        let values = vec![Value::String(id.to_owned()), Value::String(settings.to_owned())];
        self.sql()?.exec("INSERT OR REPLACE INTO sites (id, settings) VALUES (?, ?)", values)?;
        Response::empty()
    }

    /// A deleted site stays as a mark, so that the `SITES` variable does not bring it back.
    fn delete(&self, id: &str) -> Result<Response> {
        let values = vec![Value::String(id.to_owned()), Value::Null];
        self.sql()?.exec("INSERT OR REPLACE INTO sites (id, settings) VALUES (?, ?)", values)?;
        Response::empty()
    }

    fn list(&self) -> Result<Response> {
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
        let is_new = |site: &RawValue| !known.iter().any(|known| *known == site_id(site));
        sites.extend(self.bootstrap_sites().into_iter().filter(|site| is_new(site)));
        Response::from_json(&sites)
    }
}

/// The id in the settings of a site; empty if they have none.
fn site_id(settings: &RawValue) -> Cow<'_, str> {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        id: Cow<'a, str>,
    }
    serde_json::from_str(settings.get()).map_or(Cow::Borrowed(""), |Named { id }| id)
}

/// What the storage knows of a site.
enum Stored {
    Settings(String),
    Deleted,
    Never,
}

fn stored(sql: &SqlStorage, id: &str) -> Result<Stored> {
    let cursor = sql.exec("SELECT settings FROM sites WHERE id = ?", vec![Value::String(id.to_owned())])?;
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
    for row in
        sql.exec("SELECT day, salt FROM salts WHERE day >= ? ORDER BY day DESC", vec![day_value(today - 1)?])?.raw()
    {
        let mut row = row?.into_iter();
        let day = match row.next() {
            Some(Value::Integer(day)) => day,
            #[expect(clippy::cast_possible_truncation, reason = "an integer column read as a double")]
            Some(Value::Float(day)) => day as i64,
            _ => continue,
        };
        if let Some(Value::Blob(bytes)) = row.next()
            && let Ok(salt) = <[u8; SALT_BYTES]>::try_from(bytes)
        {
            salts.push(Salt { day, salt });
        }
    }
    if !salts.iter().any(|salt| salt.day == today) {
        let mut salt = [0_u8; SALT_BYTES];
        getrandom::fill(&mut salt)
            .map_err(|error| worker::Error::RustError(format!("expected random bytes, found {error}")))?;
        sql.exec("INSERT INTO salts (day, salt) VALUES (?, ?)", vec![day_value(today)?, Value::Blob(salt.to_vec())])?;
        sql.exec("DELETE FROM salts WHERE day < ?", vec![day_value(today - 1)?])?;
        salts.insert(0, Salt { day: today, salt });
    }
    Ok(salts)
}

fn day_value(day: i64) -> Result<Value> {
    Value::try_from_i64(day)
}
