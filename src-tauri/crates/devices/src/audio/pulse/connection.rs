//! A connection to the server: the library's thread, its lock, and waiting under it.

use ahoy_media::device::{DeviceError, DeviceKind};
use libpulse_sys as sys;
use std::ffi::{CStr, c_void};
use std::ptr;

/// What the server shows of this program.
const NAME: &CStr = c"Ahoy";

/// Owns the library's thread; dropping it ends the connection and every stream on it.
pub(crate) struct Connection {
    mainloop: *mut sys::pa_threaded_mainloop,
    context: *mut sys::pa_context,
}

// SAFETY: both objects are used by other threads under the mainloop's lock only.
unsafe impl Send for Connection {}

/// The library's lock, until dropped.
pub(super) struct Locked<'a>(&'a Connection);

impl Connection {
    /// `None` when there is no server, or it does not let us in.
    pub(in crate::audio) fn open() -> Option<Self> {
        // SAFETY: plain constructors; every pointer is checked, and freed by `drop` from here on.
        let this = unsafe {
            let mainloop = sys::pa_threaded_mainloop_new();
            if mainloop.is_null() {
                return None;
            }
            let context = sys::pa_context_new(sys::pa_threaded_mainloop_get_api(mainloop), NAME.as_ptr());
            if context.is_null() {
                sys::pa_threaded_mainloop_free(mainloop);
                return None;
            }
            Self { mainloop, context }
        };
        // SAFETY: the callback is given the mainloop, which outlives the context. The thread starts when all is set.
        unsafe {
            sys::pa_context_set_state_callback(this.context, Some(on_context), this.mainloop.cast());
            // A server that is not there is not started: nobody could tell which one a system wants.
            let connected = sys::pa_context_connect(
                this.context,
                ptr::null(),
                sys::PA_CONTEXT_NOAUTOSPAWN,
                ptr::null(),
            );
            if connected < 0 || sys::pa_threaded_mainloop_start(this.mainloop) < 0 {
                return None;
            }
        }
        let locked = this.lock();
        locked.wait_until(|| locked.is_ready() || !locked.is_alive());
        let ready = locked.is_ready();
        drop(locked);
        ready.then_some(this)
    }

    pub(super) fn lock(&self) -> Locked<'_> {
        // SAFETY: never called on the library's own thread, which holds the lock already.
        unsafe { sys::pa_threaded_mainloop_lock(self.mainloop) };
        Locked(self)
    }

    pub(super) fn mainloop(&self) -> *mut sys::pa_threaded_mainloop {
        self.mainloop
    }
}

impl Locked<'_> {
    pub(super) fn context(&self) -> *mut sys::pa_context {
        self.0.context
    }

    /// Waits, with the lock given up meanwhile, until `done`; it is asked after every signal of the library's thread.
    pub(super) fn wait_until(&self, done: impl Fn() -> bool) {
        while !done() {
            // SAFETY: the lock is held once by this thread.
            unsafe { sys::pa_threaded_mainloop_wait(self.0.mainloop) };
        }
    }

    pub(super) fn is_alive(&self) -> bool {
        // SAFETY: under the lock.
        sys::pa_context_is_good(unsafe { sys::pa_context_get_state(self.0.context) })
    }

    fn is_ready(&self) -> bool {
        // SAFETY: under the lock.
        unsafe { sys::pa_context_get_state(self.0.context) == sys::PA_CONTEXT_READY }
    }

    /// Why the last request failed.
    pub(super) fn error(&self, kind: DeviceKind, name: Option<&str>) -> DeviceError {
        // SAFETY: under the lock; the text is static.
        let (code, text) = unsafe {
            let code = sys::pa_context_errno(self.0.context);
            (code, CStr::from_ptr(sys::pa_strerror(code)))
        };
        if code == sys::PA_ERR_NOENTITY as i32 {
            return DeviceError::NotFound {
                kind,
                name: name.unwrap_or("default").to_owned(),
            };
        }
        if code == sys::PA_ERR_ACCESS as i32 {
            return DeviceError::PermissionDenied(kind);
        }
        if code == sys::PA_ERR_BUSY as i32 {
            return DeviceError::Busy(kind);
        }
        DeviceError::Unusable {
            kind,
            why: text.to_string_lossy().into_owned(),
        }
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // SAFETY: the lock was taken by `lock` on this thread.
        unsafe { sys::pa_threaded_mainloop_unlock(self.0.mainloop) };
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: the thread is stopped, without the lock, before what it uses is freed; stopping one that was never
        // started does nothing.
        unsafe {
            sys::pa_threaded_mainloop_stop(self.mainloop);
            sys::pa_context_set_state_callback(self.context, None, ptr::null_mut());
            sys::pa_context_disconnect(self.context);
            sys::pa_context_unref(self.context);
            sys::pa_threaded_mainloop_free(self.mainloop);
        }
    }
}

extern "C" fn on_context(_: *mut sys::pa_context, mainloop: *mut c_void) {
    signal(mainloop.cast());
}

/// Wakes who waits in [`Locked::wait_until`]; on the library's thread.
pub(super) fn signal(mainloop: *mut sys::pa_threaded_mainloop) {
    // SAFETY: callbacks run under the lock and end before the mainloop is freed.
    unsafe { sys::pa_threaded_mainloop_signal(mainloop, 0) };
}
