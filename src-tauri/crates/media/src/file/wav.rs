//! WAV files as microphone and speaker.
//!
//! Reading takes PCM of 8 to 32 bits and 32-bit float at any rate and channel count, and starts again at the end.
//! Writing makes mono 16-bit PCM at 48 kHz of what would have been played, silence of an empty queue included.

use crate::audio::pace::{CapturePace, PlaybackPace};
use crate::device::{AudioFormat, AudioSink, AudioSource, DeviceError, DeviceKind};
use crate::units::SampleRate;
use hound::{SampleFormat, WavReader, WavSpec, WavWriter};
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A `.wav` file that is played into the call again and again.
pub struct WavSource {
    path: PathBuf,
    reader: WavReader<BufReader<File>>,
    format: AudioFormat,
    pace: CapturePace,
}

impl WavSource {
    /// Errors: the file cannot be read, is no WAV file, has no samples or an unusual encoding.
    pub fn open(path: &Path) -> Result<Self, DeviceError> {
        let reader = WavReader::open(path).map_err(|e| unusable(DeviceKind::Microphone, path, e))?;
        let WavSpec {
            channels,
            sample_rate,
            bits_per_sample,
            sample_format,
        } = reader.spec();
        let is_readable = match sample_format {
            SampleFormat::Int => (8..=32).contains(&bits_per_sample),
            SampleFormat::Float => bits_per_sample == 32,
        };
        if !is_readable {
            let why = format!("{bits_per_sample}-bit samples are not supported");
            return Err(unusable(DeviceKind::Microphone, path, why));
        }
        if reader.duration() == 0 || channels == 0 || sample_rate == 0 {
            return Err(unusable(DeviceKind::Microphone, path, "it holds no samples"));
        }
        let format = AudioFormat {
            rate: SampleRate::from_hz(sample_rate),
            channels,
        };
        Ok(Self {
            path: path.to_owned(),
            reader,
            format,
            pace: CapturePace::new(format.rate),
        })
    }

    /// Appends up to `count` interleaved samples; fewer at the end of the file.
    fn append(&mut self, count: usize, out: &mut Vec<f32>) -> Result<usize, hound::Error> {
        let WavSpec {
            bits_per_sample,
            sample_format,
            ..
        } = self.reader.spec();
        let before = out.len();
        match sample_format {
            SampleFormat::Float => {
                for sample in self.reader.samples::<f32>().take(count) {
                    let sample = sample?;
                    out.push(if sample.is_finite() {
                        sample.clamp(-1.0, 1.0)
                    } else {
                        0.0
                    });
                }
            }
            SampleFormat::Int => {
                let scale = 1.0 / (1_i64 << (bits_per_sample - 1)) as f32;
                for sample in self.reader.samples::<i32>().take(count) {
                    out.push(sample? as f32 * scale);
                }
            }
        }
        Ok(out.len() - before)
    }
}

impl AudioSource for WavSource {
    fn format(&self) -> AudioFormat {
        self.format
    }

    fn read(&mut self, now: Instant, out: &mut Vec<f32>) -> Result<(), DeviceError> {
        let mut wanted = self.pace.take(now).count * usize::from(self.format.channels);
        while wanted > 0 {
            let got = self
                .append(wanted, out)
                .map_err(|e| unusable(DeviceKind::Microphone, &self.path, e))?;
            wanted -= got;
            if got == 0 || wanted > 0 {
                self.reader
                    .seek(0)
                    .map_err(|e| unusable(DeviceKind::Microphone, &self.path, e))?;
            }
        }
        Ok(())
    }
}

const WRITTEN: WavSpec = WavSpec {
    channels: 1,
    sample_rate: 48_000,
    bits_per_sample: 16,
    sample_format: SampleFormat::Int,
};

/// Samples between two updates of the header: one second, so that a killed process leaves a readable file.
const HEADER_EVERY: u64 = 48_000;

/// Samples of silence written for one pause at most: a machine that slept does not fill the disk.
const LONGEST_PAUSE: u64 = 480_000;

/// Samples: the 4 GiB that a WAV header can count, less a minute.
const LARGEST: u64 = (u32::MAX as u64) / 2 - 60 * 48_000;

/// A `.wav` file that records what would have been heard.
pub struct WavSink {
    path: PathBuf,
    writer: WavWriter<BufWriter<File>>,
    pace: PlaybackPace,
    written: u64,
    header_at: u64,
}

impl WavSink {
    /// Makes or empties the file. Errors when it cannot be written.
    pub fn create(path: &Path) -> Result<Self, DeviceError> {
        let writer = WavWriter::create(path, WRITTEN).map_err(|e| unusable(DeviceKind::Speaker, path, e))?;
        let pace = PlaybackPace::new(SampleRate::HZ_48000);
        Ok(Self {
            path: path.to_owned(),
            writer,
            pace,
            written: 0,
            header_at: 0,
        })
    }

    fn append(&mut self, dry: u64, samples: &[f32]) -> Result<(), hound::Error> {
        for _ in 0..dry {
            self.writer.write_sample(0_i16)?;
        }
        for &sample in samples {
            self.writer
                .write_sample((sample.clamp(-1.0, 1.0) * f32::from(i16::MAX)).round() as i16)?;
        }
        self.written += dry + samples.len() as u64;
        if self.written >= self.header_at {
            self.header_at = self.written + HEADER_EVERY;
            self.writer.flush()?;
        }
        Ok(())
    }
}

impl AudioSink for WavSink {
    fn format(&self) -> AudioFormat {
        AudioFormat {
            rate: SampleRate::HZ_48000,
            channels: 1,
        }
    }

    fn queued(&mut self, now: Instant) -> Result<usize, DeviceError> {
        Ok(self.pace.queued(now))
    }

    fn write(&mut self, now: Instant, samples: &[f32]) -> Result<(), DeviceError> {
        if self.written >= LARGEST {
            return Err(unusable(DeviceKind::Speaker, &self.path, "it has reached 4 GiB"));
        }
        let placed = self.pace.place(now, samples.len());
        self.append(placed.dry.min(LONGEST_PAUSE), &samples[..placed.taken])
            .map_err(|e| unusable(DeviceKind::Speaker, &self.path, e))
    }

    fn underruns(&self) -> u64 {
        self.pace.underruns()
    }
}

fn unusable(kind: DeviceKind, path: &Path, why: impl std::fmt::Display) -> DeviceError {
    DeviceError::Unusable {
        kind,
        why: format!("{}: {why}", path.display()),
    }
}

#[cfg(test)]
mod tests;
