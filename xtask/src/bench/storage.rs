//! What is stored, and what is read from it. In scope: bytes per event of simulated shop traffic, materialized views beside the raw table.

mod shop;
mod views;

use anyhow::Result;

use super::figure::{Budget, Figure, median};
use super::lab::Lab;

pub(super) const METHOD: &str = "bytes: 40,000 visits of 8,000 simulated shoppers through the collector, spread over a day, compressed columns after all merges; \
    views: the same aggregates from 10 M generated events and from the materialized views over them, medians of 5 queries";

const MAX_BYTES_PER_EVENT: f64 = 45.0;
const VIEW_SPEEDUP_MIN: f64 = 10.0;

pub(super) fn measure() -> Result<Vec<Figure>> {
    let lab = Lab::start()?;
    let shop = shop::measure(&lab)?;
    let mut figures = vec![
        Figure::new("compressed, per event", shop.bytes_per_event, "B", Budget::AtMost(MAX_BYTES_PER_EVENT)),
        Figure::new("as JSONEachRow, per event", shop.json_bytes_per_event, "B", Budget::None),
    ];
    for (column, bytes) in shop.largest_columns {
        figures.push(Figure::new(format!("  of which {column}"), bytes, "B", Budget::None));
    }
    views::generate(&lab)?;
    for question in &views::QUESTIONS {
        let raw = median(views::times_ms(&lab, question.raw)?);
        let view = median(views::times_ms(&lab, question.view)?);
        figures.push(Figure::new(format!("{}, raw table", question.name), raw, "ms", Budget::None));
        figures.push(Figure::new(format!("{}, view", question.name), view, "ms", Budget::None));
        let name = format!("{}, raw over view", question.name);
        figures.push(Figure::new(name, raw / view, "x", Budget::AtLeast(VIEW_SPEEDUP_MIN)));
    }
    Ok(figures)
}
