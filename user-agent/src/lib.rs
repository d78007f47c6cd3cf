//! Who is calling: a user-agent string and its client hints become browser, operating system, device and crawler.
#![forbid(unsafe_code)]

mod agent;
mod crawler;
mod hint;
mod parser;

pub use agent::{Agent, DeviceType};
pub use crawler::{Crawler, CrawlerClass, crawler};
pub use hint::ClientHints;
pub use parser::Parser;
