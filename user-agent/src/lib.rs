//! Who is calling: a user-agent string and its client hints become browser, operating system, device and crawler.
#![forbid(unsafe_code)]

mod agent;
mod crawler;
#[cfg(not(feature = "compile"))]
mod family;
#[cfg(feature = "compile")]
pub mod family;
mod hint;
mod parser;
pub mod pattern;

pub use agent::{Agent, DeviceType};
pub use crawler::{Crawler, CrawlerClass, crawler};
pub use hint::ClientHints;
pub use parser::Parser;
