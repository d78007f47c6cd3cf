//! The embedded stack: the real Worker runtime, a real ClickHouse per region, the feeds and the sample shop, on loopback.
//!
//! In scope: starting, healing and stopping it, and the file that says where everything is. Out of scope: building it
//! (`build`), sending traffic through it (`traffic`).
//!
//! Order of start: ClickHouse, schema, feeds (they read ClickHouse), Worker, shop. Every part is a process of its own group
//! with its log in `DIR/logs`, so that it outlives the command that started it.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::{interrupt, paths, step};

pub mod clickhouse;
pub mod feed;
pub mod file;
pub mod layout;
pub mod port;
pub mod process;
pub mod shop;
pub mod workerd;

pub use file::StackFile;
pub use layout::{Layout, Options};

/// How long a part may take until it answers. The first start of ClickHouse on a cold disk is the slowest.
const MAX_READY: Duration = Duration::from_mins(3);

/// How long a port of a server that was stopped may stay taken.
const MAX_PORT_FREE: Duration = Duration::from_secs(30);

/// A running stack.
pub struct Stack {
    pub layout: Layout,
    pub file: StackFile,
    /// Held while the stack is being changed by this process.
    lock: Option<File>,
}

impl Stack {
    /// Starts what is not running in the folder; on a folder that has a stack, on the same ports and data.
    pub fn up(options: &Options) -> Result<Self> {
        let layout = Layout::open(options)?;
        let lock = lock(&layout.dir)?;
        let mut stack = Self { file: StackFile::of(&layout), layout, lock: Some(lock) };
        if let Ok(Some(previous)) = StackFile::read(&stack.layout.dir) {
            stack.file.take_pids(&previous);
        }
        stack.stop_strays();
        let running_before = stack.file.clone();
        match stack.start_all() {
            Ok(()) => {
                stack.lock = None;
                Ok(stack)
            }
            Err(error) => {
                // What this call started is stopped again; what ran before is left alone.
                stack.stop_all_but(&running_before);
                Err(error)
            }
        }
    }

    /// A stack that an earlier command started.
    pub fn attach(dir: &Path) -> Result<Self> {
        let dir = layout::absolute(dir)?;
        let file = StackFile::read(&dir)?.with_context(|| {
            format!("expected a stack in {}, found no stack.json; start one: cargo xtask up", dir.display())
        })?;
        Ok(Self { layout: Layout::read(&dir)?.context("expected settings.json beside stack.json")?, file, lock: None })
    }

    /// Processes of this folder that no stack.json knows (it was removed, or two commands raced) would keep the ports.
    fn stop_strays(&self) {
        let known = self.file.all_pids();
        for pid in process::find(&self.layout.dir) {
            if !known.contains(&pid) {
                println!("▸ stopping process {pid}, which belongs to this folder and is not in stack.json");
                process::stop(pid, &self.layout.dir);
            }
        }
    }

    fn start_all(&mut self) -> Result<()> {
        std::fs::create_dir_all(self.layout.dir.join("logs"))?;
        for index in 0..self.layout.regions.len() {
            self.start_clickhouse(index)?;
        }
        self.migrate()?;
        self.start_feeds()?;
        self.start_workerd()?;
        self.start_shop()?;
        self.load_dictionaries()
    }

    /// Starts one region's ClickHouse, if it is not running, and waits until it answers.
    pub fn start_clickhouse(&mut self, index: usize) -> Result<()> {
        let region = self.layout.regions[index].clone();
        if process::is_ours(self.file.clickhouse[index].pid, &self.layout.dir) {
            return Ok(());
        }
        step::step(&format!("starting ClickHouse {region}"), || {
            let (http, tcp) = self.layout.ports.clickhouse[index];
            wait_free(&[http, tcp])?;
            let pid = clickhouse::start(&self.layout, index)?;
            self.file.clickhouse[index].pid = Some(pid);
            self.file.write(&self.layout.dir)?;
            let endpoint = &self.file.clickhouse[index];
            self.wait_ready(pid, &format!("clickhouse-{region}"), || endpoint.is_ready())
        })
    }

