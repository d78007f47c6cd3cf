//! Background processes. In scope: starting one that outlives us, knowing whether a pid is still ours, stopping it.

use std::fs::OpenOptions;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

/// How long a process may take to end by itself before it is made to.
const MAX_STOP: Duration = Duration::from_secs(15);
const TAIL_LINES: usize = 25;
/// More of a command line than it takes to find the folder, in bytes.
#[cfg(target_os = "linux")]
const MAX_COMMAND_LINE: usize = 64 * 1024;

/// How to stop a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// SIGTERM, and SIGKILL if it does not end.
    Clean,
    /// SIGKILL: what a crash looks like.
    Kill,
}

/// Starts a process in a group of its own, its output appended to `DIR/logs/<name>.log`.
pub fn start(dir: &Path, name: &str, command: &mut Command) -> Result<u32> {
    let path = dir.join("logs").join(format!("{name}.log"));
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| format!("expected to write {}", path.display()))?;
    let child = command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0)
        .spawn()
        .with_context(|| format!("expected to run {}", command.get_program().display()))?;
    Ok(child.id())
}

/// Whether a process lives and is one of the stack in `dir`: each has a path inside that folder on its command line, so a pid
/// that the system has given to somebody else since is not taken for ours.
pub fn is_ours(pid: Option<u32>, dir: &Path) -> bool {
    let Some(pid) = pid else { return false };
    reap(pid);
    match command_line(pid) {
        None => false,
        // For a moment after its start a process has no command line yet.
        Some(line) if line.is_empty() => !is_zombie(pid),
        Some(line) => names(&line, dir),
    }
}

/// Whether a command line has the folder, or something in it, as an argument.
fn names(line: &str, dir: &Path) -> bool {
    let dir = dir.to_string_lossy();
    line.split(' ').any(|word| word.strip_prefix(&*dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// Every process, ours by its command line, whether or not a stack.json knows it.
pub fn find(dir: &Path) -> Vec<u32> {
    let own = std::process::id();
    all_pids()
        .into_iter()
        .filter(|pid| *pid != own && command_line(*pid).is_some_and(|line| is_part(&line) && names(&line, dir)))
        .collect()
}

/// Only programs that a stack starts: an editor or a shell in the folder is not ours to stop.
fn is_part(line: &str) -> bool {
    let programs = ["workerd", "dev-clickhouse", "dict-services", "xtask", "wrangler"];
    line.split(' ').take(2).any(|word| programs.iter().any(|name| word.rsplit('/').next() == Some(name)))
}

#[cfg(target_os = "linux")]
fn all_pids() -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

#[cfg(not(target_os = "linux"))]
fn all_pids() -> Vec<u32> {
    let text = crate::tool::output(Command::new("ps").args(["-axo", "pid="])).unwrap_or_default();
    text.lines().filter_map(|line| line.trim().parse().ok()).collect()
}

/// Stops a process of the stack cleanly and waits until it is gone.
pub fn stop(pid: u32, dir: &Path) {
    stop_how(pid, dir, Stop::Clean);
}

/// Stops a process of the stack and waits until it is gone.
pub fn stop_how(pid: u32, dir: &Path, how: Stop) {
    if !is_ours(Some(pid), dir) {
        return;
    }
    let first = if how == Stop::Clean { Signal::SIGTERM } else { Signal::SIGKILL };
    for signal in [first, Signal::SIGKILL] {
        // It may end between the look and the signal: then there is nothing to do.
        let _ = kill(Pid::from_raw(pid.cast_signed()), signal);
        let deadline = Instant::now() + MAX_STOP;
        while Instant::now() < deadline {
            if !is_ours(Some(pid), dir) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Ends a process that we started together with every process that it started.
pub fn stop_group(pid: u32) {
    // Each was started in a group of its own, see `start`; a group that is gone is what we want.
    let _ = killpg(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL);
    let _ = waitpid(Pid::from_raw(pid.cast_signed()), None);
}

/// Takes the exit status of a child of ours that has ended, so that it does not stay as a zombie.
fn reap(pid: u32) {
    // Not our child, or not ended: both are fine.
    let _ = waitpid(Pid::from_raw(pid.cast_signed()), Some(WaitPidFlag::WNOHANG));
}

#[cfg(target_os = "linux")]
fn command_line(pid: u32) -> Option<String> {
    use std::io::Read as _;
    // In one read: between two, the process may give up its memory, and half a line would look like somebody else's.
    let mut bytes = vec![0; MAX_COMMAND_LINE];
    let length = std::fs::File::open(format!("/proc/{pid}/cmdline")).and_then(|mut file| file.read(&mut bytes)).ok()?;
    Some(String::from_utf8_lossy(&bytes[..length]).replace('\0', " "))
}

#[cfg(target_os = "linux")]
fn is_zombie(pid: u32) -> bool {
    // A killed process holds its ports and locks until the last of its threads has ended, which may be long after the first.
    let has_threads = std::fs::read_dir(format!("/proc/{pid}/task")).is_ok_and(|threads| threads.count() > 1);
    // "pid (name) state ...", and the name may hold anything.
    let is_over = std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .map_or(true, |stat| stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')));
    is_over && !has_threads
}

#[cfg(not(target_os = "linux"))]
fn is_zombie(_pid: u32) -> bool {
    true
}

#[cfg(not(target_os = "linux"))]
fn command_line(pid: u32) -> Option<String> {
    crate::tool::output(Command::new("ps").args(["-o", "args=", "-p", &pid.to_string()])).ok()
}

/// The last lines of a log.
pub fn tail(log: &Path) -> String {
    let text = std::fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_not_taken_for_another_with_the_same_start() {
        let dir = Path::new("/tmp/second");
        assert!(names("workerd serve /tmp/second/workerd/config.capnp", dir));
        assert!(names("xtask serve-shop --stack /tmp/second", dir));
        assert!(!names("xtask serve-shop --stack /tmp/second2", dir));
        assert!(!is_part("vim /tmp/second/stack.json"));
    }

    #[test]
    fn a_process_is_ours_only_while_it_lives_and_names_the_folder() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("logs")).expect("a log folder");
        let mut command = Command::new("sh");
        command.args(["-c", "while :; do sleep 0.05; done"]).arg(folder.path());
        let pid = start(folder.path(), "loop", &mut command).expect("sh runs");
        assert!(is_ours(Some(pid), folder.path()));
        // Until its command line is there, it counts as ours.
        let deadline = Instant::now() + MAX_STOP;
        while is_ours(Some(pid), Path::new("/elsewhere")) {
            assert!(Instant::now() < deadline, "a process of another folder is not ours");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(!find(folder.path()).contains(&pid), "a shell is not a part of a stack");
        stop(pid, folder.path());
        assert!(!is_ours(Some(pid), folder.path()));
    }
}
