//! Reading a body: with deadlines, a limit, and unpacked.

use std::{
    io::{self, Write},
    time::Duration,
};

use bytes::{Buf, Bytes};
use flate2::write::MultiGzDecoder;
use http_body_util::BodyExt;
use hyper::{
    StatusCode,
    body::{Body as _, Incoming},
    header::{CONTENT_ENCODING, HeaderMap},
};
use tokio::time::Instant;

use crate::{config::Limits, refusal::Refusal};

/// Packed bytes are unpacked so many at a time: they may unpack to a thousand times as many, and others wait meanwhile.
const PACKED_STEP: usize = 4 * 1024;

/// What is still read of a refused body, so that its sender gets to read the answer: closing on a sender that writes
/// would cut the answer off.
const DRAIN_BYTES: u64 = 64 * 1024 * 1024;
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// How a body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Identity,
    Gzip,
}

impl Coding {
    /// # Errors
    /// 415 for another coding than gzip, or several.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let mut values = headers.get_all(CONTENT_ENCODING).iter();
        match (values.next().map(|value| value.as_bytes()), values.next()) {
            (None, _) => Ok(Self::Identity),
            (Some(value), None) if value.eq_ignore_ascii_case(b"identity") => Ok(Self::Identity),
            (Some(value), None) if value.eq_ignore_ascii_case(b"gzip") || value.eq_ignore_ascii_case(b"x-gzip") => {
                Ok(Self::Gzip)
            }
            _ => Err(Refusal::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "expected the body as it is, or `Content-Encoding: gzip`",
            )),
        }
    }
}

/// A body that is read.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    body: Incoming,
    limits: &'a Limits,
    deadline: Instant,
    /// Bytes read, as sent.
    read: u64,
    /// A piece that was read and not taken: the one that was too much.
    left: Option<Bytes>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(body: Incoming, limits: &'a Limits) -> Self {
        Self { body, limits, deadline: Instant::now() + limits.body(), read: 0, left: None }
    }

    /// The length that the sender announced, if any.
    pub(crate) fn announced(&self) -> Option<u64> {
        self.body.size_hint().exact()
    }

    /// Reads the body to its end and gives it to `take` unpacked, piece by piece.
    ///
    /// # Errors
    /// 408 where it comes too slowly, 413 where it is too large, 400 where it breaks off, and what `take` returns.
    pub(crate) async fn read(
        &mut self,
        coding: Coding,
        mut take: impl FnMut(&[u8]) -> Result<(), Refusal> + Send,
    ) -> Result<(), Refusal> {
        let limit = self.limits.body_bytes;
        if self.announced().is_some_and(|length| length > limit) {
            return Err(too_large(limit));
        }
        match coding {
            Coding::Identity => {
                while let Some(chunk) = self.next().await? {
                    take(&chunk)?;
                }
                Ok(())
            }
            Coding::Gzip => self.unpack(&mut take).await,
        }
    }

    async fn unpack(&mut self, take: &mut (impl FnMut(&[u8]) -> Result<(), Refusal> + Send)) -> Result<(), Refusal> {
        let limit = self.limits.body_bytes;
        let mut decoder = MultiGzDecoder::new(Sink { take, left: limit, limit, spent: false, refusal: None });
        while let Some(mut chunk) = self.next().await? {
            while chunk.has_remaining() {
                let step = chunk.split_to(chunk.len().min(PACKED_STEP));
                let written = decoder.write_all(&step);
                unpacked(&mut decoder, written)?;
                tokio::task::yield_now().await;
            }
        }
        let written = decoder.try_finish();
        unpacked(&mut decoder, written)
    }

    /// The next piece as sent.
    async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        loop {
            let until = self.deadline.min(Instant::now() + self.limits.idle());
            let frame = match tokio::time::timeout_at(until, self.body.frame()).await {
                Ok(None) => return Ok(None),
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(_))) => return Err(Refusal::bad_request("the body broke off")),
                Err(_) => return Err(self.too_slow()),
            };
            // Trailers mean nothing here.
            let Ok(chunk) = frame.into_data() else { continue };
            self.read += chunk.len() as u64;
            if self.read > self.limits.body_bytes {
                self.left = Some(chunk);
                return Err(too_large(self.limits.body_bytes));
            }
            return Ok(Some(chunk));
        }
    }

    fn too_slow(&self) -> Refusal {
        if Instant::now() >= self.deadline {
            let limit = self.limits.body_seconds;
            Refusal::timeout(format!("the body took longer than {limit} s: {} bytes came", self.read))
        } else {
            let limit = self.limits.idle_seconds;
            Refusal::timeout(format!("nothing came of the body for {limit} s after {} bytes", self.read))
        }
    }

    /// Whether anything was read.
    pub(crate) fn touched(&self) -> bool {
        self.read > 0
    }

    /// Reads on so that the sender gets done, not for long; `look` sees what comes.
    pub(crate) async fn drain(mut self, mut look: impl FnMut(&[u8]) + Send) {
        let until = Instant::now() + DRAIN_TIME;
        let mut left = DRAIN_BYTES;
        if let Some(chunk) = self.left.take() {
            look(&chunk);
        }
        while let Ok(Some(Ok(frame))) = tokio::time::timeout_at(until, self.body.frame()).await {
            let Some(chunk) = frame.data_ref() else { continue };
            look(chunk);
            left = left.saturating_sub(chunk.len() as u64);
            if left == 0 {
                break;
            }
        }
    }
}

fn too_large(limit: u64) -> Refusal {
    Refusal::too_large(format!("expected a body of at most {limit} bytes"))
}

/// Where unpacked bytes go.
struct Sink<'t, T> {
    take: &'t mut T,
    left: u64,
    limit: u64,
    /// A decoder that is dropped writes what it has left, after a refusal too.
    spent: bool,
    refusal: Option<Refusal>,
}

impl<T: FnMut(&[u8]) -> Result<(), Refusal>> Write for Sink<'_, T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.spent {
            return Err(io::Error::other("refused"));
        }
        let taken = match self.left.checked_sub(bytes.len() as u64) {
            Some(left) => {
                self.left = left;
                (self.take)(bytes)
            }
            None => Err(too_large(self.limit)),
        };
        taken.map(|()| bytes.len()).map_err(|refusal| {
            self.refusal = Some(refusal);
            self.spent = true;
            io::Error::other("refused")
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a failed step of unpacking means: the refusal of what was unpacked, or no gzip.
fn unpacked<T: FnMut(&[u8]) -> Result<(), Refusal>>(
    decoder: &mut MultiGzDecoder<Sink<'_, T>>,
    written: io::Result<()>,
) -> Result<(), Refusal> {
    let Err(error) = written else { return Ok(()) };
    Err(decoder.get_mut().refusal.take().unwrap_or_else(|| {
        let what = if error.kind() == io::ErrorKind::UnexpectedEof { "ends too early" } else { "is damaged" };
        Refusal::bad_request(format!("the body is announced as gzip, and that {what}"))
    }))
}
