//! One call's statistics, once a second, in the names and units of W3C webrtc-stats where one exists.
//!
//! `None` means "not known", never "zero".

use crate::measure::worse;
use serde::Serialize;

/// What `stats` prints (the headless client's contract).
#[derive(Debug, Clone, Default, Serialize)]
pub struct CallStats {
    pub audio_in: AudioIn,
    pub audio_out: AudioOut,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video_in: Option<VideoIn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video_out: Option<VideoOut>,
    pub transport: Transport,
    pub latency_ms: Latency,
    pub process: Process,
    /// Seconds of the last interval in which the received picture stood still.
    #[serde(skip)]
    pub froze_for_s: f64,
}

impl CallStats {
    /// The figures of a call that sends on one connection and receives on another.
    pub(crate) fn joined(sending: &CallStats, receiving: &CallStats) -> CallStats {
        CallStats {
            audio_out: sending.audio_out.clone(),
            video_out: sending.video_out.clone(),
            audio_in: receiving.audio_in.clone(),
            video_in: receiving.video_in.clone(),
            transport: Transport {
                rtt: worse(sending.transport.rtt, receiving.transport.rtt),
                loss_in: receiving.transport.loss_in,
                ..sending.transport.clone()
            },
            latency_ms: Latency {
                network: worse(sending.latency_ms.network, receiving.latency_ms.network),
                jitter_buffer: receiving.latency_ms.jitter_buffer,
                decode: receiving.latency_ms.decode,
                playout: receiving.latency_ms.playout,
                ..sending.latency_ms.clone()
            },
            process: sending.process.clone(),
            froze_for_s: receiving.froze_for_s,
        }
    }
}

/// Received sound. Samples are per channel at 48 kHz, delays are seconds.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AudioIn {
    pub packets_received: u64,
    pub packets_lost: i64,
    pub jitter: Option<f64>,
    pub jitter_buffer_delay: f64,
    pub jitter_buffer_target_delay: f64,
    pub jitter_buffer_emitted_count: u64,
    pub concealed_samples: u64,
    pub silent_concealed_samples: u64,
    pub concealment_events: u64,
    pub inserted_samples_for_deceleration: u64,
    pub removed_samples_for_acceleration: u64,
    pub fec_packets_received: u64,
    /// Stretches of lost sound rebuilt from deep redundancy, 20 ms each at most.
    pub dred_frames: u64,
    pub total_samples_received: u64,
    pub nack_count: u64,
    pub retransmitted_packets_received: u64,
    /// 0..1.
    pub audio_level: f32,
    /// Bits per second over the last interval.
    pub bitrate: u64,
    /// Name (RFC 4855) and payload type of the packet that came last.
    pub codec: Option<&'static str>,
    pub payload_type: Option<u8>,
    /// Channels of what was encoded in it.
    pub channels: u16,
    /// Milliseconds of it (RFC 8866 §6.4).
    pub ptime: f64,
    /// What is heard, in milliseconds since 1900 on the other side's clock.
    pub estimated_playout_timestamp: Option<f64>,
}

/// Sent sound.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AudioOut {
    pub packets_sent: u64,
    /// Of payloads, retransmissions included.
    pub bytes_sent: u64,
    pub nack_count: u64,
    pub retransmitted_packets_sent: u64,
    pub retransmitted_bytes_sent: u64,
    pub bitrate: u64,
    pub target_bitrate: u64,
    pub audio_level: f32,
    /// Fraction 0..1 that the encoder protects against.
    pub expected_loss: f64,
    /// Name (RFC 4855), and payload type as the other side numbers them; `None` = nothing is sent.
    pub codec: Option<&'static str>,
    pub payload_type: Option<u8>,
    /// Channels of what is encoded.
    pub channels: u16,
    /// Milliseconds of a packet (RFC 8866 §6.4).
    pub ptime: f64,
}

/// Received pictures.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VideoIn {
    pub frames_received: u64,
    pub frames_decoded: u64,
    pub frames_dropped: u64,
    pub key_frames_decoded: u64,
    pub freeze_count: u64,
    /// Seconds.
    pub total_freezes_duration: f64,
    pub frame_width: u32,
    pub frame_height: u32,
    pub frames_per_second: f64,
    pub nack_count: u64,
    pub pli_count: u64,
    pub retransmitted_packets_received: u64,
    /// Seconds, all frames together.
    pub jitter_buffer_delay: f64,
    pub bitrate: u64,
    /// Name (RFC 4855) and payload type of the packet that came last.
    pub codec: Option<&'static str>,
    pub payload_type: Option<u8>,
    /// What is seen, in milliseconds since 1900 on the other side's clock: that of the sound, when both are in time.
    pub estimated_playout_timestamp: Option<f64>,
}

