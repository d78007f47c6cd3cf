//! What one filter finds in one event.

use crate::beacon::Beacon;
use crate::event::Event;
use crate::filter::Signal;
use crate::site::Site;

pub(super) fn signals_of(json: &str, check: fn(&Event<'_>, &mut Vec<Signal>)) -> Vec<Signal> {
    let site = Site::new("demo", &["shop.example"]).unwrap();
    let beacon = Beacon::parse(json.as_bytes()).unwrap();
    let event = Event::check(&beacon.events().next().unwrap(), &site, false).unwrap();
    let mut signals = Vec::new();
    check(&event, &mut signals);
    signals
}
