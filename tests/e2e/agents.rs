//! "An agent is known by its signature": Web Bot Auth with a real key, its directory on this machine, and every way to get it wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::channel;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::json;
use tiny_http::{Header, Response, Server};
use xtask::stack::Stack;
use xtask::stack::process::Stop;

use crate::Test;
use crate::lab::{self, Answer, Lab};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("a_signed_request_is_stored_as_a_verified_agents", a_signed_request_is_stored_as_a_verified_agents),
    ("a_bad_signature_is_evidence_with_its_fault", a_bad_signature_is_evidence_with_its_fault),
    ("only_directories_of_known_agents_are_fetched", only_directories_of_known_agents_are_fetched),
    ("a_directory_that_is_away_is_asked_once", a_directory_that_is_away_is_asked_once),
    ("who_comes_while_keys_are_asked_for_waits_for_them", who_comes_while_keys_are_asked_for_waits_for_them),
];

const NAME: &str = "test-agent";
const PATH: &str = "/.well-known/http-message-signatures-directory";
const MEDIA_TYPE: &str = "application/http-message-signatures-directory+json";

/// An agent's key.
struct Key {
    pair: Ed25519KeyPair,
    x: String,
    id: String,
}

impl Key {
    fn new(seed: u8) -> Result<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).ok().context("expected a key")?;
        let x = BASE64_URL_SAFE_NO_PAD.encode(pair.public_key());
        let id = digest(&SHA256, format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#).as_bytes());
        Ok(Self { pair, x, id: BASE64_URL_SAFE_NO_PAD.encode(id) })
    }
}

/// An agent's key directory. It ends with the tests' process.
struct Directory {
    origin: String,
    requests: Arc<AtomicU64>,
}

impl Directory {
    /// The directory that lists a key; without one, it is out of order.
    fn open(key: Option<&Key>) -> Result<Self> {
        Self::open_when(key, || ())
    }

    /// The same, which answers once `wait` is over.
    fn open_when(key: Option<&Key>, wait: impl Fn() + Send + 'static) -> Result<Self> {
        let server = Server::http("127.0.0.1:0").map_err(|error| anyhow::anyhow!("{error}"))?;
        let port = server.server_addr().to_ip().context("expected an address")?.port();
        let body =
            key.map(|key| json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": key.x, "use": "sig"}]}).to_string());
        let requests = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&requests);
        std::thread::spawn(move || {
            for request in server.incoming_requests() {
                count.fetch_add(1, Relaxed);
                wait();
                let header = Header::from_bytes("Content-Type", MEDIA_TYPE);
                let (status, body) = match (&body, request.url()) {
                    (Some(body), PATH) => (200, body.as_str()),
                    _ => (503, ""),
                };
                let response = Response::from_string(body).with_status_code(status);
                // A caller that has gone needs no answer.
                let _ = match header {
                    Ok(header) => request.respond(response.with_header(header)),
                    Err(()) => request.respond(response),
                };
            }
        });
        Ok(Self { origin: format!("http://127.0.0.1:{port}"), requests })
    }

    fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }
}

/// What is signed; a test changes one thing.
struct Signing<'a> {
    key: &'a Key,
    authority: String,
    /// Seconds from now.
    created: i64,
    expires: i64,
    method: &'static str,
}

impl<'a> Signing<'a> {
    fn of(stack: &Stack, key: &'a Key) -> Self {
        let authority = stack.file.collector.replace("http://", "");
        Self { key, authority, created: 0, expires: 3_600, method: "POST" }
    }

    /// `Signature-Agent`, `Signature-Input`, `Signature`.
    fn sign(&self, origin: &str) -> Result<[String; 3]> {
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
        let parameters = format!(
            r#"("@method" "@authority" "signature-agent";key="a");created={};expires={};keyid="{}";alg="ed25519";tag="web-bot-auth""#,
            now + self.created,
            now + self.expires,
            self.key.id
        );
        let base = format!(
            "\"@method\": {}\n\"@authority\": {}\n\"signature-agent\";key=\"a\": \"{origin}\"\n\"@signature-params\": {parameters}",
            self.method, self.authority
        );
        let signature = BASE64_STANDARD.encode(self.key.pair.sign(base.as_bytes()));
        Ok([format!("a=\"{origin}\""), format!("sig1={parameters}"), format!("sig1=:{signature}:")])
    }
}

/// Sends one event to a site with a signature.
fn send(stack: &Stack, site: &str, id: &str, [agent, input, signature]: &[String; 3]) -> Result<Answer> {
    let view = json!({"event_id": id, "event_type": "page_view", "page_url": "https://shop.example/"});
    let body = json!({"site": site, "events": [view]}).to_string();
    let headers = [("Signature-Agent", agent.as_str()), ("Signature-Input", input), ("Signature", signature)];
    lab::post(stack, "/v1/events", body.as_bytes(), &headers)
}

/// Runs a test with a collector that knows one agent, and gives it back as it was.
fn with_agent(lab: &mut Lab, origin: &str, test: impl FnOnce(&Stack) -> Result<()>) -> Result<()> {
    let stack = lab.stack()?;
    let agents = json!([{"name": NAME, "origin": origin}]).to_string();
    restart(stack, vec![("WEB_BOT_AUTH_AGENTS".to_owned(), agents)])?;
    let result = test(stack);
    restart(stack, Vec::new())?;
    result
}

fn restart(stack: &mut Stack, variables: Vec<(String, String)>) -> Result<()> {
    stack.layout.surroundings.worker_variables = variables;
    stack.stop_workerd(Stop::Clean)?;
    stack.start_workerd()
}

