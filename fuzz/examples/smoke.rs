//! A bounded fuzz run on the stable toolchain, for CI: mutates the seed corpus without coverage feedback.
//!
//! `cargo run --release --manifest-path fuzz/Cargo.toml --example smoke -- [--seconds 20] [--seed 1]`. Exit code 101 means a panic; its input is printed.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// The longest input, in bytes.
const MAX_INPUT_BYTES: usize = 4_096;

/// Pieces that beacons and user agents are made of; a random byte alone seldom finds them.
const WORDS: [&str; 46] = [
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "null",
    "true",
    "1e999",
    "-0",
    "\\u0000",
    "\\ud83d",
    "\n",
    "\t",
    "events",
    "site",
    "demo",
    "strict",
    "event_type",
    "page_view",
    "purchase",
    "page_url",
    "https://",
    "items",
    "unit_price",
    "product_id",
    "revenue",
    "currency",
    "properties",
    "user_id",
    "occurred_at",
    "sent_at",
    "9999999999999999999999",
    "@a.example",
    "%40",
    "eyJ",
    "utm_source",
    "ü\u{1f600}",
    "Mozilla/5.0 (",
    "; Android 9; ",
    " Build/",
    " Mobile ",
    "Chrome/1.2.3.4",
    "bot/1.0",
];

type Target = (&'static str, fn(&[u8]));

fn main() {
    let argument = |name: &str, default: u64| {
        let mut arguments = std::env::args().skip_while(|argument| argument != name).skip(1);
        arguments.next().map_or(default, |value| {
            value.parse().unwrap_or_else(|_| panic!("expected a number after {name}, found {value:?}"))
        })
    };
    let targets: [Target; 4] = [
        ("beacon", fuzz::beacon),
        ("pipeline", fuzz::pipeline),
        ("batcher", fuzz::batcher),
        ("user_agent", fuzz::user_agent),
    ];
    let seconds = argument("--seconds", 20);
    for (name, target) in targets {
        let runs =
            run(name, target, Duration::from_millis(seconds * 1_000 / targets.len() as u64), argument("--seed", 1));
        println!("{name}: {runs} runs, no panic");
    }
}

fn run(name: &str, target: fn(&[u8]), time: Duration, seed: u64) -> u64 {
    let corpus = corpus(name);
    assert!(!corpus.is_empty(), "the corpus of {name} is empty");
    // Odd, because from 0 nothing follows, and another for every seed.
    let mut random = Random(seed.wrapping_mul(2) | 1);
    let (start, mut runs) = (Instant::now(), 0);
    for input in &corpus {
        guarded(target, input);
    }
    while start.elapsed() < time {
        let mut input = corpus[random.below(corpus.len())].clone();
        for _ in 0..=random.below(6) {
            mutate(&mut input, &corpus, &mut random);
        }
        input.truncate(MAX_INPUT_BYTES);
        guarded(target, &input);
        runs += 1;
    }
    runs
}

/// Runs one input; if it panics, the input is printed before the process ends.
fn guarded(target: fn(&[u8]), input: &[u8]) {
    struct Show<'a>(&'a [u8]);
    impl Drop for Show<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("input: {:?}", String::from_utf8_lossy(self.0));
                eprintln!("bytes: {:?}", self.0);
            }
        }
    }
    let show = Show(input);
    target(show.0);
}

fn mutate(input: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len() + 1);
    match random.below(6) {
        0 => input.insert(at, random.next().to_le_bytes()[0]),
        1 if at < input.len() => input[at] ^= 1 << random.below(8),
        2 if at < input.len() => drop(input.drain(at..(at + 1 + random.below(8)).min(input.len()))),
        3 => drop(input.splice(at..at, WORDS[random.below(WORDS.len())].bytes())),
        4 => {
            let other = &corpus[random.below(corpus.len())];
            let from = random.below(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        _ => {
            let end = (at + random.below(64)).min(input.len());
            let copy = input[at..end].to_vec();
            drop(input.splice(at..at, copy));
        }
    }
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let mut paths: Vec<_> = fs::read_dir(folder)
        .expect("the corpus exists")
        .map(|entry| entry.expect("the corpus can be read").path())
        .collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("the corpus can be read")).collect()
}

/// Xorshift: repeatable, and good enough to pick mutations.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap_or(0)
    }
}
