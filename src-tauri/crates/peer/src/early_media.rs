//! Holds media that comes before its keys.
//!
//! The other side may send the moment its own handshake is done, right behind the last words of it. The library reads
//! such datagrams in one go, and what belongs to SRTP is dropped until it has taken notice of the end of the handshake
//! (webrtc 0.21.1). A MediaServer says the parameters of a stream's pictures once, in the very first packets: who loses
//! these sees nothing of that stream, ever. So all media is held until the connection is up, and handed over then.

use std::collections::VecDeque;
use std::io::IoSliceMut;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Waker};
use webrtc::runtime::RecvMeta;

/// Datagrams that one socket holds; later ones are dropped, as they were without this. Two seconds of a stream of
/// 4 Mbit/s, which is what a MediaServer sends at once from its cache (chosen).
const MOST: usize = 1024;

/// Whether the connection is up, and whom to wake when it is; shared by all its sockets.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    known: AtomicBool,
    waiting: Mutex<Vec<Waker>>,
}

impl Keys {
    /// The connection is up: what was held is read at once.
    pub(crate) fn are_known(&self) {
        if self.known.swap(true, Ordering::AcqRel) {
            return;
        }
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        for waker in waiting {
            waker.wake();
        }
    }

    fn is_known(&self) -> bool {
        self.known.load(Ordering::Acquire)
    }

    fn wait(&self, cx: &Context<'_>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            waiting.push(cx.waker().clone());
        }
    }
}

/// What one socket holds.
#[derive(Debug, Default)]
pub(crate) struct EarlyMedia {
    held: Mutex<VecDeque<(RecvMeta, Vec<u8>)>>,
}

impl EarlyMedia {
    /// Hands over what was held, if the keys are known by now; the number of filled buffers.
    pub(crate) fn release(&self, keys: &Keys, bufs: &mut [IoSliceMut<'_>], meta: &mut [RecvMeta]) -> usize {
        if !keys.is_known() {
            return 0;
        }
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let mut count = 0;
        for (buf, meta) in bufs.iter_mut().zip(meta) {
            let Some((its, datagram)) = held.pop_front() else {
                break;
            };
            buf[..datagram.len()].copy_from_slice(&datagram);
            *meta = its;
            count += 1;
        }
        count
    }

    /// Takes media out of what was received, while the keys are not known; the number of buffers that are left.
    pub(crate) fn hold(
        &self,
        keys: &Keys,
        cx: &Context<'_>,
        count: usize,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> usize {
        if keys.is_known() {
            return count;
        }
        keys.wait(cx);
        // They may have come before there was anybody to wake.
        if keys.is_known() {
            return count;
        }
        let mut left = 0;
        for at in 0..count {
            let kept = self.hold_media_of(&mut bufs[at], meta[at]);
            if kept.len == 0 {
                continue;
            }
            if left != at {
                let (before, from) = bufs.split_at_mut(at);
                before[left][..kept.len].copy_from_slice(&from[0][..kept.len]);
            }
            meta[left] = kept;
            left += 1;
        }
        left
    }

    /// One buffer may be several datagrams of a size, one behind the other; those that are no media move together.
    fn hold_media_of(&self, buf: &mut [u8], its: RecvMeta) -> RecvMeta {
        let (stride, mut kept) = (its.stride.max(1), 0);
        let mut from = 0;
        while from < its.len {
            let to = (from + stride).min(its.len);
            if is_media(&buf[from..to]) {
                let mut one = its;
                (one.len, one.stride) = (to - from, to - from);
                self.push(one, buf[from..to].to_vec());
            } else {
                buf.copy_within(from..to, kept);
                kept += to - from;
            }
            from = to;
        }
        let mut rest = its;
        rest.len = kept;
        rest
    }

    fn push(&self, meta: RecvMeta, datagram: Vec<u8>) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() < MOST {
            held.push_back((meta, datagram));
        }
    }
}

/// SRTP and SRTCP by their first byte (RFC 7983 §7).
fn is_media(datagram: &[u8]) -> bool {
    matches!(datagram.first(), Some(128..=191))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::task::Wake;

    const RTP: [u8; 3] = [0x80, 1, 1];
    const DTLS: [u8; 3] = [22, 2, 2];

    fn meta(len: usize, stride: usize) -> RecvMeta {
        let mut meta = RecvMeta::default();
        (meta.len, meta.stride) = (len, stride);
        meta
    }

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    #[test]
    fn media_is_held_until_the_keys_are_known_and_everything_else_goes_on() {
        let (keys, early) = (Keys::default(), EarlyMedia::default());
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let cx = Context::from_waker(&waker);
        // A batch of the handshake and media, and media alone; the last datagram of a batch may be shorter.
        let received = [&[DTLS, RTP, DTLS].concat()[..], &RTP[..2], &DTLS[..]];
        let mut buffers = [[0; 16]; 3];
        for (buffer, bytes) in buffers.iter_mut().zip(received) {
            buffer[..bytes.len()].copy_from_slice(bytes);
        }
        let mut bufs = buffers.each_mut().map(|buffer| IoSliceMut::new(buffer));
        let mut metas = [meta(9, 3), meta(2, 2), meta(3, 3)];
        assert_eq!(early.hold(&keys, &cx, 3, &mut bufs, &mut metas), 2);
        assert_eq!((metas[0].len, &bufs[0][..6]), (6, &[DTLS, DTLS].concat()[..]));
        assert_eq!((metas[1].len, &bufs[1][..3]), (3, &DTLS[..]));
        let mut out = [0; 8];
        let mut one = [IoSliceMut::new(&mut out)];
        assert_eq!(early.release(&keys, &mut one, &mut metas), 0);
        assert!(!woken.0.load(Ordering::Relaxed));
        keys.are_known();
        assert!(woken.0.load(Ordering::Relaxed), "whoever reads is woken");
        for expected in [&RTP[..], &RTP[..2]] {
            assert_eq!(early.release(&keys, &mut one, &mut metas), 1);
            assert_eq!(&one[0][..metas[0].len], expected);
        }
        assert_eq!(early.release(&keys, &mut one, &mut metas), 0);
        assert_eq!(
            early.hold(&keys, &cx, 1, &mut one, &mut [meta(3, 3)]),
            1,
            "nothing is held any more"
        );
    }

    #[test]
    fn no_more_is_held_than_was_said() {
        let (keys, early) = (Keys::default(), EarlyMedia::default());
        for _ in 0..MOST + 1 {
            early.push(meta(3, 3), RTP.to_vec());
        }
        keys.are_known();
        let mut out = [0; 8];
        let mut released = 0;
        while early.release(&keys, &mut [IoSliceMut::new(&mut out)], &mut [meta(0, 1)]) > 0 {
            released += 1;
        }
        assert_eq!(released, MOST);
    }
}
