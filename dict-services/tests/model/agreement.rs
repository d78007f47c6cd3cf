//! How well two groupings of the same things agree.

use std::collections::HashMap;
use std::hash::Hash;

/// Adjusted Rand index (Hubert, Arabie, 1985): 1 is the same grouping, 0 what chance would give.
pub(crate) fn adjusted_rand_index<A: Hash + Eq + Copy, B: Hash + Eq + Copy>(pairs: &[(A, B)]) -> f64 {
    let (mut cells, mut rows, mut columns) = (HashMap::new(), HashMap::new(), HashMap::new());
    for (left, right) in pairs {
        *cells.entry((*left, *right)).or_insert(0_u32) += 1;
        *rows.entry(*left).or_insert(0_u32) += 1;
        *columns.entry(*right).or_insert(0_u32) += 1;
    }
    let twos = |count: u32| f64::from(count) * (f64::from(count) - 1.0) / 2.0;
    let together: f64 = cells.into_values().map(twos).sum();
    let left: f64 = rows.into_values().map(twos).sum();
    let right: f64 = columns.into_values().map(twos).sum();
    let by_chance = left * right / twos(u32::try_from(pairs.len()).expect("fewer than 4 billion"));
    (together - by_chance) / (f64::midpoint(left, right) - by_chance)
}

#[test]
fn the_index_is_that_of_known_groupings() {
    let index = |pairs: &[(u8, u8)]| adjusted_rand_index(pairs);
    assert!((index(&[(0, 5), (0, 5), (1, 6), (1, 6)]) - 1.0).abs() < 1e-12);
    // By hand: one pair together in both of 6, two and one expected.
    assert!((index(&[(0, 0), (0, 0), (1, 0), (1, 1)]) - 0.0).abs() < 1e-12);
    assert!((index(&[(0, 0), (0, 0), (1, 1), (1, 2)]) - 4.0 / 7.0).abs() < 1e-12);
}
