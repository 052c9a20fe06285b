//! The encoder: constant bitrate, real time, one picture in and at most one out.

use super::even_clock::EvenClock;
use super::{Context, VpxCodec};
use crate::codec::{CodecError, EncodedPicture, EncoderSpeed, VideoEncoder};
use crate::units::{Bitrate, Resolution};
use crate::video::{I420, VideoFrame};
use bytes::Bytes;
use std::ffi::{c_int, c_uint};
use std::mem::MaybeUninit;
use std::ptr;
use std::time::{Duration, Instant};
use vpx_sys::{
    AQ_MODE, VPX_DL_REALTIME, VPX_EFLAG_FORCE_KF, VPX_ENCODER_ABI_VERSION, VPX_ERROR_RESILIENT_DEFAULT,
    VPX_FRAME_IS_KEY, vp8e_enc_control_id, vpx_codec_cx_pkt_kind, vpx_codec_enc_cfg_t, vpx_codec_err_t,
    vpx_enc_pass, vpx_image_t, vpx_img_fmt, vpx_kf_mode, vpx_rational, vpx_rc_mode,
};

/// Ticks per second of picture times inside the encoder, that of RTP (RFC 7741 §4.1).
const CLOCK_HZ: u32 = 90_000;

// The rate control of WebRTC's own VP8 encoder (libvpx_vp8_encoder.cc): percentages and milliseconds of buffer.
const UNDERSHOOT_PERCENT: u32 = 100;
const OVERSHOOT_PERCENT: u32 = 15;
const BUFFER_MS: u32 = 1000;
const BUFFER_INITIAL_MS: u32 = 500;
const BUFFER_OPTIMAL_MS: u32 = 600;
/// Buffer fill in percent below which pictures are dropped.
const DROP_THRESHOLD_PERCENT: u32 = 30;
const MIN_QUANTIZER: u32 = 2;
const MAX_QUANTIZER: u32 = 56;
/// Pictures without any keyframe; receivers ask for theirs.
const MAX_KEYFRAME_DISTANCE: u32 = 3000;

/// Smallest and largest side in pixels that VP8 can say (14 bits, RFC 6386 §9.1).
const SIDES: std::ops::RangeInclusive<u32> = 1..=16_383;

/// Encodes VP8 or VP9 with libvpx at a constant bitrate.
pub struct VpxEncoder {
    codec: VpxCodec,
    bitrate: Bitrate,
    /// The highest expected, pictures per second; sets the limit of a keyframe and the assumed length of a picture.
    frame_rate: u32,
    resolution: Resolution,
    cores: usize,
    speed: EncoderSpeed,
    open: Option<Open>,
}

/// A context with the settings it runs on.
struct Open {
    context: Context,
    /// As libvpx counts it.
    kbps: c_uint,
    clock: EvenClock,
}

