// Prints what an answer costs in Wasm: node cost.mjs COST.wasm COST_UAPARSER.wasm HUMANS.jsonl REGEXES.yaml
// One JSON object per line and module; `cargo xtask bench user-agent` builds the modules, runs this and judges it.
// Every user agent is fresh: there are more of them than the caches hold. Percentiles are those of one round, the one with the lowest median: the
// others had the machine less to themselves. The slowest is the user agent whose quickest time is the slowest. Our start is the quickest of some
// processes (node cost.mjs start COST.wasm): V8 remembers what a process has compiled.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const ROUNDS = 9; // and one before them, in which V8 compiles
const STARTS = 9;
const UAPARSER_SHARE = 20; // uaparser is slow: every 20th user agent, one round
// Room for the input: of one user agent, and of a whole regexes.yaml, which uaparser starts with.
const OUR_INPUT_BYTES = 1 << 12;
const THEIR_INPUT_BYTES = 1 << 20;

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

/** Microseconds of each input, once. */
function time(module, name, inputs) {
  const answer = module.exports[name];
  return Float64Array.from(inputs, (input) => {
    module.write(input);
    const begin = process.hrtime.bigint();
    answer(input.length);
    return Number(process.hrtime.bigint() - begin) / 1000;
  });
}

function measure(module, name, inputs, rounds) {
  if (rounds > 1) time(module, name, inputs);
  const times = Array.from({ length: rounds }, () => time(module, name, inputs));
  const quickest = inputs.map((_, index) => Math.min(...times.map((round) => round[index])));
  const at = (round, share) => round[Math.min(round.length - 1, Math.floor(share * round.length))];
  const [best] = times.map((round) => round.sort()).sort((left, right) => at(left, 0.5) - at(right, 0.5));
  return { name, inputs: inputs.length, p50_us: at(best, 0.5), p99_us: at(best, 0.99), max_us: Math.max(...quickest) };
}

function report(name, { exports, inputBytes, startMs, gzippedBytes }, answers) {
  const memoryBytes = exports.memory.buffer.byteLength - inputBytes;
  console.log(JSON.stringify({ name, answers, start_ms: startMs, memory_bytes: memoryBytes, gzipped_bytes: gzippedBytes }));
}

if (process.argv[2] === "start") {
  console.log(load(process.argv[3], new Uint8Array(), OUR_INPUT_BYTES).startMs);
  process.exit();
}
const [script, ours, theirs, corpus, regexes] = process.argv.slice(1);
const rows = readFileSync(corpus, "utf8").trim().split("\n").map((line) => JSON.parse(line));
const modern = rows.filter((row) => row.modern).map((row) => new TextEncoder().encode(row.ua));
const cost = load(ours, new Uint8Array(), OUR_INPUT_BYTES);
const starts = Array.from({ length: STARTS }, () => Number(execFileSync(process.execPath, [script, "start", ours])));
cost.startMs = Math.min(...starts);
report("user-agent", cost, [measure(cost, "parse", modern, ROUNDS), measure(cost, "crawler", modern, ROUNDS)]);
const uaparser = load(theirs, readFileSync(regexes), THEIR_INPUT_BYTES);
const some = modern.filter((_, index) => index % UAPARSER_SHARE === 0);
report("uaparser", uaparser, [measure(uaparser, "parse", some, 1)]);
