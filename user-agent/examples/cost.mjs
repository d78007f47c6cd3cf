// Prints what an answer costs in Wasm: node cost.mjs COST.wasm COST_UAPARSER.wasm HUMANS.jsonl REGEXES.yaml
// One JSON object per line and module; `cargo xtask bench user-agent` builds the modules, runs this and judges it.
// Every user agent counts once and fresh: there are more of them than the caches hold, and of a few rounds the fastest counts.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const ROUNDS = 6;
const UAPARSER_SHARE = 20; // uaparser is slow: every 20th user agent, one round
// Room for the input: of one user agent, and of a whole regexes.yaml, which uaparser starts with.
const OUR_INPUT_BYTES = 1 << 12;
const THEIR_INPUT_BYTES = 1 << 20;

const [ours, theirs, corpus, regexes] = process.argv.slice(2);
const rows = readFileSync(corpus, "utf8").trim().split("\n").map((line) => JSON.parse(line));
const modern = rows.filter((row) => row.modern).map((row) => new TextEncoder().encode(row.ua));

function load(path, startInput, inputBytes) {
  const bytes = readFileSync(path);
  const begin = performance.now();
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), {});
  const write = (input) => {
    const address = exports.input(); // the first call may move the memory
    new Uint8Array(exports.memory.buffer, address, inputBytes).set(input);
  };
  write(startInput);
  exports.start(startInput.length);
  return { exports, write, inputBytes, startMs: performance.now() - begin, gzippedBytes: gzipSync(bytes, { level: 9 }).length };
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
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  return { name, inputs: inputs.length, p50_us: at(0.5), p99_us: at(0.99), max_us: at(1) };
}

function report(name, { exports, inputBytes, startMs, gzippedBytes }, answers) {
  const memoryBytes = exports.memory.buffer.byteLength - inputBytes;
  console.log(JSON.stringify({ name, answers, start_ms: startMs, memory_bytes: memoryBytes, gzipped_bytes: gzippedBytes }));
}

const cost = load(ours, new Uint8Array(), OUR_INPUT_BYTES);
report("user-agent", cost, [measure(cost, "parse", modern, ROUNDS), measure(cost, "crawler", modern, ROUNDS)]);
const uaparser = load(theirs, readFileSync(regexes), THEIR_INPUT_BYTES);
const some = modern.filter((_, index) => index % UAPARSER_SHARE === 0);
report("uaparser", uaparser, [measure(uaparser, "parse", some, 0)]);
