//! Between the rate and channels of a device and the 48 kHz of a pipeline, mono or stereo.
//!
//! Both converters take any amount of samples, keep what does not fill a block, and allocate nothing once their
//! buffers have met the largest read.

use super::frame::{mix_to_mono, spread_to_channels};
use crate::device::AudioFormat;
use crate::units::SampleRate;
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{
    Async, Fft, FixedAsync, FixedSync, Resampler, SincInterpolationParameters, SincInterpolationType,
    WindowFunction,
};

/// A format that cannot be converted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot convert {channels} channels at {hz} Hz: {why}")]
pub struct FormatError {
    hz: u32,
    channels: u16,
    why: String,
}

/// From a device to the pipeline.
pub struct FromDevice {
    /// Of the device.
    channels: u16,
    planes: Planes,
}

impl FromDevice {
    /// To mono. Errors: a rate outside 4 to 384 kHz, or no channels.
    pub fn new(format: AudioFormat) -> Result<Self, FormatError> {
        Self::to_channels(format, 1)
    }

    /// To mono or stereo; errors as above.
    pub fn to_channels(format: AudioFormat, channels: u16) -> Result<Self, FormatError> {
        Ok(Self {
            channels: format.channels,
            planes: Planes::new(format, format.rate, SampleRate::HZ_48000, channels)?,
        })
    }

    /// Appends the 48 kHz samples that these interleaved samples of the device complete.
    pub fn convert(&mut self, interleaved: &[f32], at_48k: &mut Vec<f32>) {
        let Planes { planes, .. } = &mut self.planes;
        match &mut planes[..] {
            [mono] => mix_to_mono(interleaved, self.channels, &mut mono.from),
            stereo => {
                let channels = usize::from(self.channels);
                for (n, plane) in stereo.iter_mut().enumerate() {
                    let from = interleaved.iter().skip(n.min(channels - 1)).step_by(channels);
                    plane.from.extend(from);
                }
            }
        }
        self.planes.convert();
        match &self.planes.planes[..] {
            [mono] => at_48k.extend_from_slice(&mono.to),
            stereo => interleave(stereo, stereo.len(), at_48k),
        }
    }
}

/// From the pipeline to a device.
pub struct ToDevice {
    /// Of the device.
    channels: u16,
    /// Of what is converted.
    inside: u16,
    planes: Planes,
}

impl ToDevice {
    /// From mono. Errors: a rate outside 4 to 384 kHz, or no channels.
    pub fn new(format: AudioFormat) -> Result<Self, FormatError> {
        Self::from_channels(format, 1)
    }

    /// From mono or stereo; errors as above.
    pub fn from_channels(format: AudioFormat, channels: u16) -> Result<Self, FormatError> {
        // What has one channel plays the mean.
        let planes = if format.channels == 1 { 1 } else { channels };
        Ok(Self {
            channels: format.channels,
            inside: channels,
            planes: Planes::new(format, SampleRate::HZ_48000, format.rate, planes)?,
        })
    }

    /// Appends the interleaved samples for the device that these 48 kHz samples complete.
    pub fn convert(&mut self, at_48k: &[f32], interleaved: &mut Vec<f32>) {
        match &mut self.planes.planes[..] {
            [mono] => mix_to_mono(at_48k, self.inside, &mut mono.from),
            stereo => {
                let channels = usize::from(self.inside);
                for (n, plane) in stereo.iter_mut().enumerate() {
                    plane.from.extend(at_48k.iter().skip(n).step_by(channels));
                }
            }
        }
        self.planes.convert();
        match &self.planes.planes[..] {
            [mono] => spread_to_channels(&mono.to, self.channels, interleaved),
            stereo => interleave(stereo, usize::from(self.channels), interleaved),
        }
    }
}

/// Each channel by itself.
struct Planes {
    planes: Vec<Plane>,
}

struct Plane {
    from: Vec<f32>,
    to: Vec<f32>,
    rate: RateConverter,
}

impl Planes {
    fn new(
        format: AudioFormat,
        from: SampleRate,
        to: SampleRate,
        channels: u16,
    ) -> Result<Self, FormatError> {
        let plane = |_| {
            Ok(Plane {
                from: Vec::with_capacity(BLOCK_CAPACITY),
                to: Vec::with_capacity(BLOCK_CAPACITY),
                rate: RateConverter::new(format, from, to)?,
            })
        };
        Ok(Self {
            planes: (0..channels.max(1)).map(plane).collect::<Result<_, _>>()?,
        })
    }

    /// Converts what was put into each plane.
    fn convert(&mut self) {
        for Plane { from, to, rate } in &mut self.planes {
            to.clear();
            rate.convert(from, to);
            from.clear();
        }
    }
}

/// Appends the planes in turn, again from the first where there are more channels than planes.
fn interleave(planes: &[Plane], channels: usize, interleaved: &mut Vec<f32>) {
    let length = planes.iter().map(|plane| plane.to.len()).min().unwrap_or(0);
    for n in 0..length {
        interleaved.extend((0..channels).map(|channel| planes[channel % planes.len()].to[n]));
    }
}

