//! How good the answers are: agreement with `uaparser`, crawler recall, false positives per source.
//!
//! `cargo run -p user-agent --profile stack --example accuracy -- --corpora DIR --regexes regexes.yaml`
//!
//! DIR holds `bots_dev.jsonl`, `humans_dev.jsonl` and `ua_cases_dev.jsonl`, one JSON object with a `ua` per line; they stay
//! outside the repository. Each line of the output is one figure: its name, how many, of how many, separated by tabs.
//! `cargo xtask bench accuracy` judges them. Without `--regexes` the comparison with `uaparser` is left out. `--misses` prints each miss.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use uaparser::{Parser as _, UserAgentParser};
use user_agent::{ClientHints, Parser, UserAgent};

/// One line of a corpus.
#[derive(Deserialize)]
struct Case {
    ua: String,
    #[serde(default)]
    source: Vec<String>,
    #[serde(default)]
    modern: bool,
    /// What another parser says of the device: an independent second opinion.
    #[serde(default)]
    device_type: Option<String>,
}

struct Options {
    corpora: PathBuf,
    regexes: Option<PathBuf>,
    prints_misses: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = options()?;
    let bots = read(&options.corpora.join("bots_dev.jsonl"))?;
    let humans = read(&options.corpora.join("humans_dev.jsonl"))?;
    let cases = read(&options.corpora.join("ua_cases_dev.jsonl"))?;
    print_recall(&bots, &options);
    print_false_positives(&humans, &options);
    print_device_types(&humans, &options);
    if let Some(regexes) = &options.regexes {
        let oracle = UserAgentParser::from_yaml(&regexes.to_string_lossy())?;
        for (name, corpus) in [("ua_cases", &cases), ("humans", &humans), ("bots", &bots)] {
            print_agreement(name, corpus, &oracle, &options);
        }
    }
    Ok(())
}

fn options() -> Result<Options, Box<dyn Error>> {
    let mut options = Options { corpora: PathBuf::new(), regexes: None, prints_misses: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("expected a value after {argument}"));
        match argument.as_str() {
            "--corpora" => options.corpora = value()?.into(),
            "--regexes" => options.regexes = Some(value()?.into()),
            "--misses" => options.prints_misses = true,
            other => return Err(format!("expected --corpora, --regexes or --misses, found {other}").into()),
        }
    }
    Ok(options)
}

fn read(path: &Path) -> Result<Vec<Case>, Box<dyn Error>> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("expected {}: {error}", path.display()))?;
    text.lines().map(|line| serde_json::from_str(line).map_err(Into::into)).collect()
}

fn print_recall(bots: &[Case], options: &Options) {
    let mut parser = Parser::new();
    let mut classes: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut found, mut found_modern) = (0, 0);
    for case in bots {
        if let Some(crawler) = parser.crawler(&case.ua) {
            found += 1;
            found_modern += usize::from(case.modern);
            *classes.entry(crawler.class.as_str()).or_default() += 1;
        } else if options.prints_misses {
            eprintln!("missed crawler: {}", case.ua);
        }
    }
    let modern = bots.iter().filter(|case| case.modern).count();
    print("crawlers found", found, bots.len());
    print("crawlers found, modern", found_modern, modern);
    for (class, count) in classes {
        print(&format!("  of which {class}"), count, found);
    }
}

fn print_false_positives(humans: &[Case], options: &Options) {
    let mut parser = Parser::new();
    // Source -> (humans, modern humans, flagged, modern flagged).
    let mut sources: BTreeMap<&str, [usize; 4]> = BTreeMap::new();
    for case in humans {
        let crawler = parser.crawler(&case.ua);
        let is_flagged = crawler.is_some();
        if let Some(crawler) = crawler.filter(|_| options.prints_misses) {
            eprintln!("flagged human ({}, modern {}): {}", crawler.name, case.modern, case.ua);
        }
        for source in case.source.iter().map(|source| repository(source)).chain(["all"]) {
            let counts = sources.entry(source).or_default();
            counts[0] += 1;
            counts[1] += usize::from(case.modern);
            counts[2] += usize::from(is_flagged);
            counts[3] += usize::from(is_flagged && case.modern);
        }
    }
    for (source, [all, modern, flagged, flagged_modern]) in sources {
        print(&format!("humans flagged, {source}"), flagged, all);
        print(&format!("humans flagged, {source}, modern"), flagged_modern, modern);
    }
}

