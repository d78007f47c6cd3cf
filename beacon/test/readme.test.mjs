// What the README publishes of the built script is true. Needs beacon/dist, which `node beacon/build.mjs` makes.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

const read = (path) => readFileSync(new URL(path, import.meta.url), "utf8");

test("the integrity hash and the versioned path are those of the built script", () => {
  const manifest = JSON.parse(read("../dist/manifest.json"));
  const readme = read("../README.md");
  assert.ok(readme.includes(`integrity="${manifest.sri}"`), `expected ${manifest.sri} in beacon/README.md`);
  assert.ok(readme.includes(`/l.${manifest.version}.js`), `expected /l.${manifest.version}.js in beacon/README.md`);
});
