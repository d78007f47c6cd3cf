//! The keys and kinds of what is listed under `data/`. The build script, which makes the tables, uses this file too.
//!
//! In scope: what a host can be known for, and how a host becomes a key. Out of scope: the layout of a table (`table`).

/// What a host or a network is known for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An AI assistant.
    Assistant,
    /// A search engine.
    Search,
    /// A social network.
    Social,
    /// A video site.
    Video,
    /// A shop or a comparison of prices.
    Shopping,
    /// A mail program.
    Email,
    /// A network that shows ads beside search results.
    SearchAds,
    /// A network that shows ads on pages.
    DisplayAds,
    /// None of these, although its parent domain is one: the sign-in page of a search engine.
    Other,
    /// A host that advertises itself by forged referrers.
    Spam,
    /// A network of rented computers.
    Hosting,
}

impl Kind {
    /// Every kind with the name of its section, in the order of the numbers in the tables.
    pub const ALL: [(Self, &'static str); 11] = [
        (Self::Assistant, "assistant"),
        (Self::Search, "search"),
        (Self::Social, "social"),
        (Self::Video, "video"),
        (Self::Shopping, "shopping"),
        (Self::Email, "email"),
        (Self::SearchAds, "search_ads"),
        (Self::DisplayAds, "display_ads"),
        (Self::Other, "other"),
        (Self::Spam, "spam"),
        (Self::Hosting, "hosting"),
    ];
}

/// A host on its way to its key. It is hashed from its end, so that one pass over a host gives the keys of all its parent domains.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HostHash(u32);

impl HostHash {
    /// The empty host: the offset basis of FNV-1a.
    pub(crate) const EMPTY: Self = Self(0x811c_9dc5);

    /// The host with one more byte before it.
    #[must_use]
    pub(crate) const fn preceded_by(self, byte: u8) -> Self {
        Self((self.0 ^ byte as u32).wrapping_mul(0x0100_0193))
    }

    /// The key of the host. FNV alone leaves short hosts close together: this is the finalizer of `MurmurHash3`.
    pub(crate) const fn key(self) -> u32 {
        let mixed = (self.0 ^ (self.0 >> 16)).wrapping_mul(0x85eb_ca6b);
        let mixed = (mixed ^ (mixed >> 13)).wrapping_mul(0xc2b2_ae35);
        mixed ^ (mixed >> 16)
    }
}
