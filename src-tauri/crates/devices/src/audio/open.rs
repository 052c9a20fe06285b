//! Finds a sound device and opens its stream; runs on the device's own thread.

use super::format::{self, Direction};
use super::host;
use super::realtime::{CaptureState, Counters, PlaybackState, capture, playback};
use ahoy_media::device::{AudioFormat, DeviceError, DeviceKind};
use ahoy_media::units::SampleRate;
use cpal::traits::{DeviceTrait, HostTrait};
use cpal::{
    BufferSize, ErrorKind, FromSample, SampleFormat, SizedSample, StreamConfig, SupportedBufferSize,
    SupportedStreamConfig,
};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A device with the format it will be opened with.
pub(super) struct Found {
    device: cpal::Device,
    config: SupportedStreamConfig,
}

impl Found {
    /// Errors: the device is gone, or has nothing that can be used.
    pub(super) fn new(device: cpal::Device, direction: Direction) -> Result<Self, DeviceError> {
        let kind = kind_of(direction);
        let ranges: Vec<_> = match direction {
            Direction::Input => device.supported_input_configs().map(Iterator::collect),
            Direction::Output => device.supported_output_configs().map(Iterator::collect),
        }
        .map_err(|error| device_error(kind, &error))?;
        let config = format::choose(direction, &ranges).ok_or_else(|| DeviceError::Unusable {
            kind,
            why: "it has no format of plain samples".to_owned(),
        })?;
        Ok(Self { device, config })
    }

    pub(super) fn id(&self) -> Option<cpal::DeviceId> {
        id_of(&self.device)
    }

    pub(super) fn format(&self) -> AudioFormat {
        AudioFormat {
            rate: SampleRate::from_hz(self.config.sample_rate()),
            channels: self.config.channels(),
        }
    }
}

/// Finds a device by id or name, or the default one.
pub(super) fn find(
    host: &cpal::Host,
    direction: Direction,
    name: Option<&str>,
) -> Result<Found, DeviceError> {
    let kind = kind_of(direction);
    let not_found = || DeviceError::NotFound {
        kind,
        name: name.unwrap_or("default").to_owned(),
    };
    let device = match name {
        None => host::default_device(host, direction),
        Some(name) => host
            .devices()
            .map_err(|error| device_error(kind, &error))?
            .filter(|device| direction.is_of(device))
            .find(|device| is_named(device, name)),
    };
    let device = device.ok_or_else(not_found)?;
    Found::new(device, direction).map_err(|error| match error {
        DeviceError::Lost(_) => not_found(),
        other => other,
    })
}

fn is_named(device: &cpal::Device, name: &str) -> bool {
    let by_id = device
        .id()
        .is_ok_and(|id| id.to_string() == name || id.id() == name);
    by_id
        || device
            .description()
            .is_ok_and(|description| description.name().eq_ignore_ascii_case(name))
}

pub(super) fn id_of(device: &cpal::Device) -> Option<cpal::DeviceId> {
    device.id().ok()
}

/// Opens a microphone's stream, not yet running.
pub(super) fn open_capture(
    found: &Found,
    state: CaptureState,
    counters: Arc<Counters>,
) -> Result<cpal::Stream, DeviceError> {
    fn of<T>(
        found: &Found,
        mut state: CaptureState,
        counters: Arc<Counters>,
    ) -> Result<cpal::Stream, cpal::Error>
    where
        T: SizedSample,
        f32: FromSample<T>,
    {
        let callback = move |samples: &[T], _: &cpal::InputCallbackInfo| capture(&mut state, samples);
        found
            .device
            .build_input_stream(stream_config(&found.config), callback, on_error(counters), None)
    }
    let open = match found.config.sample_format() {
        SampleFormat::I8 => of::<i8>,
        SampleFormat::I16 => of::<i16>,
        SampleFormat::I24 => of::<cpal::I24>,
        SampleFormat::I32 => of::<i32>,
        SampleFormat::I64 => of::<i64>,
        SampleFormat::U8 => of::<u8>,
        SampleFormat::U16 => of::<u16>,
        SampleFormat::U24 => of::<cpal::U24>,
        SampleFormat::U32 => of::<u32>,
        SampleFormat::U64 => of::<u64>,
        SampleFormat::F64 => of::<f64>,
        _ => of::<f32>,
    };
    open(found, state, counters).map_err(|error| device_error(DeviceKind::Microphone, &error))
}

