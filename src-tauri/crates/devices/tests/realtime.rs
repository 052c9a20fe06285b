//! The functions inside the sound driver's callback never allocate.

use ahoy_devices::audio::realtime::{capture, capture_ring, playback, playback_ring};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Counts what the calling thread allocates and frees.
struct Counting;

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    // Absent only while the thread is being destroyed.
    CALLS.try_with(|calls| calls.set(calls.get() + 1)).ok();
}

// SAFETY: every call is passed on unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count();
        // SAFETY: the caller keeps the contract of `dealloc`, and `alloc` is the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> usize {
    let before = CALLS.get();
    work();
    CALLS.get() - before
}

#[test]
fn the_counter_sees_allocations() {
    assert!(allocations(|| drop(std::hint::black_box(Vec::<u8>::with_capacity(10)))) >= 2);
}

#[test]
fn capture_does_not_allocate_whether_the_samples_fit_or_not() {
    let (mut state, _ring, counters) = capture_ring(4800, 2);
    let (floats, shorts, words) = ([0.5_f32; 960], [7_i16; 960], [7_u16; 960]);
    let count = allocations(|| {
        for _ in 0..100 {
            capture(&mut state, &floats);
            capture(&mut state, &shorts);
            capture(&mut state, &words);
            capture::<f32>(&mut state, &[]);
        }
    });
    assert_eq!(count, 0);
    assert!(
        counters.misses.load(std::sync::atomic::Ordering::Relaxed) > 0,
        "the full ring was met"
    );
}

#[test]
fn playback_does_not_allocate_whether_the_ring_is_short_or_not() {
    let (mut state, mut ring, _) = playback_ring(4800, 2);
    ring.push_entire_slice(&[0.5; 4800]).expect("an empty ring");
    let (mut floats, mut shorts) = ([0.0_f32; 960], [0_i16; 960]);
    let count = allocations(|| {
        for _ in 0..100 {
            playback(&mut state, &mut floats);
            playback(&mut state, &mut shorts);
            playback::<u16>(&mut state, &mut []);
        }
    });
    assert_eq!(count, 0);
}
