//! Requests that an agent has signed. In scope: reading them, fetching the agents' keys, asking the runtime whether a key made a signature.
//! Out of scope: what a signature must be like, and how long keys are gone by (`collector_core::web_bot_auth`).
//!
//! A request without `Signature-Agent`, which is nearly every one, costs the look for that header.

use std::cell::RefCell;
use std::time::Duration;

use collector_core::log::{Level, Line};
use collector_core::web_bot_auth::directory::{
    self, Directories, Directory, Look, MAX_ANSWER_MS, MAX_DIRECTORY_BYTES, PublicKey,
};
use collector_core::web_bot_auth::{Agents, Claim, Fault, Finding, Message};
use js_sys::futures::JsFuture;
use js_sys::{Array, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{CryptoKey, SubtleCrypto};
use worker::{Delay, Result};

use crate::incoming::Incoming;
use crate::remote::Call;
use crate::{clock, log};

/// How often a request looks for keys that another one has asked for. It cannot wait for that one's promise: each request has its own I/O.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How many times it looks: a little longer than an answer may take.
const MAX_LOOKS: u32 = 24;

thread_local! {
    static DIRECTORIES: RefCell<Directories> = RefCell::default();
}

/// What a request claims, or what is wrong with that; `None` if it claims nothing.
pub(crate) type Signed = Option<std::result::Result<Claim, Finding<'static>>>;

/// Reads what a request claims.
pub(crate) fn read(request: &Incoming<'_>) -> Signed {
    let signature_agent = request.headers.signature_agent?;
    let header = |name: &str| request.header(name);
    let message = Message { method: request.method, url: request.url, header: &header };
    Some(Claim::read(signature_agent, &message))
}

/// Checks what a request claims.
pub(crate) async fn check<'a>(signed: &Signed, agents: &'a Agents) -> Option<Finding<'a>> {
    let finding = match signed.as_ref()? {
        Ok(claim) => check_claim(claim, agents).await.unwrap_or_else(|finding| finding),
        Err(finding) => *finding,
    };
    Some(finding)
}

/// Cheap checks before expensive ones; the error is a finding too.
async fn check_claim<'a>(claim: &Claim, agents: &'a Agents) -> std::result::Result<Finding<'a>, Finding<'a>> {
    let agent = agents.find(&claim.origin).ok_or(Finding::Unknown)?;
    claim.check_time(clock::now_ms())?;
    let key = find_key(&agent.origin, claim).await?;
    match verify(&key, claim).await {
        Ok(true) => Ok(Finding::Verified(&agent.name)),
        // What the runtime takes for no key is none.
        Ok(false) | Err(_) => Err(Fault::Mismatch.into()),
    }
}

async fn find_key(origin: &str, claim: &Claim) -> std::result::Result<PublicKey, Finding<'static>> {
    let look = || DIRECTORIES.with_borrow(|directories| directories.look(origin, &claim.key_id, clock::now_ms()));
    for _ in 0..MAX_LOOKS {
        match look() {
            Look::Key(key) => return Ok(key),
            Look::Absent => return Err(Fault::UnknownKey.into()),
            Look::Unavailable => break,
            Look::Ask => ask(origin).await,
            Look::Wait => Delay::from(LOOK_AGAIN).await,
        }
    }
    Err(Finding::Unverified)
}

async fn ask(origin: &str) {
    DIRECTORIES.with_borrow_mut(|directories| directories.begin(origin, clock::now_ms()));
    let directory = fetch(origin).await.unwrap_or_else(|error| {
        log::write(Line::new(Level::Warn, "keys_not_read").text("agent", origin).error(&error));
        None
    });
    DIRECTORIES.with_borrow_mut(|directories| directories.note(origin, directory, clock::now_ms()));
}

/// The directory of an agent of the list; `None` if what is there is none.
async fn fetch(origin: &str) -> Result<Option<Directory>> {
    let call = Call {
        method: "GET",
        // The draft forbids to follow a redirect, which a call does not: the keys of another address are another's.
        url: &format!("{origin}{}", directory::PATH),
        headers: &[("Accept", directory::CONTENT_TYPE)],
        body: None,
        max_ms: MAX_ANSWER_MS,
        max_bytes: MAX_DIRECTORY_BYTES,
    };
    let answer = call.send().await?;
    let media_type = answer.header("Content-Type").unwrap_or_default();
    let is_directory = media_type.split(';').next().is_some_and(|kind| kind.trim() == directory::CONTENT_TYPE);
    if answer.status() != 200 || !is_directory {
        return Ok(None);
    }
    Ok(answer.body.and_then(|body| Directory::parse(&body)))
}

/// Whether the key made the signature. The runtime has Ed25519; a crate would be as large as the rest of this file ten times over.
async fn verify(key: &PublicKey, claim: &Claim) -> std::result::Result<bool, JsValue> {
    const ALGORITHM: &str = "Ed25519";
    let crypto = Reflect::get(&js_sys::global(), &JsValue::from_str("crypto"))?;
    let subtle: SubtleCrypto = Reflect::get(&crypto, &JsValue::from_str("subtle"))?.unchecked_into();
    let usages = Array::of1(&JsValue::from_str("verify"));
    let key = subtle.import_key_with_str("raw", &Uint8Array::from(key.as_slice()), ALGORITHM, false, &usages)?;
    let key: CryptoKey = JsFuture::from(key).await?.unchecked_into();
    let answer = subtle.verify_with_str_and_u8_array_and_u8_array(ALGORITHM, &key, &claim.signature, &claim.base)?;
    Ok(JsFuture::from(answer).await?.is_truthy())
}