impl VpxEncoder {
    /// Makes an encoder; libvpx is opened by the first picture.
    ///
    /// Errors when a side is 0 or above 16383 pixels.
    pub fn new(
        codec: VpxCodec,
        resolution: Resolution,
        bitrate: Bitrate,
        frame_rate: u32,
    ) -> Result<Self, CodecError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut encoder = Self {
            codec,
            bitrate,
            frame_rate: frame_rate.max(1),
            resolution,
            cores,
            speed: EncoderSpeed::default(),
            open: None,
        };
        encoder.set_resolution(resolution)?;
        Ok(encoder)
    }

    fn open(&self) -> Result<Open, CodecError> {
        let config = self.config()?;
        let interface = self.codec.encoder_interface();
        let context = Context::initialise(self.codec, |raw| {
            // SAFETY: `raw` is a zeroed context, the interface is static, libvpx copies what it keeps of `config`.
            unsafe {
                vpx_sys::vpx_codec_enc_init_ver(raw, interface, &config, 0, VPX_ENCODER_ABI_VERSION as c_int)
            }
        })?;
        let mut open = Open {
            context,
            kbps: kbps(self.bitrate),
            clock: EvenClock::new(CLOCK_HZ, Duration::from_secs(1) / self.frame_rate),
        };
        self.control(&mut open.context)?;
        Ok(open)
    }

    fn config(&self) -> Result<vpx_codec_enc_cfg_t, CodecError> {
        let mut config = MaybeUninit::<vpx_codec_enc_cfg_t>::uninit();
        // SAFETY: the interface is static and `config` is writable.
        let result = unsafe {
            vpx_sys::vpx_codec_enc_config_default(self.codec.encoder_interface(), config.as_mut_ptr(), 0)
        };
        if result != vpx_codec_err_t::VPX_CODEC_OK {
            return Err(CodecError::Failed {
                codec: self.codec.name(),
                why: format!("default settings: {}", super::text_of(result)),
            });
        }
        // SAFETY: on success libvpx has written the whole structure.
        let mut config = unsafe { config.assume_init() };
        self.configure(&mut config);
        Ok(config)
    }

    fn configure(&self, config: &mut vpx_codec_enc_cfg_t) {
        config.g_w = self.resolution.width;
        config.g_h = self.resolution.height;
        config.g_threads = threads(self.resolution, self.cores);
        config.g_timebase = vpx_rational {
            num: 1,
            den: CLOCK_HZ as c_int,
        };
        config.g_error_resilient = VPX_ERROR_RESILIENT_DEFAULT;
        config.g_pass = vpx_enc_pass::VPX_RC_ONE_PASS;
        config.g_lag_in_frames = 0;
        config.rc_dropframe_thresh = DROP_THRESHOLD_PERCENT;
        config.rc_resize_allowed = 0;
        config.rc_end_usage = vpx_rc_mode::VPX_CBR;
        config.rc_target_bitrate = kbps(self.bitrate);
        config.rc_min_quantizer = MIN_QUANTIZER;
        config.rc_max_quantizer = MAX_QUANTIZER;
        config.rc_undershoot_pct = UNDERSHOOT_PERCENT;
        config.rc_overshoot_pct = OVERSHOOT_PERCENT;
        config.rc_buf_sz = BUFFER_MS;
        config.rc_buf_initial_sz = BUFFER_INITIAL_MS;
        config.rc_buf_optimal_sz = BUFFER_OPTIMAL_MS;
        config.kf_mode = vpx_kf_mode::VPX_KF_AUTO;
        config.kf_max_dist = MAX_KEYFRAME_DISTANCE;
    }

    fn control(&self, context: &mut Context) -> Result<(), CodecError> {
        use vp8e_enc_control_id::*;
        let max_intra = max_intra_percent(self.frame_rate);
        control(context, VP8E_SET_CPUUSED, self.cpu_used())?;
        match self.codec {
            VpxCodec::Vp8 => {
                control(context, VP8E_SET_NOISE_SENSITIVITY, 0)?;
                control(context, VP8E_SET_TOKEN_PARTITIONS, 0)?;
                control(context, VP8E_SET_SCREEN_CONTENT_MODE, 0)?;
            }
            VpxCodec::Vp9 => {
                control(context, VP9E_SET_AQ_MODE, AQ_MODE::CYCLIC_REFRESH_AQ as c_int)?;
                control(context, VP9E_SET_ROW_MT, 1)?;
                control(
                    context,
                    VP9E_SET_TILE_COLUMNS,
                    threads(self.resolution, self.cores).ilog2() as c_int,
                )?;
            }
        }
        // Macroblocks that hardly change are left out; 1 is WebRTC's value for camera pictures.
        control(context, VP8E_SET_STATIC_THRESHOLD, 1)?;
        control(context, VP8E_SET_MAX_INTRA_BITRATE_PCT, max_intra)
    }

    /// As libvpx wants it: VP8 takes the negative of a fixed speed.
    fn cpu_used(&self) -> c_int {
        let magnitude = cpu_used(self.codec, self.resolution, self.speed);
        match self.codec {
            VpxCodec::Vp8 => -magnitude,
            VpxCodec::Vp9 => magnitude,
        }
    }
}

