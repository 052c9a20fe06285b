//! The way of decoded pictures to the screen: each waits until its sound is heard.

use super::Shared;
use crate::device::VideoSink;
use crate::lip_sync::LipSync;
use crate::units::RtpTime;
use crate::video::VideoFrame;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

/// Pictures that wait, a quarter of a second at 30 a second. When there is one more, the oldest waits no longer: pictures that
/// come faster are shown earlier, and none is lost.
const MOST: usize = 8;

/// Owns the screen, on `video-rx`.
pub(super) struct Display {
    screen: Box<dyn VideoSink>,
    on_first_rendered: Option<Box<dyn FnOnce(Instant) + Send>>,
    lip_sync: LipSync,
    waiting: VecDeque<Waiting>,
    shared: Arc<Shared>,
}

/// A picture that is decoded and not shown yet.
struct Waiting {
    frame: VideoFrame,
    ssrc: u32,
    rtp_time: RtpTime,
    show_at: Instant,
}

impl Display {
    pub(super) fn new(
        screen: Box<dyn VideoSink>,
        on_first_rendered: Box<dyn FnOnce(Instant) + Send>,
        lip_sync: LipSync,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            screen,
            on_first_rendered: Some(on_first_rendered),
            lip_sync,
            waiting: VecDeque::with_capacity(MOST + 1),
            shared,
        }
    }

    /// Takes a picture that is decoded `now`.
    pub(super) fn take(&mut self, now: Instant, ssrc: u32, rtp_time: RtpTime, frame: VideoFrame) {
        let show_at = self.lip_sync.lock().show_at(now, ssrc, rtp_time);
        self.waiting.push_back(Waiting {
            frame,
            ssrc,
            rtp_time,
            show_at,
        });
        self.show_due(now);
    }

    /// Shows what has waited long enough.
    pub(super) fn show_due(&mut self, now: Instant) {
        while let Some(next) = self.waiting.front()
            && (next.show_at <= now || self.waiting.len() > MOST)
        {
            let next = self.waiting.pop_front().expect("one is in front");
            self.show(now, next);
        }
    }

    /// When the next picture is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.waiting.front().map(|next| next.show_at)
    }

    fn show(&mut self, now: Instant, picture: Waiting) {
        self.lip_sync
            .lock()
            .handle_shown(now, picture.ssrc, picture.rtp_time);
        self.shared.stats().handle_shown(now);
        self.screen.show(now, picture.frame);
        if let Some(on_first_rendered) = self.on_first_rendered.take() {
            on_first_rendered(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lip_sync::HeardAt;
    use crate::packet::SenderReport;
    use crate::units::{NtpTime, Resolution};
    use crate::video::I420;
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    const SOUND: u32 = 1;
    const PICTURES: u32 = 2;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// Tells when each picture was shown and how wide it is, which numbers them.
    struct Told(std::sync::mpsc::Sender<(Instant, u32)>);

    impl VideoSink for Told {
        fn show(&mut self, now: Instant, frame: VideoFrame) {
            self.0
                .send((now, frame.picture.resolution().width))
                .expect("the test looks");
        }
    }

    /// A display whose pictures are to wait for sound that comes so much later than they do.
    fn display(start: Instant, sound_after: Duration) -> (Display, Receiver<(Instant, u32)>, Arc<Shared>) {
        let lip_sync = LipSync::default();
        let report = |ssrc, clock_rate| SenderReport {
            ssrc,
            clock_rate,
            ntp_time: NtpTime::new(9 << 32),
            rtp_time: RtpTime::new(0),
            in_sync: true,
        };
        let mut alignment = lip_sync.lock();
        alignment.handle_sound_report(start, report(SOUND, 48_000));
        alignment.handle_picture_report(start, report(PICTURES, 90_000));
        let heard = HeardAt {
            ssrc: SOUND,
            rtp_time: RtpTime::new(0),
            at: start + sound_after,
        };
        alignment.handle_heard(start, Some(heard));
        drop(alignment);
        let (tx, rx) = channel();
        let shared = Arc::<Shared>::default();
        let display = Display::new(
            Box::new(Told(tx)),
            Box::new(|_| ()),
            lip_sync,
            Arc::clone(&shared),
        );
        (display, rx, shared)
    }

    fn picture(number: u32, now: Instant) -> VideoFrame {
        VideoFrame {
            picture: Arc::new(I420::black(Resolution::new(number + 1, 2))),
            captured_at: now,
        }
    }

    #[test]
    fn pictures_are_shown_in_order_when_they_are_due_and_wake_for_it() {
        let start = Instant::now();
        let (mut display, shown, shared) = display(start, ms(140));
        // Pictures of one moment that come in a burst: the steps of the delay alone tell them apart.
        for number in 0..4 {
            display.take(start, PICTURES, RtpTime::new(0), picture(number, start));
        }
        assert_eq!(shown.try_iter().count(), 0);
        for number in 0..4 {
            let due = display.poll_timeout().expect("one waits");
            assert!(due > start && due <= start + ms(13));
            display.show_due(due - Duration::from_micros(1));
            assert_eq!(shown.try_iter().count(), 0);
            display.show_due(due);
            assert_eq!(shown.try_iter().collect::<Vec<_>>(), [(due, number + 1)]);
        }
        assert_eq!(display.poll_timeout(), None);
        assert_eq!(shared.stats().snapshot(start, 0).freeze_count, 0);
    }

    #[test]
    fn too_many_pictures_are_shown_early_and_none_is_lost() {
        let start = Instant::now();
        let (mut display, shown, _) = display(start, ms(400));
        let count = 40;
        for number in 0..count {
            let now = start + ms(5) * number;
            display.take(now, PICTURES, RtpTime::new(number * 450), picture(number, now));
            assert!(display.waiting.len() <= MOST);
        }
        display.show_due(start + ms(1000));
        let numbers: Vec<u32> = shown.try_iter().map(|(_, width)| width - 1).collect();
        assert_eq!(numbers, (0..count).collect::<Vec<_>>());
    }

    #[test]
    fn a_picture_without_sound_to_wait_for_is_shown_within_the_same_call() {
        let start = Instant::now();
        let (mut display, shown, _) = display(start, ms(140));
        display.lip_sync.lock().set_audible(false);
        display.take(start, PICTURES, RtpTime::new(0), picture(0, start));
        assert_eq!(shown.try_iter().collect::<Vec<_>>(), [(start, 1)]);
    }
}
