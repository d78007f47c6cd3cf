//! "An acknowledged event arrives exactly once, wherever the collector dies": it is killed between every two steps of a flush.

mod gate;
mod noted;
#[path = "../../edge-collector/src/fault_point/point.rs"]
mod point;

use anyhow::{Context, Result, ensure};
use collector_core::insert::Table;
use serde_json::{Value, json};
use xtask::build;
use xtask::chaos::proxy::{Proxy, Reaction};
use xtask::stack::Stack;
use xtask::stack::layout::Surroundings;
use xtask::stack::process::Stop;

use crate::Test;
use crate::lab::{self, Lab};
use gate::Gate;
use point::Point;

pub(crate) const TESTS: &[(&str, Test)] = &[
    (
        "killed_between_any_two_steps_nothing_is_lost_or_doubled",
        killed_between_any_two_steps_nothing_is_lost_or_doubled,
    ),
    (
        "a_batch_that_a_full_storage_cannot_end_is_booked_later_and_not_sent_again",
        noted::a_batch_that_a_full_storage_cannot_end_is_booked_later_and_not_sent_again,
    ),
    (
        "a_batch_on_its_way_when_the_alarm_is_cut_off_is_in_doubt",
        noted::a_batch_on_its_way_when_the_alarm_is_cut_off_is_in_doubt,
    ),
];

/// In the order of a flush. A point more in the collector makes this list too short, and `circumstances` incomplete: neither compiles.
const POINTS: [Point; Point::AlarmSet as usize + 1] = [
    Point::RowsWritten,
    Point::FlushBegun,
    Point::BatchFrozen,
    Point::DeliveredDropped,
    Point::RegionAsked,
    Point::DoubtWritten,
    Point::AnswerRead,
    Point::DoubtSettled,
    Point::BatchFinished,
    Point::BatchCut,
    Point::RowBuried,
    Point::FailureNoted,
    Point::BatchPostponed,
    Point::BatchParted,
    Point::BatchesSent,
    Point::AlarmSet,
];
/// May be stored in both regions.
const SITE: &str = "killed";
/// May be stored at home only.
const RESIDENT_SITE: &str = "killed-resident";
const HOME: usize = 0;
const EVENTS: u64 = 20;
/// The longest delay between two attempts, and the start of the collector.
const RECOVERY_S: u64 = 90;

/// What is wrong while the collector is killed. It is mended then, but for the row that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    None,
    /// Home takes the batch, and its answer is lost.
    AnswerLost,
    /// Home refuses for now, and says so.
    Refusal,
    /// The same, and the batch has rows of two sites that may not be in the same regions.
    RefusalOfTwoSites,
    /// Home waits for the operator.
    Hold,
    /// Home is away, and back when the collector is: what the other region may have must not go there.
    HomeAway,
    /// One row does not fit home's table.
    Misfit,
}

/// In which troubles the collector is killed at a point, and on the way of which table's batch.
const fn circumstances(point: Point) -> &'static [(Trouble, Option<Table>)] {
    const EVENTS: Option<Table> = Some(Table::Events);
    const OUTCOMES: Option<Table> = Some(Table::Outcomes);
    const LETTERS: Option<Table> = Some(Table::DeadLetters);
    match point {
        Point::RowsWritten
        | Point::FlushBegun
        | Point::BatchFrozen
        | Point::DeliveredDropped
        | Point::BatchesSent
        | Point::AlarmSet => &[(Trouble::None, None)],
        Point::RegionAsked | Point::DoubtWritten => &[(Trouble::None, EVENTS), (Trouble::HomeAway, EVENTS)],
        Point::AnswerRead | Point::BatchFinished => &[
            (Trouble::None, EVENTS),
            (Trouble::None, OUTCOMES),
            (Trouble::HomeAway, EVENTS),
            (Trouble::Misfit, LETTERS),
        ],
        Point::DoubtSettled => &[(Trouble::AnswerLost, EVENTS), (Trouble::AnswerLost, OUTCOMES)],
        Point::BatchCut | Point::RowBuried => &[(Trouble::Misfit, EVENTS)],
        Point::FailureNoted => {
            &[(Trouble::AnswerLost, EVENTS), (Trouble::Refusal, EVENTS), (Trouble::HomeAway, EVENTS)]
        }
        Point::BatchPostponed => &[(Trouble::Hold, EVENTS)],
        Point::BatchParted => &[(Trouble::RefusalOfTwoSites, EVENTS)],
    }
}

fn killed_between_any_two_steps_nothing_is_lost_or_doubled(lab: &mut Lab) -> Result<()> {
    with_gate(lab, |stack, gate, proxies| {
        for (number, point) in POINTS.into_iter().enumerate() {
            ensure!(point as usize == number, "expected every point once and in order, found {point:?}");
            for (trouble, table) in circumstances(point) {
                let kill = Kill { point, trouble: *trouble, table: *table };
                let killed = kill.run(stack, gate, proxies);
                gate.arm(None);
                kill.mend(stack, proxies)?;
                killed.with_context(|| format!("{kill:?}"))?;
            }
        }
        Ok(())
    })
}

/// The collector with its points, a gate for them, a proxy before each region, and the two sites.
fn with_gate(lab: &mut Lab, test: impl FnOnce(&mut Stack, &Gate, &[Proxy]) -> Result<()>) -> Result<()> {
    let worker = build::worker_with_fault_points()?;
    let stack = lab.stack()?;
    let (gate, proxies) = (Gate::open()?, lab::proxies(stack)?);
    let surroundings = Surroundings {
        clickhouse_ports: proxies.iter().map(|proxy| proxy.port).collect(),
        worker: Some(worker),
        worker_variables: vec![("FAULT_POINTS_URL".to_owned(), gate.url.clone())],
        ..Surroundings::default()
    };
    lab::surrounded(stack, surroundings, |stack| {
        lab::put_site(stack, &json!({"id": SITE, "domains": ["shop.example"], "regions": ["eu", "us"]}))?;
        lab::put_site(stack, &json!({"id": RESIDENT_SITE, "domains": ["shop.example"], "regions": ["eu"]}))?;
        test(stack, &gate, &proxies)
    })
}