impl VideoEncoder for VpxEncoder {
    fn encode(
        &mut self,
        frame: &VideoFrame,
        force_keyframe: bool,
    ) -> Result<Option<EncodedPicture>, CodecError> {
        let picture = &frame.picture;
        if picture.resolution() != self.resolution {
            return Err(CodecError::Settings {
                codec: self.codec.name(),
                what: format!(
                    "a picture of {} while set to {}",
                    picture.resolution(),
                    self.resolution
                ),
            });
        }
        let length = u64::from(CLOCK_HZ / self.frame_rate);
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.open()?,
        };
        let encoded = open.encode(picture, frame.captured_at, length, force_keyframe)?;
        // Not reached after an error: then the next picture opens libvpx anew, which makes it a keyframe.
        self.open = Some(open);
        Ok(encoded)
    }

    fn set_bitrate(&mut self, bitrate: Bitrate) -> Result<(), CodecError> {
        self.bitrate = bitrate;
        if self.open.as_ref().is_none_or(|open| open.kbps == kbps(bitrate)) {
            return Ok(());
        }
        let config = self.config()?;
        let Some(open) = &mut self.open else { return Ok(()) };
        open.kbps = kbps(bitrate);
        // SAFETY: the context is initialised; libvpx copies the settings.
        let result = unsafe { vpx_sys::vpx_codec_enc_config_set(open.context.raw(), &config) };
        open.context.check("new bitrate", result)
    }

    fn set_resolution(&mut self, resolution: Resolution) -> Result<(), CodecError> {
        if !SIDES.contains(&resolution.width) || !SIDES.contains(&resolution.height) {
            return Err(CodecError::Settings {
                codec: self.codec.name(),
                what: format!("a size of {resolution}"),
            });
        }
        if resolution != self.resolution {
            self.resolution = resolution;
            // libvpx cannot grow beyond its first size, and speed and threads depend on it.
            self.open = None;
        }
        Ok(())
    }

    fn set_speed(&mut self, speed: EncoderSpeed) -> Result<(), CodecError> {
        if speed == self.speed {
            return Ok(());
        }
        self.speed = speed;
        let cpu_used = self.cpu_used();
        match &mut self.open {
            Some(open) => control(&mut open.context, vp8e_enc_control_id::VP8E_SET_CPUUSED, cpu_used),
            None => Ok(()),
        }
    }

    fn implementation(&self) -> &'static str {
        "libvpx"
    }
}

impl Open {
    fn encode(
        &mut self,
        picture: &I420,
        captured_at: Instant,
        length: u64,
        force_keyframe: bool,
    ) -> Result<Option<EncodedPicture>, CodecError> {
        let image = wrap(picture);
        let tick = self.clock.handle_picture(captured_at);
        let flags = if force_keyframe { VPX_EFLAG_FORCE_KF } else { 0 };
        // SAFETY: the context is initialised; the planes of `image` are those of `picture`, of the configured size, and
        // libvpx only reads them, during this call (no lag).
        let result = unsafe {
            vpx_sys::vpx_codec_encode(
                self.context.raw(),
                &image,
                tick,
                length as _,
                flags as _,
                VPX_DL_REALTIME as _,
            )
        };
        self.context.check("encoding", result)?;
        Ok(self.packet())
    }

