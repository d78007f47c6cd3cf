//! The dictionaries of `infra/clickhouse` declare what the feeds send, no more and no less: a missing attribute would be a zero in silence.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use dict_services::country::Countries;
use dict_services::segment::table::Table;

use crate::{Answer, get, shell, table};

const NOW: u32 = 1_763_660_000;

/// The names between the parentheses that follow `CREATE ... DICTIONARY name`.
fn declared(file: &str) -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/clickhouse").join(file);
    let text = fs::read_to_string(&path).unwrap();
    let list = text.split_once("\n(\n").unwrap().1.split_once("\n)\n").unwrap().0;
    list.lines().map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
}

/// The names in every line.
fn sent(answer: &Answer) -> BTreeSet<String> {
    let mut names = answer.lines().into_iter().map(|line| line.as_object().unwrap().keys().cloned().collect());
    let first = names.next().unwrap();
    assert!(names.all(|other: BTreeSet<String>| other == first));
    first
}

#[tokio::test]
async fn countries_are_declared_as_they_are_sent() {
    let shell = shell::<Countries>();
    shell.feed.publish(Countries::vendored().unwrap(), NOW).unwrap();
    assert_eq!(declared("schema/0004_countries_dict.sql"), sent(&get(&shell, "/countries").await));
}

#[tokio::test]
async fn users_are_declared_as_they_are_sent_in_every_layout() {
    let shell = shell::<Table>();
    shell.feed.publish(table(None, &[(1, 1), (2, 2)], NOW), NOW).unwrap();
    let sent = sent(&get(&shell, "/user-segments").await);
    for file in [
        "schema/0005_user_segments_dict.sql",
        "schema/0010_user_segments_cache_dict.sql",
        "schema/0011_user_segments_direct_dict.sql",
        "dictionaries/user_segments_incremental.sql",
    ] {
        assert_eq!(declared(file), sent, "{file}");
    }
}
