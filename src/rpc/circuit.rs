//! A circuit per address of a peer: it opens where nothing answers, and lets one call at a time look whether that is over.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;
use tracing::{info, warn};

/// When circuits open, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Calls in a row that found nothing at the address, before it is left alone.
    pub failures: u32,
    /// How long it is left alone before one call looks again.
    pub retry: Duration,
}

/// What is known of one address. A slow peer is not a dead one: only calls that nothing answered count.
#[derive(Debug)]
pub struct Circuit {
    address: String,
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// Calls pass; so many in a row found nothing.
    Closed(u32),
    /// Calls fail at once, but for one that looks from `retry_at` on.
    Open { since: Instant, retry_at: Instant, looking: bool },
}

impl Circuit {
    /// A closed circuit for `address`.
    pub fn new(address: String, limits: Limits) -> Arc<Self> {
        let circuit = Self { address, limits, state: Mutex::new(State::Closed(0)) };
        circuit.show(false);
        Arc::new(circuit)
    }

    /// The address that this is about.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Lets a call pass, or says why not: which peer, since when, and when it is tried again.
    pub fn enter(self: &Arc<Self>) -> Result<Pass, String> {
        let now = Instant::now();
        let mut state = self.state.lock();
        let looks = match &mut *state {
            State::Closed(_) => false,
            State::Open { retry_at, looking, .. } if now >= *retry_at && !*looking => {
                *looking = true;
                true
            }
            State::Open { since, retry_at, looking } => {
                let since = now.saturating_duration_since(*since).as_secs_f64();
                let again = match (*looking, retry_at.saturating_duration_since(now).as_millis()) {
                    (true, _) => "a call is trying it now".to_owned(),
                    (false, wait) => format!("it is tried again in {wait} ms"),
                };
                return Err(format!("{}: nothing has answered there for {since:.1} s; {again}", self.address));
            }
        };
        Ok(Pass { circuit: self.clone(), looks })
    }

    /// Lets a call pass where no other address is left to try.
    pub fn enter_anyway(self: &Arc<Self>) -> Pass {
        Pass { circuit: self.clone(), looks: false }
    }

    fn answered(&self) {
        let mut state = self.state.lock();
        if let State::Open { since, .. } = &*state {
            info!(peer = self.address, seconds = since.elapsed().as_secs_f64(), "a peer answers again");
            self.show(false);
        }
        *state = State::Closed(0);
    }

    fn silent(&self) {
        let now = Instant::now();
        let retry_at = now + self.limits.retry;
        let mut state = self.state.lock();
        match &mut *state {
            State::Closed(failures) if *failures + 1 < self.limits.failures => *failures += 1,
            State::Closed(_) => {
                warn!(peer = self.address, "nothing answers at a peer; calls of it fail at once until it does");
                self.show(true);
                *state = State::Open { since: now, retry_at, looking: false };
            }
            State::Open { retry_at: before, .. } => *before = retry_at,
        }
    }

    fn show(&self, open: bool) {
        metrics::gauge!("emm_peer_circuit_open", "peer" => self.address.clone()).set(f64::from(u8::from(open)));
    }
}

/// Leave to make one call. Dropped without a word, as by a caller that leaves, it says nothing about the peer.
#[derive(Debug)]
pub struct Pass {
    circuit: Arc<Circuit>,
    looks: bool,
}

impl Pass {
    /// The peer took the connection of a call that looks: it is there, and others may call it at once.
    pub fn connected(&mut self) {
        if std::mem::take(&mut self.looks) {
            self.circuit.answered();
        }
    }

    /// The peer is there, whatever it said.
    pub fn answered(self) {
        self.circuit.answered();
    }

    /// Nothing is there.
    pub fn silent(self) {
        self.circuit.silent();
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let (true, State::Open { looking, .. }) = (self.looks, &mut *self.circuit.state.lock()) {
            *looking = false;
        }
    }
}
