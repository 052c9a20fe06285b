//! How good the pictures of one call were, from what both ends counted. Pure.

use super::super::call::Record;
use super::super::span::{LEARNING, Span, at, median};
use super::link;
use serde_json::Value;

/// Both ends of a call, or of several.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    pub a: Seen,
    pub b: Seen,
}

/// What came to one end. `None` is what nobody measured.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// Pictures per second.
    pub fps: Option<f64>,
    /// Freezes as W3C webrtc-stats counts them, and the seconds that they lasted.
    pub freezes: Option<f64>,
    pub frozen: Option<f64>,
    /// What the other end sent of pictures, bit/s of RTP payload.
    pub bitrate: Option<f64>,
    /// Of the pictures, pixels: mean over the call and at its end.
    pub height: Option<f64>,
    pub end_height: Option<f64>,
    /// Seconds from the connection to the first picture of full height.
    pub full_after: Option<f64>,
    /// Milliseconds from drawing to showing: half and 95 % of the pictures do not exceed them.
    pub delay: Option<f64>,
    pub worst_delay: Option<f64>,
    /// Likeness to what was drawn.
    pub psnr: Option<f64>,
    pub ssim: Option<f64>,
    /// Milliseconds that the sound comes after its picture.
    pub lip: Option<f64>,
    /// Share of the link's rate that was used, 0..1, and milliseconds that packets waited before it.
    pub link_use: Option<f64>,
    pub queue: Option<f64>,
    /// Of this end's process: cores, and bytes in proportion to how many share them (PSS).
    pub cores: Option<f64>,
    pub memory: Option<f64>,
}

/// Pixels.
const FULL_HEIGHT: f64 = 720.0;

impl Figures {
    pub fn read(record: &Record) -> Self {
        Self {
            a: Seen::read(&record.a, &record.b, &record.network, "b.up"),
            b: Seen::read(&record.b, &record.a, &record.network, "a.up"),
        }
    }

    pub fn together(calls: &[Self]) -> Self {
        let of = |end: fn(&Self) -> &Seen| Seen::together(&calls.iter().map(end).collect::<Vec<_>>());
        Self {
            a: of(|call| &call.a),
            b: of(|call| &call.b),
        }
    }

    /// The largest of both ends; `None` unless both were measured.
    pub fn most(&self, figure: fn(&Seen) -> Option<f64>) -> Option<f64> {
        Some(figure(&self.a)?.max(figure(&self.b)?))
    }

    /// The least of both ends; `None` unless both were measured.
    pub fn least(&self, figure: fn(&Seen) -> Option<f64>) -> Option<f64> {
        Some(figure(&self.a)?.min(figure(&self.b)?))
    }
}

impl Seen {
    /// What came to `this` end from the other through a pipe of the network.
    fn read(this: &[Value], other: &[Value], network: &[Value], pipe: &str) -> Self {
        let (span, sender) = (Span::of(this), Span::of(other));
        let per_second = |span: &Option<Span<'_>>, path: &[&str]| {
            let span = span.as_ref()?;
            Some(span.grown(path)? / span.seconds()?)
        };
        let last = |path: &[&str]| stats(this).filter_map(|event| number(event, path)).last();
        let heights: Vec<f64> = stats(this)
            .filter_map(|event| number(event, &["video_in", "frameHeight"]))
            .collect();
        let probe = this.iter().rfind(|event| is_probe(event, "video"));
        let probed = |path: &[&str]| number(probe?, path);
        let link = link::read(network, pipe);
        Self {
            fps: per_second(&span, &["video_in", "framesDecoded"]),
            freezes: last(&["video_in", "freezeCount"]),
            frozen: last(&["video_in", "totalFreezesDuration"]),
            bitrate: per_second(&sender, &["video_out", "bytesSent"]).map(|bytes| 8.0 * bytes),
            height: mean(&heights),
            end_height: heights.last().copied(),
            full_after: full_after(this, probed(&["full_size_at_ms"])),
            delay: probed(&["latency_ms", "p50"]),
            worst_delay: probed(&["latency_ms", "p95"]),
            psnr: probed(&["psnr_db"]),
            ssim: probed(&["ssim"]),
            lip: lip(this),
            link_use: link.used,
            queue: link.queue,
            cores: per_second(&span, &["process", "cpu_s"]),
            memory: last(&["process", "pss_bytes"]),
        }
    }

    /// Freezes are few, so calls without any count in their mean; of the rest the median, which one odd call does not move.
    fn together(calls: &[&Self]) -> Self {
        let all = |figure: fn(&Self) -> Option<f64>| {
            calls.iter().filter_map(|call| figure(call)).collect::<Vec<_>>()
        };
        let middle = |figure| median(&all(figure));
        Self {
            fps: middle(|seen| seen.fps),
            freezes: mean(&all(|seen| seen.freezes)),
            frozen: mean(&all(|seen| seen.frozen)),
            bitrate: middle(|seen| seen.bitrate),
            height: middle(|seen| seen.height),
            end_height: middle(|seen| seen.end_height),
            full_after: middle(|seen| seen.full_after),
            delay: middle(|seen| seen.delay),
            worst_delay: middle(|seen| seen.worst_delay),
            psnr: middle(|seen| seen.psnr),
            ssim: middle(|seen| seen.ssim),
            lip: middle(|seen| seen.lip),
            link_use: middle(|seen| seen.link_use),
            queue: middle(|seen| seen.queue),
            cores: middle(|seen| seen.cores),
            memory: middle(|seen| seen.memory),
        }
    }
}

