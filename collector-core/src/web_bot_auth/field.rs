//! Structured fields (RFC 9651), as far as signatures need them.
//!
//! In scope: dictionaries, inner lists, texts, tokens, integers, byte sequences, flags, parameters. Out of scope: the types that no signature
//! has (decimals, dates, display strings): a field with one is not read.
//!
//! Everything keeps the text as it was sent, because that is what was signed. A text with a backslash is kept as it stands, and so is equal to
//! no name.

/// Digits of the largest integer of a structured field.
const MAX_DIGITS: usize = 15;

/// A value and its parameters.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Item<'a> {
    pub(super) value: Value<'a>,
    parameters: Vec<(&'a str, Value<'a>)>,
    /// Both as they were sent.
    pub(super) text: &'a str,
}

/// A value without its parameters.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Text(&'a str),
    Token(&'a str),
    Integer(i64),
    /// In base64.
    Bytes(&'a str),
    Flag(bool),
    /// Never within another.
    List(Vec<Item<'a>>),
}

/// A dictionary; of two members with one key the later counts, as with parameters.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Dictionary<'a>(Vec<(&'a str, Item<'a>)>);

impl<'a> Dictionary<'a> {
    /// `None` if the field is no dictionary.
    pub(super) fn parse(field: &'a str) -> Option<Self> {
        let mut rest = Rest(field.trim_matches([' ', '\t']));
        let mut members = Vec::new();
        while !rest.0.is_empty() {
            members.push(rest.member()?);
            rest.skip_spaces();
            if rest.0.is_empty() {
                break;
            }
            rest.eat(',')?;
            rest.skip_spaces();
            // A comma announces a member.
            rest.0.chars().next()?;
        }
        Some(Self(members))
    }

    pub(super) fn get(&self, key: &str) -> Option<&Item<'a>> {
        self.iter().rfind(|(own, _)| *own == key).map(|(_, item)| item)
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (&'a str, &Item<'a>)> {
        self.0.iter().map(|(key, item)| (*key, item))
    }

    /// The only member.
    pub(super) fn single(&self) -> Option<&Item<'a>> {
        self.0.first().filter(|_| self.0.len() == 1).map(|(_, item)| item)
    }
}

impl<'a> Item<'a> {
    /// `None` if the field is no single item.
    pub(super) fn parse(field: &'a str) -> Option<Self> {
        let mut rest = Rest(field.trim_matches([' ', '\t']));
        let item = rest.item()?;
        rest.0.is_empty().then_some(item)
    }

    pub(super) fn parameter(&self, key: &str) -> Option<&Value<'a>> {
        self.parameters.iter().rfind(|(own, _)| *own == key).map(|(_, value)| value)
    }

    /// The names of all parameters.
    pub(super) fn parameter_names(&self) -> impl Iterator<Item = &'a str> {
        self.parameters.iter().map(|(name, _)| *name)
    }

    /// The value, if it is a text.
    pub(super) fn as_text(&self) -> Option<&'a str> {
        match self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// What is left to read.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn eat(&mut self, expected: char) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    fn take_while(&mut self, is_part: impl Fn(u8) -> bool) -> &'a str {
        let end = self.0.bytes().position(|byte| !is_part(byte)).unwrap_or(self.0.len());
        self.cut(end).unwrap_or("")
    }

    /// `None` if there are fewer bytes, or within a character.
    fn cut(&mut self, end: usize) -> Option<&'a str> {
        let (taken, rest) = self.0.split_at_checked(end)?;
        self.0 = rest;
        Some(taken)
    }

    fn skip_spaces(&mut self) {
        self.take_while(|byte| byte == b' ' || byte == b'\t');
    }

    fn member(&mut self) -> Option<(&'a str, Item<'a>)> {
        let key = self.key()?;
        let start = self.0;
        let value = if self.eat('=').is_none() {
            Value::Flag(true)
        } else if self.0.starts_with('(') {
            self.list()?
        } else {
            self.value()?
        };
        let start = start.strip_prefix('=').unwrap_or(start);
        Some((key, self.with_parameters(start, value)?))
    }

    fn item(&mut self) -> Option<Item<'a>> {
        let start = self.0;
        let value = self.value()?;
        self.with_parameters(start, value)
    }

    fn with_parameters(&mut self, start: &'a str, value: Value<'a>) -> Option<Item<'a>> {
        let mut parameters = Vec::new();
        while self.eat(';').is_some() {
            self.take_while(|byte| byte == b' ');
            let key = self.key()?;
            let value = if self.eat('=').is_some() { self.value()? } else { Value::Flag(true) };
            parameters.push((key, value));
        }
        let text = start.get(..start.len() - self.0.len())?;
        Some(Item { value, parameters, text })
    }

    fn list(&mut self) -> Option<Value<'a>> {
        self.eat('(')?;
        let mut items = Vec::new();
        loop {
            let has_space = !self.take_while(|byte| byte == b' ').is_empty();
            if self.eat(')').is_some() {
                return Some(Value::List(items));
            }
            if !items.is_empty() && !has_space {
                return None;
            }
            items.push(self.item()?);
        }
    }

    fn key(&mut self) -> Option<&'a str> {
        let is_first = |byte: u8| byte.is_ascii_lowercase() || byte == b'*';
        if !self.0.bytes().next().is_some_and(is_first) {
            return None;
        }
        Some(self.take_while(|byte| is_first(byte) || byte.is_ascii_digit() || matches!(byte, b'_' | b'-' | b'.')))
    }

    fn value(&mut self) -> Option<Value<'a>> {
        match self.0.bytes().next()? {
            b'"' => self.text(),
            b':' => {
                self.eat(':')?;
                let bytes = self.take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='));
                self.eat(':').map(|()| Value::Bytes(bytes))
            }
            b'?' => match self.cut(2)? {
                "?1" => Some(Value::Flag(true)),
                "?0" => Some(Value::Flag(false)),
                _ => None,
            },
            b'-' | b'0'..=b'9' => self.integer(),
            byte if byte.is_ascii_alphabetic() || byte == b'*' => Some(Value::Token(self.take_while(is_token_part))),
            _ => None,
        }
    }

    fn text(&mut self) -> Option<Value<'a>> {
        self.eat('"')?;
        let mut is_escaped = false;
        let mut end = None;
        for (at, byte) in self.0.bytes().enumerate() {
            match byte {
                _ if !(b' '..=b'~').contains(&byte) => return None,
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = true,
                b'"' => {
                    end = Some(at);
                    break;
                }
                _ => {}
            }
        }
        let text = self.cut(end?)?;
        self.eat('"').map(|()| Value::Text(text))
    }

    fn integer(&mut self) -> Option<Value<'a>> {
        let sign = if self.eat('-').is_some() { -1 } else { 1 };
        let digits = self.take_while(|byte| byte.is_ascii_digit());
        // A point would make it a decimal.
        if digits.len() > MAX_DIGITS || self.0.starts_with('.') {
            return None;
        }
        digits.parse::<i64>().ok().map(|number| Value::Integer(sign * number))
    }
}

