//! Gives digits the payload type that was negotiated for them, on their way out.
//!
//! The library takes packets of the payload types of its own list alone, in which digits stand once, whatever clocks
//! there are. They go to it under that number, and change it in the first interceptor that they meet. Runs on the
//! connection's driver task.

use crate::interceptor::Passage;
use rtc::interceptor::{Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Instant;

/// Under which number the library takes digits, and under which the other side does. Written by negotiation.
#[derive(Debug, Default)]
pub(crate) struct EventNumbers {
    /// Both in one; zero, which is the number of a voice, where there are none.
    pair: AtomicU16,
}

impl EventNumbers {
    pub(crate) fn set(&self, library: u8, told: u8) {
        let pair = u16::from_be_bytes([library, told]);
        self.pair.store(pair, Ordering::Relaxed);
    }

    fn told(&self, payload_type: u8) -> Option<u8> {
        let [library, told] = self.pair.load(Ordering::Relaxed).to_be_bytes();
        (library == payload_type && told != 0).then_some(told)
    }
}

pub(crate) struct EventNumbering {
    /// The own voice.
    ssrc: u32,
    numbers: Arc<EventNumbers>,
    passage: Passage,
}

impl EventNumbering {
    pub(crate) fn new(ssrc: u32, numbers: Arc<EventNumbers>) -> Self {
        Self {
            ssrc,
            numbers,
            passage: Passage::default(),
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for EventNumbering {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, message: TaggedPacket) -> Result<(), Error> {
        self.passage.inbound.push_back(message);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.passage.inbound.pop_front()
    }

    fn handle_write(&mut self, mut message: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtp(packet) = &mut message.message.packet
            && packet.header.ssrc == self.ssrc
            && let Some(told) = self.numbers.told(packet.header.payload_type)
        {
            packet.header.payload_type = told;
        }
        self.passage.outbound.push_back(message);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.passage.outbound.pop_front()
    }
}

impl Interceptor for EventNumbering {
    fn bind_local_stream(&mut self, _info: &StreamInfo) {}

    fn unbind_local_stream(&mut self, _info: &StreamInfo) {}

    fn bind_remote_stream(&mut self, _info: &StreamInfo) {}

    fn unbind_remote_stream(&mut self, _info: &StreamInfo) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use rtc::interceptor::AttributedPacket;
    use rtc::rtp::header::Header;
    use rtc::shared::TransportContext;

    const VOICE: u32 = 7;

    /// The number that a packet of this stream and number leaves with.
    fn sent(numbering: &mut EventNumbering, ssrc: u32, payload_type: u8) -> u8 {
        let header = Header {
            ssrc,
            payload_type,
            ..Header::default()
        };
        let payload = Bytes::from_static(&[5, 10, 0, 160]);
        let message = TaggedPacket {
            now: Instant::now(),
            transport: TransportContext::default(),
            message: AttributedPacket::new(Packet::Rtp(rtc::rtp::Packet { header, payload })),
        };
        numbering.handle_write(message).expect("it is taken");
        match numbering.poll_write().map(|message| message.message.packet) {
            Some(Packet::Rtp(packet)) => packet.header.payload_type,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn digits_of_the_own_voice_get_the_number_of_their_clock_and_nothing_else_does() {
        let numbers = Arc::new(EventNumbers::default());
        let mut numbering = EventNumbering::new(VOICE, numbers.clone());
        assert_eq!(
            [0, 110, 111].map(|number| sent(&mut numbering, VOICE, number)),
            [0, 110, 111]
        );
        numbers.set(110, 126);
        assert_eq!(
            [0, 110, 111].map(|number| sent(&mut numbering, VOICE, number)),
            [0, 126, 111]
        );
        assert_eq!(sent(&mut numbering, VOICE + 1, 110), 110);
        numbers.set(110, 110);
        assert_eq!(sent(&mut numbering, VOICE, 110), 110);
    }
}
