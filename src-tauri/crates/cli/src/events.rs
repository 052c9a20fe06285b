//! What the client says, as lines of the contract.

use crate::output::Output;
use ahoy_client::{ClientEvent, EndedCall, MediaMoment};
use ahoy_media::synthetic::devices::SyntheticDevices;
use serde_json::{Map, Value, json};

/// Prints an event as one line; `Stats` brings the probes' lines with it.
pub fn print(output: Output, probes: &SyntheticDevices, event: &ClientEvent) {
    match event {
        ClientEvent::SignedIn { me } => {
            output.line(
                &json!({"event": "signed_in", "at_ms": output.at_ms(), "user": number(&me.to_string())}),
            );
        }
        ClientEvent::SignInFailed { problem } => {
            output.line(&json!({"event": "notice", "code": problem.code, "text": problem.detail}));
        }
        ClientEvent::ServerLost { problem, retry_in } => output.line(&json!({
            "event": "notice", "code": problem.code, "text": problem.detail,
            "retry_in_s": retry_in.map(|wait| wait.as_secs_f64()),
        })),
        ClientEvent::Incoming { call, from, video } => output.line(&json!({
            "event": "incoming", "call_id": call.as_str(), "from": number(&from.to_string()), "video": video,
        })),
        ClientEvent::State { call, state } => print_state(output, call.as_str(), state.as_str()),
        ClientEvent::Media { video, what, at } => output.line(&json!({
            "event": "media", "kind": kind(*video), "at_ms": output.ms_of(*at),
            "what": match what {
                MediaMoment::FirstSent => "first_sent",
                MediaMoment::FirstReceived => "first_received",
                MediaMoment::FirstRendered => "first_rendered",
            },
        })),
        ClientEvent::Digit(digit) => output.line(&json!({
            "event": "dtmf", "digit": digit.to_string(), "at_ms": output.at_ms(),
        })),
        ClientEvent::Picture(step) => output.line(&json!({
            "event": "picture", "step": step.name, "width": step.resolution.width, "height": step.resolution.height,
            "fps": step.frame_rate, "limitation": step.limitation.as_str(), "at_ms": output.at_ms(),
        })),
        ClientEvent::Stats(stats) => {
            let mut line = match serde_json::to_value(stats) {
                Ok(Value::Object(fields)) => fields,
                Ok(_) | Err(_) => Map::new(),
            };
            line.insert("event".to_owned(), "stats".into());
            line.insert("at_ms".to_owned(), output.at_ms().into());
            output.line(&line);
            print_probes(output, probes, Span::Interval);
        }
        ClientEvent::Verdict(verdict) => output.line(&json!({
            "event": "verdict",
            "level": verdict.level.as_str(), "side": verdict.side.as_str(), "cause": verdict.cause.as_str(),
            "action": verdict.action.map(|action| action.as_str()),
        })),
        ClientEvent::Notice(notice) => {
            output.line(&json!({"event": "notice", "code": notice.code, "text": notice.detail}));
        }
        ClientEvent::Ended(ended) => print_end(output, probes, ended),
    }
}

/// The last figures of the probes, the state and the end, in this order.
fn print_end(output: Output, probes: &SyntheticDevices, ended: &EndedCall) {
    print_probes(output, probes, Span::Call);
    print_state(output, ended.call.as_str(), "ended");
    output.line(&json!({
        "event": "ended",
        "call_id": ended.call.as_str(),
        "reason": ended.end.reason.as_str(),
        "detail": ended.end.detail.as_ref().map(|detail| detail.as_str().to_owned()),
        "cause": ended.end.cause.as_str(),
        "by_us": ended.end.by_us,
        "duration_s": (ended.end.duration.as_secs_f64() * 1000.0).round() / 1000.0,
        "at_ms": output.at_ms(),
    }));
}

fn print_state(output: Output, call: &str, state: &str) {
    output.line(&json!({
        "event": "state", "call_id": call, "state": state, "at_ms": output.at_ms(), "wall": Output::wall(),
    }));
}

/// What rates and delays are taken over; counts are always those of the whole call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Span {
    Interval,
    Call,
}

/// What the probe outputs read.
fn print_probes(output: Output, probes: &SyntheticDevices, span: Span) {
    if let Some(probe) = probes.video_probe() {
        let total = probe.total();
        let rates = if span == Span::Interval {
            probe.interval()
        } else {
            total.clone()
        };
        output.line(&json!({
            "event": "probe", "kind": "video", "at_ms": output.at_ms(),
            "frames": total.frames, "fps": rates.fps, "lost": total.lost, "backwards": total.backwards,
            "unreadable": total.unreadable, "width": total.width, "height": total.height,
            "freeze_count": total.freeze_count, "freeze_s": total.freeze_s,
            "latency_ms": rates.latency_ms.map(|ms| json!({"p50": ms.p50, "p95": ms.p95})),
            "psnr_db": rates.likeness.map(|likeness| likeness.psnr_db),
            "ssim": rates.likeness.map(|likeness| likeness.ssim),
            "full_size_at_ms": total.full_size_at.map(|at| output.ms_of(at)),
        }));
    }
    if let Some(probe) = probes.audio_probe() {
        let total = probe.total();
        let rates = if span == Span::Interval {
            probe.interval()
        } else {
            total
        };
        output.line(&json!({
            "event": "probe", "kind": "audio", "at_ms": output.at_ms(),
            "frequency": total.frequency, "tone_db": rates.tone_db, "gaps": total.gaps,
            "clicks": total.clicks, "clicks_lost": total.clicks_lost,
            "latency_ms": rates.latency_ms.map(|ms| json!({"p50": ms.p50, "p95": ms.p95})),
        }));
    }
}

fn kind(video: bool) -> &'static str {
    if video { "video" } else { "audio" }
}

/// User ids are numbers, names of rooms are text.
fn number(text: &str) -> Value {
    text.parse::<u64>()
        .map_or_else(|_| Value::from(text), Value::from)
}
