//! How good one call was, from what both sides counted and what was recorded. Pure.

use super::super::span::{LEARNING, Span, at, median};
use serde_json::Value;

/// What the table shows. `None` is what nobody measured.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// Milliseconds from A's microphone to B's loudspeaker: middle and largest of the recording's windows.
    pub delay: Option<f64>,
    pub worst_delay: Option<f64>,
    /// Share of B's sound that was made up where A spoke.
    pub concealed: Option<f64>,
    /// MOS of ViSQOL and of PESQ (P.862.2), and STOI from 0 to 1: means over the windows.
    pub visqol: Option<f64>,
    pub pesq: Option<f64>,
    pub stoi: Option<f64>,
    /// What A sent as RTP payload, in bit/s.
    pub bitrate: Option<f64>,
    /// Milliseconds that B's jitter buffer held a sample.
    pub buffer: Option<f64>,
    /// Milliseconds that B's jitter buffer held a sample five seconds after the second in which most was made up, above
    /// what it did before.
    pub after_spike: Option<f64>,
    /// Milliseconds of the longest silence that was heard and not said.
    pub gap: Option<f64>,
    /// Cores that A's process used.
    pub cores: Option<f64>,
}

impl Figures {
    pub fn read(a: &[Value], b: &[Value], scores: &Value) -> Self {
        let delays: Vec<f64> = scores["lag_ms"]
            .as_array()
            .map(|lags| lags.iter().filter_map(Value::as_f64).collect())
            .unwrap_or_default();
        let after_spike = after_spike(b);
        let (a, b) = (Span::of(a), Span::of(b));
        let audible = |span: &Span<'_>| {
            let concealed = span.grown(&["audio_in", "concealedSamples"])?;
            let silent = span.grown(&["audio_in", "silentConcealedSamples"])?;
            Some(concealed - silent)
        };
        Self {
            delay: median(&delays),
            worst_delay: delays.iter().copied().reduce(f64::max),
            concealed: b.as_ref().and_then(|b| {
                let total = b.grown(&["audio_in", "totalSamplesReceived"])?;
                Some(audible(b)? / total)
            }),
            visqol: scores["visqol"].as_f64(),
            pesq: scores["pesq_wb"].as_f64(),
            stoi: scores["stoi"].as_f64(),
            bitrate: a
                .as_ref()
                .and_then(|a| Some(8.0 * a.grown(&["audio_out", "bytesSent"])? / a.seconds()?)),
            buffer: b.as_ref().and_then(held),
            after_spike,
            gap: None,
            cores: a
                .as_ref()
                .and_then(|a| Some(a.grown(&["process", "cpu_s"])? / a.seconds()?)),
        }
    }

    /// Each figure's median over several calls.
    pub fn middle(calls: &[Self]) -> Self {
        let middle =
            |figure: fn(&Self) -> Option<f64>| median(&calls.iter().filter_map(figure).collect::<Vec<f64>>());
        Self {
            delay: middle(|call| call.delay),
            worst_delay: middle(|call| call.worst_delay),
            concealed: middle(|call| call.concealed),
            visqol: middle(|call| call.visqol),
            pesq: middle(|call| call.pesq),
            stoi: middle(|call| call.stoi),
            bitrate: middle(|call| call.bitrate),
            buffer: middle(|call| call.buffer),
            after_spike: middle(|call| call.after_spike),
            gap: middle(|call| call.gap),
            cores: middle(|call| call.cores),
        }
    }
}

/// Milliseconds that the jitter buffer held a sample.
fn held(span: &Span<'_>) -> Option<f64> {
    let held = span.grown(&["audio_in", "jitterBufferDelay"])?;
    Some(1e3 * held / span.grown(&["audio_in", "jitterBufferEmittedCount"])?)
}

/// Seconds that the buffer has to come back in (GOALS P7).
const RECOVERY: f64 = 5.0;

