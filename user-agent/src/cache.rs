//! A bounded cache of answers.
//!
//! In scope: a table of fixed size in which every key has one place. A key is kept from its second occurrence on, so that
//! the many user agents seen once neither cost an allocation nor push out the few that most visitors share.
//! Out of scope: what is cached. Keys may be chosen by an attacker: the worst they can do is to make the cache useless.

/// Places; an isolate sees a few hundred frequent user agents.
const PLACES: usize = 512;
/// Longer keys are not kept: with [`PLACES`] it bounds the cache to 256 KiB of keys.
const MAX_KEY_BYTES: usize = 512;

#[derive(Debug)]
pub(crate) struct Cache<V> {
    places: Vec<Place<V>>,
}

#[derive(Debug)]
struct Place<V> {
    /// The hash of the last key that missed here.
    missed: u64,
    entry: Option<(Box<[u8]>, V)>,
}

/// Where a key that missed belongs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vacancy {
    place: usize,
    is_repeated: bool,
}

impl<V: Clone> Cache<V> {
    pub(crate) fn new() -> Self {
        Self { places: Vec::new() }
    }

    /// The value of a key made of parts, or where to put it.
    pub(crate) fn get(&mut self, parts: &[&str]) -> Result<V, Vacancy> {
        if self.places.is_empty() {
            self.places.resize_with(PLACES, || Place { missed: 0, entry: None });
        }
        let hash = hash(parts);
        let index = usize::try_from(hash % PLACES as u64).unwrap_or_default();
        let Some(place) = self.places.get_mut(index) else { return Err(Vacancy { place: index, is_repeated: false }) };
        if let Some((_, value)) = place.entry.as_ref().filter(|(key, _)| is_key(key, parts)) {
            return Ok(value.clone());
        }
        Err(Vacancy { place: index, is_repeated: std::mem::replace(&mut place.missed, hash) == hash })
    }

    /// Keeps a value if its key was asked for before.
    pub(crate) fn put(&mut self, vacancy: Vacancy, parts: &[&str], value: &V) {
        let key_bytes: usize = parts.iter().map(|part| part.len() + 1).sum();
        if !vacancy.is_repeated || key_bytes > MAX_KEY_BYTES {
            return;
        }
        if let Some(place) = self.places.get_mut(vacancy.place) {
            place.entry = Some((parts.join("\0").into_bytes().into_boxed_slice(), value.clone()));
        }
    }
}

/// Whether `key` is the parts joined by NUL, which no header value holds.
fn is_key(key: &[u8], parts: &[&str]) -> bool {
    let mut rest = key;
    for (index, part) in parts.iter().enumerate() {
        let separator: &[u8] = if index == 0 { b"" } else { b"\0" };
        match rest.strip_prefix(separator).and_then(|rest| rest.strip_prefix(part.as_bytes())) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    rest.is_empty()
}

/// A quick hash, eight bytes at a time.
fn hash(parts: &[&str]) -> u64 {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut hash = 0_u64;
    for part in parts {
        let mut chunks = part.as_bytes().chunks_exact(8);
        for chunk in &mut chunks {
            let word = chunk.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
            hash = (hash.rotate_left(5) ^ word).wrapping_mul(FACTOR);
        }
        let tail = chunks.remainder().iter().fold(1_u64, |tail, byte| tail << 8 | u64::from(*byte));
        hash = (hash.rotate_left(5) ^ tail).wrapping_mul(FACTOR);
    }
    hash ^ hash >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(cache: &mut Cache<String>, parts: &[&str]) -> Option<String> {
        match cache.get(parts) {
            Ok(value) => Some(value),
            Err(vacancy) => {
                cache.put(vacancy, parts, &parts.concat());
                None
            }
        }
    }

    #[test]
    fn a_key_is_kept_from_its_second_occurrence_on() {
        let mut cache = Cache::new();
        assert_eq!(ask(&mut cache, &["agent", "hint"]), None);
        assert_eq!(ask(&mut cache, &["agent", "hint"]), None);
        assert_eq!(ask(&mut cache, &["agent", "hint"]), Some("agenthint".to_owned()));
    }

    #[test]
    fn parts_are_told_apart() {
        let mut cache = Cache::new();
        for _ in 0..3 {
            ask(&mut cache, &["ab", "c"]);
        }
        assert_eq!(ask(&mut cache, &["a", "bc"]), None);
        assert_eq!(ask(&mut cache, &["ab", "c"]), Some("abc".to_owned()));
    }

    #[test]
    fn long_keys_are_not_kept() {
        let mut cache = Cache::new();
        let long = "x".repeat(MAX_KEY_BYTES + 1);
        for _ in 0..3 {
            assert_eq!(ask(&mut cache, &[&long]), None);
        }
    }

    #[test]
    fn the_cache_does_not_grow_with_its_keys() {
        let mut cache = Cache::new();
        for number in 0..10_000 {
            let key = format!("agent {number}");
            ask(&mut cache, &[&key]);
            ask(&mut cache, &[&key]);
        }
        assert!(cache.places.iter().filter(|place| place.entry.is_some()).count() <= PLACES);
        assert_eq!(cache.places.len(), PLACES);
    }
}
