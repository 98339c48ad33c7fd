//! Values as the server keeps them: a byte that says how, then the value, compressed where that makes it smaller.

use std::io::{Read, Write};

use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};

const PLAIN: u8 = 0;
const ZLIB: u8 = 1;

/// Shorter values gain nothing.
const COMPRESSED_BYTES_MIN: usize = 128;

/// The form that is kept.
pub(super) fn pack(value: &[u8]) -> Vec<u8> {
    if value.len() >= COMPRESSED_BYTES_MIN {
        let mut encoder = ZlibEncoder::new(vec![ZLIB], Compression::default());
        let packed = encoder.write_all(value).and_then(|()| encoder.finish());
        if let Ok(packed) = packed
            && packed.len() < value.len()
        {
            return packed;
        }
    }
    [&[PLAIN], value].concat()
}

/// The value again, of at most `bytes_max` bytes; nothing if it is damaged or of another build.
pub(super) fn unpack(packed: &[u8], bytes_max: u64) -> Option<Vec<u8>> {
    let (how, rest) = packed.split_first()?;
    match *how {
        PLAIN => Some(rest.to_vec()),
        ZLIB => {
            let mut value = Vec::new();
            let read = ZlibDecoder::new(rest).take(bytes_max + 1).read_to_end(&mut value);
            // The checksum behind the value was looked at if its end was reached.
            (read.is_ok() && value.len() as u64 <= bytes_max).then_some(value)
        }
        _ => None,
    }
}
