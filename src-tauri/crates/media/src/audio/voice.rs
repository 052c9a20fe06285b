//! Cleans the captured voice: echo cancellation, noise suppression, gain control, high-pass.
//!
//! Owned by `audio-tx`, which gives it what the speaker plays and what the microphone heard. Works in blocks of 10 ms
//! and allocates nothing of its own after the start. A panic inside a library costs one block and a new start of the
//! processing, never the call.

use nnnoiseless::DenoiseState;
use sonora::config::{
    AdaptiveDigital, EchoCanceller, FixedDigital, GainController2, HighPassFilter, MaxProcessingRate,
    NoiseSuppression as Suppression, NoiseSuppressionLevel, Pipeline,
};
use sonora::{AudioProcessing, Config, StreamConfig};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// Samples of 10 ms, the block of every library here.
const BLOCK: usize = 480;

/// Processing that failed so often is left off: it would fail again.
const MOST_RESTARTS: u32 = 20;

/// Full scale of the noise suppressing network, which counts in 16-bit samples.
const NETWORK_SCALE: f32 = 32_768.0;

/// How much noise is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NoiseSuppression {
    #[default]
    Off,
    /// Steady noise: fans, hiss.
    Normal,
    /// Keys, dishes and streets too, by a small network; some voices sound thinner.
    Strong,
}

/// What is switched on, by the names of the media track constraints. The default is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VoiceSettings {
    pub echo_cancellation: bool,
    pub noise_suppression: NoiseSuppression,
    pub auto_gain_control: bool,
    pub high_pass: bool,
}

impl VoiceSettings {
    /// What a call with a microphone in a room wants.
    pub const fn usual() -> Self {
        Self {
            echo_cancellation: true,
            noise_suppression: NoiseSuppression::Normal,
            auto_gain_control: true,
            high_pass: true,
        }
    }

    fn is_any_on(self) -> bool {
        self != Self::default()
    }
}

/// The processing of one microphone; mono 48 kHz.
pub struct VoiceProcessor {
    settings: VoiceSettings,
    processing: Option<Processing>,
    /// Played samples that do not fill a block yet.
    played: Vec<f32>,
    stream_delay: Duration,
    restarts: u32,
    #[cfg(test)]
    fails_next: bool,
}

/// The state of the libraries, given up as a whole when one of them panics.
struct Processing {
    main: AudioProcessing,
    network: Option<Box<DenoiseState<'static>>>,
    block: [f32; BLOCK],
}

impl VoiceProcessor {
    pub fn new(settings: VoiceSettings) -> Self {
        Self {
            settings,
            processing: Processing::new(settings),
            played: Vec::with_capacity(10 * BLOCK),
            stream_delay: Duration::ZERO,
            restarts: 0,
            #[cfg(test)]
            fails_next: false,
        }
    }

    pub fn settings(&self) -> VoiceSettings {
        self.settings
    }

    /// Begins anew with other settings; the same ones change nothing.
    pub fn set_settings(&mut self, settings: VoiceSettings) {
        if settings != self.settings {
            self.settings = settings;
            self.restarts = 0;
            self.played.clear();
            self.processing = Processing::new(settings);
        }
    }

    /// Tells the time from [`handle_played`](Self::handle_played) of a sample to the processing of its echo: what the
    /// speaker has queued and what the microphone's sample has waited.
    pub fn set_stream_delay(&mut self, delay: Duration) {
        self.stream_delay = delay;
    }

    /// How often a panic of a library made it begin anew.
    pub fn restarts(&self) -> u32 {
        self.restarts
    }

    /// Whether what is played is of any use here.
    pub fn wants_played(&self) -> bool {
        self.settings.echo_cancellation && self.processing.is_some()
    }

    /// Takes samples that are on their way to the speaker.
    pub fn handle_played(&mut self, samples: &[f32]) {
        if !self.wants_played() {
            return;
        }
        self.played.extend_from_slice(samples);
        let mut used = 0;
        while let Some(block) = self.played.get(used..used + BLOCK) {
            let Some(processing) = &mut self.processing else {
                break;
            };
            let done = catch_unwind(AssertUnwindSafe(|| processing.render(block)));
            used += BLOCK;
            if done.is_err() {
                self.restart();
            }
        }
        let used = used.min(self.played.len());
        self.played.drain(..used);
    }

    /// Cleans captured samples in place; what does not fill a block of 10 ms at the end is left as it is.
    pub fn process(&mut self, samples: &mut [f32]) {
        for block in samples.chunks_exact_mut(BLOCK) {
            let Some(processing) = &mut self.processing else {
                return;
            };
            let delay = self.stream_delay.as_millis().min(500) as i32;
            #[cfg(test)]
            let fails = std::mem::take(&mut self.fails_next);
            let done = catch_unwind(AssertUnwindSafe(|| {
                #[cfg(test)]
                assert!(!fails, "a test wants this");
                processing.capture(block, delay);
            }));
            if done.is_err() {
                self.restart();
            }
        }
    }

    fn restart(&mut self) {
        self.restarts += 1;
        tracing::warn!(
            restarts = self.restarts,
            "voice processing failed and begins anew"
        );
        self.processing = if self.restarts < MOST_RESTARTS {
            Processing::new(self.settings)
        } else {
            tracing::error!("voice processing is left off");
            None
        };
    }
}

