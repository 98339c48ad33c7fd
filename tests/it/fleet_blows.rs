//! What becomes of a fleet at its work: killed, held, without Redis, behind a bad gateway, replaced one by one.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use emm::{
    contracts::file_system::History,
    rpc::{Error, Role},
};
use hyper::Method;
use rustix::process::Signal;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    fleet::{Fleet, SHAPES, drop_all},
    pods::Pod,
    process::eventually,
    s3_proxy::{Fault, Plan, Proxy},
    s3_server::S3Server,
};

/// What is done to a fleet at its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Blow {
    /// A process that files is killed, and started again when the others are done.
    KillFiler,
    /// The process that sweeps is killed.
    KillAgent,
    /// A process is held for longer than its lease, and goes on as if nothing had been.
    Hold,
    /// Redis is killed, and started again over what it had kept.
    KillRedis,
    /// Redis comes back with nothing.
    EmptyRedis,
    /// All processes are killed, and come back with clocks that are off, some before and some behind.
    Clocks,
}

const BLOWS: [Blow; 6] =
    [Blow::KillFiler, Blow::KillAgent, Blow::Hold, Blow::KillRedis, Blow::EmptyRedis, Blow::Clocks];

/// By how much, in minutes: beyond a quarter of an hour a bucket refuses whoever asks.
const JUMPS: [i64; 4] = [10, -10, 13, -13];

/// Longer than a lease.
const HELD: Duration = Duration::from_secs(6);

impl Fleet {
    /// The process number `number` of a role.
    fn pod(&mut self, role: Role, number: usize) -> &mut Pod {
        let port = self.ports[&role][number];
        self.pods.iter_mut().find(|pod| pod.port == port).unwrap()
    }

    fn left(&self) -> usize {
        self.files("UNSORTED").len()
    }

    /// Strikes while there is work left; says whether there was.
    fn strike(&mut self, blow: Blow, round: usize) -> bool {
        let (filer, agent) = (round % 3, round % 3);
        let busy = self.left() > 0;
        match blow {
            Blow::KillFiler => self.pod(Role::FileSystem, filer).kill(),
            // Whichever of them sweeps: one after the other goes, and one is left.
            Blow::KillAgent => (0..2).for_each(|more| self.pod(Role::FileSystemAgent, (agent + more) % 3).kill()),
            Blow::Hold => {
                self.pod(Role::FileSystem, filer).signal(Signal::STOP);
                std::thread::sleep(HELD);
                self.pod(Role::FileSystem, filer).signal(Signal::CONT);
            }
            Blow::KillRedis => self.redis.start_again(),
            Blow::EmptyRedis => self.redis.start_empty(),
            Blow::Clocks => {
                self.pods
                    .iter_mut()
                    .zip(JUMPS.iter().cycle())
                    .for_each(|(pod, jump)| pod.set_clock(&format!("{jump:+}m")));
            }
        }
        busy
    }

    /// Whatever was killed is there again.
    fn mend(&mut self, blow: Blow) {
        if matches!(blow, Blow::KillFiler | Blow::KillAgent) {
            for pod in &mut self.pods {
                if pod.is_dead() {
                    pod.start_again();
                }
            }
        }
        if blow == Blow::Clocks {
            self.pods.iter_mut().for_each(|pod| pod.set_clock("+0m"));
        }
        self.pods.iter_mut().for_each(Pod::ready);
    }

    /// How far apart the times are that a process wrote into its log, in minutes.
    fn least_span(&self) -> i64 {
        let times = |log: String| -> Vec<jiff::Timestamp> {
            log.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect()
        };
        let spans = self.pods.iter().map(|pod| times(pod.log())).map(|times| {
            let (first, last) = (times.iter().min().unwrap(), times.iter().max().unwrap());
            (last.as_second() - first.as_second()) / 60
        });
        spans.min().unwrap()
    }
}

