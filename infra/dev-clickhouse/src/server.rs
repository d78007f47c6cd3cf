//! This process's own server, seen through its HTTP port.
//!
//! In scope: the three requests that supervision needs. Out of scope: when to send them (`reload`).

use std::net::Ipv4Addr;
use std::time::Duration;

use serde::Deserialize;

use crate::config::Supervisor;

/// A reload is answered when the load is done: three tries of the slowest feed fit.
const RELOAD_LIMIT_S: u64 = 300;
/// Everything else is answered at once.
const REQUEST_LIMIT_S: u64 = 10;

/// `status` is not read: what counts is when a dictionary was last loaded.
const LIST_DICTIONARIES: &str = "SELECT database, name, toUInt32(lifetime_min) AS lifetime_min_s, toUInt32(lifetime_max) AS lifetime_max_s, \
     if(last_successful_update_time = 0, NULL, toUInt32(dateDiff('second', last_successful_update_time, now()))) AS age_s \
     FROM system.dictionaries FORMAT JSONEachRow";

#[derive(Debug, thiserror::Error)]
pub(crate) enum ServerError {
    #[error(transparent)]
    Http(#[from] ureq::Error),
    #[error("{0}")]
    Reply(String),
    #[error("expected a row of system.dictionaries: {0}")]
    Row(#[from] serde_json::Error),
}

#[derive(Debug, thiserror::Error)]
#[error("no random numbers from the operating system")]
pub(crate) struct RandomError(#[source] getrandom::Error);

pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(RandomError)?;
    Ok(bytes)
}

/// A dictionary as the server lists it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Dictionary {
    database: String,
    name: String,
    pub(crate) lifetime_min_s: u32,
    pub(crate) lifetime_max_s: u32,
    /// Seconds since the last good load; none if there was none.
    pub(crate) age_s: Option<u32>,
}

impl Dictionary {
    /// The name as SQL.
    pub(crate) fn quoted_name(&self) -> String {
        let quote = |part: &str| format!("`{}`", part.replace('\\', r"\\").replace('`', r"\`"));
        if self.database.is_empty() {
            quote(&self.name)
        } else {
            format!("{}.{}", quote(&self.database), quote(&self.name))
        }
    }
}

pub(crate) struct Server {
    url: String,
    supervisor: Supervisor,
    agent: ureq::Agent,
}

impl Server {
    pub(crate) fn new(listen: Ipv4Addr, http_port: u16, supervisor: Supervisor) -> Self {
        let address = if listen.is_unspecified() { Ipv4Addr::LOCALHOST } else { listen };
        let url = format!("http://{address}:{http_port}/");
        let agent = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into();
        Self { url, supervisor, agent }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn is_up(&self) -> bool {
        let ping = self.agent.get(format!("{}ping", self.url));
        ping.config()
            .timeout_global(Some(Duration::from_secs(REQUEST_LIMIT_S)))
            .build()
            .call()
            .is_ok_and(|reply| reply.status() == 200)
    }

    pub(crate) fn dictionaries(&self) -> Result<Vec<Dictionary>, ServerError> {
        let rows = self.execute(LIST_DICTIONARIES, REQUEST_LIMIT_S)?;
        Ok(rows.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
    }

    pub(crate) fn reload(&self, dictionary: &Dictionary) -> Result<(), ServerError> {
        self.execute(&format!("SYSTEM RELOAD DICTIONARY {}", dictionary.quoted_name()), RELOAD_LIMIT_S).map(drop)
    }

    fn execute(&self, sql: &str, limit_s: u64) -> Result<String, ServerError> {
        let request = self.agent.post(&self.url).header("X-ClickHouse-User", Supervisor::NAME);
        let request = request.header("X-ClickHouse-Key", &self.supervisor.password);
        let mut reply = request.config().timeout_global(Some(Duration::from_secs(limit_s))).build().send(sql)?;
        let text = reply.body_mut().read_to_string()?;
        if reply.status() == 200 { Ok(text) } else { Err(ServerError::Reply(text.trim().to_owned())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listed_dictionary_is_read_and_its_name_quoted() {
        let row = r#"{"database":"a`b","name":"c","lifetime_min_s":300,"lifetime_max_s":600,"age_s":null}"#;
        let dictionary: Dictionary = serde_json::from_str(row).unwrap();
        assert_eq!((dictionary.quoted_name().as_str(), dictionary.age_s), (r"`a\`b`.`c`", None));
    }
}
