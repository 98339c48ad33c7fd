//! The executor: steps, branches, channels, pauses, and questions that outlive the process.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use emm::{
    backends::state::{Sqlite, SqliteSettings as Settings, State as Kept},
    graph::{Checkpoint, Checkpoints, Executor, Graph, Input, Outcome, Reducer, State, Status, Turn},
    rpc::{Code, Error, Result},
};
use serde_json::{Map, Value, json};

/// How often the node that can fail still does.
type Faults = Arc<AtomicUsize>;

fn update(value: Value) -> Outcome {
    let Value::Object(update) = value else { panic!("{value} is no update") };
    Outcome::Update(update)
}

/// begin -> left and right together -> ask, unless the state is sure -> end; a pause stands before `end`.
fn graph() -> Graph<Faults> {
    let seen = |name: &'static str| move |_: Faults, _: Turn| async move { Ok(update(json!({"seen": [name]}))) };
    Graph::new("test", "begin")
        .node("begin", |_, _| async { Ok(update(json!({"seen": ["begin"], "big": "made again at need", "last": 1}))) })
        .node("left", seen("left"))
        .node("right", seen("right"))
        .node("ask", ask)
        .node("end", end)
        .branch("begin", |_| Ok(vec!["right", "left", "right"]))
        .branch("left", sure)
        .branch("right", sure)
        .edge("ask", "end")
        .channel("seen", Reducer::Append)
        .channel("big", Reducer::Untracked)
        .pause_before("end")
}

fn sure(state: &State) -> Result<Vec<&'static str>> {
    Ok(if state.find("sure")?.unwrap_or(false) { vec!["end"] } else { vec!["ask"] })
}

async fn ask(_: Faults, turn: Turn) -> Result<Outcome> {
    match turn.answer {
        None => Ok(Outcome::Interrupt(json!({"question": turn.state.get::<Vec<String>>("seen")?}))),
        Some(answer) => Ok(update(json!({"answer": answer}))),
    }
}

async fn end(faults: Faults, _: Turn) -> Result<Outcome> {
    let failing = faults.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
    if failing { Err(Error::unavailable("not now")) } else { Ok(update(json!({"last": 2}))) }
}

struct Bench {
    executor: Executor<Faults>,
    checkpoints: Checkpoints,
    faults: Faults,
}

impl Bench {
    fn over(checkpoints: Checkpoints) -> Bench {
        let faults = Faults::default();
        Bench { executor: Executor::new(graph(), faults.clone(), checkpoints.clone()), checkpoints, faults }
    }

    /// As a process that starts over what an earlier one kept.
    fn kept(folder: &Path) -> Bench {
        let settings = emm::config::Config::load(None, &json!({})).unwrap().state.sqlite;
        Bench::over(Checkpoints::new(open(folder, &settings)))
    }

    async fn run(&self, input: Input) -> Result<Checkpoint> {
        self.executor.run("thread", input).await
    }

    async fn stands(&self) -> Option<Status> {
        self.checkpoints.get("thread").await.unwrap().map(|at| at.status)
    }
}

fn open(folder: &Path, settings: &Settings) -> Kept {
    Kept::Sqlite(Sqlite::open(&folder.join("state.sqlite"), settings).unwrap())
}

fn start(sure: bool) -> Input {
    Input::Start(State::of("sure", &sure).unwrap())
}

#[tokio::test]
async fn nodes_run_together_and_channels_take_their_updates() {
    let bench = Bench::over(Checkpoints::in_memory());
    let at = bench.run(start(true)).await.unwrap();
    assert_eq!((at.status, at.step, at.next.as_slice()), (Status::Paused, 2, ["end".to_owned()].as_slice()));
    // Both in one step, in the order of their names; one value replaced, one appended to.
    assert_eq!(at.state.get::<Vec<String>>("seen").unwrap(), ["begin", "left", "right"]);
    assert_eq!(at.state.get::<i32>("last").unwrap(), 1);
    let more = Map::from_iter([("seen".to_owned(), json!(["outside"]))]);
    let at = bench.run(Input::Update(more)).await.unwrap();
    assert_eq!((at.status, at.step), (Status::Done, 3));
    assert_eq!(at.state.get::<Vec<String>>("seen").unwrap(), ["begin", "left", "right", "outside"]);
    assert_eq!(at.state.get::<i32>("last").unwrap(), 2);
    assert_eq!(bench.run(Input::Resume).await.unwrap_err().code, Code::NotFound, "what nobody waited for is forgotten");
}

