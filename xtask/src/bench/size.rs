//! Bytes that a page and the Worker's isolate load, and the Worker's start. In scope: the budgets; the measuring is `build::size`.

use anyhow::Result;

use super::figure::{Budget, Figure, float};
use crate::build::{self, size};
use crate::{paths, step};

pub(super) const METHOD: &str = "gzip at level 9; start: medians of alternating starts of workerd until the first beacon is answered, ours and a no-op Worker";

const MAX_BEACON_BYTES: f64 = 2_048.0;
const MAX_WASM_BYTES: f64 = 350.0 * 1_024.0;
const MAX_START_MS: f64 = 10.0;

pub(super) fn measure() -> Result<Vec<Figure>> {
    build::worker()?;
    let script = size::bytes(&paths::root().join("beacon/dist/l.js"))?;
    let wasm = size::bytes(&paths::worker_build().join("index_bg.wasm"))?;
    let shim = size::bytes(&paths::worker_build().join("index.js"))?;
    let start = step::step("starting both Workers in turn", size::start)?;
    Ok(vec![
        Figure::new("beacon script, gzipped", float(script.gzipped), "B", Budget::AtMost(MAX_BEACON_BYTES)),
        Figure::new("Worker's Wasm, gzipped", float(wasm.gzipped), "B", Budget::AtMost(MAX_WASM_BYTES)),
        Figure::new("Worker's Wasm, raw", float(wasm.raw), "B", Budget::None),
        Figure::new("Worker's index.js, gzipped", float(shim.gzipped), "B", Budget::None),
        Figure::new("start over a no-op Worker", start.over_no_op_ms(), "ms", Budget::AtMost(MAX_START_MS)),
        Figure::new("start of a no-op Worker", start.no_op.as_secs_f64() * 1e3, "ms", Budget::None),
    ])
}
