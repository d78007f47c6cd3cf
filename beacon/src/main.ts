// The tracker: what happens on a page becomes events, and events become beacons.
//
// In scope: the script tag, the page's calls, page views, the moments of sending. Out of scope: everything with a file of its own.
// It must never disturb the page: no error leaves it, nothing blocks, no cookie is set.

import { deliver, retry } from "./delivery";
import { restart, resume, takeEngagement, watchEngagement } from "./engagement";
import { newId, type TrackedEvent } from "./event";
import { FLUSH_DELAY_MS, MAX_REFERRER_UNITS, MAX_TITLE_UNITS, MAX_URL_UNITS, MAX_WAITING_EVENTS } from "./limit";
import { sessionId } from "./session";
import { openSlot } from "./slot";
import { options } from "./tag";
import { VERSION } from "./version";

/** `("identify", user id)`, `(event type)` or `(event type, fields)`: the arguments of one call. */
type Call = ArrayLike<any>;

/** `window.landfall`: a queue until the tracker runs, and the same function afterwards, so that no copy of it goes stale. */
interface Landfall {
  (...call: any[]): void;
  q?: { push(call: Call): void };
  track?: (...call: any[]) => void;
  version?: string;
}

declare global {
  interface Window {
    landfall?: Landfall | undefined;
  }
  interface Document {
    prerendering?: boolean;
  }
}

const landfall: Landfall = (window.landfall = window.landfall || ((...call) => (landfall.q = landfall.q || ([] as Call[])).push(call)));
const session = openSlot("sessionStorage", "landfall");

let waiting: TrackedEvent[] = [];
let flushTimer = 0;
let userId: string | number | undefined = options.userId || undefined;
let page = { page_url: "", referrer: "", page_id: "" };
let seq = 0;

/** The same function, with its errors told to the console and nobody else. */
function guard<A extends unknown[]>(run: (...args: A) => void): (...args: A) => void {
  return (...args) => {
    try {
      run(...args);
    } catch (error) {
      console.warn("landfall", error);
    }
  };
}

function track(eventType: string, fields?: object): void {
  const now = Date.now();
  // The standard's mark of a driven browser, and that of the one driver in use that does not set it.
  const automation = navigator.webdriver ? "webdriver" : "Cypress" in window && "cypress";
  const event: TrackedEvent = Object.assign(
    {
      event_id: newId(),
      event_type: eventType,
      occurred_at: now,
      seq: ++seq,
      session_id: sessionId(session, now),
      screen: screen.width + "x" + screen.height,
      viewport: innerWidth + "x" + innerHeight,
      language: navigator.language,
      timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    },
    page,
    fields,
  );
  if (automation) event.properties = Object.assign({}, event.properties as object, { automation });
  // A copy, now: the page may change its objects later, and what is no JSON must fail alone.
  waiting.push(JSON.parse(JSON.stringify(event)));
  if (waiting.length >= MAX_WAITING_EVENTS) flush();
  else flushTimer = flushTimer || setTimeout(guard(flush), FLUSH_DELAY_MS);
}

/** Sends what waits. */
function flush(isLeaving?: boolean): void {
  // A timer that is still to come finds nothing, or sends a little early.
  flushTimer = 0;
  // Title and user are read here, because pages set both shortly after the view begins.
  const late = { page_title: document.title.slice(0, MAX_TITLE_UNITS), user_id: userId };
  deliver(waiting.map((event) => Object.assign({}, late, event)), isLeaving);
  waiting = [];
}

/** The page is left or hidden, perhaps for good. */
function leave(): void {
  const engagement = takeEngagement();
  if (engagement && options.engagement !== "off") track("engagement", engagement);
  flush(true);
}

/** A page view begins, if the URL says so or the browser has brought the page back. */
function view(isRestored?: boolean): void {
  const url = ("hash" in options ? location.href : location.href.split("#")[0]!).slice(0, MAX_URL_UNITS);
  const previous = page.page_url;
  if (url === previous && !isRestored) return;
  if (previous) leave();
  page = { page_url: url, referrer: (previous || document.referrer).slice(0, MAX_REFERRER_UNITS), page_id: newId() };
  seq = 0;
  restart();
  track("page_view");
}

/** Carries out one call of the page. */
function carryOut(call: Call): void {
  if (call[0] === "identify") {
    // What waits belongs to whoever was known before; a page that has just opened waits for nobody.
    if (userId) flush();
    userId = call[1] || undefined;
  } else {
    track(call[0], call[1]);
  }
}

/** Page views without a page load, and the moments when a page may end. */
function listen(): void {
  const { pushState } = history;
  history.pushState = function (...args) {
    pushState.apply(this, args);
    guard(view)();
  };
  addEventListener("popstate", guard(() => view()));
  addEventListener("pageshow", guard((event: PageTransitionEvent) => event.persisted && view(true)));
  addEventListener("pagehide", guard(leave));
  addEventListener("visibilitychange", guard(() => (document.hidden ? leave() : resume())));
  watchEngagement();
}

function start(): void {
  const calls = (landfall.q || []) as Call[];
  landfall.q = { push: guard(carryOut) };
  retry();
  view();
  calls.forEach(landfall.q.push);
  listen();
}

// A page that has the tag twice is counted once.
if (options.site && !landfall.version) {
  landfall.version = VERSION;
  landfall.track = (...call) => landfall(...call);
  // A page that is rendered ahead of a click has not been seen by anybody.
  if (document.prerendering) document.addEventListener("prerenderingchange", guard(start));
  else guard(start)();
}