#[tokio::test]
async fn a_question_outlives_the_process_and_its_answer_passes_the_pauses() {
    let folder = tempfile::tempdir().unwrap();
    let asked = Bench::kept(folder.path()).run(start(false)).await.unwrap();
    assert_eq!(asked.interrupt, Some(json!({"question": ["begin", "left", "right"]})));

    let bench = Bench::kept(folder.path());
    let waiting = bench.checkpoints.with(Status::Interrupted).await.unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].1.interrupt, asked.interrupt);
    assert!(waiting[0].1.state.find::<String>("big").unwrap().is_none(), "an untracked channel is not kept");
    assert!(asked.state.find::<String>("big").unwrap().is_some());
    let at = bench.run(Input::Answer(json!("yes"))).await.unwrap();
    assert_eq!((at.status, at.state.get::<String>("answer").unwrap()), (Status::Done, "yes".to_owned()));
    // Only what waits takes an answer.
    assert_eq!(bench.run(Input::Answer(json!("no"))).await.unwrap_err().code, Code::Conflict);
    let done = Bench::kept(folder.path()).checkpoints.all().await.unwrap();
    assert_eq!(done[0].1.state.get::<String>("answer").unwrap(), "yes");
    bench.checkpoints.remove("thread").await.unwrap();
    assert!(Bench::kept(folder.path()).checkpoints.all().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_answer_that_fails_leaves_the_question_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::kept(folder.path());
    let asked = bench.run(start(false)).await.unwrap();
    bench.faults.store(1, Ordering::SeqCst);
    assert_eq!(bench.run(Input::Answer(json!("yes"))).await.unwrap_err().code, Code::Unavailable);
    let stands = Bench::kept(folder.path()).checkpoints.get("thread").await.unwrap().unwrap();
    assert_eq!((stands.status, &stands.interrupt), (Status::Interrupted, &asked.interrupt));
    assert!(stands.state.find::<String>("answer").unwrap().is_none());
    let at = bench.run(Input::Answer(json!("no"))).await.unwrap();
    assert_eq!((at.status, at.state.get::<String>("answer").unwrap()), (Status::Done, "no".to_owned()));
}

#[tokio::test]
async fn a_thread_that_failed_goes_on_where_it_failed() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::kept(folder.path());
    // Asked before, so that it is kept however it ends; sure the next time.
    let asked = bench.run(start(false)).await.unwrap();
    let kept = bench.checkpoints.get("thread").await.unwrap();
    assert_eq!(asked.status, Status::Interrupted);
    let again = || State::of("sure", &true).unwrap();
    assert_eq!(bench.run(Input::Again(again(), kept)).await.unwrap().status, Status::Paused);
    let late = bench.run(Input::Again(again(), Some(asked))).await.unwrap_err();
    assert_eq!(late.code, Code::Conflict, "it went on since it was seen");
    assert!(bench.checkpoints.with(Status::Interrupted).await.unwrap().is_empty(), "on its way, it asks nothing");

    bench.faults.store(1, Ordering::SeqCst);
    assert_eq!(bench.run(Input::Resume).await.unwrap_err().code, Code::Unavailable);
    let bench = Bench::kept(folder.path());
    assert_eq!(bench.stands().await, Some(Status::Failed));
    // It stands before the node that failed, and so at its pause.
    assert_eq!(bench.run(Input::Resume).await.unwrap().status, Status::Paused);
    let at = bench.run(Input::Resume).await.unwrap();
    assert_eq!((at.status, at.step, at.state.get::<i32>("last").unwrap()), (Status::Done, 3, 2));
}

#[tokio::test]
async fn a_failure_that_nobody_asked_about_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::kept(folder.path());
    bench.run(start(true)).await.unwrap();
    bench.faults.store(1, Ordering::SeqCst);
    bench.run(Input::Resume).await.unwrap_err();
    assert_eq!(bench.stands().await, None);
    assert!(bench.checkpoints.all().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_dry_run_leaves_nothing_behind() {
    let bench = Bench::over(Checkpoints::in_memory());
    assert_eq!(bench.run(start(false)).await.unwrap().status, Status::Interrupted);
    assert_eq!(bench.checkpoints.all().await.unwrap().len(), 1);
    bench.checkpoints.remove("thread").await.unwrap();
    assert!(bench.checkpoints.all().await.unwrap().is_empty());
    bench.run(start(true)).await.unwrap();
    assert_eq!(bench.run(Input::Resume).await.unwrap().status, Status::Done);
    bench.run(start(true)).await.unwrap();
    bench.faults.store(1, Ordering::SeqCst);
    bench.run(Input::Resume).await.unwrap_err();
    assert!(bench.checkpoints.all().await.unwrap().is_empty());
}
