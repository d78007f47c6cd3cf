// Builds the tracker: `node beacon/build.mjs`, from anywhere.
//
// In scope: dist/l.js and dist/manifest.json, the size budget. Out of scope: serving the script (edge-collector).

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { build } from "esbuild";

/** The budget of the design, for what a page downloads. */
const MAX_GZIP_BYTES = 2_048;

const here = new URL(".", import.meta.url);
const { version } = JSON.parse(readFileSync(new URL("package.json", here), "utf8"));
const { outputFiles } = await build({
  absWorkingDir: decodeURIComponent(here.pathname),
  entryPoints: ["src/main.ts"],
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2017",
  legalComments: "none",
  // Without it the compiler option `strict` puts "use strict" in front, which modules do not need.
  tsconfigRaw: {},
  define: { __VERSION__: JSON.stringify(version) },
  write: false,
});
const script = Buffer.from(outputFiles[0].contents);
const sri = "sha384-" + createHash("sha384").update(script).digest("base64");
const gzipBytes = gzipSync(script, { level: 9 }).length;
const brotliBytes = brotliCompressSync(script).length;

console.log(`l.js ${version}: ${script.length} B raw, ${gzipBytes} B gzip, ${brotliBytes} B brotli (budget ${MAX_GZIP_BYTES} B gzip)`);
console.log(`integrity="${sri}"`);
if (gzipBytes > MAX_GZIP_BYTES) {
  console.error(`expected at most ${MAX_GZIP_BYTES} B gzipped, found ${gzipBytes} B`);
  process.exit(1);
}
mkdirSync(new URL("dist/", here), { recursive: true });
writeFileSync(new URL("dist/l.js", here), script);
const manifest = { version, sri, bytes: script.length, gzip_bytes: gzipBytes };
writeFileSync(new URL("dist/manifest.json", here), JSON.stringify(manifest, null, 2) + "\n");