/// Seconds from the connection to the first picture of full height: from the probe, which knows the moment, else from the
/// statistics.
fn full_after(events: &[Value], probed_ms: Option<f64>) -> Option<f64> {
    let connected = events
        .iter()
        .find(|event| event["event"] == "state" && event["state"] == "connected")
        .and_then(at)?;
    let counted = || {
        stats(events)
            .find(|event| {
                number(event, &["video_in", "frameHeight"]).is_some_and(|height| height >= FULL_HEIGHT)
            })
            .and_then(at)
    };
    let full = probed_ms.map(|ms| ms / 1e3).or_else(counted)?;
    Some(full - connected)
}

/// The median of how much later a click was heard than the pictures of its second were shown.
fn lip(events: &[Value]) -> Option<f64> {
    let begun = at(stats(events).next()?)?;
    let mut shown = None;
    let mut offsets = Vec::new();
    for event in events
        .iter()
        .filter(|event| at(event).is_some_and(|at| at >= begun + LEARNING))
    {
        let delay = number(event, &["latency_ms", "p50"]);
        if is_probe(event, "video") {
            shown = delay;
        } else if is_probe(event, "audio") {
            offsets.extend(delay.zip(shown.take()).map(|(heard, shown)| heard - shown));
        }
    }
    median(&offsets)
}

fn stats(events: &[Value]) -> impl Iterator<Item = &Value> {
    events.iter().filter(|event| event["event"] == "stats")
}

fn is_probe(event: &Value, kind: &str) -> bool {
    event["event"] == "probe" && event["kind"] == kind
}

fn number(event: &Value, path: &[&str]) -> Option<f64> {
    path.iter().fold(event, |value, key| &value[*key]).as_f64()
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn second(at: u64, height: u64, freezes: u64) -> [Value; 3] {
        [
            json!({"event": "stats", "at_ms": at, "process": {"cpu_s": at as f64 / 2e3, "pss_bytes": 50_000_000},
                "video_out": {"bytesSent": at * 125},
                "video_in": {"framesDecoded": at * 3 / 100, "freezeCount": freezes, "totalFreezesDuration": 0.4,
                    "frameHeight": height}}),
            json!({"event": "probe", "kind": "video", "at_ms": at, "latency_ms": {"p50": 60.0, "p95": 90.0},
                "psnr_db": 38.5, "ssim": 0.97, "full_size_at_ms": 2_500}),
            json!({"event": "probe", "kind": "audio", "at_ms": at, "latency_ms": {"p50": 95.0, "p95": 96.0}}),
        ]
    }

    fn call() -> Vec<Value> {
        let connected = json!({"event": "state", "state": "connected", "at_ms": 1_000});
        let seconds =
            (0..20).flat_map(|n| second(2_000 + 1_000 * n, if n < 5 { 360 } else { 720 }, u64::from(n > 9)));
        std::iter::once(connected).chain(seconds).collect()
    }

    #[test]
    fn what_came_to_an_end_is_read_from_both_ends() {
        let record = Record {
            a: call(),
            b: call(),
            network: Vec::new(),
        };
        let Figures { a, b } = Figures::read(&record);
        assert_eq!(a, b);
        let near =
            |figure: Option<f64>, value: f64| figure.is_some_and(|figure| (figure - value).abs() < 1e-9);
        assert!(
            near(a.fps, 30.0) && near(a.bitrate, 1e6) && near(a.cores, 0.5),
            "{a:?}"
        );
        assert_eq!((a.freezes, a.frozen), (Some(1.0), Some(0.4)));
        assert_eq!((a.height, a.end_height), (Some(630.0), Some(720.0)));
        assert_eq!(a.full_after, Some(1.5));
        assert_eq!(
            (a.delay, a.worst_delay, a.lip),
            (Some(60.0), Some(90.0), Some(35.0))
        );
        assert_eq!((a.psnr, a.ssim, a.memory), (Some(38.5), Some(0.97), Some(5e7)));
        assert_eq!((a.link_use, a.queue), (None, None));
    }

    #[test]
    fn without_a_probe_the_height_is_told_by_the_statistics() {
        let events: Vec<Value> = call()
            .into_iter()
            .filter(|event| event["event"] != "probe")
            .collect();
        assert_eq!(full_after(&events, None), Some(6.0));
        assert_eq!(lip(&events), None);
    }

    #[test]
    fn several_calls_have_their_mean_of_freezes_and_the_median_of_the_rest() {
        let call = |freezes, fps| Figures {
            a: Seen {
                freezes: Some(freezes),
                fps,
                ..Seen::default()
            },
            b: Seen::default(),
        };
        let all = Figures::together(&[call(0.0, Some(30.0)), call(0.0, None), call(1.5, Some(20.0))]);
        assert_eq!((all.a.freezes, all.a.fps), (Some(0.5), Some(25.0)));
        assert_eq!(all.b.freezes, None);
        assert_eq!(all.most(|seen| seen.freezes), None, "one end is not both");
    }
}
