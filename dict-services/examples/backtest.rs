//! The score for a list of purchases, as of a past day: for comparison with other models (`bench/cdnow.py`).
//!
//! In scope: purchases only, which is all that public data sets have; a purchase is also a session.
//! Out of scope: judging the score, which the caller does alike for every model.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "amounts and counts of a shop are far below 2^53"
)]

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufWriter, Write};

use clap::Parser;
use dict_services::model::dataset::{HORIZON_DAYS, History, Sample, Window};
use dict_services::model::feature::Units;
use dict_services::model::training;
use dict_services::segment::activity::{Activity, DAY_S, RECENT_DAYS, WINDOW_DAYS};

/// Score purchasers as of a past day. Reads `user,unix seconds,amount` lines, writes `user,score` lines.
#[derive(Parser)]
#[command(after_help = "Example:
  cargo run --profile stack -p dict-services --example backtest -- --cutoff 893980800 < purchases.csv > scores.csv")]
struct Cli {
    /// Only purchases before this are looked at, unix seconds
    #[arg(long)]
    cutoff: u32,
    /// Past windows of 30 days that the score learns from, as far as there are purchases
    #[arg(long, default_value_t = 11)]
    windows: u32,
}

/// Time and ten-thousandths of each purchase, by user.
type Purchases = BTreeMap<u64, Vec<(u32, i128)>>;

fn main() -> io::Result<()> {
    let cli = Cli::parse();
    let purchases = read(cli.cutoff)?;
    let first = purchases.values().flatten().map(|purchase| purchase.0).min().unwrap_or(0);
    let units = Units::new([("USD".to_owned(), typical_order(&purchases))]);
    let window = |cutoff: u32, next_days: u32| {
        let activities = purchases.iter().filter_map(|(user, of_user)| activity(*user, of_user, cutoff, next_days));
        Window { cutoff, samples: activities.map(|activity| Sample::of(&activity, &units, cutoff)).collect() }
    };
    let cutoffs = (1..=cli.windows).map(|back| cli.cutoff.saturating_sub(back * HORIZON_DAYS * DAY_S));
    let past = cutoffs.filter(|cutoff| *cutoff > first).map(|cutoff| window(cutoff, HORIZON_DAYS)).collect();
    let history = History { now: window(cli.cutoff, 0), past, units: units.clone() };
    let model = training::train(&history, None, 1).map_err(io::Error::other)?;
    let mut out = BufWriter::new(io::stdout().lock());
    for sample in &history.now.samples {
        writeln!(out, "{},{:.6}", sample.user_id, model.score(sample.population, &sample.features))?;
    }
    out.flush()
}

fn read(cutoff: u32) -> io::Result<Purchases> {
    let mut purchases = Purchases::new();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let (user, at, amount) = parse(&line)
            .ok_or_else(|| io::Error::other(format!("expected user,unix seconds,amount, found {line:?}")))?;
        if at < cutoff {
            purchases.entry(user).or_default().push((at, amount));
        }
    }
    for of_user in purchases.values_mut() {
        of_user.sort_unstable();
    }
    Ok(purchases)
}

fn parse(line: &str) -> Option<(u64, u32, i128)> {
    let mut fields = line.split(',');
    let (user, at) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    let amount: f64 = fields.next()?.parse().ok()?;
    Some((user, at, (amount * 10_000.0).round() as i128))
}

fn typical_order(purchases: &Purchases) -> f64 {
    let logs: Vec<f64> = purchases
        .values()
        .flatten()
        .filter(|purchase| purchase.1 > 0)
        .map(|purchase| (purchase.1 as f64 / 10_000.0).ln())
        .collect();
    (logs.iter().sum::<f64>() / logs.len().max(1) as f64).exp()
}

/// What the service would read of a user's purchases.
fn activity(user_id: u64, purchases: &[(u32, i128)], cutoff: u32, next_days: u32) -> Option<Activity> {
    let since = cutoff.saturating_sub(WINDOW_DAYS * DAY_S);
    let past: Vec<&(u32, i128)> = purchases.iter().filter(|purchase| (since..cutoff).contains(&purchase.0)).collect();
    let recent = past.iter().filter(|purchase| purchase.0 >= cutoff - RECENT_DAYS * DAY_S).count() as u64;
    let next = cutoff..cutoff + next_days * DAY_S;
    let (first, last) = (past.first()?.0, past.last()?.0);
    Some(Activity {
        user_id,
        first_seen: first,
        last_seen: last,
        first_order: first,
        last_order: last,
        orders: past.len() as u64,
        recent_orders: recent,
        net_revenue_e4: vec![("USD".to_owned(), past.iter().map(|purchase| purchase.1).sum())],
        sessions: past.len() as u64,
        recent_sessions: recent,
        next_orders: purchases.iter().filter(|purchase| next.contains(&purchase.0)).count() as u64,
        ..Activity::default()
    })
}
