//! Channels as a table: the query of the page, the referrer, the channel.

use proptest::prelude::*;

use super::*;
use crate::url::Url;

fn found(query: &str, referrer: &str, settings: &str) -> String {
    let site = Site::parse(&format!(r#"{{"id":"demo","domains":["shop.example"]{settings}}}"#)).unwrap();
    let page = format!("https://shop.example/{query}");
    let campaign = Campaign::parse(&Url::parse(&page).unwrap());
    channel(&campaign, &Referrer::parse(referrer, &site), &site).to_owned()
}

fn assert_channels(cases: &[(&str, &str, &str)]) {
    for (query, referrer, expected) in cases {
        assert_eq!(found(query, referrer, ""), *expected, "{query:?} from {referrer:?}");
    }
}

#[test]
fn a_referrer_alone_tells_the_channel() {
    assert_channels(&[
        ("", "", "Direct"),
        ("", "about:blank", "Direct"),
        ("", "https://www.shop.example/p/1", "Internal"),
        ("", "https://www.google.co.uk/", "Organic Search"),
        ("?utm_source=google%20&utm_medium=+cpc", "", "Paid Search"),
        ("", "https://duckduckgo.com/", "Organic Search"),
        ("", "https://search.example.org/?q=ring", "Organic Search"),
        ("", "https://accounts.google.com/", "Referral"),
        ("", "https://l.facebook.com/", "Organic Social"),
        ("", "https://t.co/x", "Organic Social"),
        ("", "https://at.example/", "Referral"),
        ("", "https://gemini.google.com/app", "AI Assistant"),
        ("", "https://x.com/i/grok", "AI Assistant"),
        ("", "https://x.com/someone/status/1", "Organic Social"),
        ("", "https://www.youtube.com/watch", "Organic Video"),
        ("", "https://www.amazon.de/dp/1", "Organic Shopping"),
        ("", "https://mail.google.com/", "Email"),
        ("", "https://lightmailer-bs.example.net/", "Email"),
        ("", "https://dailymail.co.uk/", "Referral"),
        ("", "android-app://com.google.android.gm/", "Email"),
        ("", "android-app://com.google.android.googlequicksearchbox/", "Organic Search"),
        ("", "android-app://com.instagram.android/", "Organic Social"),
        ("", "android-app://org.example.reader/", "Referral"),
        ("", "https://googleads.g.doubleclick.net/", "Display"),
        ("", "https://syndicatedsearch.goog/", "Paid Search"),
        ("", "https://blog.google/", "Referral"),
        ("", "https://blog.example.org/", "Referral"),
    ]);
}

#[test]
fn a_click_id_tells_the_channel_where_no_medium_does() {
    assert_channels(&[
        ("?gclid=1", "https://www.google.com/", "Paid Search"),
        ("?ref=x&gclid=1", "", "Paid Search"),
        ("?gclid=", "", "Direct"),
        ("?dclid=1", "", "Display"),
        ("?msclkid=1", "", "Paid Search"),
        ("?fbclid=1", "", "Organic Social"),
        ("?fbclid=1&gclid=1", "", "Paid Search"),
        ("?ysclid=1", "", "Organic Search"),
        ("?ttclid=1", "", "Paid Social"),
        ("?gclid=1&utm_source=partner", "", "Paid Search"),
        ("?gclid=1&utm_source=october&utm_medium=email", "", "Email"),
        ("?fbclid=1&utm_medium=cpc", "", "Paid Social"),
        ("?gclid=1", "https://www.shop.example/", "Paid Search"),
    ]);
}

#[test]
fn campaigns_are_tried_in_the_published_order() {
    assert_channels(&[
        ("?utm_source=(direct)&utm_medium=(none)", "", "Direct"),
        ("?utm_source=p&utm_campaign=cross-network", "", "Cross-network"),
        ("?utm_source=x&utm_medium=cpc&utm_campaign=summer-shopping", "", "Paid Shopping"),
        ("?utm_source=p&utm_medium=cpc&utm_campaign=eshop1", "", "Paid Shopping"),
        ("?utm_source=p&utm_medium=cpc&utm_campaign=workshop", "", "Paid Other"),
        ("?utm_source=google&utm_medium=cpc", "", "Paid Search"),
        ("?utm_source=Google&utm_medium=CPM", "", "Paid Search"),
        ("?utm_source=instagram&utm_medium=paid_social", "", "Paid Social"),
        ("?utm_source=youtube.com&utm_medium=ppc", "", "Paid Video"),
        ("?utm_source=news&utm_medium=banner", "", "Display"),
        ("?utm_source=news&utm_medium=cpm", "", "Display"),
        ("?utm_source=partner&utm_medium=retargeting", "", "Paid Other"),
        ("?utm_source=ebay&utm_medium=referral", "", "Organic Shopping"),
        ("?utm_source=p&utm_medium=social", "", "Organic Social"),
        ("?utm_source=p&utm_medium=video-feed", "", "Organic Video"),
        ("?utm_source=chatgpt.com", "", "AI Assistant"),
        ("?utm_source=p&utm_medium=ai-assistant", "", "AI Assistant"),
        ("?utm_source=p&utm_medium=organic", "", "Organic Search"),
        ("?utm_source=bing", "", "Organic Search"),
        ("?utm_source=newsletter", "", "Email"),
        ("?utm_source=october&utm_medium=e_mail", "", "Email"),
        ("?utm_source=p&utm_medium=affiliate", "", "Affiliates"),
        ("?utm_source=p&utm_medium=link", "", "Referral"),
        ("?utm_source=p", "", "Referral"),
        ("?utm_source=p&utm_medium=audio", "", "Audio"),
        ("?utm_source=sms&utm_medium=x", "", "SMS"),
        ("?utm_source=firebase&utm_medium=x", "", "Mobile Push Notifications"),
        ("?utm_source=p&utm_medium=web-push", "", "Mobile Push Notifications"),
        ("?utm_source=p&utm_medium=q", "", "Unassigned"),
        ("?utm_source=p", "https://www.shop.example/", "Referral"),
        ("?utm_medium=q", "", "Unassigned"),
    ]);
}

#[test]
fn a_site_names_its_own_sources() {
    let settings = r#","channels":{"partner.example":"Affiliates","deals.partner.example":"Deals","spring":"Print"}"#;
    for (query, referrer, expected) in [
        ("", "https://www.partner.example/", "Affiliates"),
        ("", "https://m.deals.partner.example/", "Deals"),
        ("?utm_source=Spring&utm_medium=q", "", "Print"),
        ("?utm_source=partner.example&utm_medium=cpc", "", "Affiliates"),
        ("?utm_source=spring&gclid=1", "", "Print"),
        ("?gclid=1", "https://www.partner.example/", "Paid Search"),
        ("", "https://notpartner.example/", "Referral"),
    ] {
        assert_eq!(found(query, referrer, settings), expected, "{query:?} from {referrer:?}");
    }
}

proptest! {
    #[test]
    fn any_page_and_any_referrer_give_a_channel(
        source in "\\PC{0,40}|([a-z0-9é-]{0,8}\\.){0,6}[a-z]{0,4}",
        medium in "\\PC{0,20}|(cp|paid|shop|video|push|mobile|e-?mail){0,3}",
        referrer in "https?://\\PC{0,60}|android-app://[a-z.]{0,30}/",
    ) {
        let site = Site::new("demo", &["shop.example"]).unwrap();
        let campaign = Campaign { source: source.into(), medium: medium.into(), ..Campaign::default() };
        let referrer = Referrer::parse(&referrer, &site);
        prop_assert!(!channel(&campaign, &referrer, &site).is_empty());
    }
}