/// A source is named by its repository and the file in it.
fn repository(source: &str) -> &str {
    let path = source.split(':').next().unwrap_or(source);
    path.rsplit('/').next().unwrap_or(path)
}

fn print_device_types(humans: &[Case], options: &Options) {
    let mut parser = Parser::new();
    // Type -> (agreeing, labelled).
    let mut types: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for case in humans {
        let Some(expected) = case.device_type.as_deref().and_then(device_type) else { continue };
        let found = parser.parse(&case.ua, &ClientHints::default()).device_type.as_str();
        let counts = types.entry(expected).or_default();
        counts[0] += usize::from(found == expected);
        counts[1] += 1;
        if found != expected && options.prints_misses {
            eprintln!("device type: expected {expected}, found {found}: {}", case.ua);
        }
    }
    for (device_type, [agreeing, labelled]) in types {
        print(&format!("device type as labelled, {device_type}"), agreeing, labelled);
    }
}

/// The label of the corpus in our terms, where it has one.
fn device_type(label: &str) -> Option<&'static str> {
    match label {
        "desktop" | "pc" => Some("desktop"),
        "smartphone" | "mobile" | "phablet" | "feature phone" | "mobilephone" => Some("smartphone"),
        "tablet" => Some("tablet"),
        "tv" | "television" => Some("tv"),
        "console" => Some("console"),
        "watch" => Some("watch"),
        _ => None,
    }
}

fn print_agreement(name: &str, cases: &[Case], oracle: &UserAgentParser, options: &Options) {
    let mut parser = Parser::new();
    // What differs -> how often.
    let mut differences: BTreeMap<&str, usize> = BTreeMap::new();
    let mut agreeing = 0;
    for case in cases {
        let found = fields(&parser.parse(&case.ua, &ClientHints::default()));
        let expected = expected(oracle, &case.ua);
        if found == expected {
            agreeing += 1;
            continue;
        }
        for (field, (found, expected)) in
            FIELDS.iter().zip(found.iter().zip(&expected)).filter(|(_, (found, expected))| found != expected)
        {
            *differences.entry(field).or_default() += 1;
            if options.prints_misses {
                eprintln!("{field}: expected {expected:?}, found {found:?}: {}", case.ua);
            }
        }
    }
    print(&format!("as uaparser, {name}"), agreeing, cases.len());
    for (field, count) in differences {
        print(&format!("  differing {field}"), count, cases.len());
    }
}

const FIELDS: [&str; 7] = ["browser", "browser_version", "os", "os_version", "device", "device_brand", "device_model"];

fn fields(agent: &UserAgent) -> [String; 7] {
    let UserAgent { browser, browser_version, os, os_version, device, device_brand, device_model, .. } = agent.clone();
    [browser, browser_version, os, os_version, device, device_brand, device_model].map(std::borrow::Cow::into_owned)
}

fn expected(oracle: &UserAgentParser, ua: &str) -> [String; 7] {
    let client = oracle.parse(ua);
    let (browser, os, device) = (client.user_agent, client.os, client.device);
    let join = |parts: &[Option<std::borrow::Cow<'_, str>>]| {
        parts.iter().flatten().filter(|part| !part.is_empty()).map(AsRef::as_ref).collect::<Vec<&str>>().join(".")
    };
    [
        browser.family.to_string(),
        join(&[browser.major, browser.minor, browser.patch]),
        os.family.to_string(),
        join(&[os.major, os.minor, os.patch, os.patch_minor]),
        device.family.to_string(),
        device.brand.unwrap_or_default().into_owned(),
        device.model.unwrap_or_default().into_owned(),
    ]
}

/// One figure.
fn print(name: &str, part: usize, whole: usize) {
    println!("{name}\t{part}\t{whole}");
}
