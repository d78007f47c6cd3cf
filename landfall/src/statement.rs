//! Splitting SQL text into statements.
//!
//! In scope: where quoted text and comments begin and end in ClickHouse's dialect, so that a semicolon inside them ends nothing. Out of
//! scope: what a statement means. The HTTP interface takes one statement per request.

/// A quote or comment that does not end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected the end of {what}, found the end of the file; it starts in line {line}")]
pub struct Unterminated {
    what: &'static str,
    line: usize,
}

/// The statements of `sql` in order, without the comments around them and without semicolons.
pub fn split(sql: &str) -> Result<Vec<&str>, Unterminated> {
    let mut statements = Vec::new();
    let mut start = None;
    let mut end = 0;
    for piece in pieces(sql) {
        let piece = piece?;
        match piece.kind {
            Kind::Blank => {}
            Kind::Plain if piece.text == ";" => {
                statements.extend(start.take().map(|from| &sql[from..end]));
            }
            Kind::Plain | Kind::Quoted => {
                start.get_or_insert(piece.at);
                end = piece.at + piece.text.len();
            }
        }
    }
    statements.extend(start.map(|from| &sql[from..end]));
    Ok(statements)
}

/// Splits `list` at the commas that stand in no parentheses and no quotes.
pub(crate) fn split_list(list: &str) -> Result<Vec<&str>, Unterminated> {
    let mut items = Vec::new();
    let (mut start, mut depth) = (0, 0_usize);
    for piece in pieces(list) {
        let piece = piece?;
        match (piece.kind, piece.text) {
            (Kind::Plain, "(") => depth += 1,
            (Kind::Plain, ")") => depth = depth.saturating_sub(1),
            (Kind::Plain, ",") if depth == 0 => {
                items.push(list[start..piece.at].trim());
                start = piece.at + 1;
            }
            _ => {}
        }
    }
    items.push(list[start..].trim());
    Ok(items)
}

/// Where the parenthesis is that closes one opened before `body`.
pub(crate) fn closing_parenthesis(body: &str) -> Result<Option<usize>, Unterminated> {
    let mut depth = 0_usize;
    for piece in pieces(body) {
        let piece = piece?;
        match (piece.kind, piece.text) {
            (Kind::Plain, "(") => depth += 1,
            (Kind::Plain, ")") if depth == 0 => return Ok(Some(piece.at)),
            (Kind::Plain, ")") => depth -= 1,
            _ => {}
        }
    }
    Ok(None)
}

/// `sql` with every comment, and every character of white space, replaced by a space.
pub(crate) fn without_comments(sql: &str) -> Result<String, Unterminated> {
    let texts = pieces(sql).map(|piece| piece.map(|piece| if piece.kind == Kind::Blank { " " } else { piece.text }));
    texts.collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// One character of anything else.
    Plain,
    /// A string, quoted identifier or heredoc.
    Quoted,
    /// A comment or one character of white space.
    Blank,
}

#[derive(Clone, Copy, Debug)]
struct Piece<'a> {
    kind: Kind,
    at: usize,
    text: &'a str,
}

/// Every byte of `sql` belongs to exactly one piece, up to an error.
fn pieces(sql: &str) -> impl Iterator<Item = Result<Piece<'_>, Unterminated>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = sql.get(at..).filter(|rest| !rest.is_empty())?;
        let piece = match measure(rest) {
            Ok((kind, length)) => Ok(Piece { kind, at, text: &rest[..length] }),
            Err(what) => Err(Unterminated { what, line: 1 + sql[..at].matches('\n').count() }),
        };
        at += piece.as_ref().map_or(rest.len(), |piece| piece.text.len());
        Some(piece)
    })
}

