//! Every promise of the README against the real stack: workerd, ClickHouse, the feeds, Chromium.
//!
//! Run by `cargo xtask test`, which builds what the stack runs and stops whatever a killed run leaves behind. The tests share one
//! stack with two regions and run one after another, because some of them stop parts of it; each restores what it stopped, and each
//! uses event ids, users and orders of its own.

mod lab;

mod agents;
mod books;
mod bulk;
mod chaos;
mod collect;
mod command_line;
mod delivery;
mod deploy;
mod dictionaries;
mod doctor;
mod doubt;
mod fault_point;
mod hang;
mod held;
mod log;
mod misuse;
mod operator;
mod page_view;
mod privacy;
mod purchase;
mod rates;
mod readme;
mod reclassify;
mod round_trip;
mod rules;
mod schema;
mod segments;
mod sender;

use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Failed, Trial};

use lab::Lab;

/// A test: it may stop and start parts of the stack, and leaves it whole.
type Test = fn(&mut Lab) -> anyhow::Result<()>;

fn main() -> ExitCode {
    xtask::interrupt::listen();
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let lab = Arc::new(Mutex::new(Lab::new().expect("a folder for the tests' stacks")));
    let families: &[(&str, &[(&str, Test)])] = &[
        ("page_view", page_view::TESTS),
        ("collect", collect::TESTS),
        ("readme", readme::TESTS),
        ("sender", sender::TESTS),
        ("misuse", misuse::TESTS),
        ("privacy", privacy::TESTS),
        ("purchase", purchase::TESTS),
        ("rules", rules::TESTS),
        ("agents", agents::TESTS),
        ("rates", rates::TESTS),
        ("round_trip", round_trip::TESTS),
        ("books", books::TESTS),
        ("delivery", delivery::TESTS),
        ("doubt", doubt::TESTS),
        ("hang", hang::TESTS),
        ("held", held::TESTS),
        ("bulk", bulk::TESTS),
        ("log", log::TESTS),
        ("fault_point", fault_point::TESTS),
        ("dictionaries", dictionaries::TESTS),
        ("segments", segments::TESTS),
        ("schema", schema::TESTS),
        ("operator", operator::TESTS),
        ("doctor", doctor::TESTS),
        ("reclassify", reclassify::TESTS),
        ("chaos", chaos::TESTS),
        ("command_line", command_line::TESTS),
        ("deploy", deploy::TESTS),
    ];
    let mut trials = Vec::new();
    for (family, tests) in families {
        for (name, test) in *tests {
            let (lab, test) = (lab.clone(), *test);
            trials.push(Trial::test(format!("{family}::{name}"), move || run(&lab, test)));
        }
    }
    let is_selected = |trial: &Trial| arguments.filter.as_deref().is_none_or(|filter| trial.name().contains(filter));
    if !trials.iter().any(is_selected) {
        eprintln!(
            "expected a part of a test's name, found {:?}, which no test has",
            arguments.filter.unwrap_or_default()
        );
        return ExitCode::FAILURE;
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    lab.lock().unwrap_or_else(std::sync::PoisonError::into_inner).stop();
    conclusion.exit_code()
}

fn run(lab: &Mutex<Lab>, test: Test) -> Result<(), Failed> {
    let mut lab = lab.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    test(&mut lab).map_err(|error| Failed::from(format!("{error:#}")))
}
