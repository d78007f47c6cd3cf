//! The fields of the wire format, by name.
//!
//! In scope: which names are known, and where each is found. Out of scope: their types (`event`) and JSON (`beacon`).

/// Declares the known fields: one line per field, in the order of the contract.
macro_rules! fields {
    ($($variant:ident => $name:literal,)+) => {
        /// A field that the collector knows.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Field { $(
            #[doc = concat!("`", $name, "`")]
            $variant,
        )+ }

        impl Field {
            /// Every field, in the order of the contract.
            pub const ALL: &'static [Field] = &[$(Field::$variant,)+];

            /// How many fields there are.
            pub const COUNT: usize = Field::ALL.len();

            /// The name on the wire.
            pub const fn name(self) -> &'static str {
                match self { $(Field::$variant => $name,)+ }
            }

            /// The field of this name, if it is known.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Field::$variant),)+ _ => None }
            }
        }
    };
}

fields! {
    Site => "site",
    SentAt => "sent_at",
    Tracker => "tracker",
    EventId => "event_id",
    EventType => "event_type",
    OccurredAt => "occurred_at",
    PageUrl => "page_url",
    PageTitle => "page_title",
    Referrer => "referrer",
    PageId => "page_id",
    Seq => "seq",
    SessionId => "session_id",
    UserId => "user_id",
    ProductId => "product_id",
    OrderId => "order_id",
    Quantity => "quantity",
    Revenue => "revenue",
    Currency => "currency",
    EngagedMs => "engaged_ms",
    ScrollPct => "scroll_pct",
    Screen => "screen",
    Viewport => "viewport",
    Language => "language",
    Timezone => "timezone",
    Properties => "properties",
    Items => "items",
    IpAddress => "ip_address",
    UserAgent => "user_agent",
}

impl Field {
    /// Fields that only a site's own server may fill: what the edge knows of a browser by itself. From others they are unknown fields.
    pub const SERVER_ONLY: [Self; 2] = [Self::IpAddress, Self::UserAgent];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_name_is_found_and_an_unknown_one_is_not() {
        assert_eq!(Field::from_name("page_url"), Some(Field::PageUrl));
        assert_eq!(Field::from_name("Page_Url"), None);
        assert_eq!(Field::UserAgent as usize + 1, Field::COUNT);
    }
}
