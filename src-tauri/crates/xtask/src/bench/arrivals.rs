//! How the packets of a call came, out of what a listening program logs: a file that the tests of the jitter buffer can
//! replay. Pure.

/// What the program is asked to log.
pub const FILTER: &str = "warn,ahoy_media::arrivals=trace";

/// The names of a line's columns, as they are in the log too.
const COLUMNS: [&str; 7] = [
    "at_us", "sequence", "rtp_time", "samples", "protects", "rebuilds", "rests",
];

/// One line for each packet, in the order in which they came; empty when the log tells of none.
pub fn from_log(log: &str) -> String {
    let rows: String = log
        .lines()
        .filter(|line| line.contains(" ahoy_media::arrivals: "))
        .filter_map(row)
        .collect();
    if rows.is_empty() {
        return rows;
    }
    format!("# {}\n{rows}", COLUMNS.join(" "))
}

fn row(line: &str) -> Option<String> {
    let value = |name: &&str| {
        let mut words = line.split(' ').filter_map(|word| word.split_once('='));
        words.find_map(|(its, value)| (its == *name).then_some(value))
    };
    let values = COLUMNS.iter().map(value).collect::<Option<Vec<&str>>>()?;
    Some(format!("{}\n", values.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_packet_of_the_log_becomes_a_line() {
        let log = "2026-11-29T17:00:00.1Z  INFO ahoy_peer::handler: transport state=Connected\n\
            2026-11-29T17:00:00.2Z TRACE ahoy_media::arrivals: at_us=0 sequence=65535 rtp_time=960 samples=960 \
            protects=0 rebuilds=0 rests=false\n\
            2026-11-29T17:00:00.2Z TRACE ahoy_media::arrivals: at_us=20110 sequence=0 rtp_time=1920 samples=960 \
            protects=960 rebuilds=4800 rests=true\n";
        assert_eq!(
            from_log(log),
            "# at_us sequence rtp_time samples protects rebuilds rests\n\
            0 65535 960 960 0 0 false\n20110 0 1920 960 960 4800 true\n"
        );
        assert_eq!(from_log("a program of others\n"), "");
    }
}
