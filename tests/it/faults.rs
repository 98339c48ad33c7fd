//! How the failures of backends look to callers: one table for all rooms.

use std::io;

use emm::{
    backends::{home::HomeError, inbox::InboxError, parsers::Failure, search, state::StateError, store::StoreError},
    rpc::{Code, Error},
};

#[test]
fn every_failure_has_its_code_and_keeps_its_words() {
    let damaged = || StateError::Damaged { key: "k".into(), reason: "r".into() };
    let (home, path) = (|| "h".to_owned(), || "p".to_owned());
    let other_vault = HomeError::OtherVault { home: home(), bound: "a".into(), given: "b".into() };
    let io = || io::Error::other("the disk is gone");
    let cases: Vec<(Error, Code, &str)> = vec![
        (damaged().into(), Code::Internal, "emm reindex"),
        (StateError::Closed.into(), Code::Unavailable, "closed"),
        (StoreError::Exists(path()).into(), Code::Conflict, "exists"),
        (StoreError::Newer { path: path(), found: 2, known: 1 }.into(), Code::Internal, "format 2"),
        (StoreError::Folder { path: path(), error: io() }.into(), Code::Unavailable, "the disk is gone"),
        (InboxError::Vanished { path: path() }.into(), Code::Unavailable, "mounted"),
        (search::Error::Rebuilding.into(), Code::Unavailable, "rebuilt already"),
        (search::Error::Folder(io()).into(), Code::Unavailable, "the disk is gone"),
        (Failure::Changed.into(), Code::Conflict, "changed while it was read"),
        (Failure::Refused("encrypted".into()).into(), Code::Invalid, "encrypted"),
        (Failure::Unavailable("the pool is closed".into()).into(), Code::Unavailable, "the pool is closed"),
        (HomeError::Busy { home: home(), pid: 1 }.into(), Code::Unavailable, "process 1"),
        (HomeError::Io { path: path(), error: io() }.into(), Code::Unavailable, "the disk is gone"),
        (other_vault.into(), Code::Invalid, "another --home"),
    ];
    for (error, code, words) in cases {
        assert_eq!(error.code, code, "{error}");
        assert!(error.message.contains(words), "{error} does not say {words:?}");
    }
}
