//! Steps: long work with progress and a time limit. In scope: running a program and showing that it lives.

use std::fs::File;
use std::io::{IsTerminal, Read, Seek, SeekFrom, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::interrupt;

/// How often a step that shows no output of its own says that it is still at work.
const HEARTBEAT: Duration = Duration::from_secs(20);
/// How much of a failed program's output is shown.
const TAIL_BYTES: u64 = 12 * 1024;

/// Announces a step, does it, and says how long it took.
pub fn step<T>(title: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    interrupt::check()?;
    let started = Instant::now();
    println!("▸ {title}");
    let value = work().with_context(|| title.to_owned())?;
    println!("  done in {:.1} s", started.elapsed().as_secs_f64());
    Ok(value)
}

/// Runs a program quietly as a step; its output is shown only if it fails. `minutes_max` ends a hang.
pub fn run(title: &str, command: &mut Command, minutes_max: u64) -> Result<()> {
    step(title, || {
        let mut log = tempfile::tempfile().context("expected a writable temporary folder")?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log.try_clone()?);
        let status = wait(command, minutes_max, true)?;
        if !status.success() {
            bail!("{}\n{command:?} ended with {status}", tail(&mut log)?);
        }
        Ok(())
    })
}

/// Runs a program that needs a registry as a step, and once more if it fails: a registry may hiccup.
pub fn run_again(title: &str, command: &mut Command, minutes_max: u64) -> Result<()> {
    let Err(error) = run(title, command, minutes_max) else { return Ok(()) };
    interrupt::check()?;
    println!("  {error:#}");
    run(&format!("{title}, once more"), command, minutes_max)
}

/// Runs a program that shows its own progress on this terminal.
pub fn run_loud(title: &str, command: &mut Command, minutes_max: u64) -> Result<()> {
    step(title, || {
        let status = wait(command.stdin(Stdio::null()), minutes_max, false)?;
        if !status.success() {
            bail!("{command:?} ended with {status}");
        }
        Ok(())
    })
}

fn wait(command: &mut Command, minutes_max: u64, is_quiet: bool) -> Result<ExitStatus> {
    let program = command.get_program().to_owned();
    // A group of its own: what it starts is stopped with it.
    let mut child =
        command.process_group(0).spawn().with_context(|| format!("expected to run {}", program.display()))?;
    let deadline = Instant::now() + Duration::from_secs(60 * minutes_max);
    let mut next_heartbeat = Instant::now() + HEARTBEAT;
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        let is_late = Instant::now() > deadline;
        if is_late || interrupt::is_requested() {
            end(&mut child);
            interrupt::check()?;
            bail!("expected {} to end within {minutes_max} min", program.display());
        }
        if is_quiet && Instant::now() > next_heartbeat {
            println!("  still at it after {} s", started.elapsed().as_secs());
            next_heartbeat += HEARTBEAT;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Asks the program and what it started to end, and after a while makes them.
fn end(child: &mut std::process::Child) {
    let group = Pid::from_raw(child.id().cast_signed());
    // They may have ended by themselves in the meantime; then there is nobody to tell.
    let _ = killpg(group, Signal::SIGTERM);
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        if matches!(child.try_wait(), Ok(Some(_))) {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let _ = killpg(group, Signal::SIGKILL);
    let _ = child.wait();
}

fn tail(log: &mut File) -> Result<String> {
    let length = log.metadata()?.len();
    log.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    log.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Overwrites the present line of a terminal; on a pipe it prints a line.
pub fn status_line(text: &str) {
    if std::io::stdout().is_terminal() {
        print!("\r\x1b[2K{text}");
        // A lost status line is no reason to stop.
        let _ = std::io::stdout().flush();
    } else {
        println!("{text}");
    }
}
