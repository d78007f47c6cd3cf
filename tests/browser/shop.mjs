// One visitor of the sample shop: list, product, cart, checkout, purchase, in a real browser.
//
//   node tests/browser/shop.mjs --shop URL [--user-id N] [--chromium PATH]
//
// Prints one line of JSON: {visits, order_id, page_id, requests: [{url, status, body, receipts}]}. `page_id` is the page view
// that the purchase happened in. Fails (status 1) on any beacon that was not answered 202, or not answered at all, and on any
// event that was found invalid.
//
// In scope: what the browser shows and sends. Out of scope: what the collector makes of it (tests/e2e), and the beacons that
// leave in the moment a page ends (`engagement`): their answers reach no page, so Playwright does not report them.

import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";

/** For each step of the visit and each answer: generous, because a test machine may be building at the same time. */
const STEP_TIMEOUT_MS = 60_000;

/** For the whole visit: then the program ends, whatever the browser does. */
const VISIT_TIMEOUT_MS = 300_000;

const CHROMIUM_FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // navigator.webdriver is false, as with a visitor.
  "--disable-blink-features=AutomationControlled",
];

const { values: options } = parseArgs({
  options: { shop: { type: "string" }, "user-id": { type: "string" }, chromium: { type: "string", default: "/usr/bin/chromium" } },
});
if (!options.shop) {
  console.error("expected --shop URL, found none");
  process.exit(2);
}
setTimeout(() => {
  console.error(`expected the visit to end within ${VISIT_TIMEOUT_MS} ms`);
  process.exit(1);
}, VISIT_TIMEOUT_MS).unref();

// The browser's own user agent without "Headless". As a flag: what Playwright sets for a page is not sent with the beacons of
// a page that ends.
const version = /\d+/.exec(execFileSync(options.chromium, ["--version"], { encoding: "utf8", stdio: "pipe", timeout: STEP_TIMEOUT_MS }))?.[0];
const userAgent = `Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${version}.0.0.0 Safari/537.36`;
const browser = await chromium.launch({
  executablePath: options.chromium,
  headless: true,
  args: [...CHROMIUM_FLAGS, `--user-agent=${userAgent}`],
});
try {
  const report = await visit(await newPage(browser));
  console.log(JSON.stringify(report));
  const failed = report.requests.filter((request) => request.status !== 202);
  const invalid = report.requests.flatMap((request) => request.receipts ?? []).filter((receipt) => receipt.outcome === "invalid");
  if (invalid.length) {
    console.error(`expected valid events, found ${JSON.stringify(invalid)}`);
    process.exitCode = 1;
  }
  if (failed.length) {
    console.error(`expected status 202 for every beacon, found ${failed.map((request) => request.status ?? request.failure).join(", ")}`);
    process.exitCode = 1;
  }
} catch (error) {
  console.error(String(error.stack ?? error));
  process.exitCode = 1;
} finally {
  await browser.close();
}

/** A tab as an ordinary visitor has it. */
async function newPage(browser) {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    screen: { width: 1920, height: 1080 },
    locale: "en-GB",
    timezoneId: "Europe/Berlin",
  });
  context.setDefaultTimeout(STEP_TIMEOUT_MS);
  return context.newPage();
}

/** The visit itself: the steps that a buyer takes. */
async function visit(page) {
  const beacons = recordBeacons(page);
  const shop = new URL("/", options.shop).href;
  let visits = 0;
  const arrive = async (go) => {
    await go();
    visits += 1;
    await beacons.arrived("page_view", visits);
  };
  const click = (name) => page.locator(`[data-test="${name}"]`).first().click();

  await arrive(() => page.goto(shop));
  if (options["user-id"]) {
    await click("account");
    await page.locator('[data-test="user-id"]').fill(options["user-id"]);
    await click("sign-in");
    await beacons.arrived("login", 1);
  }
  await arrive(() => page.locator('[data-product-id="17"]').click());
  await click("add-to-cart");
  await beacons.arrived("add_to_cart", 1);
  await arrive(() => click("to-cart"));
  await arrive(() => click("to-checkout"));
  await beacons.arrived("begin_checkout", 1);
  await click("place-order");
  await beacons.arrived("purchase", 1);
  const orderId = await page.locator('[data-test="order-id"]').textContent();
  await beacons.allAnswered();
  const purchase = beacons.events().find((event) => event.event_type === "purchase");
  return { visits, order_id: orderId, page_id: purchase.page_id, requests: beacons.requests };
}

/** Every beacon of this tab with its answer, and ways to wait for them. */
function recordBeacons(page) {
  const requests = [];
  const waiters = new Set();
  const changed = () => waiters.forEach((wake) => wake());
  const known = new Map();
  const isBeacon = (request) => request.method() === "POST" && request.url().endsWith("/v1/events");
  page.on("request", (request) => {
    if (!isBeacon(request)) return;
    const entry = { url: request.url(), status: null, body: JSON.parse(request.postData()) };
    known.set(request, entry);
    requests.push(entry);
  });
  page.on("response", async (response) => {
    const entry = known.get(response.request());
    if (!entry) return;
    // The body of an answer is gone with the page that asked; its status is not.
    entry.receipts = await response.json().then((body) => body.results, () => undefined);
    entry.status = response.status();
    changed();
  });
  page.on("requestfailed", (request) => {
    const entry = known.get(request);
    if (entry) entry.failure = request.failure()?.errorText ?? "failed";
    changed();
  });

  const until = (what, holds) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        waiters.delete(check);
        reject(new Error(`expected ${what} within ${STEP_TIMEOUT_MS} ms, found ${JSON.stringify(requests)}`));
      }, STEP_TIMEOUT_MS);
      const check = () => {
        if (!holds()) return;
        clearTimeout(timer);
        waiters.delete(check);
        resolve();
      };
      waiters.add(check);
      check();
    });
  const isAnswered = (request) => request.status !== null || request.failure !== undefined;
  const events = () => requests.flatMap((request) => request.body.events);
  const answeredOf = (eventType) =>
    requests.filter(isAnswered).flatMap((request) => request.body.events).filter((event) => event.event_type === eventType);
  return {
    requests,
    events,
    arrived: (eventType, count) => until(`${count} answered ${eventType}`, () => answeredOf(eventType).length >= count),
    allAnswered: () => until("an answer to every beacon", () => requests.every(isAnswered)),
  };
}
