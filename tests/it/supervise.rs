//! Loops that crash are started again for ever, and a node has failed only while none of its roles can run.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use emm::{
    life::{Health, Overall, Shutdown, Tasks},
    node::supervise,
    roles::Loop,
    rpc::{Error, Role},
};
use tokio::time::{Instant, sleep, timeout};

/// Something that a loop needs: while it is away the loop crashes, in one way or the other.
#[derive(Default)]
struct Disk {
    away: AtomicBool,
    starts: AtomicUsize,
}

impl Disk {
    fn gone() -> Arc<Disk> {
        Arc::new(Disk { away: AtomicBool::new(true), starts: AtomicUsize::new(0) })
    }

    fn is_back(&self) {
        self.away.store(false, Ordering::SeqCst);
    }

    fn work(self: &Arc<Disk>) -> Loop {
        Loop::new("work", self.clone(), |disk, stop| async move {
            let starts = disk.starts.fetch_add(1, Ordering::SeqCst);
            while !stop.is_cancelled() {
                if disk.away.load(Ordering::SeqCst) {
                    assert!(starts % 2 == 0, "every other crash is a panic");
                    return Err(Error::unavailable("the disk is away"));
                }
                let _ = stop.run_until_cancelled(sleep(Duration::from_secs(1))).await;
            }
            Ok(())
        })
    }
}

/// A node's worth of loops; time stands still but for what they wait for.
struct Node {
    health: Health,
    stop: Shutdown,
    failed: Shutdown,
    tasks: Tasks,
}

fn run(loops: Vec<(Role, Vec<Loop>)>) -> Node {
    let (health, stop, tasks) = (Health::default(), Shutdown::new(), Tasks::default());
    let failed = supervise::spawn(loops, &health, &stop, &tasks);
    Node { health, stop, failed, tasks }
}

impl Node {
    async fn stop(self) {
        self.stop.cancel();
        assert!(self.tasks.end(Duration::from_secs(1)).await, "loops end at once");
    }
}

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test(start_paused = true)]
async fn a_loop_is_never_given_up() {
    let (disk, well) = (Disk::gone(), Arc::new(Disk::default()));
    let node = run(vec![(Role::FileSystem, vec![disk.work()]), (Role::JdClassifier, vec![well.work()])]);
    sleep(DAY).await;
    // The longest wait between two starts is half a minute.
    let starts = disk.starts.load(Ordering::SeqCst);
    assert!((2_000..4_000).contains(&starts), "{starts} starts in a day");
    assert_eq!(node.health.overall(), Overall::Unhealthy, "{:?}", node.health.conditions());
    assert!(!node.failed.is_cancelled(), "the other role runs");
    disk.is_back();
    sleep(Duration::from_secs(31)).await;
    assert_eq!(node.health.overall(), Overall::Unhealthy, "to have begun is no proof");
    sleep(Duration::from_secs(120)).await;
    assert_eq!(node.health.overall(), Overall::Healthy, "{:?}", node.health.conditions());
    // It starts from the shortest wait again.
    let begun = Instant::now();
    disk.away.store(true, Ordering::SeqCst);
    let before = disk.starts.load(Ordering::SeqCst);
    while disk.starts.load(Ordering::SeqCst) < before + 3 {
        sleep(Duration::from_millis(50)).await;
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(node.health.overall(), Overall::Degraded, "{:?}", node.health.conditions());
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_has_failed_while_all_its_roles_are_down_at_once() {
    let (one, other) = (Disk::gone(), Arc::new(Disk::default()));
    // The role of the second has a loop that is well besides; one that is down makes the role down. A third has no loops.
    let loops = vec![
        (Role::FileSystem, vec![one.work()]),
        (Role::JdClassifier, vec![other.work(), Arc::new(Disk::default()).work()]),
        (Role::ContentClassifier, Vec::new()),
    ];
    let node = run(loops);
    sleep(DAY).await;
    one.is_back();
    sleep(Duration::from_secs(300)).await;
    other.away.store(true, Ordering::SeqCst);
    sleep(DAY).await;
    assert!(!node.failed.is_cancelled(), "each role was down, but never both at once");
    one.away.store(true, Ordering::SeqCst);
    timeout(Duration::from_secs(600), node.failed.cancelled()).await.expect("now both are down");
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_without_loops_does_not_fail() {
    let node = run(vec![(Role::FileSystem, Vec::new())]);
    assert!(timeout(DAY, node.failed.cancelled()).await.is_err());
    node.stop().await;
}
