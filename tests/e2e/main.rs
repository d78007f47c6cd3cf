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
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};

use lab::Lab;

/// A test: it may stop and start parts of the stack, and leaves it whole.
type Test = fn(&mut Lab) -> anyhow::Result<()>;

/// The longest, `fault_point`, takes four minutes. One that takes this long hangs, and is named before everything around it is ended.
const MAX_TEST: Duration = Duration::from_mins(20);

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
            let name = format!("{family}::{name}");
            trials.push(Trial::test(name.clone(), move || run(&lab, &name, test)));
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

fn run(lab: &Mutex<Lab>, name: &str, test: Test) -> Result<(), Failed> {
    let mut lab = lab.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let _watch = watch(name.to_owned());
    test(&mut lab).map_err(|error| Failed::from(format!("{error:#}")))
}

/// Ends the tests' process if what it gives back is not dropped in time; `cargo xtask test` stops what is left then.
fn watch(name: String) -> mpsc::Sender<()> {
    let (running, ended) = mpsc::channel();
    std::thread::spawn(move || {
        if ended.recv_timeout(MAX_TEST) == Err(RecvTimeoutError::Timeout) {
            eprintln!("\nexpected {name} to end within {} min", MAX_TEST.as_secs() / 60);
            std::process::exit(1);
        }
    });
    running
}
