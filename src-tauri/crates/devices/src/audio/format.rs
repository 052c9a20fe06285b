//! Which of its formats a sound device is opened with. Pure.

use cpal::{SampleFormat, SupportedStreamConfig, SupportedStreamConfigRange};

/// The rate of every pipeline; a device that has it needs no resampling.
const RATE: u32 = 48_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Input,
    Output,
}

/// Chooses the nearest to 48 kHz, few channels, and a format without loss; `None` when nothing can be used.
pub(super) fn choose(
    direction: Direction,
    ranges: &[SupportedStreamConfigRange],
) -> Option<SupportedStreamConfig> {
    ranges
        .iter()
        .filter(|range| format_rank(range.sample_format()).is_some())
        .map(|range| {
            let rate = RATE.clamp(range.min_sample_rate(), range.max_sample_rate());
            let cost = (
                rate.abs_diff(RATE),
                channel_cost(direction, range.channels()),
                format_rank(range.sample_format()),
            );
            (cost, range.with_sample_rate(rate))
        })
        .min_by_key(|(cost, _)| *cost)
        .map(|(_, config)| config)
}

/// A voice needs one channel; a speaker of a room has two.
fn channel_cost(direction: Direction, channels: u16) -> u16 {
    let wanted = match direction {
        Direction::Input => 1,
        Direction::Output => 2,
    };
    channels.abs_diff(wanted)
}

/// Lower is better; `None` for formats that are not samples of amplitude.
fn format_rank(format: SampleFormat) -> Option<u8> {
    match format {
        SampleFormat::F32 => Some(0),
        SampleFormat::I16 => Some(1),
        SampleFormat::I32 => Some(2),
        SampleFormat::I24 => Some(3),
        SampleFormat::F64 => Some(4),
        SampleFormat::U16 => Some(5),
        SampleFormat::U24 => Some(6),
        SampleFormat::U32 => Some(7),
        SampleFormat::I64 => Some(8),
        SampleFormat::U64 => Some(9),
        SampleFormat::I8 => Some(10),
        SampleFormat::U8 => Some(11),
        _ => None,
    }
}

/// One line for each sort of samples, such as `f32 1-2 channels 8000-192000 Hz`.
pub(crate) fn describe(ranges: &[SupportedStreamConfigRange]) -> Vec<String> {
    let mut formats: Vec<_> = ranges
        .iter()
        .map(SupportedStreamConfigRange::sample_format)
        .collect();
    formats.sort_by_key(|format| format_rank(*format).unwrap_or(u8::MAX));
    formats.dedup();
    let of = |format| ranges.iter().filter(move |range| range.sample_format() == format);
    let line = |format: SampleFormat| {
        let channels = span(of(format).flat_map(|range| [u32::from(range.channels()); 2]))?;
        let rates = span(of(format).flat_map(|range| [range.min_sample_rate(), range.max_sample_rate()]))?;
        Some(format!("{format} {channels} channels {rates} Hz"))
    };
    formats.into_iter().filter_map(line).collect()
}

fn span(values: impl Iterator<Item = u32> + Clone) -> Option<String> {
    let (low, high) = (values.clone().min()?, values.max()?);
    Some(if low == high {
        low.to_string()
    } else {
        format!("{low}-{high}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use cpal::SupportedBufferSize;

    fn range(channels: u16, rates: (u32, u32), format: SampleFormat) -> SupportedStreamConfigRange {
        SupportedStreamConfigRange::new(channels, rates.0, rates.1, SupportedBufferSize::Unknown, format)
    }

    fn chosen(direction: Direction, ranges: &[SupportedStreamConfigRange]) -> (u16, u32, SampleFormat) {
        let config = choose(direction, ranges).unwrap();
        (config.channels(), config.sample_rate(), config.sample_format())
    }

    #[test]
    fn the_rate_counts_most_then_the_channels_then_the_format() {
        let ranges = [
            range(1, (8_000, 44_100), SampleFormat::F32),
            range(2, (8_000, 96_000), SampleFormat::I16),
            range(2, (8_000, 96_000), SampleFormat::F32),
            range(1, (48_000, 48_000), SampleFormat::I32),
            range(6, (48_000, 48_000), SampleFormat::F32),
        ];
        assert_eq!(chosen(Direction::Input, &ranges), (1, 48_000, SampleFormat::I32));
        assert_eq!(chosen(Direction::Output, &ranges), (2, 48_000, SampleFormat::F32));
    }

    #[test]
    fn a_device_without_48_khz_is_used_at_its_nearest_rate() {
        let ranges = [
            range(2, (44_100, 44_100), SampleFormat::I16),
            range(2, (96_000, 192_000), SampleFormat::F32),
        ];
        assert_eq!(chosen(Direction::Output, &ranges), (2, 44_100, SampleFormat::I16));
    }

    #[test]
    fn one_bit_streams_cannot_be_used() {
        assert_eq!(
            choose(
                Direction::Output,
                &[range(2, (48_000, 48_000), SampleFormat::DsdU8)]
            ),
            None
        );
        assert_eq!(choose(Direction::Input, &[]), None);
    }

    #[test]
    fn formats_are_described_once_each() {
        let ranges = [
            range(1, (8_000, 48_000), SampleFormat::F32),
            range(2, (8_000, 192_000), SampleFormat::F32),
            range(2, (44_100, 44_100), SampleFormat::I16),
        ];
        assert_eq!(
            describe(&ranges),
            ["f32 1-2 channels 8000-192000 Hz", "i16 2 channels 44100 Hz"]
        );
    }
}
