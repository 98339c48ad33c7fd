//! Sorted feature lists as bytes: gaps between neighbours with how often each is there, seven bits a byte.

use crate::domain::classify::features::Seen;

/// Bits of how often a feature is there.
const OFTEN_BITS: u32 = 3;

/// Two sorted lists in one box.
pub(super) fn pack(lead: &[Seen], rest: &[Seen]) -> Box<[u8]> {
    let mut bytes = Vec::with_capacity(lead.len() * 3 + rest.len() * 3 + 4);
    put(&mut bytes, lead.len() as u64);
    for list in [lead, rest] {
        let mut before = 0_u32;
        for seen in list {
            put(&mut bytes, (u64::from(seen.feature.wrapping_sub(before)) << OFTEN_BITS) | u64::from(seen.often));
            before = seen.feature;
        }
    }
    bytes.into_boxed_slice()
}

/// The two lists again.
pub(super) fn unpack(bytes: &[u8]) -> (Vec<Seen>, Vec<Seen>) {
    let mut bytes = bytes;
    let leading = take(&mut bytes).unwrap_or(0) as usize;
    let lead = list(&mut bytes, leading);
    (lead, list(&mut bytes, usize::MAX))
}

/// The first list alone.
pub(super) fn unpack_lead(bytes: &[u8]) -> Vec<Seen> {
    let mut bytes = bytes;
    let leading = take(&mut bytes).unwrap_or(0) as usize;
    list(&mut bytes, leading)
}

fn list(bytes: &mut &[u8], length: usize) -> Vec<Seen> {
    let mut before = 0_u32;
    let numbers = std::iter::from_fn(|| take(bytes)).take(length);
    numbers
        .map(|number| {
            before = before.wrapping_add((number >> OFTEN_BITS) as u32);
            Seen { feature: before, often: (number & ((1 << OFTEN_BITS) - 1)) as u8 }
        })
        .collect()
}

/// Appends a number.
pub(super) fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push((value as u8 & 0x7F) | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Takes a number off the front; `None` at the end or when it is no number.
pub(super) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (first, tail) = bytes.split_first()?;
        *bytes = tail;
        value |= u64::from(first & 0x7F) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
