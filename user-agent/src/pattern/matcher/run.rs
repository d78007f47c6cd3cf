//! Runs: a class of characters repeated.
//!
//! In scope: how many characters a run takes, and the choices that it leaves: greedy runs give characters back, lazy ones
//! take more, and both only where the instruction behind them can go on.

use super::character::has_byte;
use super::{Choice, Search, narrow};
use crate::pattern::program::{ANY, NO_CLASS, RUN_ALL_BYTES, RUN_BYTES};

/// The operands of a run; `MAX_NO` is longer than any text.
struct Run {
    class: u16,
    min: u8,
    max: u16,
}

impl Search<'_, '_> {
    pub(super) fn run_all(&mut self, pc: usize, position: usize) -> Option<(usize, usize)> {
        let (_, most) = self.extent(&self.read_run(pc + 1)?, position)?;
        Some((pc + RUN_ALL_BYTES, most))
    }

    pub(super) fn run_all_group(&mut self, pc: usize, position: usize) -> Option<(usize, usize)> {
        let (_, most) = self.extent(&self.read_run(pc + 2)?, position)?;
        let slot = self.operand(pc + 1);
        self.save(slot, position);
        self.save(slot + 1, most);
        Some((pc + RUN_ALL_BYTES + 1, most))
    }

    pub(super) fn run_greedy(&mut self, pc: usize, position: usize) -> Option<(usize, usize)> {
        let run = self.read_run(pc + 1)?;
        let follow = self.read_follow(pc);
        let (least, most) = self.extent(&run, position)?;
        let position = self.last_fit(most, least, follow)?;
        if position > least {
            self.choose(Choice::Shrink {
                pc: narrow(pc + RUN_BYTES),
                position: narrow(position),
                least: narrow(least),
                follow,
            });
        }
        Some((pc + RUN_BYTES, position))
    }

    pub(super) fn run_lazy(&mut self, pc: usize, position: usize) -> Option<(usize, usize)> {
        let Run { class, min, max } = self.read_run(pc + 1)?;
        let follow = self.read_follow(pc);
        let (least, _) = self.extent(&Run { class, min, max: min.into() }, position)?;
        let (next, more) = (narrow(pc + RUN_BYTES), max.saturating_sub(min.into()));
        if self.fits(follow, least) {
            self.choose(Choice::Grow { pc: next, position: narrow(least), more, class, follow });
            return Some((pc + RUN_BYTES, least));
        }
        let position = self.grow(next, narrow(least), more, class, follow)?;
        Some((pc + RUN_BYTES, usize::from(position)))
    }

    /// The next shorter run where what follows can fit; leaves the choice of still shorter ones.
    pub(super) fn shrink(&mut self, pc: u16, position: u16, least: u16, follow: u16) -> Option<u16> {
        let shorter = self.step_back(usize::from(position));
        let shorter = narrow(self.last_fit(shorter, usize::from(least), follow)?);
        if shorter > least {
            self.choose(Choice::Shrink { pc, position: shorter, least, follow });
        }
        Some(shorter)
    }

    /// The next longer lazy run where what follows can fit; leaves the choice of still longer ones.
    pub(super) fn grow(&mut self, pc: u16, position: u16, more: u16, class: u16, follow: u16) -> Option<u16> {
        let (mut position, mut more) = (usize::from(position), more);
        let characters = self.set.class(class);
        loop {
            more = more.checked_sub(1)?;
            position = self.step(characters, position)?;
            self.steps.add(1);
            if self.fits(follow, position) {
                self.choose(Choice::Grow { pc, position: narrow(position), more, class, follow });
                return Some(narrow(position));
            }
        }
    }

    /// The positions behind the fewest and the most characters that a run can take, if it can take the fewest.
    fn extent(&self, run: &Run, position: usize) -> Option<(usize, usize)> {
        let (min, max) = (usize::from(run.min), usize::from(run.max));
        let rest = self.text.get(position..)?;
        if self.notes.is_plain {
            let class = self.set.class(run.class);
            let count = if run.class == ANY {
                rest.len().min(max)
            } else {
                rest.iter().take(max).take_while(|byte| has_byte(class, **byte)).count()
            };
            self.steps.add(count);
            return (count >= min).then_some((position + min, position + count));
        }
        let class = self.set.class(run.class);
        let (mut least, mut most, mut count) = (position, position, 0);
        while count < max
            && let Some(next) = self.step(class, most)
        {
            most = next;
            count += 1;
            self.steps.add(1);
            if count <= min {
                least = next;
            }
        }
        (count >= min).then_some((least, most))
    }

    /// The last position from `position` down to `least` where `follow` fits.
    fn last_fit(&self, mut position: usize, least: usize, follow: u16) -> Option<usize> {
        if follow == NO_CLASS {
            return (position >= least).then_some(position);
        }
        if self.notes.is_plain {
            let class = self.set.class(follow);
            let end = position.saturating_add(1).min(self.text.len());
            let found = self.text.get(least..end)?.iter().rposition(|byte| has_byte(class, *byte));
            self.steps.add(end - least - found.unwrap_or_default());
            return Some(least + found?);
        }
        while position > least && !self.fits(follow, position) {
            position = self.step_back(position);
            self.steps.add(1);
        }
        (position >= least && self.fits(follow, position)).then_some(position)
    }

    pub(super) fn fits(&self, follow: u16, position: usize) -> bool {
        follow == NO_CLASS || self.text.get(position).is_some_and(|byte| has_byte(self.set.class(follow), *byte))
    }

    /// Reads the operands of a run at `at`.
    fn read_run(&self, at: usize) -> Option<Run> {
        let [class_low, class_high, min, max_low, max_high] = *self.program.get(at..)?.first_chunk()?;
        Some(Run {
            class: u16::from_le_bytes([class_low, class_high]),
            min,
            max: u16::from_le_bytes([max_low, max_high]),
        })
    }

    /// What must follow the run of the instruction at `pc`.
    fn read_follow(&self, pc: usize) -> u16 {
        self.wide_operand(pc + RUN_ALL_BYTES)
    }
}
