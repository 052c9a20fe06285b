//! The decoder: whole pictures in, pooled I420 out.

use super::{Context, VpxCodec};
use crate::codec::{CodecError, VideoDecoder};
use crate::units::Resolution;
use crate::video::{I420, PicturePool, VideoFrame};
use std::ffi::c_int;
use std::ptr;
use std::time::Instant;
use vpx_sys::{
    VPX_DECODER_ABI_VERSION, vp8_dec_control_id, vpx_codec_ctx_t, vpx_codec_dec_cfg, vpx_codec_dec_init_ver,
    vpx_codec_err_t, vpx_codec_stream_info_t, vpx_image_t, vpx_img_fmt,
};

/// Largest picture that is decoded, in pixels (4096x2304). A keyframe's header of ten bytes may claim 16383x16383, for
/// which libvpx would allocate 1.6 GB.
const MAX_PIXELS: u64 = 4096 * 2304;

/// One thread: at 720p a second one doubles the CPU time of VP8 (measured).
const THREADS: u32 = 1;

/// Decodes VP8 or VP9 with libvpx; any bytes give a picture or an error.
pub struct VpxDecoder {
    codec: VpxCodec,
    /// Made by the first keyframe, and again by the keyframe after an error.
    context: Option<Context>,
    pool: PicturePool,
}

impl VpxDecoder {
    pub fn new(codec: VpxCodec) -> Self {
        Self {
            codec,
            context: None,
            pool: PicturePool::default(),
        }
    }

    /// Refuses what libvpx should not be shown, and says whether the picture is a keyframe.
    fn peek(&self, payload: &[u8], length: u32) -> Result<bool, CodecError> {
        let mut seen = vpx_codec_stream_info_t {
            sz: size_of::<vpx_codec_stream_info_t>() as u32,
            w: 0,
            h: 0,
            is_kf: 0,
        };
        // SAFETY: the interface is valid, `payload` has `length` bytes, `seen` is writable and says its size.
        let result = unsafe {
            vpx_sys::vpx_codec_peek_stream_info(
                self.codec.decoder_interface(),
                payload.as_ptr(),
                length,
                &mut seen,
            )
        };
        let keyframe = seen.is_kf != 0;
        // For a picture that is no keyframe libvpx says that it cannot tell the size, as an error of the stream.
        if keyframe && result != vpx_codec_err_t::VPX_CODEC_OK {
            return Err(self.corrupt("the header of a keyframe is broken".to_owned()));
        }
        if u64::from(seen.w) * u64::from(seen.h) > MAX_PIXELS {
            return Err(self.corrupt(format!("a picture of {}x{} is too large", seen.w, seen.h)));
        }
        Ok(keyframe)
    }

    fn open(&self) -> Result<Context, CodecError> {
        let config = vpx_codec_dec_cfg {
            threads: THREADS,
            w: 0,
            h: 0,
        };
        let interface = self.codec.decoder_interface();
        Context::initialise(self.codec, |raw: *mut vpx_codec_ctx_t| {
            // SAFETY: `raw` is a zeroed context, the interface is static, `config` outlives the call (libvpx copies it).
            unsafe { vpx_codec_dec_init_ver(raw, interface, &config, 0, VPX_DECODER_ABI_VERSION as c_int) }
        })
    }

    fn corrupt(&self, why: String) -> CodecError {
        CodecError::Corrupt {
            codec: self.codec.name(),
            why,
        }
    }
}

