//! The marketing channel of an event: what brought the visitor to the page.
//!
//! In scope: the default channel group of Google Analytics 4 (support.google.com/analytics/answer/9756891) in its order, with AI Assistant; what
//! a site calls its own sources. Out of scope: sessions. Each event is classified alone, so a page that was reached from another page of the
//! site is `Internal`, a channel that Google Analytics does not have.

pub mod click;
pub mod own;
pub mod referrer;
pub mod source;

use std::borrow::Cow;

use crate::enrich::page::Campaign;
use crate::known::Kind;
use crate::site::Site;
use referrer::Referrer;

/// The channel of an event without a campaign that comes from the site itself.
const INTERNAL: &str = "Internal";

/// What the channel of one event follows from; texts are lower-case.
#[derive(Debug)]
struct Traffic<'a> {
    /// `utm_source`, else the network of a click id, else the host of the referrer.
    source: Cow<'a, str>,
    /// `utm_medium`, else what a click id or an advertising network implies.
    medium: Cow<'a, str>,
    campaign: Cow<'a, str>,
    /// What the source is known for; nothing without a source.
    kind: Option<Kind>,
}

/// The channel of one event.
pub fn channel<'s>(campaign: &Campaign<'_>, referrer: &Referrer<'_>, site: &'s Site) -> &'s str {
    let traffic = Traffic::find(campaign, referrer);
    let own = site.channels.of(&lower(&campaign.source)).or_else(|| site.channels.of(&traffic.source));
    if let Some(own) = own {
        return own;
    }
    let is_untold = traffic.source.is_empty() && traffic.medium.is_empty();
    if is_untold && *referrer == Referrer::Own { INTERNAL } else { traffic.default_channel() }
}

impl<'a> Traffic<'a> {
    fn find(campaign: &'a Campaign<'_>, referrer: &'a Referrer<'_>) -> Self {
        let mut source = lower(&campaign.source);
        let mut medium = lower(&campaign.medium);
        // A click id is the network's own word; a medium is the site owner's, who may know better.
        if let Some(click) = campaign.click.filter(|_| is_absent(&medium)) {
            (source, medium) = (Cow::Borrowed(click.source), Cow::Borrowed(click.medium));
        }
        if is_absent(&source) {
            source = campaign.click.map_or_else(|| lower(referrer.host()), |click| Cow::Borrowed(click.source));
        }
        let mut kind = (!source.is_empty()).then(|| source::kind(&source, referrer));
        if let Some((page, implied)) = kind.and_then(advertised).filter(|_| is_absent(&medium)) {
            (kind, medium) = (Some(page), Cow::Borrowed(implied));
        }
        if is_absent(&medium) {
            medium = Cow::Borrowed("");
        }
        Self { source, medium, campaign: lower(&campaign.campaign), kind }
    }

    /// The first rule that holds, in the published order.
    fn default_channel(&self) -> &'static str {
        let Self { source, medium, campaign, kind } = self;
        let (source, medium) = (source.as_ref(), medium.as_ref());
        let is = |wanted| *kind == Some(wanted);
        let is_paid = is_paid(medium);
        let is_shopping = is(Kind::Shopping) || names_shop(campaign);
        let rules = [
            (source.is_empty() && medium.is_empty(), "Direct"),
            (campaign.contains("cross-network"), "Cross-network"),
            (is_paid && is_shopping, "Paid Shopping"),
            (is_paid && is(Kind::Search), "Paid Search"),
            (is_paid && is(Kind::Social), "Paid Social"),
            (is_paid && is(Kind::Video), "Paid Video"),
            (["display", "banner", "expandable", "interstitial", "cpm"].contains(&medium), "Display"),
            (is_paid, "Paid Other"),
            (is_shopping, "Organic Shopping"),
            (is(Kind::Social) || is_social(medium), "Organic Social"),
            (is(Kind::Video) || medium.contains("video"), "Organic Video"),
            (is(Kind::Assistant) || medium == "ai-assistant", "AI Assistant"),
            (is(Kind::Search) || medium == "organic", "Organic Search"),
            (is(Kind::Email) || is_email(medium), "Email"),
            (medium == "affiliate", "Affiliates"),
            (["referral", "app", "link"].contains(&medium), "Referral"),
            (medium == "audio", "Audio"),
            (source == "sms" || medium == "sms", "SMS"),
            (source == "firebase" || is_push(medium), "Mobile Push Notifications"),
            // Google Analytics gives a referrer the medium `referral`.
            (medium.is_empty(), "Referral"),
        ];
        rules.iter().find(|(holds, _)| *holds).map_or("Unassigned", |(_, channel)| channel)
    }
}

/// What a click on an advertisement implies: where it was shown, and how it was paid.
fn advertised(kind: Kind) -> Option<(Kind, &'static str)> {
    match kind {
        Kind::SearchAds => Some((Kind::Search, "cpc")),
        Kind::DisplayAds => Some((Kind::Other, "display")),
        _ => None,
    }
}

/// How reports spell that there is none.
fn is_absent(text: &str) -> bool {
    matches!(text, "" | "(none)" | "(not set)" | "(direct)")
}

/// `^(.*cp.*|ppc|retargeting|paid.*)$`
fn is_paid(medium: &str) -> bool {
    medium.contains("cp") || medium == "ppc" || medium == "retargeting" || medium.starts_with("paid")
}

/// `^(.*(([^a-df-z]|^)shop|shopping).*)$`: `eshop` is a shop, `workshop` is none.
fn names_shop(campaign: &str) -> bool {
    let may_precede = |byte: &u8| !byte.is_ascii_lowercase() || *byte == b'e';
    let is_word =
        |at: usize| at.checked_sub(1).and_then(|before| campaign.as_bytes().get(before)).is_none_or(may_precede);
    campaign.contains("shopping") || campaign.match_indices("shop").any(|(at, _)| is_word(at))
}

fn is_social(medium: &str) -> bool {
    ["social", "social-network", "social-media", "sm", "social network", "social media"].contains(&medium)
}

/// With `newsletter`, which Plausible adds.
fn is_email(medium: &str) -> bool {
    ["email", "e-mail", "e_mail", "e mail", "newsletter"].contains(&medium)
}

fn is_push(medium: &str) -> bool {
    medium.ends_with("push") || medium.contains("mobile") || medium.contains("notification")
}

fn lower(text: &str) -> Cow<'_, str> {
    let is_lower = !text.bytes().any(|b| b.is_ascii_uppercase());
    if is_lower { Cow::Borrowed(text) } else { Cow::Owned(text.to_ascii_lowercase()) }
}

#[cfg(test)]
mod tests;
