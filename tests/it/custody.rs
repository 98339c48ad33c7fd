//! Nothing is ever lost: killed at every step, at random moments, on a full disk.

use std::{fs, os::unix::process::ExitStatusExt, process::Stdio};

use emm::{backends::home::Home, config::Config};

use crate::process::{Place, Running, eventually, hash, links};

/// What is dropped: a note that is filed as itself, an original with a note, one that only a person can place.
fn drop_all(place: &Place) -> Vec<(&'static str, Vec<u8>)> {
    let inputs: Vec<(&'static str, Vec<u8>)> = vec![
        ("11/as itself.md", b"---\ntags: [mine]\n---\n# As itself\n\nThe note is the original.\n".to_vec()),
        ("12/lease.txt", "The lease of the flat, Straße 1 — подпись.\n".as_bytes().to_vec()),
        ("strange.txt", b"xyzzy plugh frobnicate\n".to_vec()),
    ];
    for (name, bytes) in &inputs {
        place.drop_file(name, bytes);
    }
    inputs
}

/// Each input is somewhere byte for byte, or its note holds every line of it; and no note is there twice.
fn account(place: &Place, inputs: &[(&str, Vec<u8>)], at: &str) {
    let contents = place.contents();
    for (name, bytes) in inputs {
        assert!(contents.contains_key(&hash(bytes)), "{at}: the bytes of {name} are nowhere: {contents:#?}");
    }
    let vault = place.owner.files("vault");
    for (name, bytes) in inputs {
        let id = hash(bytes).chars().take(32).collect::<String>();
        let notes =
            vault.values().filter(|text| String::from_utf8_lossy(text).contains(&format!("emm_id: {id}"))).count();
        let quoted =
            vault.values().filter(|text| String::from_utf8_lossy(text).contains(&format!("emm_id: \"{id}\""))).count();
        assert!(notes + quoted <= 1, "{at}: {name} has {} notes: {:?}", notes + quoted, vault.keys());
    }
    let temporaries: Vec<_> = vault.keys().filter(|path| path.contains("emm-tmp")).collect();
    assert!(temporaries.is_empty(), "{at}: {temporaries:?}");
}

