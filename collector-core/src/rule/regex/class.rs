//! Sets of characters.

/// A set of characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) ranges: Vec<(char, char)>,
    pub(super) is_negated: bool,
    pub(super) ignores_case: bool,
}

impl Class {
    pub(super) fn has(&self, character: char) -> bool {
        let is_in = |c: char| self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&c));
        let other_case = || {
            if character.is_ascii_lowercase() { character.to_ascii_uppercase() } else { character.to_ascii_lowercase() }
        };
        let found = is_in(character) || (self.ignores_case && is_in(other_case()));
        found != self.is_negated
    }
}
