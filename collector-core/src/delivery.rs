//! What ClickHouse's answer to an INSERT means.
//!
//! In scope: one pure classification by exception code, message and status. Out of scope: acting on it (the Batcher), waiting (`retry`).
//!
//! The status alone says little: most retriable and many permanent errors are both 500. The codes say more (`code`).

mod code;

/// The class of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// The batch is stored.
    Delivered,
    /// It is definitely not stored, and may be later, here or in another region.
    Retry,
    /// It may be stored: only the same batch with the same token, in the same region, is safe.
    Unknown,
    /// An operator has to act (schema, rights, configuration): keep the batch, alert, try seldom.
    Hold,
    /// Some row of this batch can never be stored: look for it by halving the batch.
    Poison,
}

/// What an answer says of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// Its class.
    pub delivery: Delivery,
    /// Whether the rows, or some of them, may be in the table, whatever the class: then only the same batch with the same token, in the same
    /// region, is safe.
    pub may_be_stored: bool,
}

impl Meaning {
    /// Reads an answer: its status, its `X-ClickHouse-Exception-Code`, whether it bears other marks of ClickHouse, and its body.
    pub fn read(status: u16, exception_code: Option<i32>, is_from_clickhouse: bool, body: &[u8]) -> Self {
        let delivery = match Delivery::classify(status, exception_code, body) {
            // Some proxy's empty 200.
            Delivery::Delivered if !is_from_clickhouse => Delivery::Hold,
            delivery => delivery,
        };
        let may_be_stored = delivery == Delivery::Unknown
            || (200..300).contains(&status)
            || String::from_utf8_lossy(body).contains(WHILE_PUSHING_TO_VIEW);
        Self { delivery, may_be_stored }
    }

    /// A request that got no answer.
    pub const fn without_answer(was_sent: bool) -> Self {
        Self { delivery: Delivery::without_answer(was_sent), may_be_stored: was_sent }
    }

    /// No request was made: only an operator can help.
    pub const fn not_sent() -> Self {
        Self { delivery: Delivery::Hold, may_be_stored: false }
    }
}

/// In the message of an INSERT whose own table is written already.
const WHILE_PUSHING_TO_VIEW: &str = "while pushing to view";

impl Delivery {
    /// The stable machine tag.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retry => "retry",
            Self::Unknown => "unknown",
            Self::Hold => "hold",
            Self::Poison => "poison",
        }
    }

    /// Classifies an answer: its status, its `X-ClickHouse-Exception-Code`, and the start of its body.
    pub fn classify(status: u16, exception_code: Option<i32>, body: &[u8]) -> Self {
        match exception_code {
            Some(code) if code != 0 => Self::of_code(code, &String::from_utf8_lossy(body)),
            _ => Self::of_status(status, body),
        }
    }

    /// The class of a request that got no answer. `was_sent` is false only if no byte of the body can have reached the server.
    pub const fn without_answer(was_sent: bool) -> Self {
        if was_sent { Self::Unknown } else { Self::Retry }
    }

    fn of_code(code: i32, message: &str) -> Self {
        match code {
            // The table's own part is written already when a view fails: halving the batch would write its rows again. The same
            // batch with the same token repairs it, once the view is mended.
            _ if message.contains(WHILE_PUSHING_TO_VIEW) => Self::Hold,
            // Too many partitions in one INSERT is a property of the batch; too many parts in the table passes.
            code::TOO_MANY_PARTS if message.contains("Too many partitions for single INSERT block") => Self::Poison,
            // A field that the table does not know is a schema that is not deployed; other incorrect data is a bad row.
            code::INCORRECT_DATA if message.contains("Unknown field") => Self::Hold,
            _ if code::RETRY.contains(&code) => Self::Retry,
            _ if code::POISON.contains(&code) => Self::Poison,
            _ if code::HOLD.contains(&code) => Self::Hold,
            _ => Self::Unknown,
        }
    }

    fn of_status(status: u16, body: &[u8]) -> Self {
        match status {
            // An INSERT answers with an empty body; any other is an exception that came too late for the status.
            200..=299 if body.iter().all(u8::is_ascii_whitespace) => Self::Delivered,
            200..=299 => match code_in_body(body).map(|code| Self::of_code(code, &String::from_utf8_lossy(body))) {
                // Too late to be sure of anything, so never to be cut or sent elsewhere at once.
                Some(Self::Hold | Self::Poison) => Self::Hold,
                _ => Self::Unknown,
            },
            // No code: not ClickHouse itself. A gateway that gave up waiting says nothing about the server; nor does a 503, with which Envoy answers
            // also when the connection breaks behind a request that it has passed on.
            502..=504 | 408 | 499 => Self::Unknown,
            // Cloudflare could not reach the server, or not shake hands with it: it has seen nothing of the batch.
            429 | 521 | 522 | 523 | 525 | 526 | 530 => Self::Retry,
            // A wrong address, a login page, a proxy's refusal.
            300..=499 => Self::Hold,
            _ => Self::Unknown,
        }
    }
}

