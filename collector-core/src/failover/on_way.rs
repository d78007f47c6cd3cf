//! How many batches go to a region at once.
//!
//! In scope: the batches that are on their way, by region. Out of scope: how many may be on their way in all (the shell).

/// Where the batches are going that are on their way.
///
/// A region that took a batch a moment ago gets the next ones while the last is not answered yet. Any other gets one: that is the probe, and the
/// others wait for what it finds, so that a region that swallows batches gets one to be in doubt and not all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OnWay {
    /// One entry for each batch.
    regions: Vec<String>,
    /// Whether a batch had to wait, and no region has become free since.
    is_blocked: bool,
}

impl OnWay {
    /// One more batch goes to the region, unless it must wait for the one before it. True: it goes, and `end` follows.
    #[must_use]
    pub fn begin(&mut self, region: &str, is_trusted: bool) -> bool {
        let may_go = is_trusted || !self.regions.iter().any(|own| own == region);
        if may_go {
            self.regions.push(region.to_owned());
        } else {
            self.is_blocked = true;
        }
        may_go
    }

    /// Whether the next batch need not be tried: it would wait for the one before it.
    pub fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    /// A batch has come back from the region, with whatever answer.
    pub fn end(&mut self, region: &str) {
        self.is_blocked = false;
        if let Some(position) = self.regions.iter().position(|own| own == region) {
            self.regions.swap_remove(position);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_that_is_not_trusted_gets_one_batch_at_a_time() {
        let mut on_way = OnWay::default();
        assert!(on_way.begin("eu", false), "the probe");
        assert!(!on_way.begin("eu", false) && !on_way.begin("eu", false));
        assert!(on_way.begin("us", false), "each region has its own");
        on_way.end("eu");
        assert!(on_way.begin("eu", false), "only those that went count");
    }

    #[test]
    fn who_waits_goes_on_as_soon_as_a_region_is_free() {
        let mut on_way = OnWay::default();
        assert!(on_way.begin("eu", false) && !on_way.is_blocked());
        assert!(!on_way.begin("eu", false) && on_way.is_blocked());
        on_way.end("eu");
        // The first one may be on its way to another region for long.
        assert!(on_way.begin("us", false) && !on_way.is_blocked());
    }

    #[test]
    fn a_region_that_is_trusted_gets_several() {
        let mut on_way = OnWay::default();
        assert!(on_way.begin("eu", true) && on_way.begin("eu", true) && on_way.begin("eu", true));
        assert!(!on_way.begin("eu", false), "trust was lost on the way");
        on_way.end("eu");
        on_way.end("eu");
        assert!(!on_way.begin("eu", false));
        on_way.end("eu");
        assert_eq!(on_way, OnWay::default());
    }
}
