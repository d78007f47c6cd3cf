//! The keys of an agent, as its directory lists them, and how long an isolate goes by them.
//!
//! In scope: the directory's bytes, key ids, when a directory is read again. Out of scope: fetching it (the shell).

use sha2::{Digest, Sha256};

use super::base64;
use crate::wire::{self, Fields};

/// Where every agent keeps its directory.
pub const PATH: &str = "/.well-known/http-message-signatures-directory";

/// The media type of a directory.
pub const CONTENT_TYPE: &str = "application/http-message-signatures-directory+json";

/// The largest directory, in bytes; real ones have one to three keys of about 200 bytes.
pub const MAX_DIRECTORY_BYTES: usize = 64 * 1_024;

/// The most keys of a directory that are looked at.
pub const MAX_KEYS: usize = 32;

/// How long a directory is gone by, in milliseconds: a key that its owner has removed verifies for so long.
pub const FRESH_MS: i64 = 60 * 60 * 1_000;

/// How long a directory is not asked again, in milliseconds: after a failure, and for a key that it does not have.
pub const RETRY_MS: i64 = 60 * 1_000;

/// How long a directory has to answer, in milliseconds. Requests that need its keys wait so long, once an hour at most; after that nobody can tell.
pub const MAX_ANSWER_MS: u32 = 1_000;

/// How long who asked is waited for, in milliseconds: it has its answer before, or it has gone without one.
const ASKING_MS: i64 = 1_500;

/// How long a directory is gone by while a newer one cannot be had, in milliseconds: an outage takes nobody's name.
pub const STALE_MS: i64 = 24 * 60 * 60 * 1_000;

/// The example key of RFC 9421, appendix B.1.4: its private half is printed there.
const TEST_KEY: &str = "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs";

/// A public Ed25519 key.
pub type PublicKey = [u8; 32];

/// The id of a key: its thumbprint (RFC 7638, RFC 8037 appendix A.3).
pub type KeyId = [u8; 32];

/// The keys of one agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    keys: Vec<(KeyId, PublicKey)>,
}

impl Directory {
    /// Reads a JSON Web Key Set; `None` if it is none. Keys of other kinds are left out. The members `nbf` and `exp`, which some directories
    /// have, are not read: a key counts as long as it is listed, and one stands there with milliseconds for seconds.
    pub fn parse(body: &[u8]) -> Option<Self> {
        if body.len() > MAX_DIRECTORY_BYTES {
            return None;
        }
        // By the reader of beacons, which is in the Worker already.
        let set = wire::members(str::from_utf8(body).ok()?.trim_ascii())?;
        let (_, keys) = set.list.iter().rfind(|(name, _)| name == "keys")?;
        Some(Self { keys: wire::objects(keys)?.iter().take(MAX_KEYS).filter_map(read_key).collect() })
    }

    /// The key of an id.
    pub fn get(&self, id: &KeyId) -> Option<PublicKey> {
        self.keys.iter().find(|(own, _)| own == id).map(|(_, key)| *key)
    }
}

fn read_key(jwk: &Fields<'_>) -> Option<(KeyId, PublicKey)> {
    let x = jwk.unknown_text("x").filter(|x| x != TEST_KEY)?;
    let is_usable = jwk.unknown_text("kty")? == "OKP" && jwk.unknown_text("crv")? == "Ed25519";
    base64::decode(&x).filter(|_| is_usable).map(|key| (thumbprint(&x), key))
}

/// The thumbprint of an Ed25519 key; what its owner calls it (`kid`) is not asked.
fn thumbprint(x: &str) -> KeyId {
    Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#).as_bytes()).into()
}

/// What is known about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The key.
    Key(PublicKey),
    /// The agent's directory does not have it.
    Absent,
    /// Nobody can tell: the directory cannot be had.
    Unavailable,
    /// The directory is to be asked first.
    Ask,
    /// Somebody is asking it.
    Wait,
}

