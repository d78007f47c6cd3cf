//! Values of a Durable Object's SQLite. In scope: Rust's types to them and back, with an error that says what was expected.

use worker::{Error, Result, SqlStorageValue as Value};

pub(crate) fn text(value: &str) -> Value {
    Value::String(value.to_owned())
}

pub(crate) fn number(value: i64) -> Result<Value> {
    Value::try_from_i64(value)
}

pub(crate) fn integer(value: Option<&Value>) -> Result<i64> {
    match value {
        Some(Value::Integer(number)) => Ok(*number),
        // SQLite numbers arrive as JavaScript numbers.
        #[expect(clippy::cast_possible_truncation, reason = "an integer column read as a double")]
        Some(Value::Float(number)) => Ok(*number as i64),
        other => Err(unexpected("an integer", other)),
    }
}

pub(crate) fn string(value: Option<&Value>) -> Result<String> {
    match value {
        Some(Value::String(text)) => Ok(text.clone()),
        other => Err(unexpected("a text", other)),
    }
}

pub(crate) fn blob(value: Option<Value>) -> Result<Vec<u8>> {
    match value {
        Some(Value::Blob(bytes)) => Ok(bytes),
        other => Err(unexpected("a blob", other.as_ref())),
    }
}

fn unexpected(expected: &str, found: Option<&Value>) -> Error {
    let found = match found {
        None => "nothing",
        Some(Value::Null) => "null",
        Some(_) => "another type",
    };
    Error::RustError(format!("expected {expected} in the object's storage, found {found}"))
}
