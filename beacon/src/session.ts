// Which visit of this tab an event belongs to.
//
// In scope: the session id and its end by inactivity. Out of scope: who the visitor is: that is the collector's, by keyed hash.

import { newId } from "./event";
import { SESSION_IDLE_MS } from "./limit";
import type { Slot } from "./slot";

/** The id of the session that is under way at `now`, or of the one that starts then. */
export function sessionId(slot: Slot, now: number): string {
  const [known, lastAt] = slot().split(" ");
  const id = known && now - +lastAt! < SESSION_IDLE_MS ? known : newId();
  slot(id + " " + now);
  return id;
}