/// All that a gateway does to some of the requests: it is busy, it loses an answer after it did what was asked.
fn weather() -> Plan {
    let busy = Fault::Says(503, "SlowDown");
    let conflict = Fault::Says(409, "ConditionalRequestConflict");
    let first = (0..600).map(|number| match number % 23 {
        3 | 4 => busy,
        11 => Fault::AnswerLost,
        19 => conflict,
        _ => Fault::None,
    });
    Plan { method: Method::PUT, part: "/", first: first.collect(), then: Fault::None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_struck_each_item_is_filed_once() {
    let mut struck = BTreeMap::<(String, Blow), usize>::new();
    let mut gateway = 0;
    for shape in SHAPES {
        let proxy = Proxy::before(S3Server::seaweedfs().port, weather()).await;
        let mut fleet = Fleet::start(
            shape,
            &json!({
                "store": { "s3": { "endpoint": format!("http://127.0.0.1:{}", proxy.port) } },
                // The agents sweep by themselves.
                "inbox": { "settle_seconds": 0, "empty_settle_seconds": 0 },
                "file_system_agent": { "look_ms": 500, "settling_look_ms": 200, "items_per_batch": 8 },
            }),
        );
        fleet.caught_up().await;
        let mut inputs = BTreeMap::new();
        for (round, blow) in BLOWS.into_iter().enumerate() {
            let at = format!("{shape:?}, {blow:?}");
            let dropped = drop_all(&fleet, round);
            let (begun, all) = (fleet.left(), dropped.len());
            inputs.extend(dropped);
            eventually(&format!("{at}: it begins"), || (fleet.left() < begun.max(all)).then_some(()));
            let busy = fleet.strike(blow, round);
            *struck.entry((format!("{shape:?}"), blow)).or_default() += usize::from(busy);
            if !matches!(blow, Blow::KillAgent | Blow::KillFiler | Blow::Clocks) {
                fleet.mend(blow);
            }
            // Those that are left do it all, within a lease of what was struck.
            eventually(&format!("{at}: all is filed"), || (fleet.left() == 0).then_some(()));
            fleet.mend(blow);
            fleet.account(&inputs, &at).await;
        }
        assert!(fleet.least_span() >= 9, "{shape:?}: a clock was off by {} minutes only", fleet.least_span());
        gateway += proxy.faults();
        fleet.pods.iter_mut().for_each(Pod::stop);
    }
    assert!(struck.values().all(|count| *count > 0) && struck.len() == SHAPES.len() * BLOWS.len(), "{struck:?}");
    assert!(gateway >= 20, "the gateway met {gateway} faults");
}

/// Calls a second, while replicas are replaced.
const CALLS_PER_SECOND: u64 = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replacing_one_replica_after_the_other_fails_no_call() {
    let groups =
        [Role::JdClassifier, Role::ContentClassifier, Role::FileSystem, Role::FileSystem, Role::FileSystemAgent];
    let groups = groups.into_iter().map(|role| vec![role]).collect();
    let mut fleet = Fleet::of(
        groups,
        false,
        &json!({
            "inbox": { "settle_seconds": 0, "empty_settle_seconds": 0 },
            "file_system_agent": { "look_ms": 500, "settling_look_ms": 200, "items_per_batch": 4 },
        }),
    );
    fleet.caught_up().await;
    let (over, tools) = (CancellationToken::new(), fleet.tools());
    let load = tokio::spawn({
        let over = over.clone();
        async move {
            let mut calls = tokio::task::JoinSet::new();
            let mut tick = tokio::time::interval(Duration::from_micros(1_000_000 / CALLS_PER_SECOND));
            while over.run_until_cancelled(tick.tick()).await.is_some() {
                let tools = tools.clone();
                calls.spawn(async move { tools.call(History { limit: 1, ..History::default() }).await });
            }
            calls.join_all().await
        }
    });
    let begun = Instant::now();
    let mut inputs = BTreeMap::new();
    for number in 0..2 {
        inputs.extend(drop_all(&fleet, number));
        let all = fleet.left();
        eventually("it is at work", || (fleet.left() < all).then_some(()));
        let pod = fleet.pod(Role::FileSystem, number);
        pod.stop();
        pod.start_again();
        pod.ready();
        eventually("all is filed", || (fleet.left() == 0).then_some(()));
    }
    over.cancel();
    let (calls, seconds) = (load.await.unwrap(), begun.elapsed().as_secs_f64());
    let failed: Vec<&Error> = calls.iter().filter_map(|call| call.as_ref().err()).collect();
    assert!(failed.is_empty(), "{} of {} calls failed: {:?}", failed.len(), calls.len(), failed.first());
    // A busy machine may not tick as often, but most of the time it must.
    assert!(calls.len() as f64 >= 0.5 * CALLS_PER_SECOND as f64 * seconds, "{} calls in {seconds} s", calls.len());
    fleet.account(&inputs, "after both were replaced").await;
    fleet.pods.iter_mut().for_each(Pod::stop);
}
