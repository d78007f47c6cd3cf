//! "An acknowledged event is in ClickHouse exactly once, whatever fails": the core of `cargo xtask chaos`.

use anyhow::{Result, ensure};
use xtask::chaos::{self, Options};

use crate::Test;
use crate::lab::Lab;

pub(crate) const TESTS: &[(&str, Test)] =
    &[("faults_under_load_lose_and_double_nothing", faults_under_load_lose_and_double_nothing)];

/// Those that tell most in little time.
const FAULTS: [&str; 7] =
    ["kill-both", "kill-workerd", "reset-after-body", "retriable-codes", "other-password", "bad-gateway", "poison-row"];

fn faults_under_load_lose_and_double_nothing(lab: &mut Lab) -> Result<()> {
    let options = Options {
        events: 10_000,
        rate: 200,
        faults: FAULTS.map(str::to_owned).to_vec(),
        random_seconds: 0,
        seed: 1,
        dir: None,
    };
    let report = chaos::run(&lab.folder("chaos"), &options)?;
    println!("{report}");
    ensure!(report.is_clean(), "{report}");
    Ok(())
}
