//! How a link of the emulator was used, from its log. Pure.

use serde_json::Value;

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Link {
    /// Share of the rate, 0..1, in the last seconds of the phase that used it least; `None` without a rate.
    pub used: Option<f64>,
    /// Milliseconds: in 95 % of the seconds no packet waits longer in the queue; `None` without a rate.
    pub queue: Option<f64>,
}

/// The part of a phase that is judged (RFC 8867 leaves the time before to the adaptation).
const JUDGED: f64 = 10.0;

/// What passed in a second, and what could have.
struct Second {
    /// When it ended, seconds.
    end: f64,
    /// Bit/s; the same for all seconds of a phase.
    rate: f64,
    bits: f64,
    queue_ms: f64,
}

pub fn read(log: &[Value], pipe: &str) -> Link {
    let seconds = seconds(log, pipe);
    let phases = seconds.chunk_by(|one, next| one.rate == next.rate);
    let used = phases.filter_map(used).reduce(f64::min);
    let mut queues: Vec<f64> = seconds.iter().map(|second| second.queue_ms).collect();
    queues.sort_by(f64::total_cmp);
    let ninety_five = (queues.len() * 95).div_ceil(100).checked_sub(1);
    Link {
        used,
        queue: ninety_five.map(|at| queues[at]),
    }
}

/// The seconds that had a rate.
fn seconds(log: &[Value], pipe: &str) -> Vec<Second> {
    let mut rate = 0.0;
    let mut seconds = Vec::new();
    for line in log {
        if let Some(set) = line["set"].as_str()
            && let Some(set) = rate_set(set, pipe)
        {
            rate = set;
        }
        let of_pipe = line["kind"] == "second" && line["pipe"] == pipe;
        if !of_pipe || rate == 0.0 {
            continue;
        }
        let figure = |name: &str| line[name].as_f64();
        let (Some(end), Some(bytes), Some(queue_ms)) =
            (figure("t"), figure("out_bytes"), figure("queue_ms_max"))
        else {
            continue;
        };
        seconds.push(Second {
            end,
            rate,
            bits: 8.0 * bytes,
            queue_ms,
        });
    }
    seconds
}

/// The rate that a line of a scenario gives the pipe, bit/s.
fn rate_set(line: &str, pipe: &str) -> Option<f64> {
    let mut words = line.split_whitespace().skip(1);
    let (port, direction) = pipe.split_once('.')?;
    let (of_port, of_direction) = words.next()?.split_once('.')?;
    if (of_port != "*" && of_port != port) || (of_direction != "*" && of_direction != direction) {
        return None;
    }
    let text = words.find_map(|word| word.strip_prefix("rate="))?;
    let (digits, factor) = match (text.strip_suffix('k'), text.strip_suffix('M')) {
        (Some(digits), _) => (digits, 1e3),
        (None, Some(digits)) => (digits, 1e6),
        (None, None) => (text, 1.0),
    };
    Some(digits.parse::<f64>().ok()? * factor)
}

/// `None` of a phase that is too short to be judged.
fn used(phase: &[Second]) -> Option<f64> {
    let (first, last) = (phase.first()?, phase.last()?);
    if last.end - first.end < JUDGED {
        return None;
    }
    let judged = phase.iter().filter(|second| second.end > last.end - JUDGED);
    let (bits, count) = judged.fold((0.0, 0.0), |(bits, count), second| {
        (bits + second.bits, count + 1.0)
    });
    Some(bits / count / first.rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn second(t: u32, bytes: u32, queue_ms: f64) -> Value {
        json!({"t": f64::from(t), "pipe": "a.up", "kind": "second", "out_bytes": bytes, "queue_ms_max": queue_ms})
    }

    #[test]
    fn the_phase_that_was_used_least_counts() {
        let set = |text: &str| json!({"t": 0, "kind": "event", "set": text});
        let mut log = vec![
            second(0, 999, 0.0),
            set("0 *.up delay=20"),
            set("0 a.up rate=1M queue=300"),
        ];
        log.extend((1..=20).map(|t| second(t, if t <= 10 { 1_000 } else { 118_750 }, 10.0)));
        log.push(set("20 a.up rate=300k"));
        log.extend((21..=40).map(|t| second(t, 30_000, if t == 21 { 300.0 } else { 40.0 })));
        log.push(set("20 b.up rate=0"));
        assert_eq!(
            read(&log, "a.up"),
            Link {
                used: Some(0.8),
                queue: Some(40.0)
            }
        );
    }

    #[test]
    fn a_link_without_a_rate_has_no_use() {
        let log = [
            json!({"t": 0, "kind": "event", "set": "0 *.up delay=20 rate=500k"}),
            json!({"t": 0, "kind": "event", "set": "0 s.up rate=0"}),
            second(1, 1, 0.0),
        ];
        assert_eq!(read(&log, "s.up"), Link::default());
        assert_eq!(read(&log[..1], "a.up"), Link::default());
        assert_eq!(
            rate_set("0 * rate=5", "a.up"),
            None,
            "the laboratory sets rates by pipe"
        );
    }
}
