//! What the agent does beside what its owner and other calls do: dry runs, moves, late answers.

use std::fs;

use crate::process::Place;

/// An undo that cannot go on for what lies in the inbox must not go on in the empty inbox of a dry run.
#[test]
fn a_dry_run_finishes_nothing_that_was_begun() {
    let place = Place::new();
    place.drop_file("12/lease.txt", b"The lease of the flat.\n");
    assert!(place.run(&["sweep"]).status.success());
    // The trash expired, and something else lies where it came from.
    fs::remove_dir_all(place.path("store/trash")).unwrap();
    place.drop_file("12/lease.txt", b"another thing of that name\n");
    assert!(!place.run(&["undo", "--yes"]).status.success());
    let before = place.contents();
    fs::write(place.path("x.txt"), "something else\n").unwrap();
    let dry = place.run(&["file", "--dry-run", place.path("x.txt").to_str().unwrap()]);
    assert_eq!(place.contents(), before, "{}", String::from_utf8_lossy(&dry.stderr));
    assert!(dry.status.code().is_some_and(|code| code != 1), "{}", String::from_utf8_lossy(&dry.stderr));
}
