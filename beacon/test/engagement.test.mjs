// How long and how far a page is looked at.

import assert from "node:assert/strict";
import test from "node:test";
import { openPage } from "../testing/page.mjs";

const engagements = (page) =>
  page.events().filter((event) => event.event_type === "engagement").map((event) => [event.engaged_ms, event.scroll_pct]);

test("leaving the page tells how long and how far it was looked at", async () => {
  const page = openPage();
  await page.pass(8_000);
  page.window.scrollY = 300;
  page.fire("scroll");
  page.window.scrollY = 0;
  await page.pass(200);
  page.fire("pagehide");
  page.hide();
  assert.deepEqual(engagements(page), [[8_200, 60]]);
});

test("time in another tab does not count, and several stays add up", async () => {
  const page = openPage();
  await page.pass(2_000);
  page.hide();
  await page.pass(60_000);
  page.show();
  await page.pass(3_000);
  page.hide();
  await page.pass(20_000);
  page.fire("pagehide");
  assert.deepEqual(engagements(page), [[2_000, 45], [3_000, 45]]);
});

test("a page that nobody touches counts half a minute", async () => {
  const page = openPage();
  await page.pass(10_000);
  page.fire("pointermove");
  await page.pass(20_000);
  page.fire("keydown");
  await page.pass(3_600_000);
  page.hide();
  assert.deepEqual(engagements(page), [[60_000, 45]]);
});

test("a glance, and a tab that was never shown, tell nothing", async () => {
  const glance = openPage();
  await glance.pass(900);
  glance.hide();
  const unseen = openPage({ document: { hidden: true } });
  await unseen.pass(20_000);
  unseen.fire("pagehide");
  for (const page of [glance, unseen]) assert.deepEqual(page.types(), ["page_view"]);
});

test("a new view inside the page starts from nothing, and the engagement belongs to the view before", async () => {
  const page = openPage();
  await page.pass(5_000);
  page.window.scrollY = 1_100;
  page.window.history.pushState({}, "", "/p/17");
  page.window.scrollY = 0;
  await page.pass(2_000);
  page.hide();
  const [home, first, product, second] = page.events();
  assert.deepEqual([first.engaged_ms, first.page_id, first.page_url], [5_000, home.page_id, home.page_url]);
  assert.deepEqual([second.engaged_ms, second.page_id], [2_000, product.page_id]);
  assert.deepEqual([first.scroll_pct, second.scroll_pct], [100, 45]);
});

test("a site can do without it", async () => {
  const page = openPage({ tag: { engagement: "off" } });
  await page.pass(5_000);
  page.hide();
  assert.deepEqual(page.types(), ["page_view"]);
});
