//! Sets of small numbers, a bit each in a row of words. In scope: asking and changing them. Numbers beyond the row are in no set.

/// Bits of a word.
pub(super) const WORD_BITS: usize = 64;

/// Adds a number.
pub(super) fn insert(words: &mut [u64], number: usize) {
    if let Some(word) = words.get_mut(number / WORD_BITS) {
        *word |= 1 << (number % WORD_BITS);
    }
}

/// Whether a number belongs to the set.
pub(super) fn has(words: &[u64], number: usize) -> bool {
    words.get(number / WORD_BITS).is_some_and(|word| word >> (number % WORD_BITS) & 1 == 1)
}

/// The least number at or above `from`.
pub(super) fn next(words: &[u64], from: usize) -> Option<usize> {
    let mut index = from / WORD_BITS;
    let mut word = words.get(index)? & (u64::MAX << (from % WORD_BITS));
    while word == 0 {
        index += 1;
        word = *words.get(index)?;
    }
    Some(index * WORD_BITS + word.trailing_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_row_of_words_is_a_set(numbers in prop::collection::btree_set(0_usize..200, 0..200), from in 0_usize..200) {
            let mut words = [0; 4];
            for number in &numbers {
                insert(&mut words, *number);
            }
            prop_assert_eq!(has(&words, from), numbers.contains(&from));
            prop_assert_eq!(next(&words, from), numbers.range(from..).next().copied());
        }
    }

    #[test]
    fn beyond_the_row_is_nothing() {
        let mut words = [u64::MAX];
        insert(&mut words, 64);
        assert!(!has(&words, 64));
        assert_eq!(next(&words, 64), None);
    }
}