impl VideoDecoder for VpxDecoder {
    fn decode(&mut self, payload: &[u8]) -> Result<Option<VideoFrame>, CodecError> {
        let length = u32::try_from(payload.len()).map_err(|_| self.corrupt("too long".to_owned()))?;
        // libvpx takes no bytes for a lost picture and shows the last one again.
        if payload.is_empty() {
            return Err(self.corrupt("no bytes".to_owned()));
        }
        let keyframe = self.peek(payload, length)?;
        let mut context = match self.context.take() {
            Some(context) => context,
            None if keyframe => self.open()?,
            None => return Err(self.corrupt("the first picture is not a keyframe".to_owned())),
        };
        // SAFETY: the context is initialised, `payload` has `length` bytes and is only read during the call.
        let result =
            unsafe { vpx_sys::vpx_codec_decode(context.raw(), payload.as_ptr(), length, ptr::null_mut(), 0) };
        // After an error the context is dropped: its references are unknown, so it waits for a keyframe anyway.
        if result != vpx_codec_err_t::VPX_CODEC_OK {
            let why = context.why(result);
            return Err(self.corrupt(why));
        }
        if self.codec == VpxCodec::Vp8 && is_corrupted(&mut context) {
            return Err(self.corrupt("the picture is cut off or refers to a broken one".to_owned()));
        }
        let shown = newest_picture(&mut context);
        let picture = match shown {
            Some(shown) => Some(self.pool.try_draw(shown.resolution(), |out| shown.copy_to(out))),
            None => None,
        };
        let picture = match picture.transpose() {
            Ok(picture) => picture,
            Err(why) => return Err(self.corrupt(why)),
        };
        self.context = Some(context);
        Ok(picture.map(|picture| VideoFrame {
            picture,
            captured_at: Instant::now(),
        }))
    }
}

fn is_corrupted(context: &mut Context) -> bool {
    let mut corrupted: c_int = 0;
    // SAFETY: the context is an initialised VP8 decoder; this control writes one int.
    let result = unsafe {
        vpx_sys::vpx_codec_control_(
            context.raw(),
            vp8_dec_control_id::VP8D_GET_FRAME_CORRUPTED as c_int,
            ptr::from_mut(&mut corrupted),
        )
    };
    result == vpx_codec_err_t::VPX_CODEC_OK && corrupted != 0
}

/// A picture inside the decoder; borrows it, so that no call can free the planes.
struct Shown<'a> {
    image: &'a vpx_image_t,
}

fn newest_picture(context: &mut Context) -> Option<Shown<'_>> {
    let mut iterator = ptr::null();
    let mut newest: *mut vpx_image_t = ptr::null_mut();
    loop {
        // SAFETY: the context is initialised; `iterator` began as null, as libvpx wants it.
        let image = unsafe { vpx_sys::vpx_codec_get_frame(context.raw(), &mut iterator) };
        if image.is_null() {
            break;
        }
        newest = image;
    }
    // SAFETY: null or an image that lives until the next call on the context, which the returned borrow forbids.
    unsafe { newest.as_ref() }.map(|image| Shown { image })
}

impl Shown<'_> {
    fn resolution(&self) -> Resolution {
        Resolution::new(self.image.d_w, self.image.d_h)
    }

    fn copy_to(&self, out: &mut I420) -> Result<(), String> {
        if self.image.fmt != vpx_img_fmt::VPX_IMG_FMT_I420 {
            return Err(format!("pixels of {:?} are not supported", self.image.fmt));
        }
        let Resolution { width, height } = out.resolution();
        let (chroma_width, chroma_height) = (out.chroma_width(), out.chroma_height());
        let (y, u, v) = out.planes_mut();
        self.copy_plane(0, y, width as usize, height as usize);
        self.copy_plane(1, u, chroma_width, chroma_height);
        self.copy_plane(2, v, chroma_width, chroma_height);
        Ok(())
    }

    fn copy_plane(&self, plane: usize, out: &mut [u8], width: usize, rows: usize) {
        let start = self.image.planes[plane].cast_const();
        let stride = self.image.stride[plane] as isize;
        for (row, line) in out.chunks_exact_mut(width).take(rows).enumerate() {
            // SAFETY: an I420 image of d_w x d_h has `rows` rows of at least `width` bytes in this plane, `stride`
            // bytes apart; `line` is `width` bytes of ours.
            unsafe {
                let from = start.offset(row as isize * stride);
                ptr::copy_nonoverlapping(from, line.as_mut_ptr(), width);
            }
        }
    }
}
