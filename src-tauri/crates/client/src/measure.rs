//! From counters to figures: pure arithmetic over two readings.

use crate::ladder::Plan;
use crate::media_session::MediaStats;
use crate::process;
use crate::quality;
use crate::stats::{AudioIn, AudioOut, CallStats, Latency, Transport, VideoIn, VideoOut};
use crate::verdict::Sample;
use ahoy_call::LinkQuality;
use ahoy_media::codec::{PictureCodec, SoundCodec};
use ahoy_media::units::NtpTime;
use ahoy_peer::{PeerStats, SelectedCandidate};
use std::time::{Duration, Instant};

/// A freeze of this length lowers the quality of the picture by two words (IM-Suite §4.5).
const LONG_FREEZE_S: f64 = 1.0;

/// Keeps the last reading, so that totals become rates.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    last: Option<Reading>,
    /// When the count of received packets last rose.
    received_at: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Reading {
    at: Instant,
    audio_in_bytes: u64,
    audio_out_bytes: u64,
    received: u64,
    lost: i64,
    /// Seconds.
    frozen: f64,
}

impl Meter {
    pub(crate) fn measure(
        &mut self,
        now: Instant,
        peer: &PeerStats,
        media: Option<&MediaStats>,
        plan: Plan,
    ) -> CallStats {
        let frozen = media
            .and_then(|media| media.video.as_ref())
            .map_or(0.0, |(video, _)| video.total_freezes_duration.as_secs_f64());
        let reading = Reading {
            at: now,
            audio_in_bytes: peer.audio_in.bytes,
            audio_out_bytes: peer.audio_out.bytes,
            received: peer.audio_in.packets + peer.video_in.packets,
            lost: peer.audio_in.packets_lost + peer.video_in.packets_lost,
            frozen,
        };
        let last = self.last.replace(reading);
        if last.map_or(0, |last| last.received) < reading.received {
            self.received_at = Some(now);
        }
        let rate =
            |bytes: fn(&Reading) -> u64| last.map_or(0, |last| bits_per_second(&last, &reading, bytes));
        let mut stats = CallStats {
            transport: transport(peer, last.and_then(|last| interval_loss(&last, &reading))),
            process: process::usage(),
            ..CallStats::default()
        };
        stats.audio_out.bitrate = rate(|reading| reading.audio_out_bytes);
        stats.audio_in.bitrate = rate(|reading| reading.audio_in_bytes);
        if let Some(media) = media {
            fill_audio(&mut stats, peer, media);
            fill_video(&mut stats, peer, media, plan);
            stats.latency_ms = latency(peer, media);
        }
        stats.froze_for_s = last.map_or(0.0, |last| frozen - last.frozen);
        stats
    }

    /// How long nothing has been received, as exact as the readings are close; `None` before the first packet.
    pub(crate) fn media_in_age(&self, now: Instant) -> Option<Duration> {
        self.received_at.map(|at| now.saturating_duration_since(at))
    }
}

fn bits_per_second(last: &Reading, reading: &Reading, bytes: fn(&Reading) -> u64) -> u64 {
    let seconds = reading.at.saturating_duration_since(last.at).as_secs_f64();
    if seconds <= 0.0 {
        return 0;
    }
    (bytes(reading).saturating_sub(bytes(last)) as f64 * 8.0 / seconds) as u64
}

/// Fraction of the expected packets of this interval that did not come; `None` without any.
fn interval_loss(last: &Reading, reading: &Reading) -> Option<f64> {
    let received = reading.received.saturating_sub(last.received) as f64;
    // Late repairs can make the total of lost packets smaller.
    let lost = (reading.lost - last.lost).max(0) as f64;
    (received + lost > 0.0).then(|| lost / (received + lost))
}

