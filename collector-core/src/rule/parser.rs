//! From the words of a condition to its checked tree.
//!
//! In scope: the grammar, the type of each comparison, limits. Out of scope: words (`lexer`), evaluation (`condition`).
//!
//! ```text
//! any        = all { "or" all }
//! all        = one { "and" one }
//! one        = "not" one | "(" any ")" | test
//! test       = field [ operator value ]
//! field      = name | "properties" "[" string "]"
//! value      = string | number | "[" value { "," value } "]"
//! ```

use crate::item::ITEM_EVENT_TYPE;
use crate::property::MAX_KEY_BYTES;
use crate::rule::condition::{Condition, Test};
use crate::rule::error::Fault;
use crate::rule::field::{Field, Type};
use crate::rule::lexer::{Token, Word, split};
use crate::rule::network::Network;
use crate::rule::regex::{Regex, RegexError};

/// The longest condition, in bytes.
pub const MAX_CONDITION_BYTES: usize = 1_024;

/// How deep parentheses and `not` may be nested.
pub const MAX_DEPTH: usize = 16;

/// The most values of one list.
pub const MAX_VALUES: usize = 100;

/// Reads and checks a condition.
pub(crate) fn parse(condition: &str) -> Result<Condition, Fault> {
    if condition.len() > MAX_CONDITION_BYTES {
        return Err(Fault::new(1, "a condition of at most 1,024 bytes", "more"));
    }
    let end = condition.chars().count() + 1;
    let mut parser = Parser { words: split(condition)?.into_iter().peekable(), end };
    let parsed = parser.any(0)?;
    match parser.words.next() {
        None => Ok(parsed),
        Some(word) => Err(fault(&word, "and, or or the end")),
    }
}

fn fault(word: &Word, expected: &'static str) -> Fault {
    Fault::new(word.column, expected, &word.text)
}

struct Parser {
    words: std::iter::Peekable<std::vec::IntoIter<Word>>,
    /// The column behind the last word.
    end: usize,
}

impl Parser {
    fn any(&mut self, depth: usize) -> Result<Condition, Fault> {
        let mut parts = vec![self.all(depth)?];
        while self.take_name("or") {
            parts.push(self.all(depth)?);
        }
        Ok(only(parts).unwrap_or_else(Condition::Any))
    }

    fn all(&mut self, depth: usize) -> Result<Condition, Fault> {
        let mut parts = vec![self.one(depth)?];
        while self.take_name("and") {
            parts.push(self.one(depth)?);
        }
        Ok(only(parts).unwrap_or_else(Condition::All))
    }

    fn one(&mut self, depth: usize) -> Result<Condition, Fault> {
        let word = self.next("a field, not or (")?;
        if depth == MAX_DEPTH {
            return Err(fault(&word, "at most 16 levels of parentheses and not"));
        }
        match &word.token {
            Token::Name(name) if name == "not" => Ok(Condition::Not(Box::new(self.one(depth + 1)?))),
            Token::Name(name) => self.test(name, &word),
            Token::Sign("(") => {
                let inner = self.any(depth + 1)?;
                self.expect(")")?;
                Ok(inner)
            }
            _ => Err(fault(&word, "a field, not or (")),
        }
    }

    fn test(&mut self, name: &str, word: &Word) -> Result<Condition, Fault> {
        let field = match name {
            "properties" => self.property()?,
            _ => Field::find(name).ok_or_else(|| fault(word, "a field such as country or user_agent"))?,
        };
        if field.kind() == Type::Flag {
            return Ok(Condition::Test(field, Test::IsSet));
        }
        let operator = self.next(operators(field.kind()))?;
        let is_negated = operator.text == "!=" || operator.text == "<=" || operator.text == ">=";
        let test = self.compare(&field, &operator)?;
        let test = Condition::Test(field, test);
        Ok(if is_negated { Condition::Not(Box::new(test)) } else { test })
    }

    fn property(&mut self) -> Result<Field, Fault> {
        self.expect("[")?;
        let word = self.next("the name of a property")?;
        let Token::Text(name) = &word.token else {
            return Err(fault(&word, "the name of a property in quotes"));
        };
        if name.len() > MAX_KEY_BYTES {
            return Err(fault(&word, "a name of at most 64 bytes"));
        }
        self.expect("]")?;
        Ok(Field::Property(name.clone()))
    }

