//! Safe handles around libopus: one encoder, one decoder, one parser of deep redundancy.
//!
//! The only place that calls libopus. Lengths are checked here, settings are not: that is the caller's.

use opusic_sys as sys;
use std::ffi::{CStr, c_int};
use std::ptr::NonNull;

/// What libopus says when it refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OpusError(c_int);

impl std::fmt::Display for OpusError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // SAFETY: libopus answers any number with a static, terminated string.
        let text = unsafe { CStr::from_ptr(sys::opus_strerror(self.0)) };
        f.write_str(&text.to_string_lossy())
    }
}

fn check(code: c_int) -> Result<usize, OpusError> {
    usize::try_from(code).map_err(|_| OpusError(code))
}

/// Samples per second of all coding here.
const RATE: i32 = 48_000;

/// An encoder state.
pub(super) struct Encoder {
    state: NonNull<sys::OpusEncoder>,
    channels: usize,
}

// SAFETY: the state is owned by this value alone and libopus keeps nothing per thread.
unsafe impl Send for Encoder {}

impl Encoder {
    pub(super) fn new(channels: usize, application: c_int) -> Result<Self, OpusError> {
        let mut error = 0;
        // SAFETY: `error` outlives the call, which writes to it and nowhere else of ours.
        let state = unsafe { sys::opus_encoder_create(RATE, channels as c_int, application, &raw mut error) };
        let state = NonNull::new(state).ok_or(OpusError(error))?;
        Ok(Self { state, channels })
    }

    /// Sets what takes one integer, by its `OPUS_SET_…_REQUEST`.
    pub(super) fn set(&mut self, request: c_int, value: i32) -> Result<(), OpusError> {
        // SAFETY: the state is alive; every request given here takes one integer by value.
        check(unsafe { sys::opus_encoder_ctl(self.state.as_ptr(), request, value) }).map(drop)
    }

    /// Encodes one frame of interleaved samples.
    pub(super) fn encode(&mut self, samples: &[f32], out: &mut [u8]) -> Result<usize, OpusError> {
        let frame = (samples.len() / self.channels) as c_int;
        // SAFETY: libopus reads `frame` samples of each channel, all inside `samples`, and writes at most `out.len()` bytes.
        check(unsafe {
            sys::opus_encode_float(
                self.state.as_ptr(),
                samples.as_ptr(),
                frame,
                out.as_mut_ptr(),
                out.len() as i32,
            )
        })
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: the state is alive and not used again.
        unsafe { sys::opus_encoder_destroy(self.state.as_ptr()) }
    }
}

/// A decoder state: libopus makes of every packet what has its channels.
pub(super) struct Decoder {
    state: NonNull<sys::OpusDecoder>,
    channels: usize,
}

// SAFETY: as for the encoder.
unsafe impl Send for Decoder {}

impl Decoder {
    pub(super) fn new(channels: usize) -> Result<Self, OpusError> {
        let mut error = 0;
        // SAFETY: `error` outlives the call.
        let state = unsafe { sys::opus_decoder_create(RATE, channels as c_int, &raw mut error) };
        let state = NonNull::new(state).ok_or(OpusError(error))?;
        Ok(Self { state, channels })
    }

    pub(super) fn channels(&self) -> usize {
        self.channels
    }

    /// Sets what takes one integer, by its `OPUS_SET_…_REQUEST`.
    pub(super) fn set(&mut self, request: c_int, value: i32) -> Result<(), OpusError> {
        // SAFETY: the state is alive; every request given here takes one integer by value.
        check(unsafe { sys::opus_decoder_ctl(self.state.as_ptr(), request, value) }).map(drop)
    }

    /// Decodes into the whole of `out`; an empty payload is concealment.
    pub(super) fn decode(&mut self, payload: &[u8], fec: bool, out: &mut [f32]) -> Result<usize, OpusError> {
        let data = if payload.is_empty() {
            std::ptr::null()
        } else {
            payload.as_ptr()
        };
        let frame = (out.len() / self.channels) as c_int;
        // SAFETY: libopus reads `payload.len()` bytes and writes at most `frame` samples of each channel, all inside `out`.
        check(unsafe {
            sys::opus_decode_float(
                self.state.as_ptr(),
                data,
                payload.len() as i32,
                out.as_mut_ptr(),
                frame,
                c_int::from(fec),
            )
        })
    }

