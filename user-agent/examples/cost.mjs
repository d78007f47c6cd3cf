// Prints what an answer costs in Wasm: node cost.mjs COST.wasm COST_UAPARSER.wasm HUMANS.jsonl REGEXES.yaml
// Every user agent counts once and fresh: there are more of them than the caches hold, and of a few rounds the fastest counts.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const ROUNDS = 6;
const UAPARSER_SHARE = 20; // uaparser is slow: every 20th user agent, one round
const INPUT_BYTES = 1 << 20;

const [ours, theirs, corpus, regexes] = process.argv.slice(2);
const rows = readFileSync(corpus, "utf8").trim().split("\n").map((line) => JSON.parse(line));
const modern = rows.filter((row) => row.modern).map((row) => new TextEncoder().encode(row.ua));

function load(path, startInput) {
  const bytes = readFileSync(path);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), {});
  const write = (input) => {
    const address = exports.input(); // the first call may move the memory
    new Uint8Array(exports.memory.buffer, address, INPUT_BYTES).set(input);
  };
  write(startInput);
  const begin = performance.now();
  exports.start(startInput.length);
  return { exports, write, startMs: performance.now() - begin, gzipped: gzipSync(bytes, { level: 9 }).length };
}

function measure(module, name, inputs, rounds) {
  const answer = module.exports[name];
  const best = new Float64Array(inputs.length).fill(Infinity);
  for (let round = 0; round <= rounds; round++) {
    inputs.forEach((input, index) => {
      module.write(input);
      const begin = process.hrtime.bigint();
      answer(input.length);
      const micros = Number(process.hrtime.bigint() - begin) / 1000;
      if (round > 0 || rounds === 0) best[index] = Math.min(best[index], micros);
    });
  }
  const sorted = best.sort();
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))].toFixed(2).padStart(8);
  return `p50 ${at(0.5)} us  p99 ${at(0.99)} us  max ${at(1)} us  (${inputs.length} modern user agents)`;
}

const report = (name, module, line) => {
  const megabytes = ((module.exports.memory.buffer.byteLength - INPUT_BYTES) / 2 ** 20).toFixed(1);
  const size = Math.round(module.gzipped / 1024);
  console.log(`${name}  ${line}  start ${module.startMs.toFixed(2)} ms  memory ${megabytes} MB  ${size} KB gzipped`);
};

const cost = load(ours, new Uint8Array());
report("user-agent parse  ", cost, measure(cost, "parse", modern, ROUNDS));
report("user-agent crawler", cost, measure(cost, "crawler", modern, ROUNDS));
const uaparser = load(theirs, readFileSync(regexes));
const some = modern.filter((_, index) => index % UAPARSER_SHARE === 0);
report("uaparser          ", uaparser, measure(uaparser, "parse", some, 0));
