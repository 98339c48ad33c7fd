//! W3C trace context, so that the log of every node and of whoever called it can be laid side by side.

use std::{
    fmt,
    hash::{BuildHasher, Hasher, RandomState},
};

/// The header that carries it: <https://www.w3.org/TR/trace-context/#traceparent-header>.
pub const HEADER: &str = "traceparent";

/// One place in a trace. Shown as the header has it: `00-<trace>-<span>-<flags>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    /// The same wherever one outer request leads; never 0.
    pub id: u128,
    /// This hop; never 0.
    pub span: u64,
    /// As the caller sent them; bit 0 says that it records this trace.
    pub flags: u8,
}

impl Trace {
    /// A trace that begins here.
    pub fn new() -> Trace {
        let id = u128::from(random()) << 64 | u128::from(random());
        Trace { id, span: random(), flags: 0 }
    }

    /// What a header says, if it is one that the standard allows. Of a later version, the parts that are known.
    pub fn parse(header: &str) -> Option<Trace> {
        let mut parts = header.split('-');
        let version = u8::try_from(hex(parts.next()?, 2)?).ok()?;
        let id = hex(parts.next()?, 32)?;
        let span = u64::try_from(hex(parts.next()?, 16)?).ok()?;
        let flags = u8::try_from(hex(parts.next()?, 2)?).ok()?;
        let more = parts.next().is_some();
        (version != 0xff && !(version == 0 && more) && id != 0 && span != 0).then_some(Trace { id, span, flags })
    }

    /// The next hop of the same trace.
    #[must_use]
    pub fn next_hop(self) -> Trace {
        Trace { span: random(), ..self }
    }
}

impl Default for Trace {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.id, self.span, self.flags)
    }
}

/// A number that nobody else has; never 0. It is no secret, so the keys that this thread got once from the system, and counts on
/// from, are good enough: a system call for each call of a tool is not.
fn random() -> u64 {
    RandomState::new().build_hasher().finish().max(1)
}

/// The number that so many lower case hexadecimal digits are.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let right = text.len() == digits && text.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
    if right { u128::from_str_radix(text, 16).ok() } else { None }
}
