//! What ClickHouse's answer to an INSERT means.
//!
//! In scope: one pure classification by exception code, message and status. Out of scope: acting on it (the Batcher), waiting (`retry`).
//!
//! The status alone says little: most retriable and many permanent errors are both 500. The codes are those of ClickHouse's `ErrorCodes.cpp`.

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
            _ if message.contains("while pushing to view") => Self::Hold,
            // Too many partitions in one INSERT is a property of the batch; too many parts in the table passes.
            252 if message.contains("Too many partitions for single INSERT block") => Self::Poison,
            // A field that the table does not know is a schema that is not deployed; other incorrect data is a bad row.
            117 if message.contains("Unknown field") => Self::Hold,
            // The server may have stored the block before it failed or gave up.
            159 | 209 | 210 | 285 | 286 | 319 => Self::Unknown,
            // 469 is a constraint that an operator put on the table: the row breaks it in every batch.
            6 | 25 | 26 | 27 | 33 | 38 | 41 | 53 | 69 | 70 | 72 | 117 | 130 | 349 | 376 | 469 | 561 | 675 => {
                Self::Poison
            }
            16 | 20 | 36 | 44 | 47 | 48 | 60 | 62 | 73 | 81 | 115 | 192 | 193 | 194 | 291 | 336 | 381 | 452 | 497
            | 511 | 512 | 516 => Self::Hold,
            // 354 (inflate failed) is retried too: the gzip stream was whole when it left, so it was damaged on the way.
            // Everything else is retried: a batch that waits is better than a batch that is lost, and the age of the oldest batch is an alert.
            _ => Self::Retry,
        }
    }

    fn of_status(status: u16, body: &[u8]) -> Self {
        match status {
            // An INSERT answers with an empty body; any other is an exception that came too late for the status.
            200..=299 if body.iter().all(u8::is_ascii_whitespace) => Self::Delivered,
            200..=299 => {
                code_in_body(body).map_or(Self::Unknown, |code| Self::of_code(code, &String::from_utf8_lossy(body)))
            }
            // No code: not ClickHouse itself. A gateway that gave up waiting says nothing about the server.
            502 | 504 | 408 | 499 => Self::Unknown,
            // Cloudflare could not reach the server, or not shake hands with it: it has seen nothing of the batch.
            429 | 503 | 521 | 522 | 523 | 525 | 526 | 530 => Self::Retry,
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
        assert_eq!(Delivery::classify(500, Some(6), message), Hold);
    }

    #[test]
    fn every_code_has_its_class() {
        for (class, codes) in [
            (
                Retry,
                &[
                    3, 107, 164, 201, 202, 203, 225, 236, 241, 242, 243, 252, 279, 354, 364, 425, 439, 499, 745, 999,
                    1000,
                ][..],
            ),
            (Unknown, &[159, 209, 210, 285, 286, 319]),
            (Poison, &[6, 25, 26, 27, 33, 38, 41, 53, 69, 70, 72, 117, 130, 349, 376, 561, 675]),
            (Hold, &[16, 20, 47, 60, 62, 73, 81, 115, 192, 193, 194, 452, 497, 516]),
            (Retry, &[1, 12_345, -1]),
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
            (200, "\r\n__exception__\r\nabc\r\nCode: 241. DB::Exception: Memory limit exceeded", Retry),
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
            (503, "", Retry),
            (504, "", Unknown),
            (0, "", Unknown),
        ] {
            assert_eq!(Delivery::classify(status, None, body.as_bytes()), class, "{status} {body}");
        }
        assert_eq!(Delivery::without_answer(false), Retry);
        assert_eq!(Delivery::without_answer(true), Unknown);
    }
}
