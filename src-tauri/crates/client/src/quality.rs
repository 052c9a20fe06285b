//! The quality words of IM-Suite §4.5, from measured figures.

use ahoy_call::LinkQuality;

/// One row of the table: strictly less than these is at least this good.
struct Row {
    word: LinkQuality,
    /// Fraction 0..1.
    loss: f64,
    jitter_ms: f64,
    rtt_ms: f64,
}

const TABLE: [Row; 4] = [
    Row {
        word: LinkQuality::Excellent,
        loss: 0.01,
        jitter_ms: 10.0,
        rtt_ms: 50.0,
    },
    Row {
        word: LinkQuality::Good,
        loss: 0.03,
        jitter_ms: 20.0,
        rtt_ms: 100.0,
    },
    Row {
        word: LinkQuality::Fair,
        loss: 0.10,
        jitter_ms: 50.0,
        rtt_ms: 200.0,
    },
    Row {
        word: LinkQuality::Poor,
        loss: 0.20,
        jitter_ms: 100.0,
        rtt_ms: 500.0,
    },
];

/// The word for a link: the worst of what is known decides; `None` when nothing is.
pub(crate) fn word(loss: Option<f64>, jitter_ms: Option<f64>, rtt_ms: Option<f64>) -> Option<LinkQuality> {
    let known = [
        loss.map(|loss| rank(|row| loss < row.loss)),
        jitter_ms.map(|jitter| rank(|row| jitter < row.jitter_ms)),
        rtt_ms.map(|rtt| rank(|row| rtt < row.rtt_ms)),
    ];
    known.into_iter().flatten().max()
}

/// Lowers the word for a picture that stutters: one for a low frame rate, two for a long freeze.
pub(crate) fn lower_for_picture(
    word: LinkQuality,
    fps: f64,
    sent_fps: Option<f64>,
    froze_over_a_second: bool,
) -> LinkQuality {
    let slow = fps < 15.0 || sent_fps.is_some_and(|sent| fps < sent / 2.0);
    let steps = usize::from(slow) + 2 * usize::from(froze_over_a_second);
    let words = [
        LinkQuality::Excellent,
        LinkQuality::Good,
        LinkQuality::Fair,
        LinkQuality::Poor,
        LinkQuality::VeryPoor,
    ];
    let at = words
        .iter()
        .position(|other| *other == word)
        .unwrap_or(words.len() - 1);
    words[(at + steps).min(words.len() - 1)]
}

/// The word a person is shown: it falls after two worse reports in a row and rises after three better ones (§4.5).
#[derive(Debug, Default)]
pub(crate) struct ShownWord {
    shown: Option<LinkQuality>,
    /// Reports in a row on the same side of the shown word, and the one nearest to it.
    drift: Option<(LinkQuality, u32)>,
}

impl ShownWord {
    const WORSE: u32 = 2;
    const BETTER: u32 = 3;

    /// Takes the word of one report; no word is no news.
    pub(crate) fn handle_word(&mut self, word: Option<LinkQuality>) {
        let Some(word) = word else { return };
        let Some(shown) = self.shown else {
            self.shown = Some(word);
            return;
        };
        if word == shown {
            self.drift = None;
            return;
        }
        let worse = word > shown;
        let (nearest, count) = match self.drift {
            Some((before, count)) if (before > shown) == worse => {
                let nearest = if worse { before.min(word) } else { before.max(word) };
                (nearest, count + 1)
            }
            Some(_) | None => (word, 1),
        };
        if count >= if worse { Self::WORSE } else { Self::BETTER } {
            self.shown = Some(nearest);
            self.drift = None;
        } else {
            self.drift = Some((nearest, count));
        }
    }

    pub(crate) fn shown(&self) -> Option<LinkQuality> {
        self.shown
    }
}

fn rank(good_enough: impl Fn(&Row) -> bool) -> LinkQuality {
    TABLE
        .iter()
        .find(|row| good_enough(row))
        .map_or(LinkQuality::VeryPoor, |row| row.word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification_is_good() {
        assert_eq!(word(Some(0.01), Some(5.0), Some(50.0)), Some(LinkQuality::Good));
    }

    #[test]
    fn the_worst_decides_and_nothing_known_is_no_word() {
        assert_eq!(
            word(Some(0.0), Some(1.0), Some(600.0)),
            Some(LinkQuality::VeryPoor)
        );
        assert_eq!(word(Some(0.0), None, None), Some(LinkQuality::Excellent));
        assert_eq!(word(None, None, None), None);
    }

    #[test]
    fn a_stuttering_picture_is_worse_than_its_link() {
        let good = LinkQuality::Good;
        assert_eq!(lower_for_picture(good, 30.0, Some(30.0), false), good);
        assert_eq!(lower_for_picture(good, 14.0, None, false), LinkQuality::Fair);
        assert_eq!(lower_for_picture(good, 14.0, None, true), LinkQuality::VeryPoor);
    }

    #[test]
    fn a_shown_word_falls_after_two_worse_reports_and_rises_after_three_better_ones() {
        use LinkQuality::{Excellent, Fair, Good, Poor};
        let mut word = ShownWord::default();
        let mut shown_after = |report| {
            word.handle_word(report);
            word.shown()
        };
        assert_eq!(shown_after(None), None);
        assert_eq!(shown_after(Some(Good)), Some(Good));
        assert_eq!(shown_after(Some(Poor)), Some(Good));
        assert_eq!(shown_after(Some(Good)), Some(Good), "one bad report is no news");
        assert_eq!(shown_after(Some(Poor)), Some(Good));
        assert_eq!(shown_after(None), Some(Good));
        assert_eq!(shown_after(Some(Fair)), Some(Fair), "as far as both agree");
        for _ in 0..2 {
            assert_eq!(shown_after(Some(Excellent)), Some(Fair));
        }
        assert_eq!(shown_after(Some(Poor)), Some(Fair), "the better row is broken");
        for _ in 0..2 {
            assert_eq!(shown_after(Some(Excellent)), Some(Fair));
        }
        assert_eq!(shown_after(Some(Good)), Some(Good));
    }
}
