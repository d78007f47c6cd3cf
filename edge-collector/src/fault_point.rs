//! Points between the steps of a flush at which a test kills the process, or has the platform fail. In scope: which of the two builds this is.
//! Out of scope: which points there are (`point`).
//!
//! Only in test builds (feature `fault-points`): the production Worker has nothing of it.

#[cfg(feature = "fault-points")]
mod asking;
#[cfg(not(feature = "fault-points"))]
mod nothing;
mod point;

#[cfg(feature = "fault-points")]
pub(crate) use asking::{alarm, check_room, reached, reached_with};
#[cfg(not(feature = "fault-points"))]
pub(crate) use nothing::{alarm, check_room, reached, reached_with};
pub(crate) use point::Point;