/// Samples: 100 ms, the longest read, at 192 kHz.
const BLOCK_CAPACITY: usize = 19_200;

/// Hz that a device or file may have.
const RATES: std::ops::RangeInclusive<u32> = 4_000..=384_000;

/// Mono from one rate to another; equal rates pass through.
struct RateConverter {
    blocks: Option<Blocks>,
}

struct Blocks {
    resampler: Box<dyn Resampler<f32> + Send>,
    pending: Vec<f32>,
    block: Vec<f32>,
}

impl RateConverter {
    fn new(format: AudioFormat, from: SampleRate, to: SampleRate) -> Result<Self, FormatError> {
        let refuse = |why: String| FormatError {
            hz: format.rate.as_hz(),
            channels: format.channels,
            why,
        };
        if format.channels == 0 {
            return Err(refuse("there are no channels".into()));
        }
        if !RATES.contains(&format.rate.as_hz()) {
            return Err(refuse("the rate is not from 4000 to 384000 Hz".into()));
        }
        if from == to {
            return Ok(Self { blocks: None });
        }
        let resampler = resampler(from.as_hz(), to.as_hz()).map_err(|e| refuse(e.to_string()))?;
        let pending = Vec::with_capacity(BLOCK_CAPACITY + resampler.input_frames_max());
        let block = vec![0.0; resampler.output_frames_max()];
        Ok(Self {
            blocks: Some(Blocks {
                resampler,
                pending,
                block,
            }),
        })
    }

    fn convert(&mut self, input: &[f32], output: &mut Vec<f32>) {
        let Some(Blocks {
            resampler,
            pending,
            block,
        }) = &mut self.blocks
        else {
            output.extend_from_slice(input);
            return;
        };
        pending.extend_from_slice(input);
        let mut used = 0;
        loop {
            let wanted = resampler.input_frames_next();
            let Some(from) = pending.get(used..used + wanted) else {
                break;
            };
            let produced = resampler.output_frames_next();
            let from = InterleavedSlice::new(from, 1, wanted).expect("slice has the size it was cut to");
            let mut to =
                InterleavedSlice::new_mut(block, 1, produced).expect("block has the largest output size");
            let (read, written) = resampler
                .process_into_buffer(&from, &mut to, None)
                .expect("buffers have the sizes the resampler asked for");
            output.extend_from_slice(&block[..written]);
            used += read;
        }
        pending.drain(..used);
    }
}

