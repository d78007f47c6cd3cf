// The tracker in a real browser: `node --test tests/browser/tracker.test.mjs`, after `node beacon/build.mjs`.
//
// In scope: what only a browser can show: beacons that outlive their page, CORS without preflight, SRI and CSP, web storage.
// Out of scope: the tracker's rules (beacon/test) and the real collector (tests/e2e). The browser is that of CHROMIUM_BIN.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import http from "node:http";
import test, { after, afterEach, before, beforeEach } from "node:test";
import { chromium } from "playwright-core";

/** For anything that is waited for, on a slow machine too; a wait ends as soon as it has come. */
const WAIT_TIMEOUT_MS = 40_000;

/** For a whole test, and for closing its tabs: a browser that hangs fails the test that it hangs in. */
const TEST_TIMEOUT_MS = 120_000;

const dist = new URL("../../beacon/dist/", import.meta.url);
const script = readFileSync(new URL("l.js", dist));
const { sri } = JSON.parse(readFileSync(new URL("manifest.json", dist), "utf8"));

let browser;
let collector;
let shop;

before(
  async () => {
    const executablePath = process.env.CHROMIUM_BIN ?? "/usr/bin/chromium";
    browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"], timeout: TEST_TIMEOUT_MS });
  },
  { timeout: TEST_TIMEOUT_MS },
);
after(() => browser?.close(), { timeout: TEST_TIMEOUT_MS });
// Of its own for each test: what a closing tab of the test before still sends must not be taken for this one's.
beforeEach(async () => {
  collector = await startCollector();
  shop = await startShop(collector.url);
});
afterEach(() => {
  for (const { server } of [collector, shop]) {
    server.close();
    server.closeAllConnections();
  }
});

/**
 * A page of the shop in a fresh profile, closed when the test ends. A test that leaves the page waits until it has arrived:
 * Chromium never answers a request to close a tab while it goes over from one page to the next.
 */
async function openShop(t, path = "/") {
  const context = await browser.newContext();
  t.after(() => context.close(), { timeout: TEST_TIMEOUT_MS });
  context.setDefaultTimeout(WAIT_TIMEOUT_MS);
  const page = await context.newPage();
  await page.goto(shop.url + path);
  return page;
}

/** A test that ends in any case. */
function scenario(name, run) {
  test(name, { timeout: TEST_TIMEOUT_MS }, run);
}

scenario("the tag works under a strict content security policy with its integrity hash, and needs no preflight", async (t) => {
  await openShop(t, "/strict");
  const { headers, body } = await collector.event("page_view");
  assert.equal(headers["content-type"], "text/plain;charset=UTF-8");
  assert.equal(headers.cookie, undefined);
  assert.equal(body.site, "demo");
  assert.equal(collector.requests.some((request) => request.method === "OPTIONS"), false);
});

scenario("an event in the moment the page is left arrives, and so does the engagement", async (t) => {
  const page = await openShop(t);
  await collector.event("page_view");
  // From now on: the page may have taken its time to begin.
  const seenAt = await page.evaluate(() => performance.now());
  await page.waitForFunction((start) => performance.now() > start + 1_100, seenAt);
  await page.evaluate(() => {
    landfall("add_to_cart", { product_id: 17 });
    location.href = "/next";
  });
  const { event: added } = await collector.event("add_to_cart");
  const { event: engagement } = await collector.event("engagement");
  assert.equal(added.page_url, shop.url + "/");
  assert.ok(engagement.engaged_ms >= 1_000, `${engagement.engaged_ms} ms`);
  assert.deepEqual([added.seq, engagement.seq], [2, 3]);
  await page.waitForURL(shop.url + "/next");
});

scenario("what a tab that is closed had still to say arrives", async (t) => {
  const page = await openShop(t);
  await collector.event("page_view");
  await page.evaluate(() => landfall("search"));
  const closed = page.waitForEvent("close");
  await page.close({ runBeforeUnload: true });
  await collector.event("search");
  await closed;
});

