//! One change of an item at a time: in this process, and among all nodes.
//!
//! Two that decided otherwise about the same item would each undo what the other is just doing. The journal settles that
//! whoever comes first; turns only spare them the trouble. So a node that was held up for longer than its lease does no harm.

use std::{future::Future, pin::Pin, time::Duration};

use tokio::sync::Mutex;

use super::FileSystem;
use crate::rpc::{Error, Result};

/// Items that share a turn are those whose `emm_id` begins with the same digits: so few names are bounded on a server as well.
const DIGITS: u32 = 3;

/// How long a change waits for the one before it on another node.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// The turns of a process.
pub(super) struct Turns(Vec<Mutex<()>>);

impl Default for Turns {
    fn default() -> Self {
        Self((0..16_usize.pow(DIGITS)).map(|_| Mutex::default()).collect())
    }
}

impl FileSystem {
    /// Does `work` on an item when it is its turn; it has a place of its own, for it is a lot.
    ///
    /// # Errors
    /// Another node does not come to an end with it.
    pub(super) async fn in_turn<T>(&self, emm_id: &str, work: Pin<Box<impl Future<Output = T>>>) -> Result<T> {
        let digits: String = emm_id.chars().take(DIGITS as usize).collect();
        let turn = usize::from_str_radix(&digits, 16).ok().and_then(|number| self.turns.0.get(number));
        let _here = turn.ok_or_else(|| Error::invalid(format!("{emm_id:?} is no item")))?.lock().await;
        let among_nodes = self.parts.state.hold_within(&format!("item-{digits}"), WAIT_MAX).await?;
        let busy = || Error::unavailable(format!("another node is at work on item {emm_id}; try again in a moment"));
        let among_nodes = among_nodes.ok_or_else(busy)?;
        let done = work.await;
        among_nodes.let_go().await;
        Ok(done)
    }
}
