//! W3C trace context, so that the log of every node and of whoever called it can be laid side by side.

use std::fmt;

use uuid::Uuid;

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
        // A v4 UUID has bits that are always set: neither it nor a half of it is 0.
        let id = Uuid::new_v4();
        Trace { id: id.as_u128(), span: id.as_u64_pair().1, flags: 0 }
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
        Trace { span: Trace::new().span, ..self }
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

/// The number that so many lower case hexadecimal digits are.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let right = text.len() == digits && text.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
    if right { u128::from_str_radix(text, 16).ok() } else { None }
}
