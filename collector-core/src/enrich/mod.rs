//! Facts that the edge adds to an event. Facts are added, nothing is fetched.
//!
//! In scope: time, visitor, page, channel, personal data removed. Out of scope: policy (`filter`), the shape of a row (`row`).

pub mod channel;
pub mod mask;
pub mod page;
pub mod time;
pub mod visitor;
