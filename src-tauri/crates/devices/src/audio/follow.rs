//! Holds the stream of a sound device on a thread of its own, and goes with the system's default device.

use super::format::Direction;
use super::host::{self, SoundHost};
use super::open::{self, Found};
#[cfg(target_os = "linux")]
use super::pulse::{Connection, ServerStream};
use super::realtime::Counters;
use crate::thread::{self, DeviceThread, StopSignal};
use ahoy_media::device::{AudioFormat, DeviceError};
use cpal::traits::StreamTrait;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// What an end must be able to do on this system.
#[cfg(not(target_os = "linux"))]
use self::End as SystemEnd;
#[cfg(target_os = "linux")]
use super::pulse::ServerEnd as SystemEnd;

/// How often the system is asked what became of its devices: a change is followed in 300 ms, of which opening takes some.
const LOOK: Duration = Duration::from_millis(200);

/// A running stream, seen from the thread that reads or writes it.
#[derive(Debug)]
pub(super) struct Opened<R> {
    pub(super) format: AudioFormat,
    /// This side's end of the ring.
    pub(super) ring: R,
    pub(super) counters: Arc<Counters>,
}

/// An open device.
pub(super) struct Device<R> {
    pub(super) opened: Opened<R>,
    pub(super) moves: Moves<R>,
    pub(super) thread: DeviceThread,
}

/// Says where the streams go on.
pub(super) type Moves<R> = Receiver<Opened<R>>;

/// The callback's end of a device, made for its format.
pub(super) trait End: Sized + Send + 'static {
    const DIRECTION: Direction;
    const THREAD: &'static str;
    /// The other end.
    type Ring: Send + 'static;

    fn make(format: AudioFormat) -> (Self, Opened<Self::Ring>);

    /// Opens a stream of the system, not yet running.
    fn open(self, found: &Found, counters: Arc<Counters>) -> Result<cpal::Stream, DeviceError>;
}

#[cfg(not(target_os = "linux"))]
pub(super) use self::End as Hold;
/// What the thread says once: the open device, or why there is none.
type Told<R> = SyncSender<Result<Opened<R>, DeviceError>>;

/// Opens a device by id or name, or the system's default, which is followed: each further stream comes by [`Moves`].
pub(super) fn hold<E: SystemEnd>(name: Option<&str>) -> Result<Device<E::Ring>, DeviceError> {
    let name = name.map(str::to_owned);
    let (move_tx, moves) = sync_channel(1);
    let kind = open::kind_of(E::DIRECTION);
    let (opened, thread) = thread::start(E::THREAD, kind, move |told, stop| match SoundHost::new() {
        #[cfg(target_os = "linux")]
        SoundHost::Server(server) => hold_on_server::<E>(server, name.as_deref(), &told, &stop),
        SoundHost::System(host) => hold_on_system::<E>(&host, name.as_deref(), &told, &move_tx, &stop),
    })?;
    Ok(Device {
        opened,
        moves,
        thread,
    })
}

/// The server follows its default by itself.
#[cfg(target_os = "linux")]
fn hold_on_server<E: SystemEnd>(
    server: Connection,
    name: Option<&str>,
    told: &Told<E::Ring>,
    stop: &StopSignal,
) {
    let id = name.map(|name| {
        let devices = server.devices(E::DIRECTION);
        let by_id = devices.iter().find(|device| device.id == name);
        let named = || {
            devices
                .iter()
                .find(|device| device.name.eq_ignore_ascii_case(name))
        };
        by_id.or_else(named).map_or(name, |device| &device.id).to_owned()
    });
    let (end, opened) = E::make(ServerStream::<E>::FORMAT);
    match ServerStream::open(server, id.as_deref(), end, Arc::clone(&opened.counters)) {
        Ok(mut stream) => {
            // A failed send means that the owner has given up; the device is closed then.
            if told.send(Ok(opened)).is_ok() {
                while !stop.wait_for(LOOK) {
                    stream.look();
                }
            }
        }
        Err(error) => drop(told.send(Err(error))),
    }
}

fn hold_on_system<E: End>(
    host: &cpal::Host,
    name: Option<&str>,
    told: &Told<E::Ring>,
    moves: &SyncSender<Opened<E::Ring>>,
    stop: &StopSignal,
) {
    let first = open::find(host, E::DIRECTION, name).and_then(|found| start::<E>(&found));
    match first {
        Ok((opened, held)) => {
            if told.send(Ok(opened)).is_err() {
                return;
            }
            match name {
                None => follow_default::<E>(held, host, moves, stop),
                Some(_) => while !stop.wait_for(LOOK) {},
            }
        }
        Err(error) => drop(told.send(Err(error))),
    }
}

/// A stream of the system, and the device it is on.
type Held = (Option<cpal::DeviceId>, cpal::Stream);

fn start<E: End>(found: &Found) -> Result<(Opened<E::Ring>, Held), DeviceError> {
    let (end, opened) = E::make(found.format());
    let stream = end.open(found, Arc::clone(&opened.counters))?;
    stream
        .play()
        .map_err(|error| open::device_error(open::kind_of(E::DIRECTION), &error))?;
    Ok((opened, (found.id(), stream)))
}

/// Until the owner is gone.
fn follow_default<E: End>(
    mut held: Held,
    host: &cpal::Host,
    moves: &SyncSender<Opened<E::Ring>>,
    stop: &StopSignal,
) {
    while !stop.wait_for(LOOK) {
        let Some(default) = host::default_device(host, E::DIRECTION) else {
            continue;
        };
        if open::id_of(&default) == held.0 {
            continue;
        }
        match Found::new(default, E::DIRECTION).and_then(|found| start::<E>(&found)) {
            Ok((opened, next)) => {
                tracing::info!(from = ?held.0, to = ?next.0, "the default sound device changed");
                // Full only while the reader stands still; then the change is found again at the next look.
                if moves.try_send(opened).is_ok() {
                    held = next;
                }
            }
            Err(error) => tracing::debug!(%error, "the new default sound device cannot be opened yet"),
        }
    }
}
