//! Who is calling: a user-agent string and its client hints become browser, operating system, device and crawler.
//!
//! In scope: everything that the strings themselves say, with the answers of uap-core for browser, operating system and
//! device, in bounded time and memory. Out of scope: any other evidence about a client (headers,
//! networks, behaviour), I/O, clocks and randomness; this crate is pure and runs on the Worker's hot path.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod cache;
#[cfg(not(feature = "compile"))]
mod crawler;
#[cfg(feature = "compile")]
pub mod crawler;
#[cfg(not(feature = "compile"))]
mod family;
#[cfg(feature = "compile")]
pub mod family;
mod hint;
mod parser;
pub mod pattern;
mod refine;
mod user_agent;

pub use crawler::{Crawler, CrawlerClass};
pub use hint::ClientHints;
#[cfg(any(test, feature = "steps"))]
pub use parser::MAX_STEPS_PER_BYTE;
pub use parser::{MAX_USER_AGENT_BYTES, Parser};
pub use user_agent::{DeviceType, UserAgent};
