//! Linux: takes away from a child what reading a document does not need (Landlock, kernel 5.13 and later).

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr,
};

/// What this code was written against; an older kernel takes away what it knows.
const KNOWN: ABI = ABI::V4;

/// What is left.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// No path may be opened any more: documents arrive as descriptors.
    Nothing,
    /// Programs may be run and files be read, nothing may be written: what tesseract needs.
    Reading,
}

/// Takes file system and TCP away for good. Best effort: the limits hold without it.
pub(super) fn confine(left: Left) {
    let _ = restrict(left);
}

fn restrict(left: Left) -> Result<(), Box<dyn std::error::Error>> {
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(KNOWN))?
        .handle_access(AccessNet::from_all(KNOWN))?
        .create()?;
    let ruleset = match left {
        Left::Nothing => ruleset,
        Left::Reading => ruleset
            .add_rule(PathBeneath::new(PathFd::new("/")?, AccessFs::from_read(KNOWN)))?
            .add_rule(PathBeneath::new(PathFd::new("/dev/null")?, AccessFs::WriteFile))?,
    };
    ruleset.restrict_self()?;
    Ok(())
}
