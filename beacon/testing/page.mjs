// A page for the tracker to run in, without a browser.
//
// In scope: just what the tracker touches, with the clock, the timers and the collector's answers in the test's hand.
// Out of scope: how browsers really behave (tests/browser).

import { webcrypto } from "node:crypto";
import vm from "node:vm";
import { build } from "esbuild";

const source = new URL("../src/", import.meta.url);
const bundle = (entry, format) =>
  build({
    entryPoints: [decodeURIComponent(new URL(entry, source).pathname)],
    bundle: true,
    format,
    target: "es2017",
    define: { __VERSION__: '"1.2.3"' },
    write: false,
  }).then(({ outputFiles }) => outputFiles[0].text);

const tracker = await bundle("main.ts", "iife");

/** The exports of one source file. */
export async function importSource(file) {
  return import("data:text/javascript," + encodeURIComponent(await bundle(file, "esm")));
}

/** Web storage; `forbidden` throws as a browser does that blocks it. */
export function newStorage({ forbidden = false } = {}) {
  const map = new Map();
  const allow = (value) => {
    if (forbidden) throw new Error("SecurityError");
    return value;
  };
  return {
    map,
    getItem: (key) => allow(map.get(key) ?? null),
    setItem: (key, value) => allow(map.set(key, String(value))),
  };
}

/** The collector's answer to one request: a status, an `Error` for no network, or receipts with one outcome per event. */
function answerOf(answer, events) {
  if (answer instanceof Error) throw answer;
  const { status = 202, retryAfter = null, outcomes, isJson = true } = answer;
  const results = events.map((event, index) => ({ event_id: event.event_id, outcome: outcomes?.[index] ?? "accepted" }));
  return { status, headers: { get: (name) => (name === "retry-after" ? retryAfter : null) }, json: async () => (isJson ? { results } : JSON.parse("<html>")) };
}

/** A page with the tag in it. `setUp` gets the window before the script runs. */
export function openPage({
  url = "https://shop.example/",
  tag = {},
  src = "https://collector.example/l.js",
  now = Date.UTC(2026, 10, 20, 12),
  localStorage = newStorage(),
  sessionStorage = newStorage(),
  answers = [],
  keepalive = true,
  document: documentFields = {},
  setUp = () => {},
} = {}) {
  const page = { now, requests: [], beacons: [], timers: [], warnings: [], answers, localStorage, sessionStorage };
  const window = new EventTarget();
  const document = new EventTarget();
  Object.assign(document, {
    currentScript: { src, dataset: { site: "demo", ...tag } },
    title: "Rings",
    referrer: "",
    hidden: false,
    documentElement: { scrollHeight: 2000 },
    ...documentFields,
  });
  const location = new URL(url);
  const go = (target) => (location.href = new URL(target, location.href).href);
  class FakeDate extends Date {
    static now = () => page.now;
  }
  class FakeRequest {}
  if (keepalive) FakeRequest.prototype.keepalive = true;
  const take = (list, target, body) => {
    const request = { url: target, body, ...JSON.parse(body) };
    list.push(request);
    return request;
  };
  Object.assign(window, {
    window,
    // Called without a receiver, as a global function.
    addEventListener: window.addEventListener.bind(window),
    document,
    location,
    localStorage,
    sessionStorage,
    URL,
    Intl,
    Date: FakeDate,
    crypto: webcrypto,
    Request: FakeRequest,
    console: { warn: (...line) => page.warnings.push(line) },
    history: { pushState: (_state, _title, target) => go(target) },
    navigator: { language: "de-DE", webdriver: false, sendBeacon: (target, body) => Boolean(take(page.beacons, target, body)) },
    screen: { width: 1920, height: 1080 },
    innerWidth: 1200,
    innerHeight: 900,
    scrollY: 0,
    fetch: async (target, init) => {
      const request = take(page.requests, target, init.body);
      Object.assign(request, { init });
      return answerOf(page.answers.shift() ?? {}, request.events);
    },
    setTimeout: (run, ms) => page.timers.push({ run, at: page.now + ms, ms }) && page.timers.at(-1),
  });
  setUp(window);
  page.window = window;
  page.go = go;
  // A document's events reach the window, as those of the tracker do in a browser.
  document.addEventListener("visibilitychange", () => window.dispatchEvent(new Event("visibilitychange")));

  /** Lets the clock run, with every timer that falls due, until all answers are in. */
  page.pass = async (ms) => {
    const end = page.now + ms;
    for (;;) {
      await settled();
      const next = page.timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      page.timers = page.timers.filter((other) => other !== next);
      page.now = Math.max(page.now, next.at);
      next.run();
    }
    page.now = end;
  };
  page.hide = () => {
    document.hidden = true;
    document.dispatchEvent(new Event("visibilitychange"));
  };
  page.show = () => {
    document.hidden = false;
    document.dispatchEvent(new Event("visibilitychange"));
  };
  page.fire = (type, fields = {}) => window.dispatchEvent(Object.assign(new Event(type), fields));
  page.events = () => page.requests.flatMap((request) => request.events);
  page.types = () => page.events().map((event) => event.event_type);
  page.kept = () => JSON.parse(localStorage.map.get("landfall.demo") ?? "[]");
  page.run = () => vm.runInContext(tracker, context);
  const context = vm.createContext(window);
  page.run();
  return page;
}

/** All promises that can go on have gone on: they do before any I/O. */
const settled = () => new Promise((resolve) => setImmediate(resolve));
