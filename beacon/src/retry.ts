// The events that the collector has not taken yet.
//
// In scope: what is kept for another try and for how long, and when that try is due. Out of scope: sending (`delivery`).

import type { TrackedEvent } from "./event";
import { MAX_KEPT_EVENTS, MAX_KEPT_MS, MAX_RETRY_MS, MIN_RETRY_MS } from "./limit";
import type { Slot } from "./slot";

/** The kept events that are still young enough, oldest first. Text that is not ours counts as none. */
export function keptEvents(slot: Slot): TrackedEvent[] {
  try {
    return (JSON.parse(slot()) as TrackedEvent[]).filter((event) => event.occurred_at > Date.now() - MAX_KEPT_MS);
  } catch {
    return [];
  }
}

/** Takes `sent` out and puts `again` in, with their ids: the collector knows a second arrival by its id. */
export function settle(slot: Slot, sent: TrackedEvent[], again: TrackedEvent[]): void {
  const before = keptEvents(slot);
  // Almost always both are empty, and then the page's storage is left alone.
  if (before[0] || again[0]) {
    const others = before.filter((event) => sent.every(({ event_id }) => event_id !== event.event_id));
    slot(JSON.stringify(others.concat(again).slice(-MAX_KEPT_EVENTS)));
  }
}

/** The wait before the next try: what the collector asks for, else doubling; shortened at random so that pages spread out. */
export function retryDelayMs(failures: number, retryAfterSeconds: number, random: number): number {
  return Math.min(retryAfterSeconds * 1000 || MIN_RETRY_MS * 2 ** failures * (1 - random / 2), MAX_RETRY_MS);
}
