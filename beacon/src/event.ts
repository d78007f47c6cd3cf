// One event as it travels, and its id.
//
// In scope: the fields that the tracker itself reads again, UUIDv7. Out of scope: when events are made (`main`) and how they
// travel (`delivery`).

/** An event of the wire contract. Fields that a page adds are passed on as they are. */
export interface TrackedEvent {
  event_id: string;
  event_type: string;
  occurred_at: number;
  [field: string]: unknown;
}

/** Random bytes of a UUIDv7: 128 bits less the 48 of the time. */
const RANDOM_BYTES = 10;

/** A new UUIDv7. Not `crypto.randomUUID`, which is missing on http pages and has no time in it. */
export function newId(): string {
  return uuidV7(Date.now(), crypto.getRandomValues(new Uint8Array(RANDOM_BYTES)));
}

/** The UUIDv7 of this time (ms, which has 11 hexadecimal digits until the year 2527) and these random bytes, which it changes. */
export function uuidV7(now: number, random: Uint8Array): string {
  random[0] = (random[0]! & 0x0f) | 0x70;
  random[2] = (random[2]! & 0x3f) | 0x80;
  let hex = "0" + now.toString(16);
  random.forEach((byte) => {
    hex += (byte + 256).toString(16).slice(1);
  });
  return hex.replace(/(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
