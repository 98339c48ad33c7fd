//! What pool and child say to each other: a length in four bytes (big-endian), then as much JSON.
//!
//! The first bytes of a request carry the document's descriptor. A child speaks first, with [`Hello`].

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::domain::extract::{Extracted, Limits};

/// Raised whenever the frames change: an old program on disk must not be taken for a child of a new node.
pub(super) const PROTOCOL: u32 = 1;

/// A request is small: a name and limits.
pub(super) const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// The child is up and limited.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) protocol: u32,
}

/// Read the document whose descriptor comes with this.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) name: String,
    pub(super) memory_bytes_max: u64,
    pub(super) cpu_seconds_max: u64,
    pub(super) limits: Limits,
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    Read(Box<Extracted>),
    Refused(String),
    Panicked(String),
    Unreadable(String),
    Changed,
}

/// An answer, and whether the child ends now because its state is no longer to be trusted.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Reply {
    pub(super) last: bool,
    pub(super) answer: Answer,
}

/// The longest reply that is believed, in bytes: every byte of text may become a six-byte escape in JSON.
pub(super) fn reply_bytes_max(text_bytes_max: usize) -> usize {
    text_bytes_max.saturating_mul(6).saturating_add(1 << 20).min(u32::MAX as usize)
}

/// A frame ready to be sent.
pub(super) fn frame(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, message)?;
    let length = u32::try_from(bytes.len() - 4).map_err(|_| invalid("the frame is longer than 4 GiB".to_owned()))?;
    if let Some(head) = bytes.first_chunk_mut() {
        *head = length.to_be_bytes();
    }
    Ok(bytes)
}

/// The announced length of a frame, if it is within the limit.
pub(super) fn length(head: [u8; 4], bytes_max: usize) -> io::Result<usize> {
    let length = u32::from_be_bytes(head) as usize;
    if length > bytes_max {
        return Err(invalid(format!("a frame of {length} bytes was announced, the limit is {bytes_max}")));
    }
    Ok(length)
}

/// The message in a frame's body.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> io::Result<T> {
    serde_json::from_slice(body).map_err(|error| invalid(format!("a frame that is not understood: {error}")))
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// Sends the start of a frame together with a descriptor; returns the number of bytes that went out.
pub(super) fn send_with(stream: BorrowedFd<'_>, file: BorrowedFd<'_>, frame: &[u8]) -> io::Result<usize> {
    let files = [file];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(&files)) {
        return Err(invalid("no room for the descriptor".to_owned()));
    }
    // A closed peer is an error here and no signal: Rust's runtime ignores SIGPIPE.
    Ok(rustix::net::sendmsg(stream, &[IoSlice::new(frame)], &mut ancillary, SendFlags::empty())?)
}

/// Waits for a request and its document; `None` when the node has closed its end.
pub(super) fn receive(mut stream: &UnixStream) -> io::Result<Option<(Request, OwnedFd)>> {
    let mut head = [0; 4];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut slices = [IoSliceMut::new(&mut head)];
    #[cfg(target_os = "linux")]
    let flags = RecvFlags::CMSG_CLOEXEC;
    #[cfg(not(target_os = "linux"))]
    let flags = RecvFlags::empty();
    let got = rustix::io::retry_on_intr(|| rustix::net::recvmsg(stream, &mut slices, &mut ancillary, flags))?.bytes;
    let Some(rest) = head.get_mut(got..).filter(|_| got > 0) else { return Ok(None) };
    let file = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut files) => files.next(),
        _ => None,
    });
    stream.read_exact(rest)?;
    let mut body = vec![0; length(head, REQUEST_BYTES_MAX)?];
    stream.read_exact(&mut body)?;
    let file = file.ok_or_else(|| invalid("a request without a document".to_owned()))?;
    Ok(Some((parse(&body)?, file)))
}

/// Sends a frame from the child.
pub(super) fn send(mut stream: &UnixStream, message: &impl Serialize) -> io::Result<()> {
    stream.write_all(&frame(message)?)
}
