//! A site's own rules: conditions on the row, and what follows.
//!
//! In scope: the setting `rules`, its check with errors that point at the column, applying rules in their order. Out of scope: the evidence that
//! conditions may ask about (`filter`), what a stored row shows of it (`rejudge`).
//!
//! The language, its fields and its limits are described in `docs/rules.md`.

mod condition;
mod error;
mod field;
mod known;
mod lexer;
mod network;
mod parser;
mod regex;
mod work;

pub use error::RuleError;
pub use field::Subject;
pub(crate) use known::Known;
pub use parser::{MAX_CONDITION_BYTES, MAX_DEPTH, MAX_VALUES};
pub use regex::{MAX_REGEX_BYTES, MAX_STEPS};
pub use work::{MAX_BEACON_STEPS, Work};

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::enrich::visitor;
use crate::filter::{RULES_VERSION, Signal, Verdict};
use crate::outcome::{FilterReason, FlagReason, LimitReason, Outcome};
use crate::site::{BotPolicy, is_id};
use condition::Condition;

/// The most rules of one site.
pub const MAX_RULES: usize = 50;

/// The most steps of all patterns of one site's rules, with 8 more for each, and one for each `contains`: with it, one event takes less than
/// `MAX_BEACON_STEPS`.
pub const MAX_SITE_STEPS: usize = 1_024;

/// What follows from a condition that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The event is stored with `is_bot = 1`.
    Flag,
    /// The event is filtered.
    Drop,
    /// The event is stored with `is_bot = 0`, whatever the evidence.
    Allow,
}

/// One rule as a site states it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSettings {
    /// Its name, unique in the site: lower-case letters, digits, `-` and `_`.
    pub name: String,
    /// The condition.
    pub when: String,
    /// What follows.
    pub then: Action,
    /// Whether nothing follows but the evidence `shadow:<name>`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shadow: bool,
}

/// The rules of one site, in the order in which they are tried.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(from = "Vec<RuleSettings>", into = "Vec<RuleSettings>")]
pub struct Rules {
    settings: Vec<RuleSettings>,
    /// Kept until `check`, because a setting that cannot be read is an error of the site, not of its JSON.
    conditions: Result<Arc<[Condition]>, RuleError>,
    version: Cow<'static, str>,
}

impl Default for Rules {
    fn default() -> Self {
        Self::from(Vec::new())
    }
}

impl PartialEq for Rules {
    fn eq(&self, other: &Self) -> bool {
        self.settings == other.settings
    }
}

impl From<Rules> for Vec<RuleSettings> {
    fn from(rules: Rules) -> Self {
        rules.settings
    }
}

impl From<Vec<RuleSettings>> for Rules {
    fn from(settings: Vec<RuleSettings>) -> Self {
        let (conditions, version) = (compile(&settings).map(Arc::from), version(&settings));
        Self { settings, conditions, version }
    }
}

impl Rules {
    /// Why the rules are refused, if they are.
    pub fn check(&self) -> Result<(), RuleError> {
        self.conditions.as_ref().map(|_| ()).map_err(Clone::clone)
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.settings.is_empty()
    }

    /// Names everything that judges the site's rows: the collector's own version, and with rules a hash of them.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What the rules make of a verdict: the first that holds decides, else the site's policy. An event for which the beacon has no work left is
    /// refused, to be sent again: half of the rules would be another verdict.
    pub fn judge(&self, subject: &Subject<'_>, verdict: &Verdict, policy: BotPolicy) -> Result<Verdict, Outcome> {
        if subject.work.is_used_up() {
            return Err(Outcome::Limited(LimitReason::BeaconFull));
        }
        let mut verdict = verdict.clone();
        let found = self.find(&mut verdict.signals, |condition| Some(condition.holds(subject)));
        if subject.work.is_used_up() {
            return Err(Outcome::Limited(LimitReason::BeaconFull));
        }
        match found {
            Ok(Some(Action::Drop)) => return Err(Outcome::Filtered(FilterReason::Rule)),
            Ok(Some(Action::Flag)) => verdict.flag = Some(FlagReason::Rule),
            Ok(Some(Action::Allow)) => verdict.flag = None,
            Ok(None) | Err(_) if policy == BotPolicy::Off => {}
            Ok(None) | Err(_) => return verdict.apply(policy).map_err(Outcome::Filtered),
        }
        Ok(verdict)
    }