fn fill_audio(stats: &mut CallStats, peer: &PeerStats, media: &MediaStats) {
    let (buffer, sound) = (&media.audio_in.buffer, &media.audio_in);
    stats.audio_in = AudioIn {
        packets_received: buffer.packets_received,
        packets_lost: peer.audio_in.packets_lost,
        jitter: (buffer.packets_received > 0).then_some(buffer.jitter),
        jitter_buffer_delay: buffer.jitter_buffer_delay,
        jitter_buffer_target_delay: buffer.jitter_buffer_target_delay,
        jitter_buffer_emitted_count: buffer.jitter_buffer_emitted_count,
        concealed_samples: buffer.concealed_samples,
        silent_concealed_samples: sound.silent_concealed_samples,
        concealment_events: buffer.concealment_events,
        inserted_samples_for_deceleration: buffer.inserted_samples_for_deceleration,
        removed_samples_for_acceleration: buffer.removed_samples_for_acceleration,
        fec_packets_received: buffer.fec_packets_received,
        dred_frames: buffer.dred_frames,
        total_samples_received: buffer.total_samples_received,
        nack_count: peer.audio_in.nack_count,
        retransmitted_packets_received: peer.audio_in.retransmitted_packets,
        audio_level: sound.audio_level,
        bitrate: stats.audio_in.bitrate,
        codec: sound.codec.map(SoundCodec::name),
        payload_type: peer.audio_in.payload_type,
        channels: sound.channels,
        ptime: milliseconds(sound.frame_time),
        estimated_playout_timestamp: media.sound_playout.map(NtpTime::as_millis),
    };
    stats.audio_out = AudioOut {
        packets_sent: peer.audio_out.packets,
        bytes_sent: peer.audio_out.bytes,
        nack_count: peer.audio_out.nack_count,
        retransmitted_packets_sent: peer.audio_out.retransmitted_packets,
        retransmitted_bytes_sent: peer.audio_out.retransmitted_bytes,
        bitrate: stats.audio_out.bitrate,
        target_bitrate: media.audio_out.target_bitrate.as_bps(),
        audio_level: media.audio_out.audio_level,
        expected_loss: f64::from(media.audio_out.expected_loss.post_repair),
        codec: peer.audio_out.codec.map(|(codec, _)| codec.name()),
        payload_type: peer.audio_out.codec.map(|(_, payload_type)| payload_type),
        channels: media.audio_out.channels,
        ptime: milliseconds(media.audio_out.frame_time),
    };
}

fn fill_video(stats: &mut CallStats, peer: &PeerStats, media: &MediaStats, plan: Plan) {
    let Some((received, sent)) = &media.video else {
        return;
    };
    stats.video_in = Some(VideoIn {
        frames_received: received.frames_received,
        frames_decoded: received.frames_decoded,
        frames_dropped: received.frames_dropped,
        key_frames_decoded: received.key_frames_decoded,
        freeze_count: received.freeze_count,
        total_freezes_duration: received.total_freezes_duration.as_secs_f64(),
        frame_width: received.frame_width,
        frame_height: received.frame_height,
        frames_per_second: received.frames_per_second,
        nack_count: peer.video_in.nack_count,
        pli_count: peer.video_in.pli_count,
        retransmitted_packets_received: peer.video_in.retransmitted_packets,
        jitter_buffer_delay: received.jitter_buffer_delay.as_secs_f64(),
        bitrate: received.bitrate.as_bps(),
        codec: received.codec.map(PictureCodec::name),
        payload_type: peer.video_in.payload_type,
        estimated_playout_timestamp: media.picture_playout.map(NtpTime::as_millis),
    });
    stats.video_out = Some(VideoOut {
        bytes_sent: peer.video_out.bytes,
        frames_encoded: sent.frames_encoded,
        key_frames_encoded: sent.key_frames_encoded,
        frame_width: sent.frame_width,
        frame_height: sent.frame_height,
        frames_per_second: sent.frames_per_second,
        bitrate: sent.bitrate.as_bps(),
        target_bitrate: plan.video.bitrate.as_bps(),
        quality_limitation_reason: sent.quality_limitation_reason.as_str().to_owned(),
        quality_limitation_resolution_changes: sent.quality_limitation_resolution_changes,
        nack_count: peer.video_out.nack_count,
        pli_count: peer.video_out.pli_count,
        retransmitted_packets_sent: peer.video_out.retransmitted_packets,
        encoder: sent.encoder_implementation,
        codec: peer.video_out.codec.map(|(codec, _)| codec.name()),
        payload_type: peer.video_out.codec.map(|(_, payload_type)| payload_type),
    });
}

fn transport(peer: &PeerStats, loss_in: Option<f64>) -> Transport {
    let from = &peer.transport;
    let address = |end: &Option<SelectedCandidate>| {
        end.as_ref()
            .and_then(|candidate| candidate.address)
            .map(|address| address.to_string())
    };
    let relay_protocol = from.local.as_ref().and_then(|end| end.relay_protocol);
    Transport {
        rtt: round_trip(peer).map(|rtt| rtt.as_secs_f64()),
        available_outgoing_bitrate: from.available_outgoing_bitrate.map(|bitrate| bitrate.as_bps()),
        loss_in,
        loss_out: loss_out(peer),
        local: address(&from.local),
        remote: address(&from.remote),
        path: from.path.map(|path| path.as_str().to_owned()),
        relay_protocol: relay_protocol.map(str::to_owned),
        dtls_state: Some(from.dtls_state.clone()).filter(|state| !state.is_empty()),
        srtp_cipher: from.srtp_cipher.clone(),
    }
}

fn round_trip(peer: &PeerStats) -> Option<Duration> {
    let reported = |out: &ahoy_peer::OutboundStats| out.remote.as_ref().and_then(|remote| remote.rtt);
    peer.transport
        .rtt
        .or_else(|| reported(&peer.audio_out))
        .or_else(|| reported(&peer.video_out))
}