/// The directories that one isolate has read. As many as agents are known, because only theirs are asked.
#[derive(Clone, Debug, Default)]
pub struct Directories {
    known: Vec<Known>,
}

#[derive(Clone, Debug)]
struct Known {
    origin: String,
    directory: Option<Directory>,
    read_at_ms: i64,
    asked_at_ms: i64,
    is_asking: bool,
}

impl Known {
    fn is_younger(at_ms: i64, limit_ms: i64, now_ms: i64) -> bool {
        (0..limit_ms).contains(&now_ms.saturating_sub(at_ms))
    }
}

impl Directories {
    /// The key of an agent.
    pub fn look(&self, origin: &str, id: &KeyId, now_ms: i64) -> Look {
        let Some(known) = self.known.iter().find(|known| known.origin == origin) else { return Look::Ask };
        let is_within = |at_ms, limit_ms| Known::is_younger(at_ms, limit_ms, now_ms);
        let has_just_asked = is_within(known.asked_at_ms, RETRY_MS);
        let has_failed = known.asked_at_ms != known.read_at_ms;
        let is_answer_near = known.is_asking && is_within(known.asked_at_ms, ASKING_MS);
        match known.directory.as_ref().and_then(|directory| directory.get(id)) {
            Some(key) if is_within(known.read_at_ms, FRESH_MS) => Look::Key(key),
            Some(key) if has_just_asked && is_within(known.read_at_ms, STALE_MS) => Look::Key(key),
            _ if is_answer_near => Look::Wait,
            _ if known.is_asking || !has_just_asked => Look::Ask,
            None if !has_failed => Look::Absent,
            _ => Look::Unavailable,
        }
    }

    /// Notes that an agent's directory is being asked, so that others wait for the answer.
    pub fn begin(&mut self, origin: &str, now_ms: i64) {
        let known = self.take(origin, now_ms);
        self.known.push(Known { asked_at_ms: now_ms, is_asking: true, ..known });
    }

    /// Notes what an agent's directory said; `None` if it could not be had, which takes no key away.
    pub fn note(&mut self, origin: &str, directory: Option<Directory>, now_ms: i64) {
        let mut known = Known { asked_at_ms: now_ms, is_asking: false, ..self.take(origin, now_ms) };
        if directory.is_some() {
            known.directory = directory;
            known.read_at_ms = now_ms;
        }
        self.known.push(known);
    }

