//! Fetching the countries from an upstream.
//!
//! In scope: one fetch, with its limits and retries.
//! Out of scope: whether what came may be served ([`super::refresh`]).
//!
//! The upstream answers what this feed itself answers: one JSON object per line with at least `code`, `code3`, `name`, `continent` and
//! `population`. So `data/countries.jsonl` on any web server will do, and so will another countries feed.

use std::error::Error;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};
use tokio::time::sleep;

use super::Countries;
use crate::entries::Defect;
use crate::schedule::RefreshError;
use crate::tls;

/// Ten times what 249 countries take.
pub const MAX_BODY_BYTES: usize = 512 * 1024;
/// Tries of one fetch.
pub const MAX_TRIES: u32 = 3;
/// Pause before the second try; doubles.
pub const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The connection must stand within this time.
pub const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// The body must be here within this time.
pub const FETCH_DEADLINE: Duration = Duration::from_secs(30);
const MAX_REDIRECTS: usize = 3;

/// Why there are no new countries.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The connection, TLS or a deadline.
    #[error("upstream: {}", with_causes(.0))]
    Request(reqwest::Error),
    /// Anything but 200.
    #[error("upstream: expected status 200, found {0}")]
    Status(StatusCode),
    /// More than [`MAX_BODY_BYTES`].
    #[error("upstream: expected at most {MAX_BODY_BYTES} bytes, found more")]
    TooLarge,
    /// What came must not be served.
    #[error("upstream: {0}")]
    Content(#[from] Defect),
}

/// The URL stays out: it may hold a key, and the start of the service logs it anyway without its query.
impl From<reqwest::Error> for UpstreamError {
    fn from(error: reqwest::Error) -> Self {
        Self::Request(error.without_url())
    }
}

fn with_causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

impl UpstreamError {
    /// Whether the next try may end differently.
    fn is_transient(&self) -> bool {
        match self {
            Self::Request(_) => true,
            Self::Status(status) => status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS,
            Self::TooLarge | Self::Content(_) => false,
        }
    }
}

impl RefreshError for UpstreamError {
    fn is_suspicious(&self) -> bool {
        matches!(self, Self::TooLarge | Self::Content(_))
    }
}

/// Where newer countries come from.
pub struct Upstream {
    client: Client,
    url: Url,
    token: Option<String>,
}

impl Upstream {
    /// Fetches from `url`, with `token` as bearer token if there is one.
    pub fn new(url: Url, token: Option<String>) -> Result<Self, UpstreamError> {
        tls::install_provider();
        let client = Client::builder()
            .user_agent(concat!("landfall-dict-services/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_DEADLINE)
            .timeout(FETCH_DEADLINE)
            .redirect(Policy::limited(MAX_REDIRECTS))
            .build()?;
        Ok(Self { client, url, token })
    }

    /// Fetches and parses, at most [`MAX_TRIES`] times.
    pub async fn fetch(&self) -> Result<Countries, UpstreamError> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..MAX_TRIES {
            match self.try_once().await {
                Err(error) if error.is_transient() => {
                    tracing::info!(%error, "trying again");
                    sleep(pause).await;
                    pause *= 2;
                }
                result => return result,
            }
        }
        self.try_once().await
    }

    async fn try_once(&self) -> Result<Countries, UpstreamError> {
        let mut request = self.client.get(self.url.clone());
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let mut response = request.send().await?;
        if response.status() != StatusCode::OK {
            return Err(UpstreamError::Status(response.status()));
        }
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await? {
            if body.len() + piece.len() > MAX_BODY_BYTES {
                return Err(UpstreamError::TooLarge);
            }
            body.extend_from_slice(&piece);
        }
        let text = String::from_utf8(body).map_err(|error| Defect::new("countries", "UTF-8", error.utf8_error()))?;
        Ok(Countries::parse(&text)?)
    }
}
