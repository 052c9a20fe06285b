//! What the voice must reach in each scenario. Pure.

use super::super::goal::{ANY, Goal, least, most};
use super::figures::Figures;

pub const GOALS: [Goal<Figures>; 22] = [
    most("clean", "P1 delay, ms", |f| f.delay, 80.0),
    most("clean", "P1 largest delay, ms", |f| f.worst_delay, 100.0),
    most("loss0", "delay at 20 ms one way, ms", |f| f.delay, 100.0),
    most("loss10", "P5 concealed, %", concealed, 1.0),
    most("loss20", "concealed, %", concealed, 1.0),
    most("loss30", "concealed, %", concealed, 3.0),
    most("loss40", "concealed, %", concealed, 7.0),
    most("burst20x3", "P5 concealed, %", concealed, 7.0),
    least("loss20", "PESQ", |f| f.pesq, 3.3),
    least("loss30", "PESQ", |f| f.pesq, 2.9),
    least("loss40", "PESQ", |f| f.pesq, 2.4),
    // Chosen, not measured: where nearly every word is said to be understood.
    least("loss50", "understood, STOI", |f| f.stoi, 0.75),
    most("loss20", "kbit/s", kilobits, 40.0),
    most("loss30", "kbit/s", kilobits, 40.0),
    most("loss40", "kbit/s", kilobits, 40.0),
    // The best that Chromium reached in the same laboratory.
    least("loss0", "P6 PESQ of Chromium", |f| f.pesq, 3.97),
    least("loss10", "P6 PESQ of Chromium", |f| f.pesq, 3.27),
    most("rate25k", "P12 concealed, %", concealed, 10.0),
    most("rate25k", "P12 delay, ms", |f| f.delay, 400.0),
    // Half a frame: the width of the band in which nothing is stretched.
    most(
        "spike300",
        "P7 buffer after 5 s above the floor, ms",
        |f| f.after_spike,
        10.0,
    ),
    most("spike300", "P7 silence that nobody made, ms", |f| f.gap, 300.0),
    most(ANY, "P13 cores", |f| f.cores, 0.05),
];

fn concealed(figures: &Figures) -> Option<f64> {
    figures.concealed.map(|share| 100.0 * share)
}

fn kilobits(figures: &Figures) -> Option<f64> {
    figures.bitrate.map(|bits| bits / 1e3)
}

#[cfg(test)]
mod tests {
    use super::super::super::goal::judged;
    use super::*;

    #[test]
    fn each_goal_of_the_scenario_is_said_with_the_distance() {
        let figures = Figures {
            concealed: Some(0.035),
            pesq: Some(3.0),
            bitrate: Some(40_000.0),
            ..Figures::default()
        };
        assert_eq!(
            judged(&GOALS, "loss30", &figures),
            [
                "missed  by 0.50   concealed, % 3.50, goal <= 3",
                "met     by 0.10   PESQ 3.00, goal >= 2.9",
                "met     by 0.00   kbit/s 40.00, goal <= 40",
                "not measured  P13 cores <= 0.05",
            ]
        );
    }
}