/// One death of the collector.
#[derive(Debug)]
struct Kill {
    point: Point,
    trouble: Trouble,
    table: Option<Table>,
}

impl Kill {
    fn run(&self, stack: &mut Stack, gate: &Gate, proxies: &[Proxy]) -> Result<()> {
        self.make_trouble(stack, proxies)?;
        let (run, misfit) = (lab::event_id(), lab::event_id());
        let beacon = self.beacon(&run, &misfit);
        gate.arm(Some(&self.path()));
        // Killed before the answer, the collector never acknowledges: the sender does what the script does, and sends again.
        let is_acknowledged = lab::send(stack, &beacon).is_ok_and(|answer| answer.status == 202);
        ensure!(is_acknowledged != (self.point == Point::RowsWritten), "acknowledged: {is_acknowledged}");
        lab::wait_for("the point", 60, || Ok(gate.is_reached().then_some(())))?;
        stack.stop_workerd(Stop::Kill)?;
        gate.arm(None);
        if self.trouble != Trouble::Misfit {
            self.mend(stack, proxies)?;
        }
        stack.start_workerd()?;
        if !is_acknowledged {
            let again = lab::send(stack, &beacon)?;
            ensure!(
                again.outcomes()?.iter().all(|outcome| outcome == "duplicate"),
                "expected duplicates, found {again:?}"
            );
        }
        self.expect_once(stack, &run, &misfit)?;
        self.mend(stack, proxies)?;
        expect_balance(stack)?;
        // A doubled row may come late; the books have taken their time.
        self.expect_once(stack, &run, &misfit)
    }

    /// As the collector asks.
    fn path(&self) -> String {
        self.table.map_or_else(|| format!("{:?}", self.point), |table| format!("{:?}-{}", self.point, table.name()))
    }

    fn make_trouble(&self, stack: &mut Stack, proxies: &[Proxy]) -> Result<()> {
        let home = &proxies[HOME];
        match self.trouble {
            Trouble::None => {}
            Trouble::AnswerLost => home.always(Reaction::ResetAfterBody),
            Trouble::Refusal | Trouble::RefusalOfTwoSites => {
                home.always(Reaction::Exception { code: 202, is_stored: false });
            }
            Trouble::Hold => home.always(Reaction::Exception { code: 60, is_stored: false }),
            Trouble::HomeAway => {
                home.always(Reaction::BadGateway);
                // It must not take home for well because of the batch before.
                lab::restart_collector(stack)?;
            }
            Trouble::Misfit => set_type_of_seq(stack, "Decimal(3, 0)")?,
        }
        Ok(())
    }

    fn mend(&self, stack: &Stack, proxies: &[Proxy]) -> Result<()> {
        proxies[HOME].heal();
        if self.trouble == Trouble::Misfit { set_type_of_seq(stack, "UInt32") } else { Ok(()) }
    }

    /// `EVENTS` events, and one that does not fit if that is the trouble.
    fn beacon(&self, run: &str, misfit: &str) -> Value {
        let site = |number: u64| match self.trouble {
            Trouble::RefusalOfTwoSites if number % 2 == 1 => RESIDENT_SITE,
            _ => SITE,
        };
        let event = |number| json!({"site": site(number), "event_id": lab::event_id(), "event_type": "login", "session_id": run});
        let mut events: Vec<_> = (0..EVENTS).map(event).collect();
        if self.trouble == Trouble::Misfit {
            events.push(
                json!({"site": SITE, "event_id": misfit, "event_type": "login", "session_id": run, "seq": 4_000_000}),
            );
        }
        events.into()
    }

    fn expect_once(&self, stack: &Stack, run: &str, misfit: &str) -> Result<()> {
        let letters = u64::from(self.trouble == Trouble::Misfit);
        let letter = format!("SELECT count() FROM ecommerce.dead_letters WHERE event_id = '{misfit}'");
        lab::wait_for("the events", RECOVERY_S, || {
            let stored = lab::count_events(stack, &format!("session_id = '{run}'"))?;
            let buried = lab::sum_of_regions(stack, &letter)?;
            ensure!(stored == EVENTS && buried == letters, "{stored} of {EVENTS} stored, {buried} of {letters} buried");
            Ok(Some(()))
        })
    }
}

/// At home; the other region takes whatever fits its own.
fn set_type_of_seq(stack: &Stack, kind: &str) -> Result<()> {
    stack.file.clickhouse[HOME].query(&format!("ALTER TABLE ecommerce.events MODIFY COLUMN seq {kind}")).map(drop)
}

/// The books survive as the rows do: all that was received has an outcome, all that was accepted is inserted, and nothing is inserted twice.
fn expect_balance(stack: &Stack) -> Result<()> {
    let ours = format!("startsWith(site_id, '{SITE}')");
    let sum = |what: &str| {
        let sql = format!("SELECT sum({what}) FROM ecommerce.collector_balance WHERE {ours}");
        lab::sum_of_regions(stack, &sql)
    };
    lab::wait_for("the books to balance", RECOVERY_S, || {
        let (open, inserted) = (sum("abs(unaccounted) + abs(pending)")?, sum("inserted")?);
        let rows = lab::count_events(stack, &ours)?;
        ensure!(open == 0 && inserted == rows, "{open} open, {inserted} booked as inserted, {rows} rows");
        Ok(Some(()))
    })
}