    /// The test that an operator and what follows it stand for. Of `!=`, `<=` and `>=` it is the opposite.
    fn compare(&mut self, field: &Field, operator: &Word) -> Result<Test, Fault> {
        let (kind, name) = (field.kind(), operator.text.as_str());
        let takes_list = name == "in";
        match (kind, name) {
            (Type::Text, "=" | "!=" | "in") if field.is_named("event_type") => {
                each(&self.values(takes_list)?, event_type).map(Test::TextIn)
            }
            (Type::Text, "=" | "!=" | "in") => each(&self.values(takes_list)?, text).map(Test::TextIn),
            (Type::Text, "contains") => text(&self.value()?).map(Test::Contains),
            (Type::Text, "starts_with") => text(&self.value()?).map(Test::StartsWith),
            (Type::Text, "ends_with") => text(&self.value()?).map(Test::EndsWith),
            (Type::Text, "matches") => pattern(&self.value()?).map(Test::Matches),
            (Type::Number, "=" | "!=" | "in") => each(&self.values(takes_list)?, number).map(Test::NumberIn),
            (Type::Number, "<" | ">=") => number(&self.value()?).map(Test::Below),
            (Type::Number, ">" | "<=") => number(&self.value()?).map(Test::Above),
            (Type::List, "has") => text(&self.value()?).map(Test::Has),
            (Type::Address, "=" | "!=" | "in") => each(&self.values(takes_list)?, network).map(Test::Within),
            _ => Err(fault(operator, operators(kind))),
        }
    }

    fn value(&mut self) -> Result<Word, Fault> {
        let word = self.next("a value")?;
        if matches!(word.token, Token::Sign(_)) { Err(fault(&word, "a value")) } else { Ok(word) }
    }

    /// One value, or those of a list in brackets.
    fn values(&mut self, is_list: bool) -> Result<Vec<Word>, Fault> {
        if !is_list {
            return Ok(vec![self.value()?]);
        }
        self.expect("[")?;
        let mut values = vec![self.value()?];
        loop {
            let word = self.next(", or ]")?;
            match word.token {
                Token::Sign("]") => return Ok(values),
                Token::Sign(",") if values.len() < MAX_VALUES => values.push(self.value()?),
                Token::Sign(",") => return Err(fault(&word, "at most 100 values")),
                _ => return Err(fault(&word, ", or ]")),
            }
        }
    }

    fn next(&mut self, expected: &'static str) -> Result<Word, Fault> {
        self.words.next().ok_or_else(|| Fault::new(self.end, expected, "the end"))
    }

    fn expect(&mut self, sign: &'static str) -> Result<(), Fault> {
        let word = self.next(sign)?;
        if matches!(word.token, Token::Sign(found) if found == sign) { Ok(()) } else { Err(fault(&word, sign)) }
    }

    fn take_name(&mut self, name: &str) -> bool {
        self.words.next_if(|word| matches!(&word.token, Token::Name(own) if own == name)).is_some()
    }
}

/// The only part, or all of them back.
fn only(mut parts: Vec<Condition>) -> Result<Condition, Vec<Condition>> {
    match parts.pop() {
        Some(part) if parts.is_empty() => Ok(part),
        part => {
            parts.extend(part);
            Err(parts)
        }
    }
}

/// What may be asked of a type.
const fn operators(kind: Type) -> &'static str {
    match kind {
        Type::Text => "=, !=, in, contains, starts_with, ends_with or matches after a text",
        Type::Number => "=, !=, <, <=, >, >= or in after a number",
        Type::List => "has after a list",
        Type::Address => "=, != or in after an address",
        Type::Flag => "and, or or the end after a flag",
    }
}

fn each<T>(words: &[Word], read: fn(&Word) -> Result<T, Fault>) -> Result<Vec<T>, Fault> {
    words.iter().map(read).collect()
}

fn text(word: &Word) -> Result<String, Fault> {
    match &word.token {
        Token::Text(text) => Ok(text.clone()),
        _ => Err(fault(word, "a text in quotes")),
    }
}

fn number(word: &Word) -> Result<i128, Fault> {
    match word.token {
        Token::Number(number) => Ok(number),
        _ => Err(fault(word, "a number")),
    }
}

fn network(word: &Word) -> Result<Network, Fault> {
    Network::parse(&text(word)?).map_err(|expected| fault(word, expected))
}

/// A fault in a pattern is pointed at where it stands in the condition.
fn pattern(word: &Word) -> Result<Regex, Fault> {
    Regex::new(&text(word)?).map_err(|RegexError { expected, at }| {
        let place = written_place(&word.text, at);
        let found = word.text.chars().nth(place).filter(|_| place + 1 < word.text.chars().count());
        Fault { column: word.column + place, expected, found: found.map_or("the end".to_owned(), String::from) }
    })
}

/// Where a character of a text, counted from 1, stands in what is written, in characters from the opening quote. An escape is one character.
fn written_place(written: &str, at: usize) -> usize {
    let (mut place, mut characters) = (1, written.chars().skip(1).peekable());
    for _ in 1..at {
        let is_escape = characters.next() == Some('\\') && characters.next_if(|c| matches!(c, '"' | '\\')).is_some();
        place += 1 + usize::from(is_escape);
    }
    place
}

/// The type of an event that rules see: items have the verdict of their purchase.
fn event_type(word: &Word) -> Result<String, Fault> {
    let own = text(word)?;
    if own == ITEM_EVENT_TYPE {
        Err(fault(word, "another type than item (items go with their purchase)"))
    } else {
        Ok(own)
    }
}

#[cfg(test)]
mod tests;
