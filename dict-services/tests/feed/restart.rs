//! The last good snapshot on disk.

use std::fs;

use dict_services::country::Countries;
use dict_services::entries::{Entries, PENDING};
use dict_services::segment::table::Table;
use dict_services::store::Store;
use proptest::collection::btree_map;
use proptest::prelude::{any, proptest};

use crate::{get, shell, table};

const NOW: u32 = 1_763_660_000;

#[tokio::test]
async fn a_restart_serves_the_same_bytes_with_the_same_times() {
    let folder = tempfile::tempdir().unwrap();
    let before = shell::<Table>();
    let published = before.feed.publish(table(None, &[(1, 1), (9, 3)], NOW), NOW).unwrap();
    Store::open(folder.path()).unwrap().save(&*published, NOW).unwrap();

    let after = shell::<Table>();
    let (entries, confirmed_at) = Store::<Table>::open(folder.path()).unwrap().load().unwrap().unwrap();
    after.feed.restore(entries, confirmed_at).unwrap();
    assert_eq!(get(&after, "/user-segments").await.body, get(&before, "/user-segments").await.body);
    assert_eq!(after.feed.age_s(NOW + 50), Some(50));
}

#[test]
fn countries_keep_their_times_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::<Countries>::open(folder.path()).unwrap();
    assert!(store.load().unwrap().is_none());
    let mut first = Countries::vendored().unwrap();
    first.stamp(NOW);
    store.save(&first, NOW).unwrap();
    let (stored, _) = store.load().unwrap().unwrap();
    assert_eq!(stored, first);
    let next = Countries::vendored().unwrap().succeeding(&stored);
    assert!((0..next.len()).all(|index| next.updated_at(index) == NOW));
    assert_ne!(NOW, PENDING);
}

#[test]
fn a_damaged_file_is_refused_whole() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::<Table>::open(folder.path()).unwrap();
    store.save(&table(None, &[(1, 1), (9, 3)], NOW), NOW).unwrap();
    let path = folder.path().join("user-segments.snapshot");
    let good = fs::read(&path).unwrap();
    for at in 0..good.len() {
        let mut flipped = good.clone();
        flipped[at] ^= 1;
        fs::write(&path, flipped).unwrap();
        assert!(store.load().is_err(), "byte {at} flipped");
        fs::write(&path, &good[..at]).unwrap();
        assert!(store.load().is_err(), "cut at byte {at}");
    }
    fs::write(&path, &good).unwrap();
    assert!(store.load().unwrap().is_some());
}

#[test]
fn a_snapshot_that_cannot_be_put_into_place_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::<Countries>::open(folder.path()).unwrap();
    // A folder where the file should be cannot be replaced by it.
    fs::create_dir_all(folder.path().join("countries.snapshot/in-the-way")).unwrap();
    store.save(&Countries::vendored().unwrap(), NOW).unwrap_err();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "a draft would fill a disk that is full");
}

#[test]
fn the_file_of_another_feed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let countries = Store::<Countries>::open(folder.path()).unwrap();
    countries.save(&Countries::vendored().unwrap(), NOW).unwrap();
    fs::rename(folder.path().join("countries.snapshot"), folder.path().join("user-segments.snapshot")).unwrap();
    let error = Store::<Table>::open(folder.path()).unwrap().load().unwrap_err();
    assert!(error.to_string().contains("found countries in feed"), "{error}");
}

proptest! {
    #[test]
    fn every_table_reads_back(users in btree_map(1_u64..=u64::MAX, 1_u16..8, 0..50), stamp in any::<u32>()) {
        let list: Vec<(u64, u16)> = users.into_iter().collect();
        let mut written = table(None, &list, NOW);
        written.stamp(stamp);
        let mut bytes = Vec::new();
        written.encode(&mut bytes).unwrap();
        assert_eq!(Table::decode(&bytes).unwrap(), written);
        bytes.push(0);
        assert!(Table::decode(&bytes).is_err());
    }
}
