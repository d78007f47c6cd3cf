//! What a signature is made over: the signature base of RFC 9421, section 2.5.
//!
//! In scope: the components of a request that a signature may cover, and their values. Out of scope: responses, trailers, and the
//! parameters that ask for another form of a value (`sf`, `bs`, `req`, `tr`, `name`): nobody who signs beacons needs them.

use super::field::{Dictionary, Item, Value};
use super::{Fault, Finding};

/// The most components of one signature.
const MAX_COMPONENTS: usize = 16;

/// A request, as far as a signature may cover it.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    /// The method, in upper case.
    pub method: &'a str,
    /// The whole address, as the runtime wrote it: scheme and host in lower case, no default port.
    pub url: &'a str,
    /// The value of a header by its name in lower case; those of one name joined by commas.
    pub header: &'a dyn Fn(&str) -> Option<String>,
}

/// The signature base; `signed` is the member of `Signature-Input`: the components with their parameters.
pub(super) fn base(signed: &Item<'_>, message: &Message<'_>) -> Result<Vec<u8>, Finding<'static>> {
    let components = components(signed)?;
    let mut base = Vec::with_capacity(512);
    for (position, component) in components.iter().enumerate() {
        if components.iter().take(position).any(|other| other.text == component.text) {
            return Err(Fault::Malformed.into());
        }
        let value = value(component, message)?;
        base.extend_from_slice(component.text.as_bytes());
        base.extend_from_slice(b": ");
        base.extend_from_slice(value.trim_matches([' ', '\t']).as_bytes());
        base.push(b'\n');
    }
    base.extend_from_slice(b"\"@signature-params\": ");
    base.extend_from_slice(signed.text.as_bytes());
    Ok(base)
}

/// The components that a signature covers.
pub(super) fn components<'i, 'a>(signed: &'i Item<'a>) -> Result<&'i [Item<'a>], Finding<'static>> {
    match &signed.value {
        Value::List(components) if components.len() <= MAX_COMPONENTS => Ok(components),
        _ => Err(Fault::Malformed.into()),
    }
}

fn value(component: &Item<'_>, message: &Message<'_>) -> Result<String, Finding<'static>> {
    let name = component.as_text().ok_or(Fault::Malformed)?;
    let key = match component.parameter("key") {
        Some(Value::Text(key)) => Some(*key),
        Some(_) => return Err(Fault::Malformed.into()),
        None => None,
    };
    if component.parameter_names().any(|parameter| parameter != "key") || (name.starts_with('@') && key.is_some()) {
        return Err(Finding::Unverified);
    }
    if let Some(derived) = name.strip_prefix('@') {
        return derive(derived, message).ok_or(Finding::Unverified);
    }
    let value = (message.header)(name).ok_or(Fault::Incomplete)?;
    // Beyond ASCII nobody can tell which bytes the runtime has read.
    if !value.is_ascii() {
        return Err(Finding::Unverified);
    }
    let Some(key) = key else { return Ok(value) };
    let members = Dictionary::parse(&value).ok_or(Fault::Malformed)?;
    members.get(key).map(|member| member.text.to_owned()).ok_or(Fault::Incomplete.into())
}

/// A component that is derived from the request line; `None` if it is not known.
fn derive(name: &str, message: &Message<'_>) -> Option<String> {
    let (scheme, rest) = message.url.split_once("://")?;
    let (authority, target) = rest.split_at_checked(rest.find(['/', '?']).unwrap_or(rest.len()))?;
    let (path, query) = target.split_at_checked(target.find('?').unwrap_or(target.len()))?;
    let path = if path.is_empty() { "/" } else { path };
    Some(match name {
        "method" => message.method.to_owned(),
        "authority" => authority.to_ascii_lowercase(),
        "scheme" => scheme.to_ascii_lowercase(),
        "target-uri" => message.url.to_owned(),
        "request-target" => format!("{path}{query}"),
        "path" => path.to_owned(),
        // An absent query is an empty one (section 2.2.7).
        "query" => if query.is_empty() { "?" } else { query }.to_owned(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The request of RFC 9421, appendix B.2.
    fn header(name: &str) -> Option<String> {
        let value = match name {
            "date" => "Tue, 20 Apr 2021 02:07:55 GMT",
            "content-type" => " application/json ",
            "content-length" => "18",
            "signature-agent" => r#"agent2="https://signature-agent.test";type=directory"#,
            "x-name" => "Zoë",
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn base_of(member: &str) -> Result<String, Finding<'static>> {
        let message = Message { method: "POST", url: "https://example.com/foo?param=Value&Pet=dog", header: &header };
        let field = format!("sig={member}");
        let dictionary = Dictionary::parse(&field).unwrap();
        base(dictionary.get("sig").unwrap(), &message).map(|base| String::from_utf8(base).unwrap())
    }

    #[test]
    fn the_base_is_that_of_the_rfc() {
        // RFC 9421, appendix B.2.6.
        let member = "(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\");created=1618884473;keyid=\"test-key-ed25519\"";
        insta::assert_snapshot!(base_of(member).unwrap(), @r#"
        "date": Tue, 20 Apr 2021 02:07:55 GMT
        "@method": POST
        "@path": /foo
        "@authority": example.com
        "content-type": application/json
        "content-length": 18
        "@signature-params": ("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"
        "#);
    }

    #[test]
    fn every_part_of_the_address_may_be_covered() {
        insta::assert_snapshot!(base_of(r#"("@scheme" "@target-uri" "@request-target" "@query" "signature-agent";key="agent2")"#).unwrap(), @r#"
        "@scheme": https
        "@target-uri": https://example.com/foo?param=Value&Pet=dog
        "@request-target": /foo?param=Value&Pet=dog
        "@query": ?param=Value&Pet=dog
        "signature-agent";key="agent2": "https://signature-agent.test";type=directory
        "@signature-params": ("@scheme" "@target-uri" "@request-target" "@query" "signature-agent";key="agent2")
        "#);
    }

    #[test]
    fn an_absent_path_is_a_slash_and_an_absent_query_a_question_mark() {
        let message = Message { method: "GET", url: "https://Example.com", header: &header };
        for (name, expected) in [("path", "/"), ("query", "?"), ("authority", "example.com"), ("request-target", "/")] {
            assert_eq!(derive(name, &message).as_deref(), Some(expected), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_checked_is_told_from_what_is_wrong() {
        for (member, expected) in [
            (r#"("@authority" "@authority")"#, Fault::Malformed.into()),
            (r#"("x-absent")"#, Fault::Incomplete.into()),
            (r#"("signature-agent";key="other")"#, Fault::Incomplete.into()),
            (r#"("date";key="a")"#, Fault::Malformed.into()),
            ("(date)", Fault::Malformed.into()),
            ("1", Fault::Malformed.into()),
            (r#"("@query-param";name="a")"#, Finding::Unverified),
            (r#"("@status")"#, Finding::Unverified),
            (r#"("date";bs)"#, Finding::Unverified),
            (r#"("x-name")"#, Finding::Unverified),
        ] {
            assert_eq!(base_of(member), Err(expected), "{member}");
        }
    }
}
