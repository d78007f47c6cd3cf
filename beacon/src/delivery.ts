// From events to the collector and back.
//
// In scope: beacons of bounded size, the request, and what its answer means for each event. Out of scope: what is kept (`retry`).

import type { TrackedEvent } from "./event";
import { MAX_BEACON_UNITS } from "./limit";
import { keptEvents, retryDelayMs, settle } from "./retry";
import { openSlot, type Slot } from "./slot";
import { endpoint, options } from "./tag";
import { VERSION } from "./version";

const kept: Slot = openSlot("localStorage", "landfall." + options.site);
let retryTimer = 0;
let failures = 0;

/**
 * Sends the events; while the collector is given a rest, they are kept instead, past the end of the page.
 *
 * text/plain needs no CORS preflight, which could not finish while the page goes away. A keepalive request outlives the page
 * and, unlike `sendBeacon`, tells a page that lives on what became of its events.
 */
export async function deliver(events: TrackedEvent[], isLeaving?: boolean): Promise<void> {
  let again = events;
  let retryAfterSeconds = 0;
  if (!events[0]) return;
  if (retryTimer) return settle(kept, [], events);
  const body = JSON.stringify({ site: options.site, sent_at: Date.now(), tracker: "landfall-js/" + VERSION, events });
  if (body.length > MAX_BEACON_UNITS && events[1]) {
    const half = events.length >> 1;
    deliver(events.slice(0, half), isLeaving);
    return deliver(events.slice(half), isLeaving);
  }
  try {
    // Before keepalive (Firefox up to 132) a request dies with its page: there only `sendBeacon` survives.
    if (isLeaving && !("keepalive" in Request.prototype) && navigator.sendBeacon(endpoint, body)) return;
    const reply = await fetch(endpoint, { method: "POST", body, keepalive: true, credentials: "persistent" in options ? "include" : "omit" });
    retryAfterSeconds = +reply.headers.get("retry-after")!;
    if (reply.status !== 429 && reply.status < 500) {
      // Any other answer is final: a refused beacon is refused again. Only `limited` events may come back.
      again = [];
      const { results } = (await reply.json()) as { results: { outcome: string }[] };
      if ("debug" in options) console.warn("landfall", results);
      again = events.filter((_, index) => results[index]!.outcome === "limited");
    }
  } catch {
    // No network, no permission to read the answer, or no receipts in it: `again` stands as it was.
  }
  settle(kept, events, again);
  if (!again[0]) failures = 0;
  else if (!retryTimer) retryTimer = setTimeout(retry, retryDelayMs(failures++, retryAfterSeconds, Math.random()));
}

/** Sends again what is kept, also from earlier pages. */
export function retry(): void {
  retryTimer = 0;
  deliver(keptEvents(kept));
}
