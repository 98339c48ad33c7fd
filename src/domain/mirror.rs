//! What keeps two copies of a file the same, from what they were when they were last the same. Nothing is ever overwritten that
//! only one side has: where both changed, both stay.

/// What is to be done about one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Both sides have the same, or neither has anything.
    Same,
    /// The content of this side goes over to the other one, in place of what was the same before if there was something.
    Send,
    /// The content of the other side comes over to this one.
    Fetch,
    /// It was removed on this side, and goes from the other one.
    RemoveThere,
    /// It was removed on the other side, and goes from this one.
    RemoveHere,
    /// Both sides have something of their own.
    Conflict,
}

/// The step for a path that had the content `before` on both sides, and has these now. An edit outweighs a removal.
pub fn step<T: PartialEq>(before: Option<&T>, here: Option<&T>, there: Option<&T>) -> Step {
    match (here, there) {
        _ if here == there => Step::Same,
        (None, _) if there == before => Step::RemoveThere,
        (_, None) if here == before => Step::RemoveHere,
        (Some(_), _) if there == before => Step::Send,
        (_, Some(_)) if here == before => Step::Fetch,
        (Some(_), None) => Step::Send,
        (None, _) => Step::Fetch,
        (Some(_), Some(_)) => Step::Conflict,
    }
}