/// The worse of what the other side reports of the two streams.
fn loss_out(peer: &PeerStats) -> Option<f64> {
    [&peer.audio_out, &peer.video_out]
        .into_iter()
        .filter_map(|out| out.remote.as_ref())
        .map(|remote| remote.fraction_lost)
        .max_by(f64::total_cmp)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn latency(peer: &PeerStats, media: &MediaStats) -> Latency {
    let per = |seconds: f64, count: u64| (count > 0).then(|| seconds * 1000.0 / count as f64);
    let (sound_in, sound_out) = (&media.audio_in, &media.audio_out);
    let ms = milliseconds;
    Latency {
        encode: per(sound_out.total_encode_time, sound_out.packets_sent),
        network: round_trip(peer).map(|rtt| ms(rtt) / 2.0),
        jitter_buffer: per(
            sound_in.buffer.jitter_buffer_delay,
            sound_in.buffer.jitter_buffer_emitted_count,
        ),
        decode: per(sound_in.total_decode_time, sound_in.buffer.packets_received),
        playout: Some(ms(sound_in.playout_delay)),
        ..Latency::default()
    }
}

/// What the judge looks at.
pub(crate) fn sample(
    stats: &CallStats,
    peer: &PeerStats,
    media: Option<&MediaStats>,
    media_in_age: Option<Duration>,
    connected: bool,
) -> Sample {
    let ms = |seconds: f64| seconds * 1000.0;
    let newest_report = [&peer.audio_out, &peer.video_out]
        .into_iter()
        .filter_map(|out| out.remote.as_ref())
        .map(|remote| remote.age)
        .min();
    Sample {
        connected,
        loss_in: stats.transport.loss_in,
        loss_out: stats.transport.loss_out,
        rtt_ms: stats.transport.rtt.map(ms),
        jitter_in_ms: stats.audio_in.jitter.map(ms),
        remote_report_age: newest_report,
        media_in_age,
        microphone_missing: media.is_some_and(|media| media.microphone_missing),
    }
}

/// The same of a call that sends on one connection and receives on another.
pub(crate) fn join_samples(sending: Sample, receiving: Sample) -> Sample {
    Sample {
        connected: sending.connected && receiving.connected,
        loss_in: receiving.loss_in,
        loss_out: sending.loss_out,
        rtt_ms: worse(sending.rtt_ms, receiving.rtt_ms),
        jitter_in_ms: receiving.jitter_in_ms,
        remote_report_age: sending.remote_report_age,
        media_in_age: receiving.media_in_age,
        microphone_missing: sending.microphone_missing,
    }
}

/// The longer of two times that may not be known.
pub(crate) fn worse(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    a.into_iter().chain(b).reduce(f64::max)
}

/// The quality of received sound in the words of the protocol.
pub(crate) fn audio_quality(stats: &CallStats) -> Option<LinkQuality> {
    let ms = |seconds: Option<f64>| seconds.map(|seconds| seconds * 1000.0);
    quality::word(
        stats.transport.loss_in,
        ms(stats.audio_in.jitter),
        ms(stats.transport.rtt),
    )
}

/// The quality of the received picture; `None` without one.
pub(crate) fn video_quality(stats: &CallStats) -> Option<LinkQuality> {
    let video = stats.video_in.as_ref().filter(|video| video.frames_decoded > 0)?;
    let rtt_ms = stats.transport.rtt.map(|seconds| seconds * 1000.0);
    let word = quality::word(stats.transport.loss_in, None, rtt_ms)?;
    Some(quality::lower_for_picture(
        word,
        video.frames_per_second,
        None,
        stats.froze_for_s > LONG_FREEZE_S,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_of_two_connections_is_up_when_both_are_and_each_way_is_judged_by_its_own() {
        let of = |connected, loss, rtt_ms, age| Sample {
            connected,
            loss_in: Some(loss),
            loss_out: Some(loss),
            rtt_ms,
            jitter_in_ms: Some(loss),
            remote_report_age: Some(Duration::from_secs(age)),
            media_in_age: Some(Duration::from_secs(age)),
            microphone_missing: age == 1,
        };
        let joined = join_samples(of(true, 0.1, Some(20.0), 1), of(true, 0.2, Some(30.0), 2));
        let expected = Sample {
            connected: true,
            loss_in: Some(0.2),
            loss_out: Some(0.1),
            rtt_ms: Some(30.0),
            jitter_in_ms: Some(0.2),
            remote_report_age: Some(Duration::from_secs(1)),
            media_in_age: Some(Duration::from_secs(2)),
            microphone_missing: true,
        };
        assert_eq!(joined, expected);
        assert!(!join_samples(of(true, 0.0, None, 1), of(false, 0.0, None, 1)).connected);
    }
}
