//! Which streams an interceptor of the library is told of.

use rtc::interceptor::{Interceptor, StreamInfo, TaggedPacket};
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use std::time::Instant;

/// An interceptor that is told of other streams than the library would tell it of.
pub(crate) struct Bound<I> {
    interceptor: I,
    with_rtx: bool,
    takes_sound: bool,
}

impl<I: Interceptor> Bound<I> {
    /// Also of the retransmission stream of each sent stream. The library binds the primary streams alone, so that its
    /// numbering and its history leave out every repair: the estimate would not know of a fifth of what is sent on a path
    /// that loses a fifth.
    pub(crate) fn with_rtx(interceptor: I) -> Self {
        Self {
            interceptor,
            with_rtx: true,
            takes_sound: true,
        }
    }

    /// Of received pictures, not of sound.
    pub(crate) fn pictures_only(interceptor: I) -> Self {
        Self {
            interceptor,
            with_rtx: false,
            takes_sound: false,
        }
    }

    fn rtx_of(&self, info: &StreamInfo) -> Option<StreamInfo> {
        Some(StreamInfo {
            ssrc: info.ssrc_rtx.filter(|_| self.with_rtx)?,
            payload_type: info.payload_type_rtx?,
            ssrc_rtx: None,
            payload_type_rtx: None,
            ..info.clone()
        })
    }
}

/// Whether a stream is sound.
pub(crate) fn is_sound(info: &StreamInfo) -> bool {
    info.mime_type.to_ascii_lowercase().starts_with("audio/")
}

impl<I: Interceptor> Protocol<TaggedPacket, TaggedPacket, ()> for Bound<I> {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, message: TaggedPacket) -> Result<(), Error> {
        self.interceptor.handle_read(message)
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.interceptor.poll_read()
    }

    fn handle_write(&mut self, message: TaggedPacket) -> Result<(), Error> {
        self.interceptor.handle_write(message)
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.interceptor.poll_write()
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        self.interceptor.handle_timeout(now)
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.interceptor.poll_timeout()
    }
}

impl<I: Interceptor> Interceptor for Bound<I> {
    fn bind_local_stream(&mut self, info: &StreamInfo) {
        self.interceptor.bind_local_stream(info);
        if let Some(rtx) = self.rtx_of(info) {
            self.interceptor.bind_local_stream(&rtx);
        }
    }

    fn unbind_local_stream(&mut self, info: &StreamInfo) {
        self.interceptor.unbind_local_stream(info);
        if let Some(rtx) = self.rtx_of(info) {
            self.interceptor.unbind_local_stream(&rtx);
        }
    }

    fn bind_remote_stream(&mut self, info: &StreamInfo) {
        if self.takes_sound || !is_sound(info) {
            self.interceptor.bind_remote_stream(info);
        }
    }

    fn unbind_remote_stream(&mut self, info: &StreamInfo) {
        self.interceptor.unbind_remote_stream(info);
    }
}
