//! VP8 and VP9 over libvpx: the settings both share and the ownership of a libvpx context.
//!
//! All `unsafe` of the video path is here and in the two files below. A context belongs to one thread at a time.

mod decoder;
mod encoder;
mod even_clock;

pub use decoder::VpxDecoder;
pub use encoder::VpxEncoder;

use super::CodecError;
use std::ffi::CStr;
use vpx_sys::{vpx_codec_ctx_t, vpx_codec_err_t, vpx_codec_iface_t};

/// Which of the two codecs of libvpx.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VpxCodec {
    Vp8,
    Vp9,
}

impl VpxCodec {
    /// The name as in SDP and in errors.
    pub fn name(self) -> &'static str {
        match self {
            VpxCodec::Vp8 => "VP8",
            VpxCodec::Vp9 => "VP9",
        }
    }

    fn encoder_interface(self) -> *mut vpx_codec_iface_t {
        // SAFETY: both functions take nothing and return the address of a static.
        unsafe {
            match self {
                VpxCodec::Vp8 => vpx_sys::vpx_codec_vp8_cx(),
                VpxCodec::Vp9 => vpx_sys::vpx_codec_vp9_cx(),
            }
        }
    }

    fn decoder_interface(self) -> *mut vpx_codec_iface_t {
        // SAFETY: both functions take nothing and return the address of a static.
        unsafe {
            match self {
                VpxCodec::Vp8 => vpx_sys::vpx_codec_vp8_dx(),
                VpxCodec::Vp9 => vpx_sys::vpx_codec_vp9_dx(),
            }
        }
    }
}

/// An initialised libvpx context; destroyed when dropped.
struct Context {
    /// Boxed: libvpx keeps pointers into it.
    raw: Box<vpx_codec_ctx_t>,
    codec: VpxCodec,
}

// SAFETY: libvpx binds a context to no thread; it only forbids two calls at a time, and every call here takes
// `&mut self`.
unsafe impl Send for Context {}

impl Context {
    /// Initialises a context with what `init` does to the zeroed one.
    fn initialise(
        codec: VpxCodec,
        init: impl FnOnce(*mut vpx_codec_ctx_t) -> vpx_codec_err_t,
    ) -> Result<Self, CodecError> {
        let mut raw = Box::<vpx_codec_ctx_t>::default();
        let result = init(&mut *raw);
        if result == vpx_codec_err_t::VPX_CODEC_OK {
            return Ok(Self { raw, codec });
        }
        // libvpx has freed what a failed initialisation had made, so this context is not destroyed again.
        Err(CodecError::Failed {
            codec: codec.name(),
            why: format!("initialisation: {}", text_of(result)),
        })
    }

    fn raw(&mut self) -> *mut vpx_codec_ctx_t {
        &mut *self.raw
    }

    /// Passes success on; else says what libvpx says.
    fn check(&mut self, what: &'static str, result: vpx_codec_err_t) -> Result<(), CodecError> {
        if result == vpx_codec_err_t::VPX_CODEC_OK {
            return Ok(());
        }
        Err(CodecError::Failed {
            codec: self.codec.name(),
            why: format!("{what}: {}", self.why(result)),
        })
    }

    fn why(&mut self, result: vpx_codec_err_t) -> String {
        // SAFETY: the context is initialised; the detail is null or a C string that lives until the next call.
        let detail = unsafe { vpx_sys::vpx_codec_error_detail(self.raw()) };
        if detail.is_null() {
            return text_of(result);
        }
        // SAFETY: not null, and see above.
        let detail = unsafe { CStr::from_ptr(detail) };
        format!("{} ({})", text_of(result), detail.to_string_lossy())
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: the context is initialised and not used after. The result tells only of an uninitialised context.
        unsafe { vpx_sys::vpx_codec_destroy(self.raw()) };
    }
}

fn text_of(result: vpx_codec_err_t) -> String {
    // SAFETY: returns a static C string for every value of the enum.
    let text = unsafe { CStr::from_ptr(vpx_sys::vpx_codec_err_to_string(result)) };
    text.to_string_lossy().to_lowercase()
}
