//! A file that makes a parser panic or hang ends in quarantine with its reason, and the node does not notice.

use std::{fs, os::unix::fs::PermissionsExt};

use emm::{
    contracts::{
        file_system::{Overview, Release, Verify},
        file_system_agent::Sweep,
    },
    domain::custody::Standing,
};
use serde_json::json;

use crate::{
    process::{EMM, JD},
    world::{Placement, World},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poison_is_quarantined_and_can_be_tried_again() {
    // The program that children run: emm itself, told to misbehave for files with these words in their names.
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("faulty");
    let script = format!("#!/bin/sh\nexec /usr/bin/env EMM_FAULT_PARSE=panic,loop '{EMM}' \"$@\"\n");
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();

    let extra = json!({ "parsers": { "wall_ms_max": 1_500 } });
    let world = World::start_with(Placement::Together, JD, &extra, program).await;
    world.drop_file("11/panic.txt", b"this one panics\n");
    world.drop_file("12/loop.txt", b"this one hangs\n");
    world.drop_file("12/good.txt", b"this one is read\n");
    world.caught_up().await;
    let swept = world.call(Sweep { settled: true, ..Sweep::default() }).await.unwrap();
    assert_eq!(swept.filed.iter().map(|it| it.place.as_str()).collect::<Vec<_>>(), ["12/good.txt"]);
    let reasons: Vec<_> = swept.failed.iter().map(|it| format!("{}: {}", it.place, it.reason)).collect();
    assert!(reasons[0].starts_with("11/panic.txt: quarantined: the parser panicked"), "{reasons:?}");
    assert!(reasons[1].starts_with("12/loop.txt: quarantined: not read within 1500 ms"), "{reasons:?}");
    assert!(world.files("UNSORTED").is_empty(), "{:?}", world.files("UNSORTED").keys());
    let account = world.call(Verify {}).await.unwrap();
    assert_eq!((account.seen, account.accounted, account.quarantined), (3, 3, 2), "{account:?}");

    // Tried again with parsers that are mended.
    let world = world.restart(Placement::Together, &extra).await;
    world.caught_up().await;
    let held = world.call(Overview {}).await.unwrap().quarantine;
    assert_eq!(held.len(), 2, "{held:?}");
    for problem in held {
        let emm_id = problem.place.split(' ').next().unwrap().to_owned();
        assert_eq!(world.call(Release { emm_id }).await.unwrap(), Standing::Review);
    }
    let swept = world.call(Sweep { settled: true, ..Sweep::default() }).await.unwrap();
    assert_eq!(swept.filed.len(), 2, "{swept:?}");
    let account = world.call(Verify {}).await.unwrap();
    assert_eq!((account.seen, account.accounted, account.filed), (3, 3, 3), "{account:?}");
    world.stop().await;
}
