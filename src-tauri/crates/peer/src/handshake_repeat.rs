//! Sends each datagram of a DTLS handshake three times.
//!
//! The library repeats a lost flight only after a second, and gives the call up after seven (rtc-dtls 0.21.1, neither can
//! be set). A flight of several datagrams comes whole in a third of all cases at 20 % loss, so a bad network costs
//! seconds or the call. Whole records that come twice are dropped by their number (RFC 6347 §4.1.2.6).

use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use webrtc::runtime::{AsyncUdpSocket, Transmit};

/// From the first sending to each copy: apart enough that a burst of loss does not take all (chosen, not measured).
const COPIES: [Duration; 2] = [Duration::from_millis(30), Duration::from_millis(100)];

/// Datagrams repeated on one socket at most: a handshake takes about ten, a few restarts of it fit too.
const MOST: u32 = 64;

/// Counts for one socket.
#[derive(Debug, Default)]
pub(crate) struct HandshakeRepeat {
    repeated: AtomicU32,
}

impl HandshakeRepeat {
    /// Whether what was sent just now is to be repeated.
    pub(crate) fn wants(&self, datagram: &[u8]) -> bool {
        is_handshake(datagram) && self.repeated.fetch_add(1, Ordering::Relaxed) < MOST
    }
}

/// Sends the copies in their time; must be called on a tokio runtime.
pub(crate) fn repeat(socket: &Arc<dyn AsyncUdpSocket>, transmit: &Transmit<'_>) {
    let socket = Arc::clone(socket);
    let contents = transmit.contents.to_vec();
    let (destination, src_ip): (SocketAddr, Option<IpAddr>) = (transmit.destination, transmit.src_ip);
    tokio::spawn(async move {
        let mut waited = Duration::ZERO;
        for copy in COPIES {
            tokio::time::sleep(copy - waited).await;
            waited = copy;
            let transmit = Transmit {
                destination,
                ecn: None,
                contents: &contents,
                segment_size: None,
                src_ip,
            };
            if let Err(error) = poll_fn(|cx| socket.poll_send(cx, &transmit)).await {
                tracing::trace!(%error, "a copy is not sent");
            }
        }
    });
}

/// Whether a datagram carries a handshake or its change of keys, and no data, as DTLS or in a relay's ChannelData
/// (RFC 6347 §4.1, RFC 8656 §12.4, RFC 7983).
fn is_handshake(datagram: &[u8]) -> bool {
    const CHANGE_CIPHER_SPEC: u8 = 20;
    const HANDSHAKE: u8 = 22;
    let record = match datagram {
        [0x40..=0x7F, _, _, _, rest @ ..] => rest,
        other => other,
    };
    matches!(record, [CHANGE_CIPHER_SPEC | HANDSHAKE, 0xFE, 0xFD | 0xFF, ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handshakes_are_told_from_alerts_data_checks_and_media() {
        for handshake in [
            &[22, 0xFE, 0xFD, 0][..],
            &[22, 0xFE, 0xFF, 0],
            &[20, 0xFE, 0xFD, 0],
            &[0x40, 0x01, 0, 4, 22, 0xFE, 0xFD, 0],
        ] {
            assert!(is_handshake(handshake), "{handshake:?}");
        }
        for other in [
            &[][..],
            &[21, 0xFE, 0xFD, 0],
            &[23, 0xFE, 0xFD, 0],
            &[22, 3, 3],
            &[0, 1, 0, 0],
            &[0x80, 111, 0, 1],
            &[0x40, 0x01, 0, 4, 0x80, 111, 0, 1],
        ] {
            assert!(!is_handshake(other), "{other:?}");
        }
    }

    #[test]
    fn no_socket_repeats_for_ever() {
        let repeat = HandshakeRepeat::default();
        let wanted = (0..10 * MOST).filter(|_| repeat.wants(&[22, 0xFE, 0xFD, 0]));
        assert_eq!(wanted.count(), MOST as usize);
    }
}
