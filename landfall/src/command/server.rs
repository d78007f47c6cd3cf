//! How a command reaches one ClickHouse. In scope: the arguments that every such command has.

use clap::Args;
use landfall::connection::Target;

#[derive(Args, Debug)]
#[group(skip)]
pub(crate) struct Arguments {
    /// HTTP interface of the ClickHouse; for several regions run the command once for each
    #[arg(long, default_value = "http://127.0.0.1:8123")]
    url: String,
    /// User; what it must be allowed is said above
    #[arg(long, default_value = "default")]
    user: String,
    /// Its password; the variable is better, because arguments show in process lists
    #[arg(long, env = "LANDFALL_CLICKHOUSE_PASSWORD", hide_env_values = true, default_value = "")]
    password: String,
}

impl Arguments {
    /// Where to connect and as whom.
    pub(crate) fn target(&self) -> Target {
        Target { url: self.url.clone(), user: self.user.clone(), password: self.password.clone() }
    }
}
