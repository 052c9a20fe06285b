//! One stream of the server, serviced on the library's thread.

use super::connection::{Connection, signal};
use super::devices::named_outside;
use crate::audio::follow::End;
use crate::audio::format::Direction;
use crate::audio::open::kind_of;
use crate::audio::realtime::{CaptureState, Counters, PlaybackState, capture, playback};
use ahoy_media::device::{AudioFormat, DeviceError};
use ahoy_media::units::SampleRate;
use libpulse_sys as sys;
use std::ffi::{CStr, CString, c_void};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What one callback of a microphone brings; half a packet, so that it ends together with the packet.
const FRAGMENT: Duration = Duration::from_millis(10);

/// What one callback of a speaker takes: short, because this side keeps that much ahead of it.
const REQUEST: Duration = Duration::from_millis(5);

/// What the server keeps for a speaker: what plays, what comes, and one request for its own lateness. It keeps more by
/// itself where a sound card cannot do with so little.
const SERVER_BUFFER: Duration = Duration::from_millis(15);

/// The callback's end of a device.
pub(in crate::audio) trait ServerEnd: End {
    /// What a voice needs of a microphone, and a room of a speaker; the server converts.
    const CHANNELS: u16;

    /// Moves what the server has or wants; on the library's thread, and bound by the rules of such callbacks.
    fn service(&mut self, stream: *mut sys::pa_stream, bytes: usize);
}

/// Owned by the stream, used by the library's thread.
struct Callback<E> {
    end: E,
    mainloop: *mut sys::pa_threaded_mainloop,
    counters: Arc<Counters>,
    moved: AtomicBool,
}

/// A running stream; dropping it releases the device.
pub(in crate::audio) struct ServerStream<E: ServerEnd> {
    connection: Connection,
    stream: *mut sys::pa_stream,
    callback: *mut Callback<E>,
    /// The device it was seen on last.
    device: String,
}

// SAFETY: both pointers are used under the connection's lock, but for `moved`, which is atomic.
unsafe impl<E: ServerEnd> Send for ServerStream<E> {}

impl<E: ServerEnd> ServerStream<E> {
    /// What every stream here carries.
    pub(in crate::audio) const FORMAT: AudioFormat = AudioFormat {
        rate: SampleRate::HZ_48000,
        channels: E::CHANNELS,
    };

    /// Opens the device of this id, or the server's default, and runs when it returns.
    pub(in crate::audio) fn open(
        connection: Connection,
        id: Option<&str>,
        end: E,
        counters: Arc<Counters>,
    ) -> Result<Self, DeviceError> {
        let kind = kind_of(E::DIRECTION);
        let not_found = || DeviceError::NotFound {
            kind,
            name: id.unwrap_or("default").to_owned(),
        };
        let device = id.map(CString::new).transpose().map_err(|_| not_found())?;
        let callback = Box::into_raw(Box::new(Callback {
            end,
            mainloop: connection.mainloop(),
            counters,
            moved: AtomicBool::new(false),
        }));
        let mut this = Self {
            connection,
            stream: ptr::null_mut(),
            callback,
            device: String::new(),
        };
        let locked = this.connection.lock();
        this.stream = new_stream(locked.context(), E::CHANNELS);
        if this.stream.is_null() {
            return Err(locked.error(kind, id));
        }
        if !connect(this.stream, E::DIRECTION, device.as_deref(), callback) {
            return Err(locked.error(kind, id));
        }
        let state = || {
            // SAFETY: under the lock.
            unsafe { sys::pa_stream_get_state(this.stream) }
        };
        locked.wait_until(|| state() != sys::PA_STREAM_CREATING);
        if state() != sys::PA_STREAM_READY {
            return Err(locked.error(kind, id));
        }
        drop(locked);
        this.device = this.current_device();
        // A server without a microphone offers what a speaker plays, which nobody would want to send.
        let unasked = id.is_none() && named_outside(E::DIRECTION).is_none();
        if matches!(E::DIRECTION, Direction::Input) && unasked && this.device.ends_with(".monitor") {
            return Err(not_found());
        }
        Ok(this)
    }