    fn migrate(&self) -> Result<()> {
        for endpoint in &self.file.clickhouse {
            step::step(&format!("applying the schema to {}", endpoint.region), || clickhouse::migrate(endpoint))?;
        }
        Ok(())
    }

    fn start_feeds(&mut self) -> Result<()> {
        for service in [feed::Service::Countries, feed::Service::UserSegments] {
            self.start_feed(service)?;
        }
        Ok(())
    }

    /// Starts one feed, if it is not running, and waits until it has a snapshot.
    pub fn start_feed(&mut self, service: feed::Service) -> Result<()> {
        if process::is_ours(self.file.pids.feed(service), &self.layout.dir) {
            return Ok(());
        }
        step::step(&format!("starting the feed {}", service.name()), || {
            wait_free(&[feed::port(&self.layout, service)])?;
            let pid = feed::start(&self.layout, &self.file, service)?;
            *self.file.pids.feed_mut(service) = Some(pid);
            self.file.write(&self.layout.dir)?;
            let url = format!("{}/readyz", self.file.feed(service).url);
            self.wait_ready(pid, service.name(), || is_ok(&url))
        })
    }

    /// Starts the Worker, if it is not running, and waits until it answers.
    pub fn start_workerd(&mut self) -> Result<()> {
        if process::is_ours(self.file.pids.workerd, &self.layout.dir) {
            return Ok(());
        }
        step::step("starting the collector in workerd", || {
            let pid = self.launch_workerd()?;
            let url = format!("{}/readyz", self.file.collector);
            self.wait_ready(pid, "workerd", || is_ok(&url))
        })
    }

    /// Starts the collector and does not wait: a wrong setting may keep it from ever being ready.
    pub fn launch_workerd(&mut self) -> Result<u32> {
        wait_free(&[self.layout.ports.collector])?;
        let pid = workerd::start(&self.layout)?;
        self.file.pids.workerd = Some(pid);
        self.file.write(&self.layout.dir)?;
        Ok(pid)
    }

    fn start_shop(&mut self) -> Result<()> {
        if process::is_ours(self.file.pids.shop, &self.layout.dir) {
            return Ok(());
        }
        step::step("starting the sample shop", || {
            wait_free(&[self.layout.ports.shop])?;
            let pid = shop::start(&self.layout, &self.file)?;
            self.file.pids.shop = Some(pid);
            self.file.write(&self.layout.dir)?;
            self.wait_ready(pid, "shop", || is_ok(&self.file.shop))
        })
    }

    /// The embedded engine loads a dictionary on first use; loading it now shows an error here and not in a query.
    fn load_dictionaries(&self) -> Result<()> {
        for endpoint in &self.file.clickhouse {
            for dictionary in ["countries_dict", "user_segments_dict"] {
                endpoint
                    .query(&format!("SYSTEM RELOAD DICTIONARY ecommerce.{dictionary}"))
                    .with_context(|| format!("expected {dictionary} to load from its feed in {}", endpoint.region))?;
            }
        }
        Ok(())
    }

