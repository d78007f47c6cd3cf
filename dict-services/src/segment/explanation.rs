//! What the commands print for people.
//!
//! In scope: a training's outcome, the reasons for one user's segment and score.
//! Out of scope: what either means ([`crate::model`]).

use std::io::{self, Write};

use super::activity::Activity;
use super::judge::Judge;
use super::rule::{self, PPM};
use super::trainer::Outcome;
use crate::model::artefact::{Explanation, Model};
use crate::model::population::Population;
use crate::model::promotion::Gain;

/// Reasons for the score that are printed, the strongest first.
const MAX_REASONS: usize = 6;

/// Writes what came of a training.
pub fn write_outcome(outcome: &Outcome, out: &mut impl Write) -> io::Result<()> {
    let model = &outcome.model;
    let report = &model.report;
    let state = if outcome.is_promoted() { "in use now" } else { "kept, but worse than the one in use" };
    writeln!(out, "model {}: {state}", model.version)?;
    writeln!(out, "users {}, labelled {} in {} past windows", report.users, report.labelled, report.windows)?;
    for population in [Population::Buyers, Population::Visitors] {
        write_segments(model, population, out)?;
    }
    write_quality(model, out)?;
    let Some(comparison) = outcome.comparison else {
        return Ok(());
    };
    writeln!(out, "\nbeside the model that was in use, per holdout user (more is better, +- standard error)")?;
    let mut write = |what: &str, gain: Gain| writeln!(out, "  {what:<28} {:+.5} +- {:.5}", gain.mean, gain.error);
    write("log-likelihood of the score", comparison.score)?;
    write("log density of the segments", comparison.segments)
}

fn write_segments(model: &Model, population: Population, out: &mut impl Write) -> io::Result<()> {
    let Some(segmentation) = &model.part(population).segmentation else {
        return writeln!(out, "\n{population:?}: too few for segments, the rule places them");
    };
    writeln!(
        out,
        "\n{population:?}: {} segments of {} components",
        segmentation.segments().len(),
        segmentation.components()
    )?;
    for candidate in &segmentation.candidates {
        let (k, bic, fit) = (candidate.components, candidate.bic, candidate.log_likelihood);
        writeln!(out, "  {k} components: BIC {bic:.0}, log-likelihood {fit:.0}")?;
    }
    for segment in segmentation.segments() {
        writeln!(out, "  {:>5} {:<20} {:>5.1} %", segment.tag.id, segment.tag.name, 100.0 * segment.share)?;
        for feature in population.segment_features() {
            let mean = segment.profile.iter().find(|(name, _)| name == feature.name()).map_or(0.0, |(_, mean)| *mean);
            writeln!(out, "          {mean:>8.1} {}", feature.name())?;
        }
    }
    Ok(())
}

fn write_quality(model: &Model, out: &mut impl Write) -> io::Result<()> {
    let holdout = &model.report.holdout;
    writeln!(out, "\nscore: purchase within 30 days, on {} users kept apart", holdout.users)?;
    writeln!(out, "  AUC {:.4}, Brier {:.4}, log loss {:.4}", holdout.auc, holdout.brier, holdout.log_loss)?;
    if let Some(density) = model.report.holdout_log_density {
        writeln!(out, "  mean log density under the segments {density:.3}")?;
    }
    writeln!(out, "  calibration (mean distance {:.4})\n       users promised observed", holdout.calibration_error)?;
    for row in &holdout.calibration {
        writeln!(out, "    {:>8}   {:.4}   {:.4}", row.users, row.promised, row.observed)?;
    }
    Ok(())
}

/// Writes why a user has the segment and the score.
pub fn write(judge: &Judge, activity: &Activity, now: u32, out: &mut impl Write) -> io::Result<()> {
    match judge {
        Judge::Rule => write_rule(activity, now, out),
        Judge::Model(model) => write_model(model, &model.explain(activity, now), activity.user_id, out),
    }
}

fn write_rule(activity: &Activity, now: u32, out: &mut impl Write) -> io::Result<()> {
    let placement = rule::judge(activity, now);
    let segments = rule::segments();
    let name = segments.iter().find(|segment| segment.id == placement.segment_id).map_or("", |segment| &segment.name);
    writeln!(out, "user {}: {name} ({}), by the rule: there is no model yet", activity.user_id, placement.segment_id)?;
    writeln!(out, "score {:.4}: a rank among buyers, not a probability", share(placement.score_ppm))?;
    writeln!(out, "{activity:#?}")
}

fn write_model(model: &Model, why: &Explanation, user_id: u64, out: &mut impl Write) -> io::Result<()> {
    let part = model.part(why.population);
    let segments = model.segments();
    let name =
        segments.iter().find(|segment| segment.id == why.placement.segment_id).map_or("", |segment| &segment.name);
    writeln!(out, "user {user_id}: {name} ({}), by model {}", why.placement.segment_id, model.version)?;
    writeln!(out, "\nsegment, with a confidence of {:.4}", share(why.placement.confidence_ppm))?;
    for (membership, segmentation) in why.membership.iter().zip(&part.segmentation) {
        for (share, segment) in membership.shares.iter().zip(segmentation.segments()) {
            writeln!(out, "  {share:.4} {}", segment.tag.name)?;
        }
    }
    if why.membership.is_none() {
        writeln!(out, "  by the rule: too few {:?} to look for segments", why.population)?;
    }
    for feature in why.population.segment_features() {
        writeln!(out, "  {:>8.1} {}", why.features.plain(*feature), feature.name())?;
    }
    writeln!(out, "\nscore {:.4}: chance of a purchase within 30 days; strongest reasons, in log odds", why.score)?;
    let mut reasons: Vec<_> = why.contributions.iter().zip(why.population.score_features()).collect();
    reasons.sort_by(|left, right| right.0.abs().total_cmp(&left.0.abs()));
    for (addend, feature) in reasons.into_iter().take(MAX_REASONS) {
        writeln!(out, "  {addend:+.2} {} = {:.1}", feature.name(), why.features.plain(*feature))?;
    }
    Ok(())
}

fn share(ppm: u32) -> f64 {
    f64::from(ppm) / f64::from(PPM)
}
