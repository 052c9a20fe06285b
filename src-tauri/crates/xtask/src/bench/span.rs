//! What a client's statistics said over the part of a call that counts. Pure.

use serde_json::Value;

/// Seconds of a call before its figures count: it learns the network in them.
pub const LEARNING: f64 = 4.0;

/// The first and the last statistics that count.
pub struct Span<'a> {
    pub first: &'a Value,
    pub last: &'a Value,
}

impl<'a> Span<'a> {
    pub fn new(first: &'a Value, last: &'a Value) -> Self {
        Self { first, last }
    }

    pub fn of(events: &'a [Value]) -> Option<Self> {
        let mut all = events.iter().filter(|event| event["event"] == "stats");
        let begun = at(all.clone().next()?)?;
        let first = all.find(|event| at(event).is_some_and(|at| at >= begun + LEARNING))?;
        Some(Self {
            first,
            last: all.next_back()?,
        })
    }

    pub fn seconds(&self) -> Option<f64> {
        Some(at(self.last)? - at(self.first)?)
    }

    /// How much a counter grew.
    pub fn grown(&self, path: &[&str]) -> Option<f64> {
        let read = |event: &Value| path.iter().fold(event, |value, key| &value[*key]).as_f64();
        Some(read(self.last)? - read(self.first)?)
    }
}

/// When it was said: seconds since the program started.
pub fn at(event: &Value) -> Option<f64> {
    Some(event["at_ms"].as_f64()? / 1e3)
}

/// `None` of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len().checked_sub(1)? / 2;
    let upper = sorted.len() / 2;
    Some((sorted[middle] + sorted[upper]) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        assert_eq!(median(&[1.0, 4.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }
}