    fn wait_ready(&self, pid: u32, log: &str, is_ready: impl Fn() -> bool) -> Result<()> {
        let deadline = Instant::now() + MAX_READY;
        loop {
            interrupt::check()?;
            if is_ready() && process::is_ours(Some(pid), &self.layout.dir) {
                return Ok(());
            }
            let log = self.layout.dir.join("logs").join(format!("{log}.log"));
            if !process::is_ours(Some(pid), &self.layout.dir) {
                bail!(
                    "expected it to keep running, found it ended; the end of {}:\n{}",
                    log.display(),
                    process::tail(&log)
                );
            }
            if Instant::now() > deadline {
                let end = process::tail(&log);
                bail!("expected it to be ready within {} s; the end of {}:\n{end}", MAX_READY.as_secs(), log.display());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn stop_all_but(&mut self, before: &StackFile) {
        let kept = before.all_pids();
        for pid in self.file.all_pids() {
            if !kept.contains(&pid) {
                process::stop(pid, &self.layout.dir);
            }
        }
    }

    /// Stops one region's ClickHouse cleanly, or as a crash would.
    pub fn stop_clickhouse(&mut self, index: usize, how: process::Stop) -> Result<()> {
        if let Some(pid) = self.file.clickhouse[index].pid.take() {
            process::stop_how(pid, &self.layout.dir, how);
        }
        self.file.write(&self.layout.dir)
    }

    /// Stops the Worker cleanly, or as a crash would.
    pub fn stop_workerd(&mut self, how: process::Stop) -> Result<()> {
        if let Some(pid) = self.file.pids.workerd.take() {
            process::stop_how(pid, &self.layout.dir, how);
        }
        self.file.write(&self.layout.dir)
    }

    /// Stops everything: what sends first, what stores last.
    pub fn down(&mut self) -> Result<()> {
        for pid in self.file.all_pids() {
            process::stop(pid, &self.layout.dir);
        }
        stop_found(&self.layout.dir)?;
        self.file.forget_pids();
        self.file.write(&self.layout.dir)
    }

    /// What to look at, for the person who started it.
    pub fn print(&self) {
        println!("\ncollector      {}", self.file.collector);
        println!("shop           {}", self.file.shop);
        for endpoint in &self.file.clickhouse {
            println!("clickhouse {:<3} {} (native port {})", endpoint.region, endpoint.url, endpoint.tcp_port);
        }
        println!("countries      {}/countries", self.file.countries.url);
        println!("user segments  {}/user-segments", self.file.user_segments.url);
        println!("details        {}", self.layout.dir.join("stack.json").display());
        println!("logs           {}", self.layout.dir.join("logs").display());
        println!("\nsend one event:\n  {}", self.curl_line());
    }

    /// A command line that sends one event.
    pub fn curl_line(&self) -> String {
        format!(
            "curl -sS '{}/v1/events' -H 'Content-Type: text/plain' -H 'User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) \
             Gecko/20100101 Firefox/140.0' -d '{{\"site\":\"demo\",\"events\":[{{\"event_type\":\"page_view\",\
             \"page_url\":\"https://shop.example/hello\"}}]}}'",
            self.file.collector
        )
    }
}

/// Stops the stack of a folder, if there is one: also what still runs of a folder that was removed.
pub fn down(dir: &Path) -> Result<()> {
    let dir = layout::absolute(dir)?;
    if StackFile::read(&dir)?.is_some() {
        let _lock = lock(&dir)?;
        return step::step(&format!("stopping the stack in {}", dir.display()), || Stack::attach(&dir)?.down());
    }
    if process::find(&dir).is_empty() {
        println!("no stack in {}: nothing to stop", dir.display());
        return Ok(());
    }
    step::step(&format!("stopping what still runs of {}", dir.display()), || stop_found(&dir))
}

/// Stops every process of the folder; an error if one is still there after that.
pub fn stop_found(dir: &Path) -> Result<()> {
    for pid in process::find(dir) {
        process::stop(pid, dir);
    }
    let left = process::find(dir);
    if !left.is_empty() {
        bail!("expected every process of {} to end, found these still running: {left:?}", dir.display());
    }
    Ok(())
}

/// Two commands that change one folder's stack at once would start everything twice.
fn lock(dir: &Path) -> Result<File> {
    let file = File::create(dir.join(".lock")).with_context(|| format!("expected to write into {}", dir.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_) => bail!("expected to be alone, found another command at work on the stack in {}", dir.display()),
    }
}

/// Waits until ports are free: a server that has just been stopped may still hold its own.
fn wait_free(ports: &[u16]) -> Result<()> {
    let deadline = Instant::now() + MAX_PORT_FREE;
    while let Some(port) = ports.iter().find(|port| !port::is_free(**port)) {
        interrupt::check()?;
        if Instant::now() > deadline {
            bail!("expected port {port} to be free, found it taken by another program");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// The folder that `up` and `down` use when none is named.
pub fn default_dir() -> std::path::PathBuf {
    paths::root().join(".landfall")
}

fn is_ok(url: &str) -> bool {
    ureq::get(url).config().timeout_global(Some(Duration::from_secs(5))).build().call().is_ok()
}