/// Opens a speaker's stream, not yet running.
pub(super) fn open_playback(
    found: &Found,
    state: PlaybackState,
    counters: Arc<Counters>,
) -> Result<cpal::Stream, DeviceError> {
    fn of<T: SizedSample + FromSample<f32>>(
        found: &Found,
        mut state: PlaybackState,
        counters: Arc<Counters>,
    ) -> Result<cpal::Stream, cpal::Error> {
        let callback = move |out: &mut [T], _: &cpal::OutputCallbackInfo| playback(&mut state, out);
        found
            .device
            .build_output_stream(stream_config(&found.config), callback, on_error(counters), None)
    }
    let open = match found.config.sample_format() {
        SampleFormat::I8 => of::<i8>,
        SampleFormat::I16 => of::<i16>,
        SampleFormat::I24 => of::<cpal::I24>,
        SampleFormat::I32 => of::<i32>,
        SampleFormat::I64 => of::<i64>,
        SampleFormat::U8 => of::<u8>,
        SampleFormat::U16 => of::<u16>,
        SampleFormat::U24 => of::<cpal::U24>,
        SampleFormat::U32 => of::<u32>,
        SampleFormat::U64 => of::<u64>,
        SampleFormat::F64 => of::<f64>,
        _ => of::<f32>,
    };
    open(found, state, counters).map_err(|error| device_error(DeviceKind::Speaker, &error))
}

/// 10 ms a period where the device allows it: half a packet, so capture adds little delay.
fn stream_config(config: &SupportedStreamConfig) -> StreamConfig {
    let period = config.sample_rate() / 100;
    let buffer_size = match config.buffer_size() {
        SupportedBufferSize::Range { min, max }
            if (*min..=*max).contains(&(2 * period)) && *min <= period =>
        {
            BufferSize::Fixed(period)
        }
        SupportedBufferSize::Range { .. } | SupportedBufferSize::Unknown => BufferSize::Default,
    };
    StreamConfig {
        channels: config.channels(),
        sample_rate: config.sample_rate(),
        buffer_size,
    }
}

/// Runs on the driver's thread, so it only sets a flag. A stream that the system moved to another device goes on; an
/// overrun or underrun in the driver shows as a gap and is no reason to stop.
fn on_error(counters: Arc<Counters>) -> impl FnMut(cpal::Error) + Send + 'static {
    move |error| match error.kind() {
        ErrorKind::DeviceNotAvailable
        | ErrorKind::StreamInvalidated
        | ErrorKind::HostUnavailable
        | ErrorKind::PermissionDenied => counters.lost.store(true, Ordering::Release),
        _ => {}
    }
}

pub(super) fn device_error(kind: DeviceKind, error: &cpal::Error) -> DeviceError {
    match error.kind() {
        ErrorKind::DeviceBusy => DeviceError::Busy(kind),
        ErrorKind::PermissionDenied => DeviceError::PermissionDenied(kind),
        ErrorKind::DeviceNotAvailable | ErrorKind::HostUnavailable => DeviceError::Lost(kind),
        _ => DeviceError::Unusable {
            kind,
            why: error.to_string(),
        },
    }
}

pub(super) fn kind_of(direction: Direction) -> DeviceKind {
    match direction {
        Direction::Input => DeviceKind::Microphone,
        Direction::Output => DeviceKind::Speaker,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(min: u32, max: u32) -> SupportedStreamConfig {
        SupportedStreamConfig::new(
            1,
            48_000,
            SupportedBufferSize::Range { min, max },
            SampleFormat::F32,
        )
    }

    #[test]
    fn a_period_is_ten_milliseconds_where_the_device_allows_it() {
        assert_eq!(
            stream_config(&config(16, 96_000)).buffer_size,
            BufferSize::Fixed(480)
        );
        assert_eq!(
            stream_config(&config(1024, 96_000)).buffer_size,
            BufferSize::Default
        );
        assert_eq!(stream_config(&config(16, 500)).buffer_size, BufferSize::Default);
    }

    #[test]
    fn only_a_gone_device_is_lost() {
        for (kind, lost) in [
            (ErrorKind::DeviceNotAvailable, true),
            (ErrorKind::StreamInvalidated, true),
            (ErrorKind::Xrun, false),
            (ErrorKind::DeviceChanged, false),
            (ErrorKind::RealtimeDenied, false),
        ] {
            let counters = Arc::new(Counters::default());
            on_error(Arc::clone(&counters))(kind.into());
            assert_eq!(counters.lost.load(Ordering::Acquire), lost, "{kind:?}");
        }
    }
}