    /// Looks whether the server moved the stream. A device that went away is told as lost, although something plays
    /// on: the person should hear of it, and may not want the next one.
    pub(in crate::audio) fn look(&mut self) {
        // SAFETY: the callback lives as long as the stream, and this part of it is atomic.
        let moved = unsafe { &(*self.callback).moved }.swap(false, Ordering::Relaxed);
        if !moved {
            return;
        }
        let now = self.current_device();
        if now == self.device {
            return;
        }
        let before = std::mem::replace(&mut self.device, now);
        let is_there = self
            .connection
            .devices(E::DIRECTION)
            .iter()
            .any(|device| device.id == before);
        tracing::info!(
            from = before,
            to = self.device,
            is_there,
            "the server moved a stream"
        );
        if !is_there {
            // SAFETY: the counters are atomic.
            unsafe { &(*self.callback).counters }
                .lost
                .store(true, Ordering::Release);
        }
    }

    fn current_device(&self) -> String {
        let _locked = self.connection.lock();
        // SAFETY: under the lock; the name is copied before it is given up.
        unsafe {
            let name = sys::pa_stream_get_device_name(self.stream);
            if name.is_null() {
                return String::new();
            }
            CStr::from_ptr(name).to_string_lossy().into_owned()
        }
    }
}

impl<E: ServerEnd> Drop for ServerStream<E> {
    fn drop(&mut self) {
        if !self.stream.is_null() {
            let _locked = self.connection.lock();
            // SAFETY: under the lock; no callback is called any more when the lock is given up.
            unsafe {
                sys::pa_stream_set_state_callback(self.stream, None, ptr::null_mut());
                sys::pa_stream_set_moved_callback(self.stream, None, ptr::null_mut());
                sys::pa_stream_set_read_callback(self.stream, None, ptr::null_mut());
                sys::pa_stream_set_write_callback(self.stream, None, ptr::null_mut());
                sys::pa_stream_disconnect(self.stream);
                sys::pa_stream_unref(self.stream);
            }
        }
        // SAFETY: made by `into_raw`, and nobody else has it now.
        drop(unsafe { Box::from_raw(self.callback) });
    }
}

/// A stream of 32-bit samples, known to the server as that of a call: it then lets a Bluetooth headset use its
/// microphone, and may lower music.
fn new_stream(context: *mut sys::pa_context, channels: u16) -> *mut sys::pa_stream {
    let spec = sys::pa_sample_spec {
        format: sys::PA_SAMPLE_FLOAT32NE,
        rate: SampleRate::HZ_48000.as_hz(),
        channels: channels as u8,
    };
    // SAFETY: all texts end with a zero, and the list is freed after its last use.
    unsafe {
        let properties = sys::pa_proplist_new();
        sys::pa_proplist_sets(properties, c"media.role".as_ptr(), c"phone".as_ptr());
        let stream = sys::pa_stream_new_with_proplist(
            context,
            c"call".as_ptr(),
            &raw const spec,
            ptr::null(),
            properties,
        );
        sys::pa_proplist_free(properties);
        stream
    }
}

/// Asks the server for the stream; false when it could not even be asked.
fn connect<E: ServerEnd>(
    stream: *mut sys::pa_stream,
    direction: Direction,
    device: Option<&CStr>,
    callback: *mut Callback<E>,
) -> bool {
    const LEFT_TO_SERVER: u32 = u32::MAX;
    let bytes = |time| (SampleRate::HZ_48000.samples_in(time) * usize::from(E::CHANNELS) * SAMPLE) as u32;
    let buffer = sys::pa_buffer_attr {
        maxlength: LEFT_TO_SERVER,
        tlength: bytes(SERVER_BUFFER),
        // Plays at once, and goes on by itself after it ran dry.
        prebuf: 0,
        minreq: bytes(REQUEST),
        fragsize: bytes(FRAGMENT),
    };
    let device = device.map_or(ptr::null(), CStr::as_ptr);
    let to = callback.cast();
    // SAFETY: under the lock of the caller; `callback` lives until the callbacks are taken off again.
    let status = unsafe {
        sys::pa_stream_set_state_callback(stream, Some(on_state::<E>), to);
        sys::pa_stream_set_moved_callback(stream, Some(on_moved::<E>), to);
        match direction {
            Direction::Input => {
                sys::pa_stream_set_read_callback(stream, Some(on_request::<E>), to);
                sys::pa_stream_connect_record(
                    stream,
                    device,
                    &raw const buffer,
                    sys::PA_STREAM_ADJUST_LATENCY,
                )
            }
            Direction::Output => {
                sys::pa_stream_set_write_callback(stream, Some(on_request::<E>), to);
                sys::pa_stream_connect_playback(
                    stream,
                    device,
                    &raw const buffer,
                    sys::PA_STREAM_ADJUST_LATENCY,
                    ptr::null(),
                    ptr::null_mut(),
                )
            }
        }
    };
    status >= 0
}

