//! Whether the server still has the projection: it may lose all it has while a node runs.
//!
//! A projection that was made whole is marked with a name of its own, beside the entries and lost with them. A node
//! remembers the name, and each request of its looks at it as well. Where it is gone, or where nobody knows what the server
//! did, the projection counts as lost: calls wait, and who keeps it makes it again.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::timeout};

/// The key of the name that is given before the projection is made again.
pub(super) const BEGUN: &str = "begun";
/// The key of the name of a projection that is whole.
pub(super) const WHOLE: &str = "whole";

/// What is known here.
#[derive(Debug, Clone, PartialEq)]
enum Standing {
    /// Nothing: nobody in this process keeps the projection.
    Unknown,
    /// It was whole, under this name.
    Whole(String),
    /// It was lost.
    Lost,
}

/// What a request looks at: the key of the marker, empty for none, and the name that it has.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Marker {
    pub(super) key: &'static str,
    pub(super) name: String,
}

/// What all clones of a state know of the projection.
#[derive(Clone)]
pub(super) struct Whole(Arc<watch::Sender<Standing>>);

impl Default for Whole {
    fn default() -> Self {
        Self(Arc::new(watch::channel(Standing::Unknown).0))
    }
}

impl Whole {
    /// The marker to look at, once the projection is not lost any more; nothing if it still is after `limit`.
    pub(super) async fn marker(&self, limit: Duration) -> Option<Marker> {
        let mut standing = self.0.subscribe();
        let standing = timeout(limit, standing.wait_for(|it| *it != Standing::Lost)).await.ok()?.ok()?.clone();
        Some(match standing {
            Standing::Whole(name) => Marker { key: WHOLE, name },
            Standing::Unknown | Standing::Lost => Marker::default(),
        })
    }

    /// The name that is remembered.
    pub(super) fn name(&self) -> Option<String> {
        match &*self.0.borrow() {
            Standing::Whole(name) => Some(name.clone()),
            Standing::Unknown | Standing::Lost => None,
        }
    }

    /// It is whole, under this name.
    pub(super) fn remember(&self, name: String) {
        self.0.send_replace(Standing::Whole(name));
    }

    /// It was lost, or may have been. Whoever does not keep it is not concerned.
    pub(super) fn lose(&self) {
        self.0.send_if_modified(|standing| match standing {
            Standing::Whole(_) => {
                *standing = Standing::Lost;
                true
            }
            Standing::Unknown | Standing::Lost => false,
        });
    }

    /// Waits until it was lost.
    pub(super) async fn lost(&self) {
        // The sender lives in `self`, so the wait cannot fail.
        let _ = self.0.subscribe().wait_for(|it| *it == Standing::Lost).await;
    }
}