/// Sent pictures.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VideoOut {
    /// Of RTP payload, retransmissions included.
    pub bytes_sent: u64,
    pub frames_encoded: u64,
    pub key_frames_encoded: u64,
    pub frame_width: u32,
    pub frame_height: u32,
    pub frames_per_second: f64,
    pub bitrate: u64,
    pub target_bitrate: u64,
    /// `none`, `cpu`, `bandwidth` or `other`.
    pub quality_limitation_reason: String,
    pub quality_limitation_resolution_changes: u64,
    pub nack_count: u64,
    pub pli_count: u64,
    pub retransmitted_packets_sent: u64,
    pub encoder: Option<&'static str>,
    /// Name (RFC 4855), and payload type as the other side numbers them; `None` = nothing is sent.
    pub codec: Option<&'static str>,
    pub payload_type: Option<u8>,
}

/// The way between the two sides.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Transport {
    /// Seconds.
    pub rtt: Option<f64>,
    /// Bits per second.
    pub available_outgoing_bitrate: Option<u64>,
    /// Fraction 0..1 of the last interval.
    pub loss_in: Option<f64>,
    /// Fraction 0..1 as the other side reports it.
    pub loss_out: Option<f64>,
    pub local: Option<String>,
    pub remote: Option<String>,
    /// `host`, `srflx`, `prflx` or `relay`: the weaker of the two ends.
    pub path: Option<String>,
    pub relay_protocol: Option<String>,
    pub dtls_state: Option<String>,
    pub srtp_cipher: Option<String>,
}

/// Where the delay of sound and picture comes from, milliseconds. Only what is measured is filled.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Latency {
    pub capture: Option<f64>,
    pub process: Option<f64>,
    pub encode: Option<f64>,
    pub pacer: Option<f64>,
    pub network: Option<f64>,
    pub jitter_buffer: Option<f64>,
    pub decode: Option<f64>,
    pub playout: Option<f64>,
    pub total: Option<f64>,
}

/// What the whole process uses.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Process {
    /// Processor time since the start, seconds.
    pub cpu_s: Option<f64>,
    pub rss_bytes: Option<u64>,
    pub pss_bytes: Option<u64>,
    pub threads: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_of_one_connection_and_what_is_received_of_the_other() {
        let of = |packets: u64, rtt: Option<f64>, loss: f64| CallStats {
            audio_in: AudioIn {
                packets_received: packets,
                ..AudioIn::default()
            },
            audio_out: AudioOut {
                packets_sent: packets,
                ..AudioOut::default()
            },
            video_in: Some(VideoIn {
                frames_decoded: packets,
                ..VideoIn::default()
            }),
            video_out: Some(VideoOut {
                frames_encoded: packets,
                ..VideoOut::default()
            }),
            transport: Transport {
                rtt,
                loss_in: Some(loss),
                loss_out: Some(loss),
                ..Transport::default()
            },
            latency_ms: Latency {
                encode: rtt,
                playout: rtt,
                ..Latency::default()
            },
            ..CallStats::default()
        };
        let joined = CallStats::joined(&of(10, Some(0.1), 0.01), &of(20, Some(0.3), 0.02));
        assert_eq!(
            (joined.audio_out.packets_sent, joined.audio_in.packets_received),
            (10, 20)
        );
        let frames = (
            joined.video_out.map(|video| video.frames_encoded),
            joined.video_in.map(|video| video.frames_decoded),
        );
        assert_eq!(frames, (Some(10), Some(20)));
        let transport = joined.transport;
        assert_eq!(
            (transport.rtt, transport.loss_out, transport.loss_in),
            (Some(0.3), Some(0.01), Some(0.02))
        );
        let latency = joined.latency_ms;
        assert_eq!((latency.encode, latency.playout), (Some(0.1), Some(0.3)));
        let unknown = CallStats::joined(&of(1, None, 0.0), &of(1, Some(0.2), 0.0));
        assert_eq!(unknown.transport.rtt, Some(0.2));
    }
}
