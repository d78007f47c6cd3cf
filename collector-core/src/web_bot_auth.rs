//! Agents that sign their requests: Web Bot Auth, a profile of HTTP message signatures (RFC 9421).
//!
//! In scope: reading the three headers, what a signature must cover and how long it may hold, the bytes that it was made over, the keys that may
//! have made it. Out of scope: the arithmetic of Ed25519 (the runtime's `WebCrypto`), fetching keys (the shell), what a finding is worth (`filter`).
//!
//! The rules are those of draft-ietf-webbotauth-httpsig-protocol; also the two older forms of `Signature-Agent`, a text and a bare address, are
//! read, because agents still send them. A request may be repeated until its signature expires: nonces are not remembered.

mod base64;
pub mod directory;
mod field;
mod list;
mod message;

pub use list::{Agent, Agents, MAX_AGENTS};
pub use message::Message;

use directory::KeyId;
use field::{Dictionary, Item, Value};

/// What a signature for this purpose is tagged with.
const TAG: &str = "web-bot-auth";

/// The only algorithm that is checked.
const ALGORITHM: &str = "ed25519";

/// The longest of the three headers, in bytes; real ones have about 400.
pub const MAX_HEADER_BYTES: usize = 4_096;

/// How far a signer's clock may be ahead, in seconds.
pub const MAX_SKEW_S: i64 = 60;

/// How long a signature may hold, in seconds: the draft recommends no more than a day, and one that holds for ever is a password.
pub const MAX_LIFETIME_S: i64 = 24 * 60 * 60;

/// What the check of a signed request found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding<'a> {
    /// The agent of this name has signed it.
    Verified(&'a str),
    /// It says that an agent has signed it, and that is not so.
    Bad(Fault),
    /// The agent is none that the collector knows: its keys are not asked for.
    Unknown,
    /// Nobody can tell: the keys cannot be had, or the signature is of a kind that is not checked.
    Unverified,
}

/// Why a signature is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A header cannot be read.
    Malformed,
    /// A header, component or parameter is missing that the draft requires.
    Incomplete,
    /// Its time is over.
    Expired,
    /// Its time has not come, or it holds for too long.
    ImpossibleTime,
    /// The agent does not have this key.
    UnknownKey,
    /// The key did not sign this request.
    Mismatch,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 6] =
        [Self::Malformed, Self::Incomplete, Self::Expired, Self::ImpossibleTime, Self::UnknownKey, Self::Mismatch];

    /// The stable machine tag.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Incomplete => "incomplete",
            Self::Expired => "expired",
            Self::ImpossibleTime => "impossible_time",
            Self::UnknownKey => "unknown_key",
            Self::Mismatch => "mismatch",
        }
    }
}

impl From<Fault> for Finding<'_> {
    fn from(fault: Fault) -> Self {
        Self::Bad(fault)
    }
}

/// What a request claims: that this agent has signed it with this key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The agent's address, as it gives it.
    pub origin: String,
    /// Which of the agent's keys.
    pub key_id: KeyId,
    /// The Ed25519 signature.
    pub signature: [u8; 64],
    /// What it was made over.
    pub base: Vec<u8>,
    created_s: i64,
    expires_s: i64,
}

impl Claim {
    /// Reads the claim of a request with the header `Signature-Agent`, which is given; of several signatures the first that is tagged for this
    /// purpose.
    pub fn read(signature_agent: &str, message: &Message<'_>) -> Result<Self, Finding<'static>> {
        let header = |name| (message.header)(name).ok_or(Fault::Incomplete);
        let (inputs, signatures) = (header("signature-input")?, header("signature")?);
        if [signature_agent, &inputs, &signatures].iter().any(|header| header.len() > MAX_HEADER_BYTES) {
            return Err(Fault::Malformed.into());
        }
        let inputs = Dictionary::parse(&inputs).ok_or(Fault::Malformed)?;
        let is_tagged = |signed: &Item<'_>| signed.parameter("tag") == Some(&Value::Text(TAG));
        let (label, signed) = inputs.iter().find(|(_, signed)| is_tagged(signed)).ok_or(Fault::Incomplete)?;
        if signed.parameter("alg").is_some_and(|algorithm| *algorithm != Value::Text(ALGORITHM)) {
            return Err(Finding::Unverified);
        }
        let integer = |name| match signed.parameter(name) {
            Some(Value::Integer(number)) => Ok(*number),
            _ => Err(Fault::Incomplete),
        };
        let Some(Value::Text(key_id)) = signed.parameter("keyid") else { return Err(Fault::Incomplete.into()) };
        Ok(Self {
            origin: origin(signed, signature_agent)?,
            key_id: base64::decode(key_id).ok_or(Fault::UnknownKey)?,
            signature: signature(&signatures, label)?,
            base: message::base(signed, message)?,
            created_s: integer("created")?,
            expires_s: integer("expires")?,
        })
    }

    /// Whether the signature holds now.
    pub fn check_time(&self, now_ms: i64) -> Result<(), Finding<'static>> {
        let now = now_ms.div_euclid(1_000);
        let lifetime_s = self.expires_s.saturating_sub(self.created_s);
        if !(1..=MAX_LIFETIME_S).contains(&lifetime_s) || self.created_s > now.saturating_add(MAX_SKEW_S) {
            return Err(Fault::ImpossibleTime.into());
        }
        if now >= self.expires_s { Err(Fault::Expired.into()) } else { Ok(()) }
    }
}

fn signature(signatures: &str, label: &str) -> Result<[u8; 64], Fault> {
    let signatures = Dictionary::parse(signatures).ok_or(Fault::Malformed)?;
    match signatures.get(label).ok_or(Fault::Incomplete)?.value {
        Value::Bytes(text) => base64::decode(text).ok_or(Fault::Malformed),
        _ => Err(Fault::Malformed),
    }
}

/// The agent that a signature names. What it does not cover, anybody may have added; and without the host it would hold for every site.
fn origin(signed: &Item<'_>, signature_agent: &str) -> Result<String, Finding<'static>> {
    let components = message::components(signed)?;
    let is_named = |component: &&Item<'_>, name| component.as_text() == Some(name);
    let is_bound = |component| is_named(&component, "@authority") || is_named(&component, "@target-uri");
    let covered = components.iter().find(|component| is_named(component, "signature-agent"));
    let covered = covered.filter(|_| components.iter().any(is_bound)).ok_or(Fault::Incomplete)?;
    let key = covered.parameter("key");
    if key.is_none() && !signature_agent.contains('"') {
        return Ok(signature_agent.trim().to_owned());
    }
    let members = Dictionary::parse(signature_agent);
    let text = if members.is_none() { Item::parse(signature_agent) } else { None };
    let member = match (key, &members) {
        (Some(Value::Text(key)), Some(members)) => members.get(key),
        (None, Some(members)) => members.single(),
        (None, None) => text.as_ref(),
        _ => None,
    };
    let member = member.ok_or(Fault::Malformed)?;
    // Other types say that the keys are elsewhere.
    if member.parameter("type").is_some_and(|kind| *kind != Value::Token("directory")) {
        return Err(Finding::Unverified);
    }
    member.as_text().map(str::to_owned).ok_or(Fault::Malformed.into())
}

#[cfg(test)]
mod tests;