    /// Decodes what `redundancy` says of the time that begins `before` samples before its packet.
    pub(super) fn decode_redundancy(
        &mut self,
        redundancy: &Redundancy,
        before: usize,
        out: &mut [f32],
    ) -> Result<usize, OpusError> {
        let frame = (out.len() / self.channels) as i32;
        // SAFETY: both states are alive; libopus writes at most `frame` samples of each channel, all inside `out`.
        check(unsafe {
            sys::opus_decoder_dred_decode_float(
                self.state.as_ptr(),
                redundancy.state.as_ptr(),
                before as i32,
                out.as_mut_ptr(),
                frame,
            )
        })
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: the state is alive and not used again.
        unsafe { sys::opus_decoder_destroy(self.state.as_ptr()) }
    }
}

/// The deep redundancy of the packet it has parsed last.
pub(super) struct Redundancy {
    parser: NonNull<sys::OpusDREDDecoder>,
    state: NonNull<sys::OpusDRED>,
}

// SAFETY: as for the encoder; both states are owned by this value alone.
unsafe impl Send for Redundancy {}

impl Redundancy {
    pub(super) fn new() -> Result<Self, OpusError> {
        let mut error = 0;
        // SAFETY: `error` outlives the call.
        let parser = unsafe { sys::opus_dred_decoder_create(&raw mut error) };
        let parser = NonNull::new(parser).ok_or(OpusError(error))?;
        // SAFETY: as above.
        let state = unsafe { sys::opus_dred_alloc(&raw mut error) };
        let Some(state) = NonNull::new(state) else {
            // SAFETY: the parser is alive and not used again.
            unsafe { sys::opus_dred_decoder_destroy(parser.as_ptr()) };
            return Err(OpusError(error));
        };
        Ok(Self { parser, state })
    }

    /// Parses a packet; answers how many samples before it can be rebuilt at most, and how many right before it
    /// cannot. The costly half is left to [`process`](Self::process).
    pub(super) fn parse(&mut self, payload: &[u8]) -> Result<(usize, usize), OpusError> {
        let mut end = 0;
        // SAFETY: all states are alive, libopus reads `payload.len()` bytes and writes `end`.
        let reach = check(unsafe {
            sys::opus_dred_parse(
                self.parser.as_ptr(),
                self.state.as_ptr(),
                payload.as_ptr(),
                payload.len() as i32,
                RATE,
                RATE,
                &raw mut end,
                1,
            )
        })?;
        Ok((reach, usize::try_from(end).unwrap_or(0)))
    }

    /// Makes what was parsed ready for [`Decoder::decode_redundancy`].
    pub(super) fn process(&mut self) -> Result<(), OpusError> {
        let state = self.state.as_ptr();
        // SAFETY: all states are alive; source and destination may be the same (opus.h, opus_dred_process).
        check(unsafe { sys::opus_dred_process(self.parser.as_ptr(), state, state) }).map(drop)
    }
}

impl Drop for Redundancy {
    fn drop(&mut self) {
        // SAFETY: both states are alive and not used again.
        unsafe {
            sys::opus_dred_free(self.state.as_ptr());
            sys::opus_dred_decoder_destroy(self.parser.as_ptr());
        }
    }
}

/// Samples per channel that decoding a packet gives.
pub(super) fn samples_of(payload: &[u8]) -> Result<usize, OpusError> {
    if payload.is_empty() {
        return Err(OpusError(sys::OPUS_INVALID_PACKET));
    }
    // SAFETY: libopus reads at most `payload.len()` bytes, of which there is at least one.
    check(unsafe { sys::opus_packet_get_nb_samples(payload.as_ptr(), payload.len() as i32, RATE) })
}

/// Samples per channel of each frame in a packet that is known to be one; in-band FEC describes one frame.
pub(super) fn frame_samples_of(payload: &[u8]) -> Result<usize, OpusError> {
    if payload.is_empty() {
        return Err(OpusError(sys::OPUS_INVALID_PACKET));
    }
    // SAFETY: libopus reads the first byte, which there is.
    check(unsafe { sys::opus_packet_get_samples_per_frame(payload.as_ptr(), RATE) })
}

/// Channels of a packet that is known to be one.
pub(super) fn channels_of(payload: &[u8]) -> Result<usize, OpusError> {
    if payload.is_empty() {
        return Err(OpusError(sys::OPUS_INVALID_PACKET));
    }
    // SAFETY: libopus reads the first byte, which there is.
    check(unsafe { sys::opus_packet_get_nb_channels(payload.as_ptr()) })
}

/// Whether a packet carries in-band FEC.
pub(super) fn has_fec(payload: &[u8]) -> bool {
    if payload.is_empty() {
        return false;
    }
    // SAFETY: as for `samples_of`.
    unsafe { sys::opus_packet_has_lbrr(payload.as_ptr(), payload.len() as i32) == 1 }
}
