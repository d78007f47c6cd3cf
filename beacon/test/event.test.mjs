// Event ids, session ids and waits, by themselves.

import assert from "node:assert/strict";
import test from "node:test";
import { importSource } from "../testing/page.mjs";

const { uuidV7 } = await importSource("event.ts");
const { retryDelayMs } = await importSource("retry.ts");
const { MIN_RETRY_MS, MAX_RETRY_MS } = await importSource("limit.ts");

test("an event id is a UUIDv7 of its time", () => {
  // The example of RFC 9562, appendix A.6.
  const random = Uint8Array.of(0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f);
  assert.equal(uuidV7(0x017f22e279b0, random), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
});

test("version and variant stand whatever the random bytes are", () => {
  for (const byte of [0x00, 0xff]) {
    assert.match(uuidV7(Date.now(), new Uint8Array(10).fill(byte)), /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  }
});

test("the wait doubles, is spread by half, and ends at the limit", () => {
  assert.equal(retryDelayMs(0, 0, 0), MIN_RETRY_MS);
  assert.equal(retryDelayMs(0, 0, 1), MIN_RETRY_MS / 2);
  assert.equal(retryDelayMs(3, 0, 0), MIN_RETRY_MS * 8);
  assert.equal(retryDelayMs(1000, 0, 0), MAX_RETRY_MS);
});

test("the collector's wish goes before, up to the limit; one that is no number counts as none", () => {
  assert.equal(retryDelayMs(5, 7, 0), 7_000);
  assert.equal(retryDelayMs(0, 1e9, 0), MAX_RETRY_MS);
  assert.equal(retryDelayMs(0, NaN, 0), MIN_RETRY_MS);
});
