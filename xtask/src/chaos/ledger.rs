//! What was sent and what the collector said to it. In scope: one entry per event. Out of scope: what ClickHouse has (`account`).

use uuid::Uuid;

/// One event: its place in the ledger is the second half of its id.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// During which phase it was made.
    pub(super) phase: usize,
    pub(super) is_acknowledged: bool,
    /// ClickHouse is to refuse it.
    pub(super) is_poison: bool,
}

/// Every event of one run.
pub(super) struct Ledger {
    /// The first half of every id of this run.
    run: u64,
    entries: Vec<Entry>,
}

impl Ledger {
    pub(super) fn new(run: u64) -> Self {
        Self { run, entries: Vec::new() }
    }

    /// Adds events and returns their ids.
    pub(super) fn add(&mut self, count: usize, phase: usize, is_poison: bool) -> Vec<Uuid> {
        let first = self.entries.len();
        self.entries.extend(std::iter::repeat_n(Entry { phase, is_acknowledged: false, is_poison }, count));
        (first..first + count).map(|place| Uuid::from_u64_pair(self.run, place as u64)).collect()
    }

    /// Notes that an event is the collector's now.
    pub(super) fn acknowledge(&mut self, id: Uuid) {
        if let Some(place) = self.place(id) {
            self.entries[place].is_acknowledged = true;
        }
    }

    /// Where an event of this run stands.
    pub(super) fn place(&self, id: Uuid) -> Option<usize> {
        let (run, place) = id.as_u64_pair();
        usize::try_from(place).ok().filter(|place| run == self.run && *place < self.entries.len())
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// How many events of a phase were sent and acknowledged.
    pub(super) fn count(&self, phase: usize) -> (u64, u64) {
        let own = self.entries.iter().filter(|entry| entry.phase == phase);
        own.fold((0, 0), |(sent, known), entry| (sent + 1, known + u64::from(entry.is_acknowledged)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_back_to_its_event() {
        let mut ledger = Ledger::new(7);
        ledger.add(2, 0, false);
        let ids = ledger.add(3, 1, false);
        assert_eq!(ledger.place(ids[2]), Some(4));
        ledger.acknowledge(ids[2]);
        assert_eq!((ledger.count(0), ledger.count(1)), ((2, 0), (3, 1)));
        assert_eq!(ledger.place(Uuid::from_u64_pair(8, 0)), None, "of another run");
        assert_eq!(ledger.place(Uuid::from_u64_pair(7, 5)), None, "never sent");
    }
}
