//! A bound on a figure in a scenario, and by how much it was met. Pure.

/// A bound on one figure out of `F`.
pub struct Goal<F> {
    scenario: &'static str,
    what: &'static str,
    figure: fn(&F) -> Option<f64>,
    bound: Bound,
}

#[derive(Debug, Clone, Copy)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

/// For every scenario.
pub const ANY: &str = "";

pub const fn most<F>(
    scenario: &'static str,
    what: &'static str,
    figure: fn(&F) -> Option<f64>,
    bound: f64,
) -> Goal<F> {
    Goal {
        scenario,
        what,
        figure,
        bound: Bound::AtMost(bound),
    }
}

pub const fn least<F>(
    scenario: &'static str,
    what: &'static str,
    figure: fn(&F) -> Option<f64>,
    bound: f64,
) -> Goal<F> {
    Goal {
        scenario,
        what,
        figure,
        bound: Bound::AtLeast(bound),
    }
}

/// A line for each goal of a scenario.
pub fn judged<F>(goals: &[Goal<F>], scenario: &str, figures: &F) -> Vec<String> {
    goals
        .iter()
        .filter(|goal| goal.scenario == scenario || goal.scenario == ANY)
        .map(|goal| goal.judge(figures))
        .collect()
}

impl<F> Goal<F> {
    fn judge(&self, figures: &F) -> String {
        let (sign, bound) = match self.bound {
            Bound::AtMost(bound) => ("<=", bound),
            Bound::AtLeast(bound) => (">=", bound),
        };
        let Some(figure) = (self.figure)(figures) else {
            return format!("not measured  {} {sign} {bound}", self.what);
        };
        let met = match self.bound {
            Bound::AtMost(bound) => figure <= bound,
            Bound::AtLeast(bound) => figure >= bound,
        };
        let verdict = if met { "met" } else { "missed" };
        let by = (figure - bound).abs();
        format!(
            "{verdict:<7} by {by:<6.2} {} {figure:.2}, goal {sign} {bound}",
            self.what
        )
    }
}
