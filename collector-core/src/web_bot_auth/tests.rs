//! Signatures that others have made, and what is wrong with those that are changed.

use proptest::prelude::*;
use ring::signature::{ED25519, UnparsedPublicKey};

use super::*;

/// The key of RFC 9421, appendix B.1.4, with which the vectors are signed.
const KEY: &str = "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs";
const KEY_ID: &str = "poqkLGiymh_W0uP6PZFw-dvez3QJT5SolqXBCW38r0U";

/// The parameters of the draft's example with a text as `Signature-Agent`.
const SIGNED: &str = "(\"@authority\" \"signature-agent\");created=1735689600;keyid=\"poqkLGiymh_W0uP6PZFw-dvez3QJT5SolqXBCW38r0U\";\
    alg=\"ed25519\";expires=1735693200;nonce=\"e8N7S2MFd/qrd6T2R3tdfAuuANngKI7LFtKYI/vowzk4lAZYadIX6wW25MwG7DCT9RUKAJ0qVkU0mEeLElW1qg==\";\
    tag=\"web-bot-auth\"";
const SIGNATURE: &str = "jdq0SqOwHdyHr9+r5jw3iYZH6aNGKijYp/EstF4RQTQdi5N5YYKrD+mCT1HA1nZDsi6nJKuHxUi/5Syp3rLWBA==";
const AGENT: &str = "\"https://signature-agent.test\"";
const CREATED_MS: i64 = 1_735_689_600_000;
const EXPIRES_MS: i64 = 1_735_693_200_000;

/// A signed request.
struct Sent<'a> {
    method: &'a str,
    url: &'a str,
    agent: &'a str,
    input: String,
    signature: String,
}

impl Sent<'_> {
    /// The draft's example: draft-meunier-web-bot-auth-architecture-05, appendix A.2.3.
    fn example() -> Sent<'static> {
        Sent::with(&format!("sig2={SIGNED}"))
    }

    fn with(input: &str) -> Sent<'static> {
        Sent {
            method: "GET",
            url: "https://example.com/path/to/resource",
            agent: AGENT,
            input: input.to_owned(),
            signature: format!("sig2=:{SIGNATURE}:"),
        }
    }

    fn claim(&self) -> Result<Claim, Finding<'static>> {
        let header = |name: &str| match name {
            "signature-input" => Some(self.input.clone()),
            "signature" => Some(self.signature.clone()),
            "signature-agent" => Some(self.agent.to_owned()),
            _ => None,
        };
        Claim::read(self.agent, &Message { method: self.method, url: self.url, header: &header })
    }

    fn is_signed_by(&self, key: &str) -> bool {
        let claim = self.claim().unwrap();
        let key = base64::decode::<32>(key).unwrap();
        UnparsedPublicKey::new(&ED25519, key).verify(&claim.base, &claim.signature).is_ok()
    }
}

#[test]
fn the_examples_of_the_draft_are_signed_by_their_key() {
    let sent = Sent::example();
    assert!(sent.is_signed_by(KEY));
    let claim = sent.claim().unwrap();
    assert_eq!(claim.origin, "https://signature-agent.test");
    assert_eq!(Some(claim.key_id), base64::decode(KEY_ID));
    // github.com/cloudflare/web-bot-auth, web_bot_auth_architecture_v2.json.
    let sent = Sent {
        agent: "agent2=\"https://signature-agent.test\"",
        signature: "sig2=:RdNFx5Bj6au3YgAMQL/RzmUlZE8QZLIaXGRpw985hWnwPfMxT228NMk6ehRS1PSl4e8PhbNZACSanGdhEwYCCg==:"
            .to_owned(),
        ..Sent::with(
            "sig2=(\"@authority\" \"signature-agent\";key=\"agent2\");created=1735689600;keyid=\"poqkLGiymh_W0uP6PZFw-dvez3QJT5SolqXBCW38r0U\";\
             alg=\"ed25519\";expires=4889289600;nonce=\"n9p433xm+NJ3ph3upfBIGmsuwHw387YV7Q/F+6BSpGCVjYCqQw6rznNA8PVVLySrAWsv0hQtFioQb6E1YsauiA==\";\
             tag=\"web-bot-auth\"",
        )
    };
    assert!(sent.is_signed_by(KEY));
    assert_eq!(sent.claim().unwrap().origin, "https://signature-agent.test");
    assert_eq!(
        sent.claim().unwrap().check_time(CREATED_MS),
        Err(Fault::ImpossibleTime.into()),
        "it holds for a century"
    );
}

