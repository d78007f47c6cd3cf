//! uap-core: browser, operating system, device.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use user_agent::family::compile::{Entry, Lists, tables};

use super::{Output, device_type};

#[expect(clippy::struct_field_names, reason = "the names of the file's sections")]
#[derive(Deserialize)]
struct Regexes {
    user_agent_parsers: Vec<Browser>,
    os_parsers: Vec<System>,
    device_parsers: Vec<Device>,
}

#[derive(Deserialize)]
struct Browser {
    regex: String,
    family_replacement: Option<String>,
    v1_replacement: Option<String>,
    v2_replacement: Option<String>,
    v3_replacement: Option<String>,
}

#[derive(Deserialize)]
struct System {
    regex: String,
    os_replacement: Option<String>,
    os_v1_replacement: Option<String>,
    os_v2_replacement: Option<String>,
    os_v3_replacement: Option<String>,
}

#[expect(clippy::struct_field_names, reason = "the names of the file's fields")]
#[derive(Deserialize)]
struct Device {
    regex: String,
    regex_flag: Option<String>,
    device_replacement: Option<String>,
    brand_replacement: Option<String>,
    model_replacement: Option<String>,
}

pub(super) fn outputs(packages: &Path) -> Result<Vec<Output>> {
    let path = packages.join("uap-core/regexes.yaml");
    let yaml = std::fs::read_to_string(&path).with_context(|| format!("expected {}", path.display()))?;
    let regexes: Regexes = serde_saphyr::from_str(&yaml).context("expected uap-core's three lists")?;
    let tables = tables(&lists(regexes))?;
    Ok(vec![
        Output { name: "uap_patterns.bin", contents: tables.patterns },
        Output { name: "uap_answers.bin", contents: tables.answers },
    ])
}

fn lists(regexes: Regexes) -> Lists {
    let browser = |entry: Browser| Entry {
        expression: entry.regex,
        any_case: false,
        templates: [entry.family_replacement, entry.v1_replacement, entry.v2_replacement, entry.v3_replacement],
    };
    let system = |entry: System| Entry {
        expression: entry.regex,
        any_case: false,
        templates: [entry.os_replacement, entry.os_v1_replacement, entry.os_v2_replacement, entry.os_v3_replacement],
    };
    let device = |entry: Device| Entry {
        expression: entry.regex,
        any_case: entry.regex_flag.as_deref() == Some("i"),
        templates: [entry.device_replacement, entry.brand_replacement, entry.model_replacement, None],
    };
    Lists {
        browsers: regexes.user_agent_parsers.into_iter().map(browser).collect(),
        systems: regexes.os_parsers.into_iter().map(system).collect(),
        devices: regexes.device_parsers.into_iter().map(device).collect(),
        device_types: device_type::entries(),
    }
}