    fn packet(&mut self) -> Option<EncodedPicture> {
        let mut iterator = ptr::null();
        let mut encoded = None;
        loop {
            // SAFETY: the context is initialised; `iterator` began as null, as libvpx wants it.
            let packet =
                unsafe { vpx_sys::vpx_codec_get_cx_data(self.context.raw(), &mut iterator).as_ref() };
            let Some(packet) = packet else { return encoded };
            if packet.kind != vpx_codec_cx_pkt_kind::VPX_CODEC_CX_FRAME_PKT {
                continue;
            }
            // SAFETY: the kind says which member of the union is valid; `buf` has `sz` bytes until the next call.
            let (frame, bytes) = unsafe {
                let frame = packet.data.frame;
                (
                    frame,
                    std::slice::from_raw_parts(frame.buf.cast::<u8>(), frame.sz as usize),
                )
            };
            encoded = Some(EncodedPicture {
                payload: Bytes::copy_from_slice(bytes),
                keyframe: frame.flags & VPX_FRAME_IS_KEY != 0,
            });
        }
    }
}

fn control(context: &mut Context, what: vp8e_enc_control_id, value: c_int) -> Result<(), CodecError> {
    // SAFETY: the context is an initialised encoder and each control used here takes one int or unsigned int.
    let result = unsafe { vpx_sys::vpx_codec_control_(context.raw(), what as c_int, value) };
    context.check("a control", result)
}

/// Describes the picture to libvpx without copying it.
fn wrap(picture: &I420) -> vpx_image_t {
    let Resolution { width, height } = picture.resolution();
    let chroma_width = picture.chroma_width() as c_int;
    let (y, u, v) = picture.planes();
    let plane = |plane: &[u8]| plane.as_ptr().cast_mut();
    vpx_image_t {
        fmt: vpx_img_fmt::VPX_IMG_FMT_I420,
        w: width,
        h: height,
        d_w: width,
        d_h: height,
        bit_depth: 8,
        bps: 12,
        x_chroma_shift: 1,
        y_chroma_shift: 1,
        planes: [plane(y), plane(u), plane(v), ptr::null_mut()],
        stride: [width as c_int, chroma_width, chroma_width, 0],
        ..vpx_image_t::default()
    }
}

/// Magnitude of cpu-used. At 720p VP8 takes 12 ms a picture at 4, 7 ms at 6 and 5.8 ms at 8, with the same PSNR to
/// 0.3 dB (measured); small pictures are cheap, so they get the better search.
/// Each step of speed is two steps of VP8's and one of VP9's, up to where libvpx gets no faster.
fn cpu_used(codec: VpxCodec, resolution: Resolution, speed: EncoderSpeed) -> c_int {
    let small = resolution.pixels() <= 352 * 288;
    let large = resolution.pixels() >= 1280 * 720;
    let steps = match speed {
        EncoderSpeed::Usual => 0,
        EncoderSpeed::Fast => 1,
        EncoderSpeed::Fastest => 2,
    };
    match codec {
        VpxCodec::Vp8 if small => 4 + 2 * steps,
        VpxCodec::Vp8 if large => 8 + 2 * steps,
        VpxCodec::Vp8 => 6 + 2 * steps,
        VpxCodec::Vp9 if large => (8 + steps).min(9),
        VpxCodec::Vp9 => 7 + steps,
    }
}

/// Encoder threads. A second one costs 50 to 110 % more CPU time at 720p (measured), so it is taken only where cores
/// are left for it.
fn threads(resolution: Resolution, cores: usize) -> c_uint {
    match resolution.pixels() {
        0..921_600 => 1,
        921_600..2_073_600 if cores >= 4 => 2,
        2_073_600.. if cores >= 8 => 4,
        2_073_600.. if cores >= 4 => 2,
        _ => 1,
    }
}

/// Largest keyframe in percent of an average picture: half of the optimal buffer, as WebRTC's encoder does it.
fn max_intra_percent(frame_rate: u32) -> c_int {
    let percent = BUFFER_OPTIMAL_MS / 2 * frame_rate / 10;
    percent.max(300) as c_int
}

/// libvpx counts in kbit/s and cannot do 0.
fn kbps(bitrate: Bitrate) -> c_uint {
    bitrate.as_kbps().clamp(1, 1_000_000) as c_uint
}
