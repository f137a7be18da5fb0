//! Worker-seconds are shared by weight, and nobody starves.

use std::collections::BTreeMap;

use broker::order::Order;
use broker::{Queued, Want};
use domain::task::QueueClass;
use domain::{TaskId, Timestamp, VersionId};
use proptest::prelude::*;
use uuid::Uuid;

use crate::{company_id, queued, task_id};

/// Random numbers of a seed (SplitMix64), so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// A company that always has tasks waiting.
#[derive(Clone, Debug)]
struct Busy {
    weight: u32,
    /// Mean duration of each of its versions, in milliseconds.
    versions_ms: Vec<f64>,
    /// What its tasks are expected to take, against what they do.
    expected_factor: f64,
}

fn busy() -> impl Strategy<Value = Busy> {
    let versions = prop::collection::vec(1.0f64..2000.0, 1..4);
    (1u32..=4, versions, 0.1f64..20.0).prop_map(|(weight, versions_ms, expected_factor)| Busy {
        weight,
        versions_ms,
        expected_factor,
    })
}

/// A machine of some slots, on which companies with endless work compete and
/// others come by.
struct Simulation<'a> {
    order: Order,
    random: Random,
    companies: &'a [Busy],
    next_number: u32,
    now_us: i64,
    /// Ends of running tasks.
    running: BTreeMap<(i64, TaskId), (usize, f64)>,
    used_ms: Vec<f64>,
}

impl<'a> Simulation<'a> {
    fn new(companies: &'a [Busy], seed: u64) -> Self {
        let mut this = Self {
            order: Order::default(),
            random: Random(seed),
            companies,
            next_number: 0,
            now_us: 0,
            running: BTreeMap::new(),
            // The last entry is of those who come by.
            used_ms: vec![0.0; companies.len() + 1],
        };
        for _ in 0..20 {
            for company in 0..companies.len() {
                this.submit(company);
            }
        }
        this
    }

    fn submit(&mut self, company: usize) {
        let visitor = Busy { weight: 1, versions_ms: vec![300.0], expected_factor: 1.0 };
        let busy = self.companies.get(company).unwrap_or(&visitor);
        let version = (self.random.next() * busy.versions_ms.len() as f64) as usize;
        // Each visit is another company's.
        let id = if company < self.companies.len() { company as u32 } else { self.next_number };
        self.next_number += 1;
        let task = Queued {
            company_weight: busy.weight,
            version: VersionId(Uuid::from_u128((company * 10 + version) as u128)),
            expected_ms: busy.versions_ms[version] * busy.expected_factor,
            submitted_at: Timestamp(self.now_us),
            ..queued(1000 + id, self.next_number)
        };
        self.order.enqueue(task, Timestamp(self.now_us));
    }

    fn fill(&mut self, slots: usize) {
        while self.running.len() < slots {
            let Some(task) = self.order.take(Want::ANY, Timestamp(self.now_us)) else { return };
            let version = task.version.0.as_u128() as usize;
            let company = version / 10;
            let mean = self.companies.get(company).map_or(300.0, |b| b.versions_ms[version % 10]);
            let actual_ms = mean * (0.2 + 1.6 * self.random.next());
            let end = self.now_us + (actual_ms * 1000.0) as i64;
            self.running.insert((end, task.task), (company, actual_ms));
            if company < self.companies.len() {
                self.submit(company);
            }
        }
    }