/// Kind and length of the piece that `rest` starts with, or what it is that does not end. `rest` is not empty.
fn measure(rest: &str) -> Result<(Kind, usize), &'static str> {
    let first = rest.chars().next().unwrap_or(' ');
    match first {
        '\'' => quoted_length(rest, b'\'').map(|length| (Kind::Quoted, length)).ok_or("a string"),
        '"' | '`' => quoted_length(rest, first as u8).map(|length| (Kind::Quoted, length)).ok_or("a quoted identifier"),
        '/' if rest.starts_with("/*") => rest[2..].find("*/").map(|end| (Kind::Blank, end + 4)).ok_or("a comment"),
        '-' if rest.starts_with("--") => Ok((Kind::Blank, line_length(rest))),
        '#' if rest.starts_with("# ") || rest.starts_with("#!") => Ok((Kind::Blank, line_length(rest))),
        '$' => match heredoc_tag(rest) {
            Some(tag) => rest[tag.len()..].find(tag).map(|end| (Kind::Quoted, end + 2 * tag.len())).ok_or("a heredoc"),
            None => Ok((Kind::Plain, 1)),
        },
        _ => Ok((if first.is_whitespace() { Kind::Blank } else { Kind::Plain }, first.len_utf8())),
    }
}

/// Up to and with the closing `quote`; a backslash escapes the next byte, a doubled quote is one quote.
fn quoted_length(rest: &str, quote: u8) -> Option<usize> {
    let bytes = rest.as_bytes();
    let mut at = 1;
    loop {
        match *bytes.get(at)? {
            b'\\' => at += 2,
            byte if byte == quote && bytes.get(at + 1) == Some(&quote) => at += 2,
            byte if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
}

fn line_length(rest: &str) -> usize {
    rest.find('\n').unwrap_or(rest.len())
}

/// `$name$`, if `rest` starts with it.
fn heredoc_tag(rest: &str) -> Option<&str> {
    let end = rest[1..].find('$')? + 2;
    let tag = &rest[..end];
    tag[1..end - 1].bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_').then_some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_at_semicolons_that_are_neither_quoted_nor_commented() {
        let cases: [(&str, &[&str]); 12] = [
            ("", &[]),
            (" ;; -- nothing\n;", &[]),
            ("SELECT 1", &["SELECT 1"]),
            ("SELECT 1;\n\nSELECT 2 ;\n", &["SELECT 1", "SELECT 2"]),
            ("-- a; b\nSELECT 1; -- c; d", &["SELECT 1"]),
            ("SELECT /* ; */ 1;", &["SELECT /* ; */ 1"]),
            ("# a;\n#! b;\nSELECT 1", &["SELECT 1"]),
            ("SELECT 'a;b', 'it''s;', 'c\\';d'; SELECT 2", &["SELECT 'a;b', 'it''s;', 'c\\';d'", "SELECT 2"]),
            ("SELECT \"a;b\", `c;d`; SELECT 2", &["SELECT \"a;b\", `c;d`", "SELECT 2"]),
            ("SELECT $t$a;'b$t$, $1; SELECT 2", &["SELECT $t$a;'b$t$, $1", "SELECT 2"]),
            ("SELECT '--'; SELECT '/*'; SELECT 3 - -1", &["SELECT '--'", "SELECT '/*'", "SELECT 3 - -1"]),
            ("SELECT 'ä;€' ;SELECT 'ö'", &["SELECT 'ä;€'", "SELECT 'ö'"]),
        ];
        for (sql, expected) in cases {
            assert_eq!(split(sql).as_deref(), Ok(expected), "in {sql:?}");
        }
    }

    #[test]
    fn an_open_quote_or_comment_is_an_error_with_its_line() {
        for (sql, what) in [
            ("\n 'a\n\\'", "a string"),
            ("\n /* a\n", "a comment"),
            ("\n`a", "a quoted identifier"),
            ("\n$x$ a $", "a heredoc"),
        ] {
            assert_eq!(split(sql), Err(Unterminated { what, line: 2 }), "in {sql:?}");
        }
    }

    #[test]
    fn lists_split_at_outer_commas() {
        assert_eq!(
            split_list("a Decimal(18, 4), b String DEFAULT ',', c f(g(1, 2), 3)").unwrap(),
            ["a Decimal(18, 4)", "b String DEFAULT ','", "c f(g(1, 2), 3)"]
        );
    }
}
