//! Silence in what was heard that the speaker did not make. Pure.

/// Samples per second of the recordings, and in the block whose loudness is looked at: 10 ms.
pub const RATE: usize = 48_000;
const BLOCK: usize = RATE / 100;

/// dBFS below which a block is silent. The recordings have no noise; the voice of the laboratory is at -25.
const SILENT: f32 = -55.0;
/// dBFS below which the speaker pauses: weak ends of words may be lost on the way without being missed.
const PAUSE: f32 = -45.0;

/// Blocks by which what was heard may be later than `delay` says, while a spike is worked off, and earlier.
const LATER: usize = 40;
const EARLIER: usize = 10;

/// The longest silence in `heard`, in milliseconds, as far as no pause in `said` explains it: `heard` is later by
/// `delay` milliseconds. `None` when nothing was heard.
pub fn longest(said: &[f32], heard: &[f32], delay: f64) -> Option<f64> {
    let (said, heard) = (quiet(said, PAUSE), quiet(heard, SILENT));
    let first = heard.iter().position(|silent| !silent)?;
    let last = heard.iter().rposition(|silent| !silent)?;
    let delay = (delay / 10.0).round().max(0.0) as usize;
    let gap = runs(&heard[first..=last]).map(|(start, length)| {
        let (start, end) = (first + start, first + start + length);
        let from = start.saturating_sub(delay + LATER);
        let until = (end + EARLIER).saturating_sub(delay).min(said.len());
        let explained = said.get(from..until).map_or(0, |around| {
            runs(around).map(|(_, length)| length).max().unwrap_or(0)
        });
        length.saturating_sub(explained)
    });
    Some(gap.max().unwrap_or(0) as f64 * 10.0)
}

/// Which blocks are below so many dBFS.
fn quiet(sound: &[f32], level: f32) -> Vec<bool> {
    let least = 10.0_f32.powf(level / 10.0) * BLOCK as f32;
    sound
        .chunks_exact(BLOCK)
        .map(|block| block.iter().map(|sample| sample * sample).sum::<f32>() < least)
        .collect()
}

/// Where each run of `true` begins, and its length.
fn runs(blocks: &[bool]) -> impl Iterator<Item = (usize, usize)> {
    let mut at = 0;
    blocks.chunk_by(|a, b| a == b).filter_map(move |run| {
        let start = at;
        at += run.len();
        run[0].then_some((start, run.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Loud or silent for so many milliseconds in turn.
    fn sound(milliseconds: &[usize]) -> Vec<f32> {
        let part = |(n, length): (usize, &usize)| {
            let level = if n % 2 == 0 { 0.1 } else { 0.0 };
            vec![level; length * RATE / 1000]
        };
        milliseconds.iter().enumerate().flat_map(part).collect()
    }

    #[test]
    fn silence_that_nobody_made_is_a_gap_and_a_pause_is_none() {
        let said = sound(&[500, 300, 2_000, 200, 1_000]);
        assert_eq!(longest(&said, &said, 0.0), Some(0.0));
        let late = [sound(&[0, 120]), said.clone()].concat();
        assert_eq!(longest(&said, &late, 120.0), Some(0.0));
        // One of 250 ms in the middle of a word, and one that makes a pause longer.
        let heard = sound(&[500, 300, 1_000, 250, 750, 200, 1_000]);
        assert_eq!(longest(&said, &heard, 0.0), Some(250.0));
        let heard = sound(&[500, 300, 2_000, 260, 940]);
        assert_eq!(longest(&said, &heard, 0.0), Some(60.0));
        assert_eq!(longest(&said, &sound(&[0, 4_000]), 0.0), None);
    }
}
