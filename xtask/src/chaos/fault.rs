//! The faults. A new one is a file here, shaped like its siblings, and two lines below.
//!
//! Each breaks something, lets it last until the Worker has felt it, and mends it. An error says that the fault could not be brought
//! about, or that the Worker did not do what it must while it lasted; what was lost or doubled shows in the account.

use std::time::Duration;

use anyhow::Result;

use super::scene::Scene;

mod answer_late;
mod bad_gateway;
mod clock_jump;
mod exception_in_body;
mod full_disk;
mod home_away;
mod kill_both;
mod kill_clickhouse;
mod kill_workerd;
mod other_password;
mod outage;
mod poison_row;
mod random;
mod refused;
mod renamed_table;
mod reset_after_body;
mod reset_before_body;
mod reset_in_body;
mod retriable_codes;

/// One way to fail.
pub(super) struct Fault {
    /// As on the command line.
    pub(super) name: &'static str,
    /// What happens, in a few words.
    pub(super) about: &'static str,
    /// Why it cannot be brought about on this machine, if so.
    pub(super) hindrance: fn(&Scene) -> Option<&'static str>,
    /// Breaks and mends.
    pub(super) inject: fn(&mut Scene, Phase) -> Result<()>,
}

/// The number of the phase that a fault's events belong to.
pub(super) type Phase = usize;

/// Every fault, in the order of a full run.
pub(super) const ALL: &[Fault] = &[
    kill_clickhouse::FAULT,
    kill_workerd::FAULT,
    kill_both::FAULT,
    refused::FAULT,
    reset_before_body::FAULT,
    reset_in_body::FAULT,
    reset_after_body::FAULT,
    answer_late::FAULT,
    bad_gateway::FAULT,
    retriable_codes::FAULT,
    exception_in_body::FAULT,
    renamed_table::FAULT,
    other_password::FAULT,
    poison_row::FAULT,
    full_disk::FAULT,
    clock_jump::FAULT,
    outage::FAULT,
    home_away::FAULT,
    random::FAULT,
];

/// For faults that are possible everywhere.
fn nothing(_scene: &Scene) -> Option<&'static str> {
    None
}

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_fit_the_command_line() {
        for (number, fault) in ALL.iter().enumerate() {
            assert!(fault.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{}", fault.name);
            assert!(!ALL[..number].iter().any(|other| other.name == fault.name), "{} twice", fault.name);
        }
    }
}
