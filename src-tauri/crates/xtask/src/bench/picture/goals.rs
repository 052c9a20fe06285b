//! What the picture must reach in each scenario, at the worse of the two ends. Pure.

use super::super::goal::{ANY, Goal, least, most};
use super::figures::Figures;

pub const GOALS: [Goal<Figures>; 29] = [
    most("clean", "P2 glass to glass p50, ms", delay, 110.0),
    most("loss0", "P2 glass to glass p50, ms", delay, 110.0),
    most(
        "clean",
        "seconds until 720p",
        |f| f.most(|end| end.full_after),
        2.0,
    ),
    least("clean", "fps", fps, 29.0),
    most("clean", "P11 freezes", freezes, 0.0),
    most("loss0", "P11 freezes", freezes, 0.0),
    most("delay50-jitter10", "P11 freezes", freezes, 0.0),
    // Half a freeze and 0.3 s in a minute.
    most("loss3-delay50", "P11 freezes in 24 s", freezes, 0.2),
    most("loss3-delay50", "P11 seconds frozen in 24 s", frozen, 0.12),
    most("rate500k", "freezes of Chromium", freezes, 0.0),
    most("loss2", "freezes of Chromium", freezes, 0.0),
    // Chromium froze 1, 15 and 4 times in calls of 40 s.
    most("loss10", "P11 freezes of Chromium in 24 s", freezes, 0.6),
    most("loss20", "P11 freezes of Chromium in 24 s", freezes, 9.0),
    most("burst10x5", "P11 freezes of Chromium in 24 s", freezes, 2.4),
    most("outage3s", "freezes but the outage", freezes, 1.0),
    most("steps1M-300k-1M", "freezes", freezes, 1.0),
    most("steps1M-300k-1M", "seconds frozen", frozen, 0.5),
    least("loss20", "height", |f| f.least(|end| end.height), 360.0),
    least("loss20", "fps", fps, 20.0),
    least("rate500k", "P8 link used, %", link_use, 85.0),
    least("rate300k", "P8 link used, %", link_use, 85.0),
    least("steps1M-300k-1M", "P8 link used, %", link_use, 85.0),
    most("rate500k", "P8 queue, ms", queue, 100.0),
    most("rate300k", "P8 queue, ms", queue, 100.0),
    most("steps1M-300k-1M", "P8 queue, ms", queue, 100.0),
    most("clean", "P13 cores", cores, 1.0),
    // The whole of Chromium used 0.61 of a core in a call of 720p.
    most("clean", "P13 cores, half of Chromium's", cores, 0.305),
    most(
        ANY,
        "P14 memory, MB",
        |f| Some(f.most(|end| end.memory)? / 1e6),
        150.0,
    ),
    most(ANY, "lip-sync, ms", |f| f.most(|end| end.lip.map(f64::abs)), 40.0),
];

fn delay(figures: &Figures) -> Option<f64> {
    figures.most(|end| end.delay)
}

fn fps(figures: &Figures) -> Option<f64> {
    figures.least(|end| end.fps)
}

fn freezes(figures: &Figures) -> Option<f64> {
    figures.most(|end| end.freezes)
}

fn frozen(figures: &Figures) -> Option<f64> {
    figures.most(|end| end.frozen)
}

fn link_use(figures: &Figures) -> Option<f64> {
    Some(100.0 * figures.least(|end| end.link_use)?)
}

fn queue(figures: &Figures) -> Option<f64> {
    figures.most(|end| end.queue)
}

fn cores(figures: &Figures) -> Option<f64> {
    figures.most(|end| end.cores)
}

#[cfg(test)]
mod tests {
    use super::super::super::goal::judged;
    use super::super::figures::Seen;
    use super::*;

    #[test]
    fn the_worse_end_is_judged() {
        let end = |freezes, lip| Seen {
            freezes: Some(freezes),
            frozen: Some(freezes * 0.25),
            lip: Some(lip),
            ..Seen::default()
        };
        let figures = Figures {
            a: end(3.0, 5.0),
            b: end(0.0, -60.0),
        };
        assert_eq!(
            judged(&GOALS, "steps1M-300k-1M", &figures),
            [
                "missed  by 2.00   freezes 3.00, goal <= 1",
                "missed  by 0.25   seconds frozen 0.75, goal <= 0.5",
                "not measured  P8 link used, % >= 85",
                "not measured  P8 queue, ms <= 100",
                "not measured  P14 memory, MB <= 150",
                "missed  by 20.00  lip-sync, ms 60.00, goal <= 40",
            ]
        );
    }
}
