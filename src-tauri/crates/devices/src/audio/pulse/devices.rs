//! What devices the server has, and which of them is the default.

use super::connection::{Connection, signal};
use crate::audio::format::Direction;
use libpulse_sys as sys;
use std::ffi::{CStr, c_char, c_void};

/// A sink or a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::audio) struct ServerDevice {
    /// As the server calls it.
    pub(in crate::audio) id: String,
    /// For people.
    pub(in crate::audio) name: String,
    /// Its own format, such as `s16le 2 channels 44100 Hz`.
    pub(in crate::audio) format: String,
    /// A source of what a speaker plays.
    pub(in crate::audio) is_monitor: bool,
}

/// What a request gathers; touched under the lock only.
struct Gathered<T> {
    mainloop: *mut sys::pa_threaded_mainloop,
    items: Vec<T>,
    done: bool,
}

impl Connection {
    pub(in crate::audio) fn devices(&self, direction: Direction) -> Vec<ServerDevice> {
        self.gather(|context, gathered| {
            // SAFETY: under the lock; `gathered` outlives the operation, see `gather`.
            unsafe {
                match direction {
                    Direction::Input => {
                        sys::pa_context_get_source_info_list(context, Some(on_source), gathered)
                    }
                    Direction::Output => sys::pa_context_get_sink_info_list(context, Some(on_sink), gathered),
                }
            }
        })
    }

    /// The id of the server's default device; what the environment names goes before it, as for every client.
    pub(in crate::audio) fn default_id(&self, direction: Direction) -> Option<String> {
        if let Some(named) = named_outside(direction) {
            return Some(named);
        }
        let defaults: Vec<[String; 2]> = self.gather(|context, gathered| {
            // SAFETY: as above.
            unsafe { sys::pa_context_get_server_info(context, Some(on_server), gathered) }
        });
        let [sink, source] = defaults.into_iter().next()?;
        let id = match direction {
            Direction::Input => source,
            Direction::Output => sink,
        };
        (!id.is_empty()).then_some(id)
    }

    /// Makes one request and waits for its answers; those of a connection that breaks meanwhile are incomplete.
    fn gather<T>(
        &self,
        request: impl FnOnce(*mut sys::pa_context, *mut c_void) -> *mut sys::pa_operation,
    ) -> Vec<T> {
        let gathered = Box::into_raw(Box::new(Gathered {
            mainloop: self.mainloop(),
            items: Vec::<T>::new(),
            done: false,
        }));
        let locked = self.lock();
        let operation = request(locked.context(), gathered.cast());
        if !operation.is_null() {
            // SAFETY: only touched under the lock, which this thread holds whenever `done` is asked.
            locked.wait_until(|| unsafe { (*gathered).done } || !locked.is_alive());
            // SAFETY: under the lock; after the cancellation no callback comes, so `gathered` is ours alone.
            unsafe {
                sys::pa_operation_cancel(operation);
                sys::pa_operation_unref(operation);
            }
        }
        drop(locked);
        // SAFETY: made by `into_raw` above.
        unsafe { Box::from_raw(gathered) }.items
    }
}

/// What the environment names for every client of such a server.
pub(super) fn named_outside(direction: Direction) -> Option<String> {
    let variable = match direction {
        Direction::Input => "PULSE_SOURCE",
        Direction::Output => "PULSE_SINK",
    };
    std::env::var(variable).ok().filter(|name| !name.is_empty())
}

extern "C" fn on_source(
    _: *mut sys::pa_context,
    info: *const sys::pa_source_info,
    end: i32,
    to: *mut c_void,
) {
    // SAFETY: `info` is valid during the call, or null at the end of the list.
    let device = unsafe { info.as_ref() }.map(|info| ServerDevice {
        id: text(info.name),
        name: text(info.description),
        format: format(&info.sample_spec),
        is_monitor: info.monitor_of_sink != sys::PA_INVALID_INDEX,
    });
    take(to, device, end);
}

extern "C" fn on_sink(_: *mut sys::pa_context, info: *const sys::pa_sink_info, end: i32, to: *mut c_void) {
    // SAFETY: as above.
    let device = unsafe { info.as_ref() }.map(|info| ServerDevice {
        id: text(info.name),
        name: text(info.description),
        format: format(&info.sample_spec),
        is_monitor: false,
    });
    take(to, device, end);
}

extern "C" fn on_server(_: *mut sys::pa_context, info: *const sys::pa_server_info, to: *mut c_void) {
    // SAFETY: as above; null when the request failed.
    let defaults =
        unsafe { info.as_ref() }.map(|info| [text(info.default_sink_name), text(info.default_source_name)]);
    take(to, defaults, 1);
}

/// Adds an answer; a non-zero `end` is the last or an error.
fn take<T>(gathered: *mut c_void, item: Option<T>, end: i32) {
    // SAFETY: `gather` keeps it until no callback can come, and waits under the lock that callbacks hold.
    let gathered = unsafe { &mut *gathered.cast::<Gathered<T>>() };
    gathered.items.extend(item);
    if end != 0 {
        gathered.done = true;
        signal(gathered.mainloop);
    }
}

fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the server's texts end with a zero and live as long as the callback.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

fn format(spec: &sys::pa_sample_spec) -> String {
    // SAFETY: the text is static, or null for a format this library does not know.
    let name = text(unsafe { sys::pa_sample_format_to_string(spec.format) });
    format!("{name} {} channels {} Hz", spec.channels, spec.rate)
}
