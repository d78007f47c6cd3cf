//! Stable ids: a segment keeps its id when the model is trained again.
//!
//! In scope: matching centroids, new ids.
//! Out of scope: names, which follow what the members do now ([`super::naming`]).

/// First id of a model's segments; below are those of the rule.
pub const FIRST_ID: u16 = 100;
/// Centroids further apart than this are different segments. Root mean square over the features, in standard deviations.
pub const MAX_DISTANCE: f64 = 0.75;

/// Gives out ids that were not in use before.
#[derive(Clone, Debug)]
pub struct Ids {
    last: Option<u16>,
}

impl Ids {
    /// Ids after the `last` that was ever given; after the largest number it begins again.
    pub fn after(last: Option<u16>) -> Self {
        Self { last }
    }

    /// The next id.
    pub fn take(&mut self) -> u16 {
        let id = self.last.and_then(|last| last.checked_add(1)).unwrap_or(FIRST_ID);
        self.last = Some(id);
        id
    }

    /// The last id that was given.
    pub fn last(&self) -> Option<u16> {
        self.last
    }
}

/// For each new segment the id of the old one that it continues, `None` if it continues none. `distances[new][old]` are between
/// centroids; the closest pair is matched first, and no old segment is continued twice.
pub fn inherit(distances: &[Vec<f64>], old_ids: &[u16]) -> Vec<Option<u16>> {
    let mut pairs: Vec<(f64, usize, usize)> = distances
        .iter()
        .enumerate()
        .flat_map(|(new, row)| row.iter().enumerate().map(move |(old, distance)| (*distance, new, old)))
        .filter(|pair| pair.0 <= MAX_DISTANCE)
        .collect();
    pairs.sort_by(|left, right| left.0.total_cmp(&right.0));
    let mut inherited = vec![None; distances.len()];
    for (_, new, old) in pairs {
        let id = old_ids.get(old).copied();
        if inherited[new].is_none() && !inherited.contains(&id) {
            inherited[new] = id;
        }
    }
    inherited
}

#[cfg(test)]
mod tests {
    use super::{FIRST_ID, Ids, inherit};

    #[test]
    fn the_closest_pair_goes_first() {
        let distances = [vec![0.1, 0.3], vec![0.05, 0.4], vec![0.2, 9.0]];
        assert_eq!(inherit(&distances, &[100, 101]), [Some(101), Some(100), None]);
    }

    #[test]
    fn what_is_far_from_everything_is_new() {
        assert_eq!(inherit(&[vec![0.76]], &[100]), [None]);
        assert_eq!(inherit(&[vec![]], &[]), [None]);
    }

    #[test]
    fn ids_are_not_given_again() {
        let mut ids = Ids::after(None);
        assert_eq!([ids.take(), ids.take()], [FIRST_ID, FIRST_ID + 1]);
        assert_eq!(Ids::after(Some(150)).take(), 151);
        assert_eq!(Ids::after(Some(u16::MAX)).take(), FIRST_ID);
    }
}