    /// The same for a row that is stored already, which stays: with the reason why it would not be stored today, if it would not. `Err` names the
    /// rule that asks for something which is not known any more.
    pub(crate) fn judge_stored(
        &self,
        subject: &Subject<'_>,
        known: Known,
        mut verdict: Verdict,
        policy: BotPolicy,
    ) -> Result<(Verdict, Option<FilterReason>), &str> {
        let dropped = match self.find(&mut verdict.signals, |condition| condition.holds_as_known(subject, known))? {
            Some(Action::Allow) => {
                verdict.flag = None;
                None
            }
            Some(action) => {
                verdict.flag = Some(FlagReason::Rule);
                (action == Action::Drop).then_some(FilterReason::Rule)
            }
            None => verdict.clone().apply(policy).err(),
        };
        Ok((verdict, dropped))
    }

    /// What the first rule that holds says. It and the shadows before it leave their signals. `Err` names a rule of which `holds` does not know;
    /// shadows decide nothing, so they may be unknown.
    fn find(
        &self,
        signals: &mut Vec<Signal>,
        holds: impl Fn(&Condition) -> Option<bool>,
    ) -> Result<Option<Action>, &str> {
        let conditions = self.conditions.as_deref().unwrap_or_default();
        for (rule, condition) in self.settings.iter().zip(conditions) {
            match holds(condition) {
                Some(true) => {}
                None if !rule.shadow => return Err(&rule.name),
                Some(false) | None => continue,
            }
            let kind = if rule.shadow { "shadow" } else { "rule" };
            signals.push(Cow::Owned(format!("{kind}:{}", rule.name)));
            if !rule.shadow {
                return Ok(Some(rule.then));
            }
        }
        Ok(None)
    }
}

fn compile(settings: &[RuleSettings]) -> Result<Vec<Condition>, RuleError> {
    let refuse = |expected, found| Err(RuleError::List { expected, found });
    if settings.len() > MAX_RULES {
        return refuse("at most 50 rules", settings.len().to_string());
    }
    let (mut conditions, mut steps) = (Vec::with_capacity(settings.len()), 0);
    for (index, rule) in settings.iter().enumerate() {
        if !is_id(&rule.name) {
            return refuse("names of 1 to 64 lower-case letters, digits, - or _", format!("{:?}", rule.name));
        }
        if settings.iter().take(index).any(|other| other.name == rule.name) {
            return refuse("each name once", format!("{:?}", rule.name));
        }
        let condition = parser::parse(&rule.when).map_err(|fault| fault.of_rule(&rule.name))?;
        steps += condition.steps();
        conditions.push(condition);
    }
    if steps > MAX_SITE_STEPS {
        return refuse("patterns and contains of at most 1,024 steps together", format!("{steps} steps"));
    }
    Ok(conditions)
}

fn version(settings: &[RuleSettings]) -> Cow<'static, str> {
    if settings.is_empty() {
        return Cow::Borrowed(RULES_VERSION);
    }
    let mut parts: Vec<&[u8]> = Vec::with_capacity(settings.len() * 4);
    for rule in settings {
        let then: &[u8] = match (rule.then, rule.shadow) {
            (_, true) => b"shadow",
            (Action::Flag, false) => b"flag",
            (Action::Drop, false) => b"drop",
            (Action::Allow, false) => b"allow",
        };
        parts.extend([rule.name.as_bytes(), rule.when.as_bytes(), then, b"\n"]);
    }
    Cow::Owned(format!("{RULES_VERSION}+{:016x}", visitor::hash(b"landfall rules  ", &parts)))
}

#[cfg(test)]
mod tests;