for (const failure of ["503", "no network"]) {
  scenario(`${failure}: the next page sends the event again with its id, and then nothing is kept`, async (t) => {
    collector.fail(failure);
    const page = await openShop(t);
    const { event: first } = await collector.event("page_view");
    await page.waitForFunction((id) => localStorage.getItem("landfall.demo")?.includes(id), first.event_id);
    collector.reset();
    await page.goto(shop.url + "/next");
    await collector.event("page_view", (event) => event.event_id === first.event_id);
    await collector.event("page_view", (event) => event.page_url === shop.url + "/next");
    await page.waitForFunction(() => localStorage.getItem("landfall.demo") === "[]");
  });
}

scenario("navigation inside the page is a view of its own, with the title that the page sets afterwards", async (t) => {
  const page = await openShop(t);
  await page.evaluate(() => {
    history.pushState({}, "", "/p/17");
    document.title = "Ring 17";
  });
  const { event } = await collector.event("page_view", (view) => view.page_url === shop.url + "/p/17");
  assert.deepEqual([event.page_title, event.referrer, event.seq], ["Ring 17", shop.url + "/", 1]);
  await page.goBack();
  await collector.event("page_view", (view) => view.referrer === shop.url + "/p/17");
});

scenario("a driven browser is named", async (t) => {
  await openShop(t);
  const { event } = await collector.event("page_view");
  assert.deepEqual(event.properties, { automation: "webdriver" });
});

/** A collector that takes everything, or fails as told, and hands out what it has got. */
async function startCollector() {
  const state = { requests: [], failure: null, waiters: new Set() };
  const { server, url } = await listen((request, reply) => {
    const cors = { "access-control-allow-origin": "*", "access-control-expose-headers": "Retry-After" };
    if (request.url === "/l.js") return reply.writeHead(200, { ...cors, "content-type": "text/javascript" }).end(script);
    let text = "";
    request.on("data", (chunk) => (text += chunk));
    request.on("end", () => {
      const body = text ? JSON.parse(text) : { events: [] };
      state.requests.push({ method: request.method, headers: request.headers, body });
      state.waiters.forEach((check) => check());
      if (state.failure === "no network") return request.socket.destroy();
      const results = body.events.map(({ event_id }) => ({ event_id, outcome: "accepted" }));
      return reply.writeHead(state.failure ? 503 : 202, { ...cors, "content-type": "application/json" }).end(JSON.stringify({ results }));
    });
  });
  const found = (eventType, holds) => {
    for (const { headers, body } of state.requests) {
      const event = body.events.find((candidate) => candidate.event_type === eventType && holds(candidate));
      if (event) return { event, headers, body };
    }
    return undefined;
  };
  const event = (eventType, holds = () => true) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        state.waiters.delete(check);
        reject(new Error(`expected ${eventType} within ${WAIT_TIMEOUT_MS} ms, found ${JSON.stringify(state.requests.map(({ body }) => body))}`));
      }, WAIT_TIMEOUT_MS);
      const check = () => {
        const hit = found(eventType, holds);
        if (!hit) return;
        clearTimeout(timer);
        state.waiters.delete(check);
        resolve(hit);
      };
      state.waiters.add(check);
      check();
    });
  return {
    server,
    url,
    event,
    get requests() {
      return state.requests;
    },
    fail: (failure) => (state.failure = failure),
    reset: () => Object.assign(state, { requests: [], failure: null }),
  };
}

/** A site on another origin than the collector. */
function startShop(collectorUrl) {
  const tag = `<script defer src="${collectorUrl}/l.js" data-site="demo" integrity="${sri}" crossorigin="anonymous"></script>`;
  const policy = `default-src 'none'; script-src ${collectorUrl}; connect-src ${collectorUrl}`;
  return listen((request, reply) => {
    const headers = { "content-type": "text/html", ...(request.url === "/strict" && { "content-security-policy": policy }) };
    reply.writeHead(200, headers).end(`<!doctype html><title>Rings</title>${tag}`);
  });
}

async function listen(answer) {
  const server = http.createServer(answer);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, url: `http://127.0.0.1:${server.address().port}` };
}
