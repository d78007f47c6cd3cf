//! What a process takes. In scope: memory and processor time as Linux counts them, running a program to its end beside them.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::{interrupt, step};

/// How often a running program is looked at. What it takes in the last moment is not seen.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// `USER_HZ`, which Linux has fixed for every processor that this runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// What a process has taken until now.
#[derive(Clone, Copy)]
pub(super) struct Usage {
    pub(super) now_bytes: f64,
    pub(super) peak_bytes: f64,
    pub(super) cpu_s: f64,
}

/// A program that came to its end.
pub(super) struct Run {
    pub(super) seconds: f64,
    pub(super) usage: Usage,
}

impl Usage {
    pub(super) fn of(pid: u32) -> Result<Self> {
        let read = |file: &str| {
            let path = format!("/proc/{pid}/{file}");
            fs::read_to_string(&path).with_context(|| format!("expected {path}; this needs Linux"))
        };
        let status = read("status")?;
        let bytes = |field: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(field));
            let kib = line.and_then(|rest| rest.split_whitespace().next()).and_then(|kib| kib.parse::<f64>().ok());
            kib.map(|kib| kib * 1024.0).with_context(|| format!("expected {field} of process {pid}"))
        };
        Ok(Self { now_bytes: bytes("VmRSS:")?, peak_bytes: bytes("VmHWM:")?, cpu_s: cpu_seconds(&read("stat")?)? })
    }
}

/// User and system time: fields 14 and 15, counted behind the name, which may hold spaces.
fn cpu_seconds(stat: &str) -> Result<f64> {
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    let ticks: Vec<f64> = fields.split(' ').skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    match ticks[..] {
        [user, system] => Ok((user + system) / TICKS_PER_SECOND),
        _ => bail!("expected the times of a process, found {stat:?}"),
    }
}

/// Runs a program to its end as a step.
pub(super) fn run(title: &str, command: &mut Command, time_max: Duration) -> Result<Run> {
    step::step(title, || {
        let started = Instant::now();
        let mut child = command.spawn().with_context(|| format!("expected to run {command:?}"))?;
        let mut usage = None;
        let ended = loop {
            // A process that has ended has no memory any more; what was seen last counts.
            usage = Usage::of(child.id()).ok().or(usage);
            if let Some(status) = child.try_wait()? {
                break Ok(status);
            }
            if let Err(interrupted) = interrupt::check() {
                break Err(interrupted);
            }
            if started.elapsed() > time_max {
                break Err(anyhow::anyhow!("expected it to end within {} s", time_max.as_secs()));
            }
            std::thread::sleep(LOOK_EVERY);
        };
        if ended.is_err() {
            // It may have ended by itself meanwhile.
            let _ = child.kill();
            let _ = child.wait();
        }
        let status = ended?;
        if !status.success() {
            bail!("{command:?} ended with {status}");
        }
        let usage = usage.context("expected a program that runs for a moment")?;
        Ok(Run { seconds: started.elapsed().as_secs_f64(), usage })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_stand_behind_a_name_that_may_hold_anything() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 99 0 0 0 1250 50 0 0 20 0 1 0 5";
        assert!((cpu_seconds(stat).expect("times") - 13.0).abs() < f64::EPSILON);
        assert!(cpu_seconds("7 (a) S").is_err());
    }

    #[test]
    fn this_process_takes_memory() {
        let usage = Usage::of(std::process::id()).expect("Linux");
        assert!(usage.now_bytes > 1e5 && usage.peak_bytes >= usage.now_bytes);
    }
}
