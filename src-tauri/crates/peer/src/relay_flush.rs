//! Sends at once what goes over a relay.
//!
//! The library's driver first takes from its relay client what that has to send, and then hands it more (webrtc 0.21.1,
//! `poll_writes`). What goes over a relay therefore lies there until something else wakes the driver: up to half a second
//! for each flight of DTLS, and a frame's length for sound. So while a relay is in use, the wait after each turn of the
//! driver is cut to nothing, until a turn has come that was woken by that alone and sent nothing.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task;

/// How long after the last message to a relay it counts as in use: several keep-alives of ICE.
const IN_USE: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) struct RelayFlush {
    /// The task of the driver, whose waits are meant; others wait with the same runtime.
    driver: Mutex<Option<task::Id>>,
    began: Instant,
    /// Milliseconds from the beginning to the last message to a relay; 0 is none.
    last_relayed: AtomicU64,
    /// Something went to a relay in this turn.
    sent: AtomicBool,
    /// This turn was woken by a wait that was cut.
    woken_by_cut: AtomicBool,
}

impl RelayFlush {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            driver: Mutex::default(),
            began: now,
            last_relayed: AtomicU64::new(0),
            sent: AtomicBool::new(false),
            woken_by_cut: AtomicBool::new(false),
        }
    }

    /// Takes note that this task opens sockets, which only the driver does.
    pub(crate) fn is_driver(&self) {
        *self.driver.lock().unwrap_or_else(PoisonError::into_inner) = task::try_id();
    }

    /// Takes note of what is sent.
    pub(crate) fn sending(&self, datagram: &[u8], now: Instant) {
        if is_to_relay(datagram) {
            let since = now.saturating_duration_since(self.began).as_millis();
            let since = u64::try_from(since).unwrap_or(u64::MAX).max(1);
            self.last_relayed.store(since, Ordering::Relaxed);
            self.sent.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the wait that begins is to be cut.
    pub(crate) fn cuts_wait(&self, now: Instant) -> bool {
        let driver = *self.driver.lock().unwrap_or_else(PoisonError::into_inner);
        if driver.is_none() || driver != task::try_id() {
            return false;
        }
        let sent = self.sent.swap(false, Ordering::Relaxed);
        let woken_by_cut = self.woken_by_cut.swap(false, Ordering::Relaxed);
        let last = self.last_relayed.load(Ordering::Relaxed);
        let in_use = last > 0 && now < self.began + Duration::from_millis(last) + IN_USE;
        in_use && (sent || !woken_by_cut)
    }

    /// Takes note that a wait that was cut has ended.
    pub(crate) fn cut(&self) {
        self.woken_by_cut.store(true, Ordering::Relaxed);
    }
}

/// Whether this is a message to a relay: ChannelData, or a request or indication of TURN (RFC 8656 §12.4, §17). Media and
/// DTLS begin with other bytes (RFC 7983), checks of ICE are Binding requests.
fn is_to_relay(datagram: &[u8]) -> bool {
    match datagram {
        [0x40..=0x7F, ..] => true,
        [0, method, ..] => matches!(method, 0x03 | 0x04 | 0x08 | 0x09 | 0x16),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANNEL_DATA: [u8; 4] = [0x40, 0, 0, 0];

    #[tokio::test]
    async fn waits_are_cut_until_a_turn_of_their_own_has_sent_nothing() {
        // Tests run outside of a task; the driver is one.
        let turns = tokio::spawn(async {
            let now = Instant::now();
            let flush = RelayFlush::new(now);
            flush.is_driver();
            assert!(!flush.cuts_wait(now), "no relay is in use");
            flush.sending(&CHANNEL_DATA, now);
            assert!(flush.cuts_wait(now));
            flush.cut();
            flush.sending(&CHANNEL_DATA, now);
            assert!(flush.cuts_wait(now), "that turn sent something");
            flush.cut();
            assert!(!flush.cuts_wait(now), "that one sent nothing");
            assert!(flush.cuts_wait(now), "something else woke the driver");
            assert!(!flush.cuts_wait(now + 2 * IN_USE), "the relay is out of use");
        });
        turns.await.expect("all hold");
    }

    #[tokio::test]
    async fn waits_of_others_are_left_alone() {
        let flush = std::sync::Arc::new(RelayFlush::new(Instant::now()));
        let driver = std::sync::Arc::clone(&flush);
        tokio::spawn(async move {
            driver.is_driver();
            driver.sending(&CHANNEL_DATA, Instant::now());
        })
        .await
        .expect("it ends");
        let other = tokio::spawn(async move { flush.cuts_wait(Instant::now()) });
        assert!(!other.await.expect("it ends"));
    }

    #[test]
    fn messages_to_a_relay_are_told_from_checks_dtls_and_media() {
        for datagram in [&CHANNEL_DATA[..], &[0, 3], &[0, 0x16]] {
            assert!(is_to_relay(datagram));
        }
        for datagram in [&[][..], &[0, 1], &[1, 1], &[22, 254], &[0x80, 111]] {
            assert!(!is_to_relay(datagram));
        }
    }
}
