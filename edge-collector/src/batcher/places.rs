//! Where else a batch may be. In scope: the regions that every site in a batch permits, and parting a batch whose sites differ.
//! Out of scope: which of them is next (`collector_core::failover`).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use collector_core::client::Client;
use collector_core::failover;
use collector_core::log::Level;
use collector_core::stored;
use worker::Result;

use super::books::failed_attempts;
use super::shard::Shard;
use super::store::{Batch, Part, Store};
use crate::config::{Config, Endpoint};
use crate::fault_point::Point;
use crate::{clock, fault_point, log, site_cache};

impl Shard {
    /// The regions besides the Batcher's own where all rows of the batch may be, nearest first. None: the sites differ, and the batch became
    /// one part for each set of regions.
    pub(super) async fn other_places(&self, store: &Rc<Store>, batch: &Batch) -> Result<Option<Vec<String>>> {
        let mut by_site = BTreeMap::new();
        for site in sites(store, batch)? {
            let places = self.places_of(&site).await?;
            by_site.insert(site, places);
        }
        let mut sets = by_site.values();
        match sets.next() {
            None => Ok(Some(Vec::new())),
            Some(first) if sets.all(|other| other == first) => Ok(Some(first.clone())),
            // What may be stored somewhere already must stay whole: only as it is its token holds.
            _ if batch.doubt.is_some() => Ok(Some(failover::common(by_site.values()))),
            _ => {
                self.part(store, batch, &by_site)?;
                fault_point::reached_with(&self.env, Point::BatchParted, batch.table).await;
                log::write(self.line(Level::Info, "batch_parted").number("rows", batch.rows));
                Ok(None)
            }
        }
    }

    /// Where a site's rows may be besides here, nearest to here first. A site that is not known any more permits nothing.
    async fn places_of(&self, site_id: &str) -> Result<Vec<String>> {
        let config = Config::of(&self.env)?;
        let home = self.memory.borrow().region.clone();
        let Some(site) = site_cache::get(&self.env, site_id).await?.site else { return Ok(Vec::new()) };
        let here = config.endpoint(&home).map(Endpoint::region);
        let (latitude, longitude) = (here.as_ref().map(|r| r.latitude), here.as_ref().map(|r| r.longitude));
        let order = config.regions.order(&site, &Client { latitude, longitude, ..Client::default() });
        let names = order.iter().filter_map(|position| config.regions.get(*position)).map(|region| region.name.clone());
        Ok(names.filter(|name| *name != home).collect())
    }

    /// Makes one batch for each set of regions, and books the attempts at the whole.
    fn part(&self, store: &Store, batch: &Batch, by_site: &BTreeMap<String, Vec<String>>) -> Result<()> {
        let (lines, ids) = (store.lines(batch)?, store.ids(batch)?);
        let mut groups: HashMap<Vec<String>, (Vec<u8>, Vec<u8>)> = HashMap::new();
        let rows = lines.split_inclusive(|byte| *byte == b'\n');
        for (line, id) in rows.zip(ids.chunks(16)) {
            let places = stored::site_id(line).and_then(|site| by_site.get(&site).cloned()).unwrap_or_default();
            let (group_lines, group_ids) = groups.entry(places).or_default();
            group_lines.extend_from_slice(line);
            group_ids.extend_from_slice(id);
        }
        let parts = groups.into_values().map(|(lines, ids)| Part::new(lines, ids));
        let parts: Vec<Part> = parts.collect::<Result<_>>()?;
        let (batch, now_ms) = (batch.clone(), clock::now_ms());
        self.book(failed_attempts(batch.attempts, now_ms), move |store| {
            for part in parts {
                store.insert_part(part, now_ms)?;
            }
            store.replace(&batch)
        })
    }
}

/// The sites of a batch's rows.
fn sites(store: &Store, batch: &Batch) -> Result<HashSet<String>> {
    let mut sites = HashSet::new();
    for counts in store.ledgers(batch)? {
        sites.extend(counts.stored_sites().map(str::to_owned));
    }
    Ok(sites)
}
