//! What the sound threads do with every frame takes no memory from the system once it runs.

use ahoy_media::audio::render_tap::render_tap;
use ahoy_media::audio::stretch::Stretcher;
use ahoy_media::audio::voice::{NoiseSuppression, VoiceProcessor, VoiceSettings};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: everything is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A thread that ends has no counter any more, and nobody asks for it.
        ALLOCATIONS.try_with(|count| count.set(count.get() + 1)).ok();
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(mut work: impl FnMut()) -> u64 {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

fn tone(count: usize) -> Vec<f32> {
    (0..count)
        .map(|n| 0.2 * (n as f32 * 220.0 * std::f32::consts::TAU / 48_000.0).sin())
        .collect()
}

#[test]
fn the_way_from_the_speaker_to_the_canceller_takes_none() {
    let (mut tap, mut feed) = render_tap();
    let frame = tone(960);
    let mut sum = 0.0;
    let count = allocations(|| {
        for _ in 0..100 {
            tap.push(&frame, Duration::from_millis(30));
            feed.drain(|samples| sum += samples.iter().sum::<f32>());
        }
    });
    assert!(sum.is_finite());
    assert_eq!(count, 0);
}

#[test]
fn stretching_takes_none() {
    let mut stretcher = Stretcher::new();
    let mut frame = Vec::with_capacity(6 * 960);
    let sound = tone(960);
    let mut both_ways = || {
        frame.clear();
        frame.extend_from_slice(&sound);
        stretcher.shorten(&mut frame, true);
        stretcher.lengthen(&mut frame);
    };
    both_ways();
    assert_eq!(allocations(|| (0..100).for_each(|_| both_ways())), 0);
}

/// Allocations of one frame of 20 ms once the processor has run for two seconds.
fn of_cleaning(settings: VoiceSettings) -> u64 {
    let mut voice = VoiceProcessor::new(settings);
    let played = tone(960);
    let mut frame = tone(960);
    let mut clean = || {
        voice.handle_played(&played);
        frame.copy_from_slice(&played);
        voice.process(&mut frame);
    };
    (0..100).for_each(|_| clean());
    allocations(|| (0..100).for_each(|_| clean())) / 100
}

#[test]
fn cleaning_the_voice_takes_none_of_its_own() {
    assert_eq!(of_cleaning(VoiceSettings::default()), 0);
    // Measured: the library takes 109 small ones a frame, on a thread that is no callback of a device.
    let usual = of_cleaning(VoiceSettings::usual());
    assert!(usual <= 120, "{usual}");
    let strong = VoiceSettings {
        noise_suppression: NoiseSuppression::Strong,
        ..VoiceSettings::usual()
    };
    assert_eq!(of_cleaning(strong), usual, "the network takes none");
}
