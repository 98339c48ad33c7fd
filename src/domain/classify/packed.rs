//! Sorted feature lists as bytes: gaps between neighbours, seven bits a byte.

/// Two sorted lists in one box.
pub(super) fn pack(lead: &[u32], rest: &[u32]) -> Box<[u8]> {
    let mut bytes = Vec::with_capacity(lead.len() * 3 + rest.len() * 2 + 4);
    put(&mut bytes, lead.len() as u64);
    for list in [lead, rest] {
        let mut before = 0_u32;
        for feature in list {
            put(&mut bytes, u64::from(feature.wrapping_sub(before)));
            before = *feature;
        }
    }
    bytes.into_boxed_slice()
}

/// The two lists again.
pub(super) fn unpack(bytes: &[u8]) -> (Vec<u32>, Vec<u32>) {
    let mut bytes = bytes;
    let leading = take(&mut bytes).unwrap_or(0) as usize;
    let (mut lead, mut rest) = (Vec::with_capacity(leading.min(256)), Vec::new());
    let mut before = 0_u32;
    while let Some(gap) = take(&mut bytes) {
        if lead.len() == leading && rest.is_empty() {
            before = 0;
        }
        before = before.wrapping_add(gap as u32);
        if lead.len() < leading { lead.push(before) } else { rest.push(before) }
    }
    (lead, rest)
}

/// The first list alone.
pub(super) fn unpack_lead(bytes: &[u8]) -> Vec<u32> {
    let mut bytes = bytes;
    let leading = take(&mut bytes).unwrap_or(0) as usize;
    let mut before = 0_u32;
    let gaps = std::iter::from_fn(|| take(&mut bytes)).take(leading);
    gaps.map(|gap| {
        before = before.wrapping_add(gap as u32);
        before
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
