//! Hashes of words, pairs and letter groups: our own, so that they never change under a stored snapshot.

use crate::domain::classify::features::Field;

/// The hash of a word as names and documents share it.
pub(super) fn word_hash(word: &str) -> u32 {
    hash(&[word])
}

/// The feature of a word of the text.
pub(super) fn word_feature(hash: u32) -> u32 {
    feature(Field::Word, hash)
}

/// The hash of a longer word without its last "s": the plural of many languages, also where a word is too short for a stem.
pub(super) fn singular(word: &str) -> Option<u32> {
    let stem = word.strip_suffix('s').filter(|stem| stem.len() >= 3 && !stem.ends_with('s'))?;
    Some(hash(&[stem]))
}

/// The hash of the first five letters of a word that has as many.
pub(super) fn prefix(word: &str) -> Option<u32> {
    if word.len() < 5 || word.chars().count() < 5 {
        return None;
    }
    let letters: Vec<char> = word.chars().take(5).collect();
    Some(hash_chars(&letters))
}

/// The hash of two words in a row.
pub(super) fn pair(first: u32, second: u32) -> u32 {
    (mix((u64::from(first) << 32) | u64::from(second)) >> 40) as u32
}

/// A feature: its field and 24 bits of a hash.
pub(super) fn feature(field: Field, hash: u32) -> u32 {
    ((field as u32) << 24) | (hash & 0x00FF_FFFF)
}

/// The hash of an example's key.
pub(super) fn key_hash(key: &str) -> u64 {
    hash_bytes(key.bytes())
}

/// FNV-1a with a final mix, cut to 24 bits.
pub(super) fn hash(parts: &[&str]) -> u32 {
    (hash_bytes(parts.iter().flat_map(|part| part.bytes())) >> 40) as u32
}

fn hash_bytes(bytes: impl Iterator<Item = u8>) -> u64 {
    let step = |state: u64, byte: u8| (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
    mix(bytes.fold(0xcbf2_9ce4_8422_2325, step))
}

/// The hash of letters.
pub(super) fn hash_chars(letters: &[char]) -> u32 {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for letter in letters {
        state = (state ^ u64::from(u32::from(*letter))).wrapping_mul(0x0000_0100_0000_01B3);
    }
    (mix(state) >> 40) as u32
}

fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let value = (value ^ (value >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    value ^ (value >> 33)
}
