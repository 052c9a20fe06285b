//! What the network does in a call: a file of the laboratory, or one made from a name such as `loss50` or `spike300`.

use anyhow::{Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// The file that describes a scenario; made in `folder` when the laboratory has none of this name.
pub fn file(name: &str, laboratory: &Path, folder: &Path) -> Result<PathBuf> {
    let ready = laboratory.join("scenarios").join(format!("{name}.txt"));
    if ready.is_file() {
        return Ok(ready);
    }
    let Some(text) = made(name) else {
        bail!(
            "bench: no scenario {name} in {}, and its name is neither lossPERCENT, burstPERCENTxLENGTH, rateKBITSk \
             nor spikeMS, the first three with -delayMS behind them or without",
            ready.display()
        );
    };
    let file = folder.join(format!("{name}.txt"));
    fs::write(&file, text)?;
    Ok(file)
}

/// When in a scenario a spike comes, in seconds: late enough that what a call learns in its beginning is behind it.
const SPIKE_AT: u32 = 12;

/// How long a call in it must be: what is last to happen shows in the seconds after it (as long as between the steps of the
/// laboratory's).
pub fn seconds(text: &str) -> u32 {
    const AFTER_LAST: f64 = 20.0;
    let moments = text
        .lines()
        .filter_map(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    let last = moments.fold(0.0, f64::max);
    (last + AFTER_LAST).ceil() as u32
}

/// Both ways alike; 20 ms one way unless the name ends in a delay.
fn made(name: &str) -> Option<String> {
    if let Some(length) = name.strip_prefix("spike") {
        return Some(spike(number(length)?));
    }
    let (name, delay) = match name.split_once("-delay") {
        Some((name, delay)) => (name, number(delay)?),
        None => (name, 20),
    };
    let fault = if let Some(percent) = name.strip_prefix("loss") {
        format!("loss={}", number(percent)?)
    } else if let Some((percent, length)) = name.strip_prefix("burst").and_then(|rest| rest.split_once('x')) {
        format!("burst={}:{}", number(percent)?, number(length)?)
    } else {
        let kbits = name.strip_prefix("rate")?.strip_suffix('k')?;
        format!("rate={}k queue=400", number(kbits)?)
    };
    Some(format!("0 *.up delay={delay}\n0 a.up {fault}\n0 b.up {fault}\n"))
}

/// Nothing comes for so many milliseconds, and then everything that was sent meanwhile at once.
fn spike(milliseconds: u32) -> String {
    let mut text = "0 *.up delay=20\n".to_owned();
    for waited in (0..milliseconds).step_by(10) {
        let at = f64::from(SPIKE_AT) + f64::from(waited) / 1000.0;
        let left = milliseconds - waited;
        for side in ["a", "b"] {
            text.push_str(&format!("{at:.3} {side}.up delay={}\n", 20 + left));
        }
    }
    let end = f64::from(SPIKE_AT) + f64::from(milliseconds) / 1000.0;
    text.push_str(&format!("{end:.3} a.up delay=20\n{end:.3} b.up delay=20\n"));
    text
}

fn number(text: &str) -> Option<u32> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_lasts_past_the_last_change() {
        assert_eq!(
            seconds("# 90 s\n0 *.up delay=20\n20 a.up down=1\n23.5 a.up down=0\n"),
            44
        );
    }

    #[test]
    fn a_name_says_what_the_network_does() {
        assert_eq!(
            made("loss50").as_deref(),
            Some("0 *.up delay=20\n0 a.up loss=50\n0 b.up loss=50\n")
        );
        assert!(made("burst20x3").is_some_and(|text| text.contains("a.up burst=20:3")));
        assert!(made("rate25k").is_some_and(|text| text.contains("b.up rate=25k queue=400")));
        let spike = made("spike20").expect("known");
        assert_eq!(
            spike
                .lines()
                .filter(|line| line.contains("a.up"))
                .collect::<Vec<_>>(),
            [
                "12.000 a.up delay=40",
                "12.010 a.up delay=30",
                "12.020 a.up delay=20"
            ]
        );
        assert!(
            made("loss3-delay50").is_some_and(|text| text.starts_with("0 *.up delay=50\n0 a.up loss=3\n"))
        );
        for unknown in [
            "spike",
            "loss",
            "lossy",
            "burst10",
            "rate25",
            "loss3-delay",
            "storm",
        ] {
            assert_eq!(made(unknown), None, "{unknown}");
        }
    }
}
