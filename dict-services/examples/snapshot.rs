//! Writes a snapshot of generated users, as a service leaves it on disk: `cargo xtask bench feeds` serves it with the real service.
//!
//! In scope: any number of users, of whom a part changed lately. Out of scope: users that mean anything.

use std::error::Error;
use std::path::PathBuf;

use clap::Parser;
use dict_services::entries::Entries;
use dict_services::segment::table::{Entry, Segment, Table};
use dict_services::store::Store;

/// Names of the length that real ones have.
const NAMES: [&str; 8] = ["champions", "loyal", "promising", "new", "at_risk", "hibernating", "browsers", "anonymous"];
const PPM: u64 = 1_000_000;
/// Irregular, so that compression has something to do.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
const DAY_S: u32 = 24 * 60 * 60;

/// Write a snapshot of generated users.
#[derive(Parser)]
struct Arguments {
    /// Folder to write user-segments.snapshot into
    #[arg(long)]
    data_dir: PathBuf,
    /// How many users; their ids are the multiples of 7
    #[arg(long, default_value_t = 10_000_000)]
    users: u32,
    /// Every how manieth user changed at --changed-at; the others did a day before
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    changed_every: u32,
    /// Unix seconds
    #[arg(long)]
    changed_at: u32,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let segments = (0_u16..).zip(NAMES).map(|(id, name)| Segment { id, name: name.to_owned() }).collect();
    let mut table = Table::with_capacity(segments, 0);
    for number in 0..arguments.users {
        let noise = u64::from(number).wrapping_mul(SPREAD);
        let is_changed = number.is_multiple_of(arguments.changed_every);
        table.push(Entry {
            user_id: u64::from(number) * 7,
            segment_id: u16::try_from(noise >> 61)?,
            score_ppm: u32::try_from((noise >> 8) % PPM)?,
            confidence_ppm: u32::try_from((noise >> 24) % PPM)?,
            updated_at: if is_changed { arguments.changed_at } else { arguments.changed_at.saturating_sub(DAY_S) },
            is_deleted: false,
        });
    }
    table.check()?;
    Store::open(&arguments.data_dir)?.save(&table, arguments.changed_at)?;
    println!("{} users", table.len());
    Ok(())
}