fn expect_signals(stack: &Stack, id: &str, is_bot: u8, signals: &[&str]) -> Result<()> {
    let has: Vec<_> = signals.iter().map(|signal| format!("has(bot_signals, '{signal}')")).collect();
    lab::expect_events(stack, &format!("event_id = '{id}' AND is_bot = {is_bot} AND {}", has.join(" AND ")), 1, 10)
}

fn a_signed_request_is_stored_as_a_verified_agents(lab: &mut Lab) -> Result<()> {
    let key = Key::new(1)?;
    let directory = Directory::open(Some(&key))?;
    with_agent(lab, &directory.origin, |stack| {
        lab::put_site(stack, &json!({"id": "people", "domains": ["shop.example"], "bots": "drop"}))?;
        let headers = Signing::of(stack, &key).sign(&directory.origin)?;
        let id = lab::event_id();
        let answer = send(stack, "demo", &id, &headers)?;
        ensure!(answer.outcomes()? == ["flagged"], "{answer:?}");
        expect_signals(stack, &id, 1, &["agent:verified_agent", "agent:verified_agent:test-agent"])?;
        lab::expect_events(stack, &format!("event_id = '{id}' AND device_type = 'bot'"), 1, 1)?;
        let dropped = send(stack, "people", &lab::event_id(), &headers)?;
        let result = &dropped.json()?["results"][0];
        ensure!(result["outcome"] == "filtered" && result["reason"] == "verified_agent", "{dropped:?}");
        ensure!(directory.requests() == 1, "expected the keys to be asked for once, found {}", directory.requests());
        Ok(())
    })
}

fn a_bad_signature_is_evidence_with_its_fault(lab: &mut Lab) -> Result<()> {
    let (key, other) = (Key::new(1)?, Key::new(2)?);
    let directory = Directory::open(Some(&key))?;
    with_agent(lab, &directory.origin, |stack| {
        let usual = || Signing::of(stack, &key);
        let cases = [
            ("tampered", Signing { method: "GET", ..usual() }, "mismatch"),
            ("made for another host", Signing { authority: "shop.example".to_owned(), ..usual() }, "mismatch"),
            ("expired", Signing { created: -120, expires: -60, ..usual() }, "expired"),
            ("of tomorrow", Signing { created: 86_000, expires: 86_400, ..usual() }, "impossible_time"),
            ("by a key of somebody else", Signing::of(stack, &other), "unknown_key"),
        ];
        for (what, signing, fault) in cases {
            let id = lab::event_id();
            let answer = send(stack, "demo", &id, &signing.sign(&directory.origin)?)?;
            ensure!(answer.outcomes()? == ["accepted"], "{what}: {answer:?}");
            let detail = format!("agent:bad_signature:{fault}");
            expect_signals(stack, &id, 0, &["agent:bad_signature", &detail]).context(what)?;
        }
        let [agent, ..] = usual().sign(&directory.origin)?;
        let id = lab::event_id();
        send(stack, "demo", &id, &[agent, "sig1=(".to_owned(), "sig1=::".to_owned()])?;
        expect_signals(stack, &id, 0, &["agent:bad_signature:malformed"])
    })
}

fn only_directories_of_known_agents_are_fetched(lab: &mut Lab) -> Result<()> {
    let key = Key::new(1)?;
    let (known, stranger) = (Directory::open(Some(&key))?, Directory::open(Some(&key))?);
    with_agent(lab, &known.origin, |stack| {
        let id = lab::event_id();
        let answer = send(stack, "demo", &id, &Signing::of(stack, &key).sign(&stranger.origin)?)?;
        ensure!(answer.outcomes()? == ["accepted"], "{answer:?}");
        expect_signals(stack, &id, 0, &["agent:unknown"])?;
        ensure!(stranger.requests() == 0, "expected no request to a stranger, found {}", stranger.requests());
        Ok(())
    })
}

fn a_directory_that_is_away_is_asked_once(lab: &mut Lab) -> Result<()> {
    let key = Key::new(1)?;
    let directory = Directory::open(None)?;
    with_agent(lab, &directory.origin, |stack| {
        let ids = [lab::event_id(), lab::event_id(), lab::event_id()];
        for id in &ids {
            let answer = send(stack, "demo", id, &Signing::of(stack, &key).sign(&directory.origin)?)?;
            ensure!(answer.outcomes()? == ["accepted"], "{answer:?}");
        }
        // Not for a minute: the look at the rows takes part of it.
        ensure!(directory.requests() == 1, "expected one request, found {}", directory.requests());
        ids.iter().try_for_each(|id| expect_signals(stack, id, 0, &["agent:unverified"]))
    })
}

fn who_comes_while_keys_are_asked_for_waits_for_them(lab: &mut Lab) -> Result<()> {
    let key = Key::new(1)?;
    let (release, released) = channel::<()>();
    // Less than a directory may take.
    let directory = Directory::open_when(Some(&key), move || {
        let _ = released.recv_timeout(Duration::from_millis(900));
    })?;
    with_agent(lab, &directory.origin, |stack| {
        let headers = Signing::of(stack, &key).sign(&directory.origin)?;
        let (answers, answered) = channel();
        std::thread::scope(|scope| {
            for _ in 0..5 {
                let (answers, headers) = (answers.clone(), &headers);
                scope.spawn(move || answers.send(send(stack, "demo", &lab::event_id(), headers)));
            }
            // Long enough for every request to arrive; what comes later finds the keys there. The rest of the directory's second is for a slow machine.
            let early = answered.recv_timeout(Duration::from_millis(200));
            ensure!(early.is_err(), "expected no answer before the keys are there, found {early:?}");
            release.send(())?;
            for answer in answered.iter().take(5) {
                let answer = answer?;
                ensure!(answer.outcomes()? == ["flagged"], "{answer:?}");
            }
            ensure!(directory.requests() == 1, "expected one request, found {}", directory.requests());
            Ok(())
        })
    })
}
