//! Simulated shoppers at scale: how good the model is, how long it takes, and their events for ClickHouse.
//!
//! In scope: what `docs/segments.md` reports of simulated shoppers.
//! Out of scope: pass or fail; the same simulation in small is a test (`tests/model`).

#[path = "../tests/model/agreement.rs"]
mod agreement;
#[path = "../tests/model/shopper.rs"]
mod shopper;

use std::fs;
use std::io::{self, BufWriter, Write};
use std::time::{Duration, Instant};

use agreement::adjusted_rand_index;
use clap::{Parser, Subcommand};
use dict_services::model::artefact::Model;
use dict_services::model::dataset::HORIZON_DAYS;
use dict_services::model::points::Points;
use dict_services::model::quality::Quality;
use dict_services::model::{em, training};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};
use shopper::{Crowd, LIFELONG, Oracle, PHASES, Shopper, history, unix_s};

/// Day 0 of the simulation, unix seconds.
const NOW: u32 = 1_763_660_000;
/// Shoppers that the best prediction is computed for: 1,500 likelihoods each.
const MAX_ORACLE_SHOPPERS: usize = 50_000;

/// Simulated shoppers for the segment model.
#[derive(Parser)]
#[command(after_help = "Examples:
  cargo run --profile stack -p dict-services --example shoppers -- quality 100000
  cargo run --profile stack -p dict-services --example shoppers -- events 10000 | clickhouse client \\
      -q 'INSERT INTO ecommerce.events (user_id, session_id, event_type, timestamp, order_id, revenue, currency) FORMAT TSV'")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train on USERS shoppers in memory and compare with what is hidden
    Quality { users: usize },
    /// Fit one mixture of COMPONENTS to USERS points in six blobs, for comparison with libraries
    Mixture { users: usize, components: usize },
    /// Write the events of USERS shoppers up to day 0 as TSV
    Events { users: usize },
}

fn main() -> io::Result<()> {
    match Cli::parse().command {
        Command::Quality { users } => quality(users),
        Command::Mixture { users, components } => mixture(users, components),
        Command::Events { users } => return events(users),
    }
    Ok(())
}

/// The crowd is drawn again for each use and never held, so that the peak memory is that of the training.
fn quality(users: usize) {
    println!("hidden kinds that stay (score)");
    let crowd = || Crowd::new(&LIFELONG, 1, f64::from(HORIZON_DAYS)).take(users);
    let model = trained(crowd());
    print_score(crowd(), &model);
    println!("hidden kinds in their phase of today (segments)");
    let crowd = || Crowd::new(&PHASES, 2, 0.0).take(users);
    let model = trained(crowd());
    print_segments(crowd(), &model);
}

fn mixture(users: usize, components: usize) {
    const DIMENSIONS: usize = 6;
    let mut rng = StdRng::seed_from_u64(1);
    let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
    let centres: Vec<[f64; DIMENSIONS]> = (0..6).map(|_| [(); DIMENSIONS].map(|()| 1.5 * normal())).collect();
    let point = |user: usize| centres[user % centres.len()].map(|centre| centre + 0.6 * normal());
    let points = Points::of(DIMENSIONS, (0..users).map(point));
    let started = Instant::now();
    let fit = em::fit(&points, components, 1);
    let seconds = started.elapsed().as_secs_f64();
    let weights: Vec<f64> =
        fit.iter().flat_map(|fit| fit.mixture.gaussians()).map(|gaussian| gaussian.weight).collect();
    println!(
        "  {components} components, {users} users: {seconds:.1} s, {} MB, weights {weights:.3?}",
        peak_memory_mb()
    );
}

fn trained(crowd: impl Iterator<Item = Shopper>) -> Model {
    let history = history(crowd, NOW, 0.0);
    let samples: usize = history.past.iter().chain([&history.now]).map(|window| window.samples.len()).sum();
    println!("  users in {} windows        {samples:>8}", history.past.len() + 1);
    println!("  memory before training    {:>8} MB", peak_memory_mb());
    let started = Instant::now();
    let model = training::train(&history, None, 1).expect("enough shoppers");
    println!("  training                  {:>8.1} s", started.elapsed().as_secs_f64());
    println!("  peak memory               {:>8} MB", peak_memory_mb());
    model
}

fn print_score(crowd: impl Iterator<Item = Shopper>, model: &Model) {
    let horizon = f64::from(HORIZON_DAYS);
    let oracle = Oracle::new(3);
    let (mut all, mut ours, mut best) = (Vec::new(), Vec::new(), Vec::new());
    let mut judging = Duration::ZERO;
    for shopper in crowd {
        let Some(activity) = shopper.activity(NOW, 0.0, horizon) else {
            continue;
        };
        let started = Instant::now();
        let score = f64::from(model.judge(&activity, NOW).score_ppm) / 1e6;
        judging += started.elapsed();
        let bought = activity.next_orders > 0;
        all.push((score, bought));
        if ours.len() < MAX_ORACLE_SHOPPERS {
            ours.push((score, bought));
            best.push((oracle.chance(&shopper, horizon), bought));
        }
    }
    println!("  judging {:>9} users   {:>8.1} s, one thread", all.len(), judging.as_secs_f64());
    print_quality("model, all", &Quality::of(all));
    print_quality("model, as many as below", &Quality::of(ours));
    print_quality("best possible", &Quality::of(best));
}

fn print_quality(who: &str, quality: &Quality) {
    let (auc, brier, error) = (quality.auc, quality.brier, quality.calibration_error);
    println!("  {who:<24} users {:>8}  AUC {auc:.4}  Brier {brier:.4}  calibration error {error:.4}", quality.users);
}

fn print_segments(crowd: impl Iterator<Item = Shopper>, model: &Model) {
    let segments = model.segments();
    let mut pairs = Vec::new();
    let mut counts = std::collections::BTreeMap::new();
    for shopper in crowd {
        if let Some(activity) = shopper.activity(NOW, 0.0, 0.0) {
            let id = model.judge(&activity, NOW).segment_id;
            let name = segments.iter().find(|segment| segment.id == id).map_or("", |segment| &segment.name);
            *counts.entry((PHASES[shopper.kind].name, name)).or_insert(0_u32) += 1;
            pairs.push((shopper.kind, id));
        }
    }
    println!("  adjusted Rand index       {:>8.3}", adjusted_rand_index(&pairs));
    for ((kind, segment), users) in counts {
        println!("  {kind:<16} -> {segment:<20} {users:>8}");
    }
}

/// The most memory this process ever held, as Linux counts it; 0 elsewhere.
fn peak_memory_mb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).map_or(0, |kb| kb / 1024)
}

fn events(users: usize) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    for shopper in Crowd::new(&LIFELONG, 1, 0.0).take(users) {
        for (session, visit) in shopper.visits.iter().enumerate() {
            let (id, at) = (shopper.user_id, unix_s(NOW, visit.day));
            let mut write = |kind: &str, order: &str, revenue: i128| {
                writeln!(
                    out,
                    "{id}\t{session}\t{kind}\t{at}\t{order}\t{}.{:04}\tEUR",
                    revenue / 10_000,
                    revenue % 10_000
                )
            };
            write("product_view", "", 0)?;
            if visit.carts > 0 {
                write("add_to_cart", "", 0)?;
            }
            if let Some(revenue) = visit.order_e4 {
                write("purchase", &format!("{id}-{session}"), revenue)?;
            }
        }
    }
    out.flush()
}