/// What DuckDuckGo's and Ahrefs' crawlers sent to a site in September 2026: an address without quotes, and other components.
#[test]
fn requests_that_were_seen_are_signed_by_the_keys_of_their_agents() {
    let duck = Sent {
        method: "GET",
        url: "https://gkoreli.com/favicon.ico",
        agent: "https://bot.duckduckgo.com",
        input: "sig1=(\"@method\" \"@authority\" \"@path\" \"signature-agent\");created=1788411573;expires=1788412173;alg=\"ed25519\";\
                tag=\"web-bot-auth\";keyid=\"5HvpfNA946z6lcCXEIOOpzlN5l0mdZE42jdqimEwPf8\""
            .to_owned(),
        signature: "sig1=:63joPbtMnsFXGyPmWp8mkRzsxiT0Ugujee2gB5dFajTA/ODK8bTRdkuM1/gYaU1f5DpDBvn5KMvoRkreGyWtCQ==:".to_owned(),
    };
    assert!(duck.is_signed_by("pVqc2ohmGpL_H1OJGq7mIGkxAk65mm5JkY7qSdJachE"));
    assert_eq!(duck.claim().unwrap().origin, "https://bot.duckduckgo.com");
    let ahrefs = Sent {
        method: "GET",
        url: "https://gkoreli.com/robots.txt",
        agent: "\"https://ahrefs.com\"",
        input: "sig=(\"@authority\" \"signature-agent\");created=1788417112;keyid=\"e3vpiy0B6M1Wdxnizw3dqRSgpqS6SXM2qiQ6HtUwZ5g\";alg=\"ed25519\";\
                expires=1788417172;nonce=\"G1Ywem9vmQEo0fdcGB7X5U9zPBDn7t1bL_ThO2xn3SomHhITaea-gLCYBUaHp0YRIDGvnVmofZM9h6dNaVTTig\";tag=\"web-bot-auth\""
            .to_owned(),
        signature: "sig=:+B/zW07ZjErBYQKeX5yYs7W/hTzbARoe9EDTg8WehmDZ6lsQfNgUR0Wrv/ggxa0JCu4RAfBi72XAFYw4I9FNAg==:".to_owned(),
    };
    assert!(ahrefs.is_signed_by("0g1xFRWdVlSOm1h92tZ4VFl7FWGtvRnTZ0PwuBdJuDU"));
    assert!(
        !Sent { url: "https://other.example/robots.txt", ..ahrefs }
            .is_signed_by("0g1xFRWdVlSOm1h92tZ4VFl7FWGtvRnTZ0PwuBdJuDU")
    );
}

#[test]
fn a_signature_holds_from_its_creation_until_it_expires() {
    let claim = Sent::example().claim().unwrap();
    for (now_ms, expected) in [
        (CREATED_MS, Ok(())),
        (CREATED_MS - MAX_SKEW_S * 1_000, Ok(())),
        (CREATED_MS - (MAX_SKEW_S + 1) * 1_000, Err(Fault::ImpossibleTime.into())),
        (EXPIRES_MS - 1, Ok(())),
        (EXPIRES_MS, Err(Fault::Expired.into())),
        (i64::MAX, Err(Fault::Expired.into())),
        (i64::MIN, Err(Fault::ImpossibleTime.into())),
    ] {
        assert_eq!(claim.check_time(now_ms), expected, "{now_ms}");
    }
}

#[test]
fn what_the_draft_requires_is_required() {
    for (from, to, expected) in [
        ("\"@authority\"", "\"@method\"", Fault::Incomplete.into()),
        (" \"signature-agent\"", "", Fault::Incomplete.into()),
        ("created=1735689600;", "", Fault::Incomplete.into()),
        ("created=1735689600", "created=\"1\"", Fault::Incomplete.into()),
        ("expires=1735693200;", "", Fault::Incomplete.into()),
        ("keyid=", "key=", Fault::Incomplete.into()),
        ("keyid=\"p", "keyid=\"", Fault::UnknownKey.into()),
        ("tag=\"web-bot-auth\"", "tag=\"other\"", Fault::Incomplete.into()),
        ("alg=\"ed25519\"", "alg=\"rsa-pss-sha512\"", Finding::Unverified),
        ("sig2=", "sig1=", Fault::Incomplete.into()),
        ("sig2=(", "sig2=((", Fault::Malformed.into()),
        ("\"signature-agent\"", "\"signature-agent\";key=\"x\"", Fault::Malformed.into()),
        ("\"signature-agent\"", "\"signature-agent\" \"x-absent\"", Fault::Incomplete.into()),
    ] {
        let input = format!("sig2={SIGNED}");
        assert!(input.contains(from), "{from}");
        assert_eq!(Sent::with(&input.replacen(from, to, 1)).claim(), Err(expected), "{from} -> {to}");
    }
    assert!(Sent::with(&format!("sig2={}", SIGNED.replace("@authority", "@target-uri"))).claim().is_ok());
}

#[test]
fn a_signature_agent_has_three_forms() {
    for (agent, expected) in [
        ("\"https://a.example\"", Ok("https://a.example")),
        (" https://a.example ", Ok("https://a.example")),
        ("x=\"https://a.example\";type=directory", Ok("https://a.example")),
        ("x=\"https://a.example/jwks\";type=jwks_uri", Err(Finding::Unverified)),
        ("x=\"https://a.example\", y=\"https://b.example\"", Err(Fault::Malformed.into())),
        ("x=directory;y=\"\"", Err(Fault::Malformed.into())),
        ("\"https://a.example", Err(Fault::Malformed.into())),
    ] {
        let found = Sent { agent, ..Sent::example() }.claim().map(|claim| claim.origin);
        assert_eq!(found, expected.map(str::to_owned), "{agent}");
    }
}

#[test]
fn long_headers_are_not_read() {
    let long = format!("sig2={SIGNED};x=\"{}\"", "x".repeat(MAX_HEADER_BYTES));
    assert_eq!(Sent::with(&long).claim(), Err(Fault::Malformed.into()));
}

proptest! {
    #[test]
    fn any_headers_give_an_answer(agent in "\\PC{0,40}", input in "\\PC{0,80}", signature in "\\PC{0,80}") {
        let _ = Sent { method: "POST", url: "https://example.com/", agent: &agent, input, signature }.claim();
    }

    #[test]
    fn a_changed_claim_is_not_signed(at in 0_usize..SIGNED.len(), by in 1_u8..127) {
        let mut bytes = SIGNED.as_bytes().to_vec();
        bytes[at] = (bytes[at] + by) % 128;
        let sent = Sent::with(&format!("sig2={}", String::from_utf8(bytes).unwrap()));
        prop_assume!(sent.claim().is_ok());
        prop_assert!(!sent.is_signed_by(KEY), "{}", sent.input);
    }

    #[test]
    fn any_address_gives_an_answer(url in "\\PC{0,60}") {
        let _ = Sent { url: &url, ..Sent::example() }.claim();
    }
}