/// Bytes.
const SAMPLE: usize = size_of::<f32>();

extern "C" fn on_request<E: ServerEnd>(stream: *mut sys::pa_stream, bytes: usize, to: *mut c_void) {
    // SAFETY: only this thread uses the end; the stream takes its callbacks off before it frees it.
    let end = unsafe { &mut (*to.cast::<Callback<E>>()).end };
    end.service(stream, bytes);
}

extern "C" fn on_moved<E: ServerEnd>(_: *mut sys::pa_stream, to: *mut c_void) {
    // SAFETY: as above; atomic.
    unsafe { &(*to.cast::<Callback<E>>()).moved }.store(true, Ordering::Relaxed);
}

extern "C" fn on_state<E: ServerEnd>(stream: *mut sys::pa_stream, to: *mut c_void) {
    // SAFETY: as above; what is used here is atomic or never changes.
    let (state, counters, mainloop) = unsafe {
        let callback = to.cast::<Callback<E>>();
        let state = sys::pa_stream_get_state(stream);
        (state, &(*callback).counters, (*callback).mainloop)
    };
    if state == sys::PA_STREAM_FAILED || state == sys::PA_STREAM_TERMINATED {
        counters.lost.store(true, Ordering::Release);
    }
    signal(mainloop);
}

impl ServerEnd for CaptureState {
    const CHANNELS: u16 = 1;

    fn service(&mut self, stream: *mut sys::pa_stream, _: usize) {
        loop {
            let (mut data, mut length) = (ptr::null(), 0);
            // SAFETY: on the library's thread, with valid places for the answer.
            let status = unsafe { sys::pa_stream_peek(stream, &raw mut data, &raw mut length) };
            if status < 0 || length == 0 {
                return;
            }
            // A hole in what the server recorded has a length and no data; the next samples close it.
            if !data.is_null() {
                // SAFETY: `length` bytes are valid until `pa_stream_drop`, and every pattern of bits is a sample.
                let bytes = unsafe { std::slice::from_raw_parts(data.cast::<u8>(), length) };
                // SAFETY: as above; memory of the server is aligned, else the ends would be left out.
                let (_, samples, _) = unsafe { bytes.align_to::<f32>() };
                capture(self, samples);
            }
            // SAFETY: what was peeked is given back.
            unsafe { sys::pa_stream_drop(stream) };
        }
    }
}

impl ServerEnd for PlaybackState {
    const CHANNELS: u16 = 2;

    fn service(&mut self, stream: *mut sys::pa_stream, bytes: usize) {
        let mut wanted = bytes;
        while wanted >= SAMPLE * usize::from(Self::CHANNELS) {
            let (mut data, mut length) = (ptr::null_mut(), wanted);
            // SAFETY: on the library's thread, with valid places for the answer.
            let status = unsafe { sys::pa_stream_begin_write(stream, &raw mut data, &raw mut length) };
            if status < 0 || data.is_null() || length == 0 {
                return;
            }
            let length = length.min(wanted);
            // SAFETY: `length` bytes of the server's memory may be written until `pa_stream_write`; the memory is
            // aligned, and made so by whole frames.
            let samples = unsafe { std::slice::from_raw_parts_mut(data.cast::<f32>(), length / SAMPLE) };
            playback(self, samples);
            // SAFETY: the memory is that of `pa_stream_begin_write`, given back whole or in part.
            let status =
                unsafe { sys::pa_stream_write(stream, data, length, None, 0, sys::PA_SEEK_RELATIVE) };
            if status < 0 {
                return;
            }
            wanted -= length;
        }
    }
}