impl Processing {
    fn new(settings: VoiceSettings) -> Option<Self> {
        settings.is_any_on().then(|| Self {
            main: AudioProcessing::builder()
                .config(config(settings))
                .capture_config(STREAM)
                .render_config(STREAM)
                .build(),
            network: (settings.noise_suppression == NoiseSuppression::Strong).then(DenoiseState::new),
            block: [0.0; BLOCK],
        })
    }

    fn render(&mut self, block: &[f32]) {
        // Only the echo canceller's model of what is played is wanted; the samples themselves go on unchanged.
        if let Err(error) = self.main.process_render_f32(&[block], &mut [&mut self.block]) {
            tracing::trace!(?error, "a played block was not taken");
        }
    }

    fn capture(&mut self, block: &mut [f32], delay_ms: i32) {
        if let Err(error) = self.main.set_stream_delay_ms(delay_ms) {
            tracing::trace!(?error, "the stream delay was clamped");
        }
        match self.main.process_capture_f32(&[block], &mut [&mut self.block]) {
            Ok(()) => block.copy_from_slice(&self.block),
            Err(error) => tracing::trace!(?error, "a captured block was not taken"),
        }
        if let Some(network) = &mut self.network {
            let mut scaled = [0.0; BLOCK];
            for (scaled, sample) in scaled.iter_mut().zip(block.iter()) {
                *scaled = sample * NETWORK_SCALE;
            }
            network.process_frame(&mut self.block, &scaled);
            for (sample, clean) in block.iter_mut().zip(&self.block) {
                *sample = (clean / NETWORK_SCALE).clamp(-1.0, 1.0);
            }
        }
    }
}

const STREAM: StreamConfig = StreamConfig::new(48_000, 1);

fn config(settings: VoiceSettings) -> Config {
    Config {
        pipeline: Pipeline {
            maximum_internal_processing_rate: MaxProcessingRate::Rate48kHz,
            multi_channel_render: false,
            multi_channel_capture: false,
            ..Pipeline::default()
        },
        high_pass_filter: settings.high_pass.then(HighPassFilter::default),
        echo_canceller: settings.echo_cancellation.then(EchoCanceller::default),
        noise_suppression: (settings.noise_suppression != NoiseSuppression::Off).then(|| Suppression {
            // The network takes the rest, but hardly knows hiss: measured, 2 to 4 dB of white noise.
            level: match settings.noise_suppression {
                NoiseSuppression::Off | NoiseSuppression::Normal => NoiseSuppressionLevel::High,
                NoiseSuppression::Strong => NoiseSuppressionLevel::Moderate,
            },
            ..Suppression::default()
        }),
        gain_controller2: settings.auto_gain_control.then(|| GainController2 {
            // The system's slider is never touched.
            input_volume_controller: false,
            adaptive_digital: Some(AdaptiveDigital {
                initial_gain_db: INITIAL_GAIN_DB,
                max_gain_db: MOST_GAIN_DB,
                ..AdaptiveDigital::default()
            }),
            fixed_digital: FixedDigital { gain_db: 0.0 },
        }),
        ..Config::default()
    }
}

/// Decibels before anybody has spoken: the library's 15 would make the echo of the first seconds louder before the
/// canceller knows the room.
const INITIAL_GAIN_DB: f32 = 3.0;
/// Decibels: a soft voice at arm's length; more lifts the room itself (chosen, not measured).
const MOST_GAIN_DB: f32 = 24.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(count: usize) -> Vec<f32> {
        (0..count)
            .map(|n| 0.2 * (n as f32 * 440.0 * std::f32::consts::TAU / 48_000.0).sin())
            .collect()
    }

    #[test]
    fn with_everything_off_samples_pass_unchanged() {
        let mut voice = VoiceProcessor::new(VoiceSettings::default());
        let mut samples = tone(960);
        voice.handle_played(&tone(960));
        voice.process(&mut samples);
        assert_eq!(samples, tone(960));
    }

    #[test]
    fn a_panic_of_the_library_costs_one_block_and_a_new_start() {
        let mut voice = VoiceProcessor::new(VoiceSettings::usual());
        let mut samples = tone(960);
        voice.fails_next = true;
        voice.process(&mut samples);
        assert_eq!(voice.restarts(), 1);
        assert_eq!(samples[..480], tone(480)[..], "the block passes unprocessed");
        for _ in 0..10 {
            voice.handle_played(&tone(960));
            voice.process(&mut samples);
        }
        assert_eq!(voice.restarts(), 1);
        assert!(voice.wants_played());
    }

    #[test]
    fn processing_that_fails_again_and_again_is_left_off_and_sound_goes_on() {
        let mut voice = VoiceProcessor::new(VoiceSettings::usual());
        for _ in 0..MOST_RESTARTS {
            voice.fails_next = true;
            voice.process(&mut tone(480));
        }
        let mut samples = tone(960);
        voice.process(&mut samples);
        assert_eq!(samples, tone(960));
        assert!(!voice.wants_played());
        voice.set_settings(VoiceSettings {
            auto_gain_control: false,
            ..VoiceSettings::usual()
        });
        assert!(voice.wants_played(), "other settings are a new chance");
    }
}
