// What becomes an event, and what stands in it.

import assert from "node:assert/strict";
import test from "node:test";
import { openPage } from "../testing/page.mjs";

const opened = async (options) => {
  const page = openPage(options);
  await page.pass(100);
  return page;
};

test("a page that opens sends one page view with the fields of the contract", async () => {
  const page = await opened({ url: "https://shop.example/p?utm_source=x#top", document: { referrer: "https://search.example/" } });
  assert.equal(page.requests.length, 1);
  const [{ url, init, site, sent_at, tracker, events }] = page.requests;
  assert.equal(url, "https://collector.example/v1/events");
  assert.deepEqual({ ...init, body: "" }, { method: "POST", keepalive: true, credentials: "omit", body: "" });
  assert.deepEqual({ site, sent_at, tracker }, { site: "demo", sent_at: page.now, tracker: "landfall-js/1.2.3" });
  const [{ event_id, page_id, session_id, ...rest }] = events;
  for (const id of [event_id, page_id, session_id]) assert.match(id, /^[0-9a-f-]{36}$/);
  assert.deepEqual(rest, {
    event_type: "page_view",
    occurred_at: page.now - 100,
    seq: 1,
    page_url: "https://shop.example/p?utm_source=x",
    page_title: "Rings",
    referrer: "https://search.example/",
    screen: "1920x1080",
    viewport: "1200x900",
    language: "de-DE",
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  });
});

test("beacons go beside the script, also under a path prefix, unless the tag names a collector", async () => {
  const cases = [
    [{ src: "https://shop.example/_l/l.1.0.0.js?v=2" }, "https://shop.example/_l/v1/events"],
    [{ tag: { collector: "https://c.example/x" } }, "https://c.example/x/v1/events"],
  ];
  for (const [options, endpoint] of cases) assert.equal((await opened(options)).requests[0].url, endpoint);
});

test("calls before the script arrives are carried out after the page view, with the user known by then", async () => {
  const page = await opened({
    setUp: (window) => {
      const stub = (...call) => (stub.q = stub.q || []).push(call);
      window.landfall = stub;
      stub("product_view", { product_id: 17 });
      stub("identify", 42);
    },
  });
  assert.deepEqual(page.types(), ["page_view", "product_view"]);
  assert.deepEqual(page.events().map((event) => [event.seq, event.user_id, event.product_id]), [[1, 42, undefined], [2, 42, 17]]);
});

test("a copy of the stub taken early still works later, and so does landfall.track", async () => {
  const page = await opened({
    setUp: (window) => {
      const stub = (...call) => (stub.q = stub.q || []).push(call);
      window.landfall = stub;
      window.early = stub;
    },
  });
  page.window.early("search", { properties: { term: "ring" } });
  page.window.landfall.track("login");
  await page.pass(100);
  assert.deepEqual(page.types(), ["page_view", "search", "login"]);
});

test("the user of the tag is sent, an empty one is nobody, and signing out ends it for later events only", async () => {
  assert.equal((await opened({ tag: { userId: "7" } })).events()[0].user_id, "7");
  const page = await opened({ tag: { userId: "" } });
  assert.equal("user_id" in page.events()[0], false);
  page.window.landfall("identify", 8);
  page.window.landfall("sign_up");
  page.window.landfall("identify", null);
  page.window.landfall("search");
  await page.pass(100);
  assert.deepEqual(page.events().slice(1).map((event) => [event.event_type, event.user_id]), [["sign_up", 8], ["search", undefined]]);
});

test("navigation inside the page is a new view: new page id, seq from 1, the page before as referrer", async () => {
  const page = await opened();
  page.window.history.pushState({}, "", "/p/17");
  page.window.document.title = "Ring 17";
  await page.pass(100);
  const [first, second] = page.events();
  assert.deepEqual(
    [second.page_url, second.page_title, second.referrer, second.seq],
    ["https://shop.example/p/17", "Ring 17", "https://shop.example/", 1],
  );
  assert.notEqual(second.page_id, first.page_id);
  page.go("/");
  page.fire("popstate");
  await page.pass(100);
  assert.equal(page.types().length, 3);
});

test("the same URL again is no new view, nor is a fragment unless the site says so", async () => {
  for (const [tag, views] of [[{}, 1], [{ hash: "" }, 2]]) {
    const page = await opened({ tag });
    page.window.history.pushState({}, "", "/");
    page.window.history.pushState({}, "", "/#/cart");
    await page.pass(100);
    assert.equal(page.types().filter((type) => type === "page_view").length, views, JSON.stringify(tag));
  }
});

test("a page that comes back from the browser's cache is viewed again", async () => {
  const page = await opened();
  page.fire("pageshow", { persisted: false });
  page.fire("pagehide");
  page.fire("pageshow", { persisted: true });
  await page.pass(100);
  assert.deepEqual(page.types(), ["page_view", "page_view"]);
});

test("a prerendered page is viewed when it is shown", async () => {
  const page = await opened({ document: { prerendering: true } });
  page.window.landfall("search");
  await page.pass(1_000);
  assert.deepEqual(page.types(), []);
  page.window.document.dispatchEvent(new Event("prerenderingchange"));
  await page.pass(100);
  assert.deepEqual(page.types(), ["page_view", "search"]);
});

test("a driven browser says so, any other says nothing", async () => {
  const driven = await opened({ setUp: (window) => (window.navigator.webdriver = true) });
  driven.window.landfall("search", { properties: { term: "ring", automation: "" } });
  await driven.pass(100);
  assert.deepEqual(driven.events().map((event) => event.properties), [{ automation: "webdriver" }, { term: "ring", automation: "webdriver" }]);
  const tested = await opened({ setUp: (window) => (window.Cypress = {}) });
  assert.equal(tested.events()[0].properties.automation, "cypress");
  assert.equal("properties" in (await opened()).events()[0], false);
});

test("a session goes over to the next page and ends after half an hour without an event", async () => {
  const first = await opened();
  const { session_id } = first.events()[0];
  const second = await opened({ sessionStorage: first.sessionStorage, now: first.now + 29 * 60_000 });
  assert.equal(second.events()[0].session_id, session_id);
  const third = await opened({ sessionStorage: first.sessionStorage, now: second.now + 30 * 60_000 });
  assert.notEqual(third.events()[0].session_id, session_id);
});

test("a second tag, or a tag without a site, does nothing", async () => {
  const page = await opened();
  page.run();
  await page.pass(100);
  assert.deepEqual(page.types(), ["page_view"]);
  assert.deepEqual((await opened({ tag: { site: "" } })).requests, []);
});

test("what cannot be sent fails alone, and never in the page", async () => {
  const page = await opened();
  const circle = {};
  circle.circle = circle;
  assert.doesNotThrow(() => page.window.landfall("search", { properties: circle }));
  page.window.landfall("login");
  await page.pass(100);
  assert.deepEqual(page.types(), ["page_view", "login"]);
  assert.equal(page.warnings.length, 1);
});

test("titles, URLs and referrers are cut to what the collector takes", async () => {
  const long = "é".repeat(5_000);
  const page = await opened({ url: "https://shop.example/?q=" + long, document: { title: "€".repeat(5_000), referrer: "https://r.example/" + "x".repeat(5_000) } });
  const [event] = page.events();
  assert.equal(Buffer.byteLength(event.page_url), 2_048);
  assert.ok(Buffer.byteLength(event.page_title) <= 1_024);
  assert.equal(event.referrer.length, 1_024);
});
