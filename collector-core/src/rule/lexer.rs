//! From the text of a condition to its words.
//!
//! In scope: names, strings, numbers and signs, each with its column. Out of scope: what they mean together (`parser`).

use crate::rule::error::Fault;

/// Parts of one, as numbers are kept: four places, as money has.
pub(crate) const NUMBER_SCALE: i128 = 10_000;

/// Digits of a number after the point: as many as `NUMBER_SCALE` has noughts.
const MAX_FRACTION_DIGITS: usize = 4;

/// One word of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// A name: `country`, `and`, `starts_with`.
    Name(String),
    /// A string, without quotes and escapes.
    Text(String),
    /// A number, in parts of `NUMBER_SCALE`.
    Number(i128),
    /// One of `= != < <= > >= ( ) [ ] , .`.
    Sign(&'static str),
}

/// A word and where it begins, in characters from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) token: Token,
    pub(crate) column: usize,
    /// As it is written, for errors.
    pub(crate) text: String,
}

/// Signs, the longer of two that begin alike first.
const SIGNS: [&str; 12] = ["!=", "<=", ">=", "=", "<", ">", "(", ")", "[", "]", ",", "."];

/// Splits a condition into its words.
pub(crate) fn split(condition: &str) -> Result<Vec<Word>, Fault> {
    let mut words = Vec::new();
    let (mut rest, mut column) = (condition, 1);
    loop {
        let blank = rest.len() - rest.trim_start().len();
        let (spaces, word) = rest.split_at_checked(blank).unwrap_or((rest, ""));
        column += spaces.chars().count();
        let Some(first) = word.chars().next() else { return Ok(words) };
        let (token, bytes) = read(word, first, column)?;
        let (text, after) = word.split_at_checked(bytes).unwrap_or((word, ""));
        words.push(Word { token, column, text: text.to_owned() });
        column += text.chars().count();
        rest = after;
    }
}

/// The first word of a text, and its bytes.
fn read(text: &str, first: char, column: usize) -> Result<(Token, usize), Fault> {
    if first == '"' {
        return string(text, column);
    }
    if first.is_ascii_digit() || first == '-' {
        return number(text, column);
    }
    if let Some(sign) = SIGNS.iter().find(|sign| text.starts_with(**sign)) {
        return Ok((Token::Sign(sign), sign.len()));
    }
    let is_end = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    let name = text.split(is_end).next().unwrap_or("");
    if name.is_empty() {
        return Err(Fault::new(column, "a field, a value or a sign", word_of(text)));
    }
    Ok((Token::Name(name.to_owned()), name.len()))
}

/// A string in double quotes. `\"` is a quote and `\\` a backslash; before anything else a backslash is itself, so that patterns read well.
fn string(text: &str, column: usize) -> Result<(Token, usize), Fault> {
    let mut value = String::new();
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((Token::Text(value), at + 1)),
            '\\' => {
                let sign = characters.next_if(|(_, next)| matches!(next, '"' | '\\'));
                value.push(sign.map_or('\\', |(_, sign)| sign));
            }
            _ => value.push(character),
        }
    }
    Err(Fault::new(column, "a closing \" for this string", "the end"))
}

fn number(text: &str, column: usize) -> Result<(Token, usize), Fault> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let word = digits.split(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '_').next().unwrap_or("");
    let fault = || Fault::new(column, "a number such as 42, -1 or 9.95", word_of(text));
    let parts = magnitude(word).ok_or_else(fault)?;
    let is_negative = digits.len() < text.len();
    Ok((Token::Number(if is_negative { -parts } else { parts }), text.len() - digits.len() + word.len()))
}

/// The parts of `NUMBER_SCALE` of a number without a sign.
fn magnitude(word: &str) -> Option<i128> {
    let (whole, fraction) = word.split_once('.').unwrap_or((word, "0"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || fraction.len() > MAX_FRACTION_DIGITS {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let fraction = fraction.bytes().chain(*b"0000").take(MAX_FRACTION_DIGITS);
    let fraction = fraction.fold(0, |sum, digit| sum * 10 + i128::from(digit - b'0'));
    Some(i128::from(whole) * NUMBER_SCALE + fraction)
}

/// The beginning of a text, for an error.
fn word_of(text: &str) -> &str {
    text.split_whitespace().next().and_then(|word| word.get(..word.floor_char_boundary(32))).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(condition: &str) -> Vec<(usize, Token)> {
        split(condition).unwrap().into_iter().map(|word| (word.column, word.token)).collect()
    }

    #[test]
    fn words_have_their_columns() {
        let name = |text: &str| Token::Name(text.to_owned());
        assert_eq!(tokens(" \t a_ "), [(4, name("a_"))]);
        assert_eq!(
            tokens(r#"city="Köln" and revenue>=-9.95"#),
            [
                (1, name("city")),
                (5, Token::Sign("=")),
                (6, Token::Text("Köln".into())),
                (13, name("and")),
                (17, name("revenue")),
                (24, Token::Sign(">=")),
                (26, Token::Number(-99_500)),
            ]
        );
    }

    #[test]
    fn strings_keep_the_backslashes_of_patterns() {
        assert_eq!(tokens(r#""a\.b \"c\" \\d""#), [(1, Token::Text(r#"a\.b "c" \d"#.into()))]);
    }

    #[test]
    fn what_is_no_word_is_pointed_at() {
        for (condition, column) in
            [("country = ~", 11), (r#"x = "abc"#, 5), ("x = 1.23456", 5), ("x = 12a", 5), ("x = -", 5), ("ä", 1)]
        {
            assert_eq!(split(condition).unwrap_err().column, column, "{condition}");
        }
    }
}
