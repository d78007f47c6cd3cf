// How events travel, and what becomes of those that do not arrive.

import assert from "node:assert/strict";
import test from "node:test";
import { newStorage, openPage } from "../testing/page.mjs";

const ids = (events) => events.map((event) => event.event_id);
const unavailable = () => ({ status: 503 });

test("events of one moment travel together", async () => {
  const page = openPage();
  page.window.landfall("product_view", { product_id: 1 });
  await page.pass(100);
  page.window.landfall("add_to_cart", { product_id: 1 });
  await page.pass(100);
  assert.deepEqual(page.requests.map((request) => request.events.length), [2, 1]);
});

test("leaving the page sends at once", async () => {
  const page = openPage();
  page.window.landfall("add_to_cart", { product_id: 1 });
  page.fire("pagehide");
  assert.deepEqual(page.types(), ["page_view", "add_to_cart"]);
  await page.pass(1_000);
  assert.equal(page.requests.length, 1);
});

test("a browser without keepalive requests leaves with sendBeacon", async () => {
  const page = openPage({ keepalive: false });
  page.fire("pagehide");
  assert.deepEqual([page.requests.length, page.beacons.length], [0, 1]);
  assert.equal(page.beacons[0].events[0].event_type, "page_view");
});

for (const [name, answer] of [["503", unavailable()], ["429", { status: 429 }], ["no network", new TypeError("Failed to fetch")]]) {
  test(`${name}: the events are kept and sent again with their ids, then forgotten`, async () => {
    const page = openPage({ answers: [answer] });
    await page.pass(100);
    assert.deepEqual(ids(page.kept()), ids(page.requests[0].events));
    await page.pass(5_000);
    assert.deepEqual(ids(page.requests[1].events), ids(page.requests[0].events));
    assert.deepEqual(page.kept(), []);
    await page.pass(600_000);
    assert.equal(page.requests.length, 2);
  });
}

test("while the collector is given a rest, events wait in storage, also when the page is left", async () => {
  const page = openPage({ answers: [{ status: 429, retryAfter: "60" }] });
  await page.pass(100);
  page.window.landfall("search");
  await page.pass(40_000);
  page.window.landfall("login");
  page.fire("pagehide");
  assert.equal(page.requests.length, 1);
  assert.deepEqual(page.kept().map((event) => event.event_type), ["page_view", "search", "login", "engagement"]);
  await page.pass(20_000);
  assert.deepEqual(page.requests[1].events.map((event) => event.event_type), ["page_view", "search", "login", "engagement"]);
});

test("the wait grows with each failure and starts again after a success", async () => {
  const page = openPage({ answers: [unavailable(), unavailable(), unavailable(), {}, unavailable()] });
  const waits = [];
  for (let round = 0; round < 3; round++) {
    await page.pass(100);
    waits.push(page.timers[0].ms);
    await page.pass(page.timers[0].ms);
  }
  page.window.landfall("search");
  await page.pass(100);
  waits.push(page.timers[0].ms);
  for (const [index, wait] of [5_000, 10_000, 20_000, 5_000].entries()) {
    assert.ok(waits[index] >= wait / 2 && waits[index] <= wait, `wait ${index}: ${waits[index]} ms`);
  }
});

test("what one page could not send, the next one does, as it was", async () => {
  const first = openPage({ tag: { userId: "5" }, answers: [unavailable()] });
  await first.pass(100);
  const second = openPage({ localStorage: first.localStorage, now: first.now + 60_000, document: { title: "Cart" } });
  await second.pass(100);
  const [again, fresh] = second.requests;
  assert.deepEqual(again.events, first.requests[0].events);
  assert.equal(again.sent_at, first.now + 60_000);
  assert.deepEqual([fresh.events[0].page_title, fresh.events[0].user_id], ["Cart", undefined]);
  assert.deepEqual(second.kept(), []);
});

test("an answer that is final is not asked for twice", async () => {
  for (const status of [202, 400, 403, 404, 413]) {
    for (const isJson of [true, false]) {
      const page = openPage({ answers: [{ status, isJson }] });
      await page.pass(600_000);
      assert.equal(page.requests.length, 1, `status ${status}, JSON ${isJson}`);
      assert.equal(page.localStorage.map.size, 0, `status ${status}, JSON ${isJson}`);
    }
  }
});

test("of a beacon that was taken in part, only the limited events come again", async () => {
  const page = openPage({ answers: [{ outcomes: ["accepted", "limited", "invalid"] }] });
  page.window.landfall("search");
  page.window.landfall("login");
  await page.pass(10_000);
  assert.deepEqual(page.requests[1].events.map((event) => event.event_type), ["search"]);
});

test("the newest 50 events of the last week are kept", async () => {
  const localStorage = newStorage();
  const now = Date.UTC(2026, 10, 20);
  const event = (index, age) => ({ event_id: `old-${index}`, event_type: "search", occurred_at: now - age });
  const old = [event(0, 8 * 24 * 3600e3), ...Array.from({ length: 50 }, (_, index) => event(index + 1, 1_000))];
  localStorage.setItem("landfall.demo", JSON.stringify(old));
  const page = openPage({ localStorage, now, answers: [unavailable()] });
  await page.pass(200);
  assert.equal(page.requests[0].events.length, 50);
  assert.equal(page.kept().length, 50);
  assert.equal(page.kept()[0].event_id, "old-2");
  assert.equal(page.kept()[49].event_type, "page_view");
});

test("a beacon stays inside the collector's limit whatever a page sends", async () => {
  const page = openPage();
  for (let index = 0; index < 49; index++) page.window.landfall("search", { properties: { term: "€".repeat(1_000) } });
  await page.pass(100);
  assert.equal(page.events().length, 50);
  assert.deepEqual(page.events().map((event) => event.seq), Array.from({ length: 50 }, (_, index) => index + 1));
  for (const { body } of page.requests) assert.ok(Buffer.byteLength(body) < 65_536, `${Buffer.byteLength(body)} bytes`);
});

test("a page that calls in a loop sends without waiting", async () => {
  const page = openPage();
  for (let index = 0; index < 49; index++) page.window.landfall("search");
  assert.equal(page.events().length, 50);
});

test("forbidden storage, and foreign text in it, cost the retry at most", async () => {
  const forbidden = openPage({ localStorage: newStorage({ forbidden: true }), sessionStorage: newStorage({ forbidden: true }), answers: [unavailable()] });
  await forbidden.pass(10_000);
  assert.equal(forbidden.requests.length, 2);
  assert.equal(forbidden.requests[1].events[0].event_type, "page_view");
  const foreign = newStorage();
  foreign.setItem("landfall.demo", '{"a":1}');
  const page = openPage({ localStorage: foreign });
  await page.pass(100);
  assert.deepEqual(page.types(), ["page_view"]);
});

test("a site that wants no storage gets none, and retries as long as the page lives", async () => {
  const page = openPage({ tag: { storage: "none" }, answers: [unavailable()] });
  page.window.landfall("search");
  await page.pass(10_000);
  assert.equal(page.requests.length, 2);
  assert.equal(page.events()[0].session_id, page.events()[1].session_id);
  assert.equal(page.localStorage.map.size + page.sessionStorage.map.size, 0);
});

test("with data-debug the receipts are on the console", async () => {
  const page = openPage({ tag: { debug: "" } });
  await page.pass(100);
  assert.equal(page.warnings[0][1][0].outcome, "accepted");
});