    fn take(&mut self, origin: &str, now_ms: i64) -> Known {
        match self.known.iter().position(|known| known.origin == origin) {
            Some(position) => self.known.swap_remove(position),
            None => Known {
                origin: origin.to_owned(),
                directory: None,
                read_at_ms: now_ms.saturating_sub(STALE_MS),
                asked_at_ms: now_ms,
                is_asking: false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const X: &str = "7F_3jDlxaquwh291MiACkcS3Opq88NksyHiakzS-Y1g";
    const ID: &str = "otMqcjr17mGyruktGvJU8oojQTSMHlVm7uO-lrcqbdg";
    const AGENT: &str = "https://agent.example";

    fn directory() -> Directory {
        Directory::parse(format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","x":"{X}"}}]}}"#).as_bytes()).unwrap()
    }

    #[test]
    fn a_key_is_known_by_its_thumbprint() {
        // RFC 8037, appendix A.3.
        let example = thumbprint("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!(Some(example), base64::decode("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"));
        assert_eq!(directory().get(&base64::decode(ID).unwrap()), base64::decode(X));
        assert_eq!(directory().get(&[0; 32]), None);
    }

    #[test]
    fn what_is_no_usable_key_is_left_out() {
        let keys = [
            format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{TEST_KEY}"}}"#),
            format!(r#"{{"kty":"OKP","crv":"X25519","x":"{X}"}}"#),
            format!(r#"{{"kty":"EC","crv":"Ed25519","x":"{X}"}}"#),
            r#"{"kty":"OKP","crv":"Ed25519","x":"AQ"}"#.to_owned(),
            r#"{"kty":"RSA","n":"AQAB"}"#.to_owned(),
            "17".to_owned(),
        ];
        let body = format!(r#"{{"keys":[{}]}}"#, keys.join(","));
        assert_eq!(Directory::parse(body.as_bytes()), Some(Directory::default()));
        for body in ["", "{}", "[]", r#"{"keys":{}}"#, "<html>"] {
            assert_eq!(Directory::parse(body.as_bytes()), None, "{body}");
        }
        assert_eq!(Directory::parse(&vec![b' '; MAX_DIRECTORY_BYTES + 1]), None);
    }

    #[test]
    fn a_directory_is_asked_once_and_then_gone_by() {
        let id = base64::decode(ID).unwrap();
        let key = Look::Key(base64::decode(X).unwrap());
        let mut directories = Directories::default();
        assert_eq!(directories.look(AGENT, &id, 0), Look::Ask);
        directories.note(AGENT, Some(directory()), 0);
        assert_eq!(directories.look(AGENT, &id, FRESH_MS - 1), key);
        assert_eq!(directories.look(AGENT, &id, FRESH_MS), Look::Ask);
        assert_eq!(directories.look("https://other.example", &id, 0), Look::Ask, "a key is its agent's alone");
    }

    #[test]
    fn a_key_that_a_directory_does_not_have_is_asked_for_again_after_a_while() {
        let mut directories = Directories::default();
        directories.note(AGENT, Some(directory()), 0);
        assert_eq!(directories.look(AGENT, &[0; 32], RETRY_MS - 1), Look::Absent);
        assert_eq!(directories.look(AGENT, &[0; 32], RETRY_MS), Look::Ask);
    }

    #[test]
    fn while_a_directory_is_asked_others_wait_for_its_answer() {
        let id = base64::decode(ID).unwrap();
        let key = Look::Key(base64::decode(X).unwrap());
        let mut directories = Directories::default();
        directories.begin(AGENT, 0);
        assert_eq!(directories.look(AGENT, &id, i64::from(MAX_ANSWER_MS)), Look::Wait);
        // Who asked has gone without an answer.
        assert_eq!(directories.look(AGENT, &id, ASKING_MS), Look::Ask);
        directories.note(AGENT, Some(directory()), 400);
        assert_eq!(directories.look(AGENT, &id, 400), key);
        // A key that was good an hour ago is good while a newer directory is on its way.
        directories.begin(AGENT, FRESH_MS + 400);
        assert_eq!(directories.look(AGENT, &id, FRESH_MS + 400), key);
        directories.begin(AGENT, 2 * FRESH_MS);
        directories.note(AGENT, None, 2 * FRESH_MS);
        assert_eq!(directories.look(AGENT, &[0; 32], 2 * FRESH_MS), Look::Unavailable);
    }

    #[test]
    fn an_outage_takes_no_key_away_for_a_day() {
        let id = base64::decode(ID).unwrap();
        let mut directories = Directories::default();
        directories.note(AGENT, None, 0);
        assert_eq!(directories.look(AGENT, &id, 1), Look::Unavailable);
        assert_eq!(directories.look(AGENT, &id, RETRY_MS), Look::Ask);
        directories.note(AGENT, Some(directory()), RETRY_MS);
        let late_ms = RETRY_MS + STALE_MS - 1;
        directories.note(AGENT, None, late_ms);
        assert_eq!(directories.look(AGENT, &id, late_ms), Look::Key(base64::decode(X).unwrap()));
        assert_eq!(directories.look(AGENT, &[0; 32], late_ms), Look::Unavailable);
        assert_eq!(directories.look(AGENT, &id, late_ms + 1), Look::Unavailable);
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Directory::parse(&body);
        }
    }
}
