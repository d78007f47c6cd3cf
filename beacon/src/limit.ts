// Every limit of the tracker. In scope: numbers and why they are what they are. Out of scope: what happens at a limit.
//
// One file without imports: only then does the bundler put the numbers where they are used.

/** Events of one moment travel together: a page's first calls come within this of its page view. */
export const FLUSH_DELAY_MS = 100;

/** A page that calls in a loop does not fill the memory: at this many a beacon leaves at once. The collector takes 100. */
export const MAX_WAITING_EVENTS = 50;

/**
 * The longest beacon in UTF-16 units. A unit is at most 3 bytes of UTF-8: 48 kB, inside the 64 KiB that the collector takes
 * and that browsers let a page have under way in keepalive requests. A single longer event goes alone.
 */
export const MAX_BEACON_UNITS = 16_000;

/** The collector takes 2,048 bytes of URL, and the URLs of `location` are ASCII. */
export const MAX_URL_UNITS = 2_048;

/** The collector takes 1,024 bytes of other strings, and a unit of a title is at most 3 bytes. */
export const MAX_TITLE_UNITS = 340;

/** The collector takes 1,024 bytes of referrer, which is ASCII. */
export const MAX_REFERRER_UNITS = 1_024;

/** A session ends after this long without an event. */
export const SESSION_IDLE_MS = 30 * 60 * 1000;

/** The most events kept for another try: the oldest go first. About 40 KB of a storage area that holds 5 MB. */
export const MAX_KEPT_EVENTS = 50;

/** Older events are forgotten: a visitor's device is no archive. */
export const MAX_KEPT_MS = 7 * 24 * 3600 * 1000;

/** Wait before the first try again; doubles with each failure in a row. */
export const MIN_RETRY_MS = 5_000;

/** The longest wait, also where the collector asks for a longer one. */
export const MAX_RETRY_MS = 300_000;

/** A pause longer than this counts as this much: a visitor who reads moves now and then, one who has left does not. */
export const MAX_IDLE_MS = 30_000;

/** Less than this of looking at a page is not worth an event; it is added to the next one. */
export const MIN_ENGAGED_MS = 1_000;
