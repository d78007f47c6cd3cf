// How long a page is really looked at, and how far.
//
// In scope: time between signs of life, scroll depth. Out of scope: when they are reported (`main`).

import { MAX_IDLE_MS, MIN_ENGAGED_MS } from "./limit";

let engagedMs = 0;
let scrollPct = 0;
/** When the last sign of life was; 0 while the page is not looked at. */
let lastActiveMs = 0;

/** The page is looked at, from now. */
export function resume(): void {
  lastActiveMs = Date.now();
}

/** The next view is counted from the start. */
export function restart(): void {
  engagedMs = scrollPct = 0;
  if (!document.hidden) resume();
}

/** The page is no longer looked at. What was counted since the last time: the times add up, the depth is the deepest yet. */
export function takeEngagement(): { engaged_ms: number; scroll_pct: number } | undefined {
  noteScroll();
  lastActiveMs = 0;
  if (engagedMs < MIN_ENGAGED_MS) return undefined;
  const engagement = { engaged_ms: engagedMs, scroll_pct: scrollPct };
  engagedMs = 0;
  return engagement;
}

/** Counts signs of life from now on. */
export function watchEngagement(): void {
  // In the capture phase, so that a page that stops these events does not stop the count.
  addEventListener("pointermove", noteActivity, true);
  addEventListener("keydown", noteActivity, true);
  addEventListener("scroll", noteScroll, true);
}

function noteActivity(): void {
  if (lastActiveMs) {
    engagedMs += Math.min(Date.now() - lastActiveMs, MAX_IDLE_MS);
    resume();
  }
}

function noteScroll(): void {
  noteActivity();
  const seen = scrollY + innerHeight;
  scrollPct = Math.min(100, Math.max(scrollPct, Math.round((100 * seen) / document.documentElement.scrollHeight)));
}