/// The code in an exception text, `Code: 241. DB::Exception: ...`.
fn code_in_body(body: &[u8]) -> Option<i32> {
    let text = String::from_utf8_lossy(body);
    let (_, rest) = text.split_once("Code: ")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::Delivery::{Delivered, Hold, Poison, Retry, Unknown};
    use super::*;

    fn of_code(code: i32) -> Delivery {
        Delivery::classify(500, Some(code), format!("Code: {code}. DB::Exception: x").as_bytes())
    }

    #[test]
    fn a_view_that_fails_is_not_the_payloads_fault() {
        let message =
            b"Code: 6. DB::Exception: Cannot parse string: while pushing to view ecommerce.v: While executing X";
        let meaning = Meaning::read(500, Some(6), true, message);
        assert_eq!(meaning, Meaning { delivery: Hold, may_be_stored: true }, "the table's own part is written");
    }

    #[test]
    fn only_a_definite_no_leaves_no_doubt() {
        let read = |status, code, is_from_clickhouse, body: &str| {
            let Meaning { delivery, may_be_stored } = Meaning::read(status, code, is_from_clickhouse, body.as_bytes());
            (delivery, may_be_stored)
        };
        assert_eq!(read(200, None, true, "").0, Delivered);
        assert_eq!(read(200, None, false, ""), (Hold, true), "some proxy's empty 200");
        assert_eq!(read(500, Some(202), true, "Code: 202."), (Retry, false));
        assert_eq!(read(500, Some(159), true, "Code: 159."), (Unknown, true));
        assert_eq!(read(404, Some(60), true, "Code: 60."), (Hold, false));
        assert_eq!(read(200, None, true, "Code: 60."), (Hold, true), "too late to be sure");
        assert_eq!(read(400, Some(27), true, "Code: 27."), (Poison, false));
        assert_eq!(Meaning::without_answer(true), Meaning { delivery: Unknown, may_be_stored: true });
        assert_eq!(Meaning::without_answer(false), Meaning { delivery: Retry, may_be_stored: false });
    }

    /// Every code that the reference of ClickHouse's HTTP interface lists, and some that nobody knows.
    #[test]
    fn every_code_has_its_class() {
        for (class, codes) in [
            (Retry, &[3, 33, 164, 201, 202, 203, 252, 354, 364, 439, 745][..]),
            (Unknown, &[159, 209, 210, 285, 286, 319]),
            (Unknown, &[107, 225, 236, 241, 242, 243, 279, 425, 499, 999, 1000]),
            (Unknown, &[49, 75, 76, 86, 290, 307, 321, 394, 396, 427, 472, 620, 692, 701, 1001, 1002]),
            (Unknown, &[1, 12_345, -1]),
            (Poison, &[6, 25, 26, 27, 38, 41, 53, 69, 70, 72, 117, 130, 349, 376, 469, 561, 675]),
            (
                Hold,
                &[16, 20, 36, 44, 47, 48, 60, 62, 73, 81, 115, 192, 193, 194, 291, 336, 381, 452, 497, 511, 512, 516],
            ),
        ] {
            for code in codes {
                assert_eq!(of_code(*code), class, "code {code}");
            }
        }
    }

    #[test]
    fn the_message_decides_where_a_code_has_two_meanings() {
        let classify = |code, message: &str| Delivery::classify(500, Some(code), message.as_bytes());
        assert_eq!(
            classify(
                252,
                "Code: 252. DB::Exception: Too many parts (3001). Merges are processing significantly slower"
            ),
            Retry
        );
        assert_eq!(
            classify(252, "Code: 252. DB::Exception: Too many partitions for single INSERT block (more than 100)"),
            Poison
        );
        assert_eq!(
            classify(117, "Code: 117. DB::Exception: Unknown field found while parsing JSONEachRow format: new_column"),
            Hold
        );
        assert_eq!(classify(117, "Code: 117. DB::Exception: Cannot parse JSON object"), Poison);
    }

    #[test]
    fn a_status_without_a_code_is_not_from_clickhouse() {
        for (status, body, class) in [
            (200, "", Delivered),
            (200, "\r\n", Delivered),
            (200, "\r\n__exception__\r\nabc\r\nCode: 202. DB::Exception: Too many simultaneous queries", Unknown),
            (200, "Code: 27. DB::Exception: Cannot parse input", Hold),
            (200, "Code: 60. DB::Exception: Unknown table", Hold),
            (200, "<html>", Unknown),
            (302, "", Hold),
            (401, "", Hold),
            (403, "", Hold),
            (404, "There is no handle /x", Hold),
            (408, "", Unknown),
            (429, "", Retry),
            (500, "", Unknown),
            (502, "", Unknown),
            (503, "", Unknown),
            (
                503,
                "upstream connect error or disconnect/reset before headers. reset reason: connection termination",
                Unknown,
            ),
            (521, "", Retry),
            (504, "", Unknown),
            (0, "", Unknown),
        ] {
            assert_eq!(Delivery::classify(status, None, body.as_bytes()), class, "{status} {body}");
        }
        assert_eq!(Delivery::without_answer(false), Retry);
        assert_eq!(Delivery::without_answer(true), Unknown);
    }
}
