//! The strings of BIFF8, which may be cut by record borders in the middle of a word.

use super::{u16_at, u32_at, utf16};

/// A record and its continuations, read as one.
pub(super) struct Pieces<'a> {
    pieces: Vec<&'a [u8]>,
    piece: usize,
    at: usize,
}

impl<'a> Pieces<'a> {
    pub(super) fn new(pieces: Vec<&'a [u8]>) -> Self {
        Self { pieces, piece: 0, at: 0 }
    }

    fn byte(&mut self) -> Option<u8> {
        loop {
            let piece = self.pieces.get(self.piece)?;
            if let Some(byte) = piece.get(self.at) {
                self.at += 1;
                return Some(*byte);
            }
            self.piece += 1;
            self.at = 0;
        }
    }

    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut out = [0; N];
        for byte in &mut out {
            *byte = self.byte()?;
        }
        Some(out)
    }

    pub(super) fn number16(&mut self) -> Option<u16> {
        self.bytes::<2>().map(|bytes| u16_at(&bytes, 0))
    }

    pub(super) fn number32(&mut self) -> Option<u32> {
        self.bytes::<4>().map(|bytes| u32_at(&bytes, 0))
    }

    /// Leaves out bytes; false at the end.
    pub(super) fn skip(&mut self, mut count: usize) -> bool {
        while count > 0 {
            let Some(piece) = self.pieces.get(self.piece) else { return false };
            let here = piece.len().saturating_sub(self.at).min(count);
            self.at += here;
            count -= here;
            if count > 0 {
                self.piece += 1;
                self.at = 0;
            }
        }
        true
    }

    /// A rich extended string ([MS-XLS] 2.5.293) after its length.
    pub(super) fn text(&mut self, length: usize) -> Option<String> {
        let flags = self.byte()?;
        let runs = if flags & 8 != 0 { usize::from(self.number16()?) } else { 0 };
        let extra = if flags & 4 != 0 { self.number32()? as usize } else { 0 };
        let text = self.characters(length, flags);
        self.skip(runs * 4 + extra);
        text
    }

    /// Characters of one or two bytes; a continuation starts with flags of its own.
    pub(super) fn characters(&mut self, length: usize, flags: u8) -> Option<String> {
        let mut wide = flags & 1 != 0;
        let mut units: Vec<u8> = Vec::with_capacity(length.min(1 << 16) * 2);
        for _ in 0..length {
            if self.pieces.get(self.piece).is_some_and(|piece| self.at >= piece.len()) {
                self.piece += 1;
                self.at = 0;
                wide = self.byte()? & 1 != 0;
            }
            units.push(self.byte()?);
            units.push(if wide { self.byte()? } else { 0 });
        }
        Some(utf16(&units))
    }
}
