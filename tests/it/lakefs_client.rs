//! The stand-in for lakeFS is spoken to by lakeFS's own client and by boto3, which find what they would find there.

use std::{path::Path, process::Command};

use crate::{
    lakefs::{LakeFs, Trouble},
    s3_server::{KEY, SECRET},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_own_client_takes_the_stand_in_for_lakefs() {
    let lake = LakeFs::start().await;
    lake.fail(Trouble::Locked, usize::MAX, "/locked/");
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/servers/bin/python3");
    let (script, url) = (include_str!("lakefs/judge.py"), format!("http://127.0.0.1:{}", lake.port));
    let judge = move || Command::new(python).args(["-c", script, &url, KEY, SECRET]).output();
    let judged = tokio::task::spawn_blocking(judge).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&judged.stderr);
    assert!(judged.status.success() && judged.stdout == b"judged\n", "{said}");
}