    fn run(&mut self, slots: usize, until_us: i64) {
        while self.now_us < until_us {
            self.fill(slots);
            let ((end, task), (company, actual_ms)) = self.running.pop_first().unwrap();
            self.now_us = end;
            self.used_ms[company] += actual_ms;
            self.order.settle(task, actual_ms, Timestamp(end));
            if self.random.next() < 0.05 {
                self.submit(self.companies.len());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn companies_with_endless_work_share_within_five_percent(
        companies in prop::collection::vec(busy(), 2..6),
        slots in 1usize..9,
        seed: u64,
    ) {
        let mut simulation = Simulation::new(&companies, seed);
        simulation.run(slots, 1_000_000_000);
        let started = simulation.used_ms.clone();
        simulation.run(slots, 5_000_000_000);
        let shares: Vec<f64> = companies
            .iter()
            .enumerate()
            .map(|(i, busy)| (simulation.used_ms[i] - started[i]) / f64::from(busy.weight))
            .collect();
        let mean = shares.iter().sum::<f64>() / shares.len() as f64;
        for share in &shares {
            prop_assert!((share / mean - 1.0).abs() < 0.05, "{:?}", shares);
        }
    }

    #[test]
    fn a_newcomers_single_task_is_next_whatever_the_others_were_charged(
        companies in prop::collection::vec(busy(), 1..6),
        slots in 1usize..9,
        seed: u64,
        after_s in 0i64..100,
    ) {
        let mut simulation = Simulation::new(&companies, seed);
        simulation.run(slots, after_s * 1_000_000);
        simulation.fill(slots);
        let now = Timestamp(simulation.now_us);
        simulation.order.enqueue(queued(7, 4_000_000_000), now);
        prop_assert_eq!(simulation.order.take(Want::ANY, now).unwrap().company, company_id(7));
    }

    #[test]
    fn every_waiting_task_of_a_finite_load_starts_while_others_keep_coming(
        companies in prop::collection::vec(busy(), 1..5),
        slots in 1usize..5,
        seed: u64,
    ) {
        let mut simulation = Simulation::new(&companies, seed);
        let victim = company_id(7);
        for number in 0..10u32 {
            let task = Queued {
                class: QueueClass::ALL[number as usize % 3],
                // Known to nobody, and much overestimated.
                expected_ms: 300_000.0,
                version: VersionId(Uuid::from_u128(10 * companies.len() as u128)),
                ..queued(7, 4_000_000_000 + number)
            };
            simulation.order.enqueue(task, Timestamp(0));
        }
        simulation.run(slots, 200_000_000);
        let waits = simulation.order.depths().companies.into_iter().find(|depth| depth.company == victim);
        prop_assert!(waits.is_none_or(|depth| depth.waiting == 0), "{:?}", waits);
    }
}

/// Runs one slot with an endless queue of 10 ms tasks in `high_priority` and
/// returns after how many of them `task` was given.
fn given_after(task: Queued) -> u32 {
    let mut order = Order::default();
    order.enqueue(task, Timestamp(0));
    for number in 0..100_000 {
        let now = Timestamp(i64::from(number) * 10_000);
        order.enqueue(queued(task.company.0.as_u128() as u32, number), now);
        let given = order.take(Want::ANY, now).unwrap();
        if given.task == task.task {
            return number;
        }
        order.settle(given.task, 10.0, now);
    }
    panic!("starved");
}

#[test]
fn a_class_that_others_go_ahead_of_is_not_starved_by_its_own_company() {
    let task = Queued {
        class: QueueClass::Default,
        expected_ms: 5_000.0,
        version: VersionId(Uuid::from_u128(77)),
        ..queued(1, 4_000_000_000)
    };
    // Four times 5 s in steps of 10 ms.
    assert_eq!(given_after(task), 2000);
    let long = Queued { class: QueueClass::LongRunning, expected_ms: 3_600_000.0, ..task };
    assert_eq!(given_after(long), 24_000, "nothing is known of its version: 60 s are charged");
}

#[test]
fn idling_earns_nothing() {
    let mut order = Order::default();
    let mut now = Timestamp(0);
    // Company 1 works alone for a while; company 2 was there once before.
    order.enqueue(queued(2, 0), now);
    order.take(Want::ANY, now).unwrap();
    order.settle(task_id(0), 10.0, now);
    for number in 1..1000 {
        order.enqueue(queued(1, number), now);
        order.enqueue(queued(1, number + 10_000), now);
        let given = order.take(Want::ANY, now).unwrap();
        now = Timestamp(now.0 + 10_000);
        order.settle(given.task, 10.0, now);
    }
    let mut given = [0; 2];
    for number in 20_000..20_100 {
        order.enqueue(queued(2, number), now);
    }
    for _ in 0..100 {
        let task = order.take(Want::ANY, now).unwrap();
        now = Timestamp(now.0 + 10_000);
        order.settle(task.task, 10.0, now);
        given[task.company.0.as_u128() as usize - 1] += 1;
    }
    assert!(given.iter().all(|share| (49..=51).contains(share)), "{given:?}");
}
