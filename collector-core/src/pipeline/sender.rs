//! The sender of a beacon. In scope: what is the same for all its events, found once, when the first of them needs it.
//! Out of scope: finding it (`browser`, `session`, `first_party`, `region`).

use std::sync::Arc;

use uuid::Uuid;

use super::{Moment, Surroundings, mint_id};
use crate::browser::Browser;
use crate::client::Client;
use crate::enrich::{time, visitor};
use crate::first_party;
use crate::outcome::AnonymisedReason;
use crate::pipeline::budget::MAX_ROWS;
use crate::region::RegionOrder;
use crate::session::{Session, Sessions};
use crate::site::{Site, VisitorMode};

/// Where a new first-party id stands among the ids that a beacon mints: behind all its events.
const FIRST_PARTY_POSITION: usize = MAX_ROWS;

/// Who sends, as far as the events until now needed to know.
#[derive(Default)]
pub(super) struct Sender {
    pub(super) browser: Option<Arc<Browser>>,
    pub(super) first_party: Option<FirstParty>,
    pub(super) visit: Option<Visit>,
}

/// The first-party id of the sender: the one it sent, else a new one.
#[derive(Clone, Copy)]
pub(super) struct FirstParty {
    pub(super) id: Uuid,
    pub(super) is_new: bool,
}

impl FirstParty {
    /// The id by which a persistent visitor is known; none where the site or the visitor wants none, or where no cookie can reach the visitor.
    pub(super) fn find(
        slot: &mut Option<Self>,
        site: &Site,
        client: &Client<'_>,
        anonymised: Option<AnonymisedReason>,
        moment: &Moment,
    ) -> Option<Uuid> {
        if site.privacy.visitor != VisitorMode::Persistent || client.is_from_server || anonymised.is_some() {
            return None;
        }
        let known = slot.get_or_insert_with(|| {
            let sent = first_party::find(client.cookie, moment.received_at_ms);
            let id = sent.unwrap_or_else(|| mint_id(moment, FIRST_PARTY_POSITION));
            Self { id, is_new: sent.is_none() }
        });
        Some(known.id)
    }
}

/// The sender on one site.
pub(super) struct Visit {
    pub(super) site: Arc<Site>,
    pub(super) session: Session,
    /// Permitted regions, nearest first.
    pub(super) regions: RegionOrder,
}

impl Visit {
    /// The visit to a site; a beacon for several sites finds it again at each change.
    #[inline(never)] // Why: `pipeline`.
    pub(super) fn find<'f>(
        slot: &'f mut Option<Self>,
        site: &Arc<Site>,
        client: &Client<'_>,
        first_party_id: Option<Uuid>,
        around: Surroundings<'_>,
        sessions: &mut Sessions,
    ) -> &'f Self {
        if slot.as_ref().is_some_and(|visit| !Arc::ptr_eq(&visit.site, site)) {
            *slot = None;
        }
        slot.get_or_insert_with(|| {
            let now_ms = around.moment.received_at_ms;
            let day = time::utc_day(now_ms);
            let visitor_id = |day| match first_party_id {
                Some(id) => visitor::persistent_id(site, id),
                None => visitor::daily_id(site, client, &around.moment.salts, day),
            };
            let session = sessions.find(visitor_id(day), visitor_id(day.saturating_sub(1)), now_ms);
            Self { site: Arc::clone(site), session, regions: around.regions.order(site, around.client) }
        })
    }
}