fn is_token_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_dictionary_keeps_the_text_of_its_members() {
        let field = r#" sig1=("@authority" "signature-agent";key="a");created=1;tag="web-bot-auth" , sig2=:AQI=:;x, c"#;
        let dictionary = Dictionary::parse(field).unwrap();
        let first = dictionary.get("sig1").unwrap();
        assert_eq!(first.text, r#"("@authority" "signature-agent";key="a");created=1;tag="web-bot-auth""#);
        assert_eq!(first.parameter("created"), Some(&Value::Integer(1)));
        let Value::List(items) = &first.value else { panic!("expected a list, found {:?}", first.value) };
        assert_eq!(items[1].text, r#""signature-agent";key="a""#);
        assert_eq!(dictionary.get("sig2").unwrap().value, Value::Bytes("AQI="));
        assert_eq!(dictionary.get("sig2").unwrap().parameter("x"), Some(&Value::Flag(true)));
        assert_eq!(dictionary.get("c").unwrap().value, Value::Flag(true));
        assert_eq!(dictionary.get("d"), None);
    }

    #[test]
    fn of_two_members_the_later_counts() {
        let dictionary = Dictionary::parse("a=1, a=2;b=3;b=4").unwrap();
        assert_eq!(dictionary.get("a").unwrap().value, Value::Integer(2));
        assert_eq!(dictionary.get("a").unwrap().parameter("b"), Some(&Value::Integer(4)));
        assert_eq!(dictionary.single(), None);
    }

    #[test]
    fn what_is_no_dictionary_is_refused() {
        for field in [
            "a=",
            "=1",
            "A=1",
            "a=1,",
            "a=1 b=2",
            "a=(\"x\"\"y\")",
            "a=(\"x\"",
            "a=((1))",
            "a=\"x",
            "a=:AQ",
            "a=?2",
            "a=1.5",
            "a=1234567890123456",
            "a=\"ü\"",
            "a=\"x\u{7f}\"",
            "a=-",
            "https://agent.example",
            "a;=1",
        ] {
            assert_eq!(Dictionary::parse(field), None, "{field}");
        }
        assert_eq!(Dictionary::parse("").map(|found| found.iter().count()), Some(0));
    }

    #[test]
    fn a_text_ends_at_the_first_quote_that_is_not_escaped() {
        assert_eq!(Item::parse(r#""a\"b";c"#).unwrap().as_text(), Some(r#"a\"b"#));
        assert_eq!(Item::parse(r#""a" "b""#), None);
        assert_eq!(Item::parse("directory").unwrap().value, Value::Token("directory"));
    }

    proptest! {
        #[test]
        fn any_field_gives_an_answer(field in "\\PC{0,60}|[a-z\"=();:,?\\\\ 0-9-]{0,60}") {
            let _ = (Dictionary::parse(&field), Item::parse(&field));
        }

        #[test]
        fn members_are_found_again(members in proptest::collection::btree_map("[a-z*][a-z0-9_.*-]{0,8}", "[ -!#-\\[\\]-~]{0,12}", 1..6)) {
            let field: Vec<String> = members.iter().map(|(key, text)| format!("{key}=\"{text}\"")).collect();
            let field = field.join(", ");
            let dictionary = Dictionary::parse(&field).unwrap();
            for (key, text) in &members {
                prop_assert_eq!(dictionary.get(key).and_then(Item::as_text), Some(text.as_str()));
            }
        }
    }
}