fn after_spike(b: &[Value]) -> Option<f64> {
    let all: Vec<&Value> = b.iter().filter(|event| event["event"] == "stats").collect();
    let begun = at(all.first()?)?;
    let spans: Vec<Span<'_>> = all
        .windows(2)
        .map(|two| Span::new(two[0], two[1]))
        .filter(|span| at(span.first).is_some_and(|at| at >= begun + LEARNING))
        .collect();
    let made_up = |span: &&Span<'_>| span.grown(&["audio_in", "concealedSamples"]).unwrap_or(0.0);
    let spike = spans
        .iter()
        .max_by(|one, other| made_up(one).total_cmp(&made_up(other)))?;
    let (began, ended) = (at(spike.first)?, at(spike.last)?);
    let before = Span::new(spans.first()?.first, spike.first);
    let after = spans
        .iter()
        .find(|span| at(span.first).is_some_and(|at| at >= ended + RECOVERY))?;
    let floor = if began > at(before.first)? {
        held(&before)?
    } else {
        return None;
    };
    Some(held(after)? - floor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn stats(at: u64, total: u64, concealed: u64, silent: u64) -> Value {
        json!({"event": "stats", "at_ms": at, "process": {"cpu_s": at as f64 / 1e4},
            "audio_out": {"bytesSent": at * 4},
            "audio_in": {"totalSamplesReceived": total, "concealedSamples": concealed,
                "silentConcealedSamples": silent, "jitterBufferDelay": total as f64 * 0.03,
                "jitterBufferEmittedCount": total}})
    }

    #[test]
    fn figures_leave_out_the_first_seconds_and_the_concealment_of_silence() {
        let call = [
            json!({"event": "state"}),
            stats(1_000, 0, 0, 0),
            stats(2_000, 48_000, 30_000, 0),
            stats(5_000, 192_000, 30_000, 0),
            stats(15_000, 672_000, 54_000, 14_400),
        ];
        let scores = json!({"lag_ms": [90.0, 80.0, 100.0], "pesq_wb": 3.5});
        let figures = Figures::read(&call, &call, &scores);
        assert_eq!((figures.delay, figures.worst_delay), (Some(90.0), Some(100.0)));
        assert_eq!(figures.concealed, Some(0.02));
        assert_eq!(figures.bitrate, Some(32_000.0));
        assert_eq!((figures.pesq, figures.stoi), (Some(3.5), None));
        assert!(figures.buffer.is_some_and(|ms| (ms - 30.0).abs() < 1e-6));
        assert!(figures.cores.is_some_and(|cores| (cores - 0.1).abs() < 1e-9));
    }

    #[test]
    fn the_buffer_after_a_spike_is_compared_with_before() {
        // Each second a second of sound: 30 ms held, 200 ms for four seconds after the spike, and then 38.
        let mut held = 0.0;
        let call: Vec<Value> = (1..25_u64)
            .map(|second| {
                held += 48_000.0
                    * if second < 13 {
                        0.030
                    } else if second < 17 {
                        0.2
                    } else {
                        0.038
                    };
                let concealed = if second < 13 { 0 } else { 14_000 };
                json!({"event": "stats", "at_ms": second * 1000, "audio_in": {"concealedSamples": concealed,
                    "jitterBufferDelay": held, "jitterBufferEmittedCount": second * 48_000}})
            })
            .collect();
        assert!(after_spike(&call).is_some_and(|ms| (ms - 8.0).abs() < 1e-6));
        assert_eq!(after_spike(&call[..16]), None, "it ended too early");
        assert_eq!(after_spike(&call[..1]), None);
    }

    #[test]
    fn a_client_without_statistics_has_the_scores_alone() {
        let figures = Figures::read(&[], &[json!({"event": "state"})], &json!({"visqol": 4.0}));
        assert_eq!(
            figures,
            Figures {
                visqol: Some(4.0),
                ..Figures::default()
            }
        );
    }

    #[test]
    fn several_calls_give_each_figures_middle() {
        let call = |delay, stoi| Figures {
            delay: Some(delay),
            stoi,
            ..Figures::default()
        };
        let middle = Figures::middle(&[call(3.0, None), call(1.0, Some(0.5)), call(2.0, None)]);
        assert_eq!(
            (middle.delay, middle.stoi, middle.pesq),
            (Some(2.0), Some(0.5), None)
        );
    }
}