/// Chooses exact FFT conversion where blocks stay within 10 ms, else an interpolating one (odd rates of files).
fn resampler(
    from: u32,
    to: u32,
) -> Result<Box<dyn Resampler<f32> + Send>, rubato::ResamplerConstructionError> {
    let block_10_ms = (from / 100) as usize;
    if (from / greatest_common_divisor(from, to)) as usize <= block_10_ms {
        let fft = Fft::new(from as usize, to as usize, block_10_ms, 1, FixedSync::Both)?;
        return Ok(Box::new(fft));
    }
    let sinc = SincInterpolationParameters {
        sinc_len: 64,
        f_cutoff: Some(0.91),
        oversampling_factor: 128,
        interpolation: SincInterpolationType::Linear,
        window: WindowFunction::BlackmanHarris2,
    };
    let ratio = f64::from(to) / f64::from(from);
    Ok(Box::new(Async::new_sinc(
        ratio,
        1.0,
        &sinc,
        block_10_ms,
        1,
        FixedAsync::Input,
    )?))
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::level::Level;

    fn sine(hz: f64, rate: u32, seconds: f64) -> Vec<f32> {
        let count = (f64::from(rate) * seconds) as usize;
        (0..count)
            .map(|n| (0.5 * (std::f64::consts::TAU * hz * n as f64 / f64::from(rate)).sin()) as f32)
            .collect()
    }

    /// Power of everything but `hz`, in dB below its power, after the first 100 ms.
    fn purity(samples: &[f32], hz: f64, rate: u32) -> f64 {
        let settled = &samples[rate as usize / 10..];
        let whole = settled.len() - settled.len() % (rate as usize / 10);
        let (mut re, mut im, mut power) = (0.0, 0.0, 0.0);
        for (n, &sample) in settled[..whole].iter().enumerate() {
            let phase = std::f64::consts::TAU * hz * n as f64 / f64::from(rate);
            re += f64::from(sample) * phase.cos();
            im += f64::from(sample) * phase.sin();
            power += f64::from(sample) * f64::from(sample);
        }
        let tone = 2.0 * (re * re + im * im) / whole as f64;
        10.0 * (tone / (power - tone).max(1e-12)).log10()
    }

    #[test]
    fn every_usual_rate_keeps_length_and_purity() {
        for rate in [
            8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 192_000,
        ] {
            let format = AudioFormat {
                rate: SampleRate::from_hz(rate),
                channels: 1,
            };
            let mut converter = FromDevice::new(format).expect("usual rate");
            let mut out = Vec::new();
            for block in sine(440.0, rate, 2.0).chunks(rate as usize / 200) {
                converter.convert(block, &mut out);
            }
            assert!((95_000..=96_000).contains(&out.len()), "{rate}: {}", out.len());
            let purity = purity(&out, 440.0, 48_000);
            assert!(purity > 60.0, "{rate}: {purity} dB");
        }
    }

    #[test]
    fn an_odd_rate_is_converted_too() {
        let format = AudioFormat {
            rate: SampleRate::from_hz(44_099),
            channels: 1,
        };
        let mut converter = FromDevice::new(format).expect("odd rate");
        let mut out = Vec::new();
        converter.convert(&sine(440.0, 44_099, 2.0), &mut out);
        assert!((94_500..=96_000).contains(&out.len()), "{}", out.len());
        let purity = purity(&out, 440.0, 48_000);
        assert!(purity > 50.0, "{purity} dB");
    }

    #[test]
    fn stereo_goes_out_to_every_channel_at_the_rate_of_the_device() {
        let format = AudioFormat {
            rate: SampleRate::from_hz(44_100),
            channels: 2,
        };
        let mut converter = ToDevice::new(format).expect("usual rate");
        let mut out = Vec::new();
        for frame in sine(440.0, 48_000, 2.0).chunks(960) {
            converter.convert(frame, &mut out);
        }
        let left: Vec<f32> = out.iter().step_by(2).copied().collect();
        let right: Vec<f32> = out.iter().skip(1).step_by(2).copied().collect();
        assert_eq!(left, right);
        assert!(purity(&left, 440.0, 44_100) > 60.0);
        assert!((Level::of(&left[4410..]).peak - 0.5).abs() < 0.01);
    }

    #[test]
    fn stereo_stays_stereo_both_ways_and_is_averaged_where_there_is_one_channel() {
        let format = |channels| AudioFormat {
            rate: SampleRate::from_hz(44_100),
            channels,
        };
        let (left, right) = (sine(440.0, 44_100, 2.0), sine(1_000.0, 44_100, 2.0));
        let both: Vec<f32> = left.iter().zip(&right).flat_map(|(l, r)| [*l, *r]).collect();
        let mut converter = FromDevice::to_channels(format(2), 2).expect("usual rate");
        let mut inside = Vec::new();
        for block in both.chunks(882) {
            converter.convert(block, &mut inside);
        }
        let channel = |sound: &[f32], n: usize, of: usize| -> Vec<f32> {
            sound.iter().skip(n).step_by(of).copied().collect()
        };
        assert!(purity(&channel(&inside, 0, 2), 440.0, 48_000) > 60.0);
        assert!(purity(&channel(&inside, 1, 2), 1_000.0, 48_000) > 60.0);
        let out = |channels| {
            let mut converter = ToDevice::from_channels(format(channels), 2).expect("usual rate");
            let mut out = Vec::new();
            for block in inside.chunks(1_920) {
                converter.convert(block, &mut out);
            }
            out
        };
        let four = out(4);
        for (n, hz) in [(0, 440.0), (1, 1_000.0), (2, 440.0), (3, 1_000.0)] {
            assert!(purity(&channel(&four, n, 4), hz, 44_100) > 55.0, "{n}");
        }
        let peak = Level::of(&out(1)[4_410..]).peak;
        assert!((0.45..0.51).contains(&peak), "{peak}");
        let mut mono = Vec::new();
        let mut converter = FromDevice::to_channels(format(1), 2).expect("usual rate");
        converter.convert(&left, &mut mono);
        assert_eq!(channel(&mono, 0, 2), channel(&mono, 1, 2));
    }

    #[test]
    fn conversion_allocates_nothing_after_the_first_blocks() {
        let format = AudioFormat {
            rate: SampleRate::from_hz(44_100),
            channels: 2,
        };
        let mut converter = FromDevice::new(format).expect("usual rate");
        let capacities = |c: &FromDevice| {
            let plane = &c.planes.planes[0];
            let blocks = plane.rate.blocks.as_ref();
            (
                plane.from.capacity(),
                plane.to.capacity(),
                blocks.map(|b| (b.pending.capacity(), b.block.capacity())),
            )
        };
        let before = capacities(&converter);
        let mut out = Vec::with_capacity(9_600);
        for _ in 0..100 {
            out.clear();
            converter.convert(&[0.1; 8_820], &mut out);
        }
        assert_eq!(capacities(&converter), before);
        assert_eq!(out.capacity(), 9_600);
    }

    #[test]
    fn impossible_formats_are_refused_with_their_numbers() {
        let none = AudioFormat {
            rate: SampleRate::HZ_48000,
            channels: 0,
        };
        let error = FromDevice::new(none).err().expect("refused");
        assert_eq!(
            error.to_string(),
            "cannot convert 0 channels at 48000 Hz: there are no channels"
        );
        let fast = AudioFormat {
            rate: SampleRate::from_hz(1_000_000),
            channels: 1,
        };
        assert!(ToDevice::new(fast).is_err());
    }
}
