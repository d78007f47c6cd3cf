//! Sets of places in an expression.
//!
//! The Worker is built for size, which unrolls no loops: what each character of a text costs is written out.

use super::MAX_STEPS;

const WORD_BITS: usize = u64::BITS as usize;

/// A set of places; a place is the number of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Places([u64; 4]);

const _: () = assert!(MAX_STEPS == 4 * WORD_BITS);

#[expect(clippy::many_single_char_names, reason = "the words of two sets have no names of their own")]
impl Places {
    pub(super) fn insert(&mut self, place: usize) {
        if let Some(word) = self.0.get_mut(place / WORD_BITS) {
            *word |= 1 << (place % WORD_BITS);
        }
    }

    pub(super) fn has(&self, place: usize) -> bool {
        self.0.get(place / WORD_BITS).is_some_and(|word| word >> (place % WORD_BITS) & 1 == 1)
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        let Self([a, b, c, d]) = self;
        a | b | c | d == 0
    }

    #[inline]
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let (Self([a, b, c, d]), Self([e, f, g, h])) = (self, other);
        a == e && b == f && c == g && d == h
    }

    #[inline]
    pub(super) fn or(&self, other: &Self) -> Self {
        let (Self([a, b, c, d]), Self([e, f, g, h])) = (self, other);
        Self([a | e, b | f, c | g, d | h])
    }

    #[inline]
    pub(super) fn and(&self, other: &Self) -> Self {
        let (Self([a, b, c, d]), Self([e, f, g, h])) = (self, other);
        Self([a & e, b & f, c & g, d & h])
    }

    #[inline]
    pub(super) fn without(&self, other: &Self) -> Self {
        let (Self([a, b, c, d]), Self([e, f, g, h])) = (self, other);
        Self([a & !e, b & !f, c & !g, d & !h])
    }

    /// All places that follow these, and how many these are.
    pub(super) fn followed_by(&self, next: &[Self]) -> (Self, usize) {
        let (mut following, mut ways) = (Self::default(), 0);
        for (word, next) in self.0.iter().zip(next.chunks(WORD_BITS)) {
            let mut word = *word;
            while word != 0 {
                if let Some(places) = next.get(word.trailing_zeros() as usize) {
                    following = following.or(places);
                }
                word &= word - 1;
                ways += 1;
            }
        }
        (following, ways)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(list: &[usize]) -> Places {
        let mut places = Places::default();
        for place in list {
            places.insert(*place);
        }
        places
    }

    #[test]
    fn a_set_has_what_was_put_in() {
        let some = places(&[0, 63, 64, MAX_STEPS - 1]);
        assert!(some.has(64) && !some.has(65) && !some.has(MAX_STEPS));
        assert_eq!(some.and(&places(&[64, 65])), places(&[64]));
        assert_eq!(some.without(&places(&[64, 65])), places(&[0, 63, MAX_STEPS - 1]));
        assert_eq!(places(&[0, 63]).or(&places(&[64, MAX_STEPS - 1])), some);
        assert!(some.is_same(&some) && !some.is_same(&places(&[0])));
        assert!(places(&[]).is_empty() && !some.is_empty());
    }

    #[test]
    fn each_place_has_what_follows_it() {
        let next: Vec<_> = (1..=MAX_STEPS).map(|place| places(&[place])).collect();
        let (following, ways) = places(&[0, 63, 64, 200, MAX_STEPS - 1]).followed_by(&next);
        assert_eq!((following, ways), (places(&[1, 64, 65, 201]), 5), "nothing follows the last place");
    }
}