/// Runs `work` in new places again and again, killed at its first fault point, then its second, until it has no more.
/// Returns how many faults were injected.
fn at_every_step(
    new: impl Fn() -> Place,
    prepare: impl Fn(&Place) -> Vec<(&'static str, Vec<u8>)>,
    work: &[&str],
    after: impl Fn(&Place, &str),
) -> usize {
    for at in 1.. {
        let place = new();
        let inputs = prepare(&place);
        let output = place.command(work).env("EMM_FAULT_AT", at.to_string()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.signal() != Some(9) {
            assert!(
                output.status.code().is_some_and(|code| code == 0 || code == 3),
                "{work:?}: {} {said}",
                output.status
            );
            return at - 1;
        }
        let at = said.lines().find(|line| line.starts_with("fault ")).unwrap_or("an unnamed fault").to_owned();
        // The moment after the kill: nothing may depend on a restart.
        let contents = place.contents();
        for (name, bytes) in &inputs {
            let verbatim = contents.contains_key(&hash(bytes));
            assert!(verbatim, "{at}: right after the kill the bytes of {name} are nowhere: {contents:#?}");
        }
        place.verify(&at);
        after(&place, &at);
        account(&place, &inputs, &at);
        place.verify(&at);
    }
    unreachable!("the loop ends when no fault is hit")
}

#[test]
fn a_sweep_killed_at_every_step_loses_nothing_and_is_finished_by_a_restart() {
    let injected = a_sweep_killed(Place::new);
    assert!(injected >= 20, "only {injected} faults were injected");
}

#[test]
fn so_is_a_sweep_of_a_bucket() {
    let injected = a_sweep_killed(Place::in_bucket);
    assert!(injected >= 15, "only {injected} faults were injected");
}

fn a_sweep_killed(new: fn() -> Place) -> usize {
    at_every_step(new, drop_all, &["sweep"], |place, at| {
        let output = place.run(&["sweep"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{at}: one item waits for a person: {said}");
        let inbox = place.owner.files("UNSORTED");
        assert_eq!(inbox.keys().collect::<Vec<_>>(), ["strange.txt"], "{at}: filed items leave the inbox");
        let vault = place.owner.files("vault");
        let paths: Vec<_> = vault.keys().map(String::as_str).collect();
        let expected = ["10-19 Life/11 Me/as itself.md", "10-19 Life/12 Home/lease.md", "attachments/lease.txt"];
        assert_eq!(paths, expected, "{at}");
    })
}

#[test]
fn an_undo_killed_at_every_step_loses_nothing_and_is_resumed_by_a_restart() {
    let injected = an_undo_killed(Place::new);
    assert!(injected >= 8, "only {injected} faults were injected");
}

#[test]
fn so_is_an_undo_in_a_bucket() {
    let injected = an_undo_killed(Place::in_bucket);
    assert!(injected >= 8, "only {injected} faults were injected");
}

fn an_undo_killed(new: fn() -> Place) -> usize {
    let prepare = |place: &Place| {
        let inputs = vec![("12/lease.txt", b"The lease of the flat.\n".to_vec())];
        place.drop_file(inputs[0].0, &inputs[0].1);
        assert!(place.run(&["sweep"]).status.success());
        inputs
    };
    at_every_step(new, prepare, &["undo", "--yes"], |place, at| {
        // A restart resumes what was begun; what was not begun is undone now.
        let history = place.json(&["log"]).to_string();
        if !history.contains("undoing") {
            assert!(place.run(&["undo", "--yes"]).status.success(), "{at}");
        }
        let inbox = place.owner.files("UNSORTED");
        assert_eq!(inbox.keys().collect::<Vec<_>>(), ["12/lease.txt"], "{at}");
        assert!(place.owner.files("vault").is_empty(), "{at}: the vault is as it was before");
    })
}

/// What one run planned and another carried out.
#[test]
fn the_log_says_what_was_filed_wherever_its_intent_is() {
    let killed = |at: u32| {
        let place = Place::new();
        place.drop_file("12/lease.txt", b"The lease of the flat.\n");
        let output = place.command(&["sweep"]).env("EMM_FAULT_AT", at.to_string()).output().unwrap();
        assert_eq!(output.status.signal(), Some(9), "no fault lies after an intent");
        String::from_utf8_lossy(&output.stderr).contains("filing: after the intent").then_some(place)
    };
    let place = (1..).find_map(killed).unwrap();
    assert!(place.run(&["sweep"]).status.success());
    let said = place.run(&["log", "--run", "recovery"]).stdout;
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("filed       12/lease.txt -> 10-19 Life/12 Home/lease.md (by you)"), "{said}");
}

#[test]
fn a_node_killed_again_and_again_files_every_item_once() {
    let place = Place::new();
    let total = 60;
    for number in 0..total {
        let (folder, kind) = if number % 3 == 0 { ("11", "md") } else { ("12", "txt") };
        place
            .drop_file(&format!("{folder}/item {number}.{kind}"), format!("this is item number {number}\n").as_bytes());
    }
    let mut kills = 0;
    // Each life lasts until the journal has grown by some links, another number each time; then kill -9.
    while !place.owner.files("UNSORTED").is_empty() {
        let before = links(place.root.path());
        let mut node = start(&place);
        let lasts = 1 + (kills * 7) % 13;
        eventually("the node files something", || {
            let done = place.owner.files("UNSORTED").is_empty();
            (done || links(place.root.path()) >= before + lasts).then_some(())
        });
        node.kill();
        kills += 1;
        assert!(kills < 500, "it does not get on");
    }
    assert!(kills >= 5, "only {kills} kills");
    assert_eq!(place.verify("after the kills"), total);
    let vault = place.owner.files("vault");
    assert_eq!(vault.keys().filter(|path| path.ends_with(".md")).count(), total, "one note each: {:?}", vault.keys());
    assert_eq!(vault.keys().filter(|path| path.ends_with(".txt")).count(), total - total / 3, "{:?}", vault.keys());
}

/// A node that takes files at once and looks often.
fn start(place: &Place) -> Running {
    let mut command = place.command(&["--role", "all", "--listen", "127.0.0.1:0", "-q"]);
    command.env("EMM_INBOX__SETTLE_SECONDS", "0").env("EMM_FILE_SYSTEM_AGENT__ITEMS_PER_BATCH", "8");
    Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

#[test]
fn a_full_disk_at_every_write_loses_nothing() {
    // A limit on the size of every file that is written stands for the full disk; it needs no rights and no mount.
    // The kernel answers EFBIG to the one that goes beyond it, wherever that is.
    let mut refused = 0;
    for blocks in [0, 1, 2, 4, 8, 16, 64, 256] {
        let place = Place::new();
        let inputs = drop_all(&place);
        let emm = place.command(&["sweep"]);
        let arguments: Vec<_> = emm.get_args().map(|it| it.to_string_lossy().into_owned()).collect();
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let mut shell = std::process::Command::new("bash");
        shell.args(["-c", &script, crate::process::EMM]).args(&arguments);
        shell.env("EMM_PARSERS__OCR", "false").env("EMM_INBOX__SETTLE_SECONDS", "0");
        let output = shell.output().unwrap();
        refused += usize::from(!matches!(output.status.code(), Some(0 | 3)));
        let at = format!("files of at most {blocks} blocks");
        let contents = place.contents();
        for (name, bytes) in &inputs {
            assert!(contents.contains_key(&hash(bytes)), "{at}: the bytes of {name} are nowhere");
        }
        // With room again, everything goes on.
        let again = place.run(&["sweep"]);
        assert_eq!(again.status.code(), Some(3), "{at}: {}", String::from_utf8_lossy(&again.stderr));
        account(&place, &inputs, &at);
        place.verify(&at);
    }
    assert!(refused >= 2, "the limit was felt {refused} times only");
}

#[test]
fn a_changed_or_missing_original_is_a_violation_and_an_edited_note_is_none() {
    let place = Place::new();
    drop_all(&place);
    assert_eq!(place.run(&["sweep"]).status.code(), Some(3));
    let note = place.path("vault/10-19 Life/12 Home/lease.md");
    fs::write(&note, fs::read_to_string(&note).unwrap() + "\na thought of its owner\n").unwrap();
    let account = place.json(&["verify"]);
    assert_eq!(account["edited"], serde_json::json!(["10-19 Life/12 Home/lease.md"]));
    assert_eq!(account["seen"], 3);

    let original = place.path("vault/attachments/lease.txt");
    fs::write(&original, "forged").unwrap();
    let output = place.run(&["verify"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("attachments/lease.txt was changed"), "{said}");
    fs::remove_file(&original).unwrap();
    let output = place.run(&["verify"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("attachments/lease.txt is missing"), "{said}");
}

#[test]
fn strace_shows_an_fsync_of_every_file_and_folder_of_an_item() {
    let place = Place::new();
    place.drop_file("12/lease.txt", b"The lease of the flat.\n");
    let log = place.path("strace.log");
    let emm = place.command(&["sweep"]);
    let mut strace = std::process::Command::new("strace");
    strace.args(["-f", "-y", "-qq", "-e", "trace=fsync,fdatasync,linkat,link,renameat2,renameat,rename", "-o"]);
    strace.arg(&log).arg(crate::process::EMM).args(emm.get_args()).env("EMM_PARSERS__OCR", "false");
    strace.env("EMM_INBOX__SETTLE_SECONDS", "0");
    let output = strace.output().expect("strace is needed; .ci/test installs it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let log = fs::read_to_string(log).unwrap();
    let root = place.root.path().display().to_string();
    let synced =
        |path: &str| log.lines().any(|line| line.contains("sync(") && line.contains(&format!("<{root}/{path}")));
    let folders = ["vault/attachments", "vault/10-19 Life/12 Home", "vault/10-19 Life", "vault"];
    for folder in folders.into_iter().chain(["UNSORTED/12", "store/trash"]) {
        let exact = format!("<{root}/{folder}>");
        assert!(
            log.lines().any(|line| line.contains("sync(") && line.contains(&exact)),
            "no fsync of {folder}:\n{log}"
        );
    }
    // The original and the note have no name yet when they are synced; the journal's link has that of its staging.
    for prefix in ["vault/attachments/#", "vault/10-19 Life/12 Home/#", "store/journal/"] {
        assert!(synced(prefix), "no fsync of a file in {prefix}:\n{log}");
    }
    let shard = log.lines().any(|line| {
        let path = line.split_once(&format!("<{root}/store/journal/")).and_then(|(_, rest)| rest.split_once('>'));
        line.contains("sync(") && path.is_some_and(|(shard, _)| shard.len() == 2)
    });
    assert!(shard, "no fsync of the folder of the journal's link:\n{log}");
}

#[test]
fn what_its_owner_put_where_a_plan_would_have_stays_there() {
    let bytes = b"The lease of the flat.\n";
    for at in 1.. {
        let place = Place::new();
        place.drop_file("12/lease.txt", bytes);
        let output = place.command(&["sweep"]).env("EMM_FAULT_AT", at.to_string()).output().unwrap();
        assert_eq!(output.status.signal(), Some(9), "there is a fault after the intent");
        if !String::from_utf8_lossy(&output.stderr).contains("filing: after the intent") {
            continue;
        }
        // Its owner filed it himself, at the very place.
        let theirs = place.path("vault/attachments/lease.txt");
        fs::create_dir_all(theirs.parent().unwrap()).unwrap();
        fs::rename(place.path("UNSORTED/12/lease.txt"), &theirs).unwrap();
        for _ in 0..2 {
            assert!(place.run(&["sweep"]).status.success());
            assert_eq!(fs::read(&theirs).unwrap(), bytes);
        }
        let effects: Vec<_> = place.json(&["log"])["entries"]
            .as_array()
            .unwrap()
            .iter()
            .rev()
            .map(|entry| entry["link"]["effect"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(effects, ["seen", "abandoned", "taken_back", "withdrawn"]);
        assert_eq!(place.verify("in the end"), 1);
        return;
    }
}

/// A command that the node beside it leaves in the middle, at one step after the other, ends as if it had been alone.
#[test]
fn a_command_goes_on_when_the_node_beside_it_dies() {
    let texts = [2021, 2022, 2023].map(|year| format!("Income tax assessment {year}: the tax return was assessed.\n"));
    let mut deaths = 0;
    for at in (1..).step_by(3) {
        let place = Place::new();
        fs::write(place.path("jd.yaml"), include_str!("../../config/starter-jd.yaml")).unwrap();
        let papers: Vec<_> =
            texts.iter().map(|text| place.path(&format!("{}.txt", &hash(text.as_bytes())[..9]))).collect();
        for (paper, text) in papers.iter().zip(&texts) {
            fs::write(paper, text).unwrap();
        }
        let mut node = place.command(&["--role", "all", "--listen", "127.0.0.1:0"]);
        let node = node.env("EMM_FAULT_AT", at.to_string()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut node = Running(node.spawn().unwrap());
        let config = Config::load(None, &serde_json::json!({})).unwrap();
        let home = Home::new(place.root.path(), &config.paths);
        // Some of the steps are those of its start.
        let mut died = || node.0.try_wait().unwrap().is_some_and(|status| status.signal() == Some(9));
        let told = eventually("the node tells its address, or dies", || match home.running() {
            Some(_) => Some(true),
            None => died().then_some(false),
        });

        let papers: Vec<&str> = papers.iter().map(|paper| paper.to_str().unwrap()).collect();
        let swept = place.json(&[&["file"], papers.as_slice()].concat());
        let filed = swept["filed"].as_array().unwrap();
        assert_eq!(filed.len(), texts.len(), "fault {at}: {swept}");
        assert!(filed.iter().all(|it| it["duplicate"] == false), "fault {at}: {swept}");
        deaths += usize::from(told && died());
        let over = !died();
        node.kill();
        assert_eq!(place.verify(&format!("fault {at}")), texts.len());
        assert_eq!(place.owner.files("vault").keys().filter(|path| path.ends_with(".md")).count(), texts.len());
        if over {
            assert!(deaths > 4, "the node died beside {deaths} commands only");
            return;
        }
    }
}

/// A command that comes right after the death of a node takes its place rather than call it.
#[test]
fn a_command_at_the_moment_of_a_kill_does_not_call_the_dead() {
    let config = Config::load(None, &serde_json::json!({})).unwrap();
    for round in 0..10 {
        let place = Place::new();
        let mut node = place.command(&["--role", "all", "--listen", "127.0.0.1:0"]);
        let mut node = Running(node.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let home = Home::new(place.root.path(), &config.paths);
        eventually("the node tells its address", || home.running());
        node.0.kill().unwrap();
        assert_eq!(place.verify(&format!("round {round}")), 0);
    }
}
