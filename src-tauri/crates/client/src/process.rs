//! What this process uses, as the system counts it.

use crate::stats::Process;

/// Reads the counters; what the system does not tell stays `None`.
#[cfg(target_os = "linux")]
pub(crate) fn usage() -> Process {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    Process {
        cpu_s: cpu_seconds(&stat),
        rss_bytes: kilobytes(&status, "VmRSS:"),
        pss_bytes: kilobytes(&rollup, "Pss:"),
        threads: field(&status, "Threads:"),
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn usage() -> Process {
    Process::default()
}

/// utime and stime of proc(5), in ticks of 1/100 s (`USER_HZ`, fixed in the kernel's interface).
#[cfg(any(target_os = "linux", test))]
fn cpu_seconds(stat: &str) -> Option<f64> {
    // The name in parentheses may hold spaces; fields are counted behind it.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) as f64 / 100.0)
}

#[cfg(any(target_os = "linux", test))]
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    field(text, name).map(|number| number * 1024)
}

#[cfg(any(target_os = "linux", test))]
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_fields_of_proc() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194304 1 0 0 0 150 50 0 0 20 0 4 0 1 1 1";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        assert_eq!(cpu_seconds("nonsense"), None);
        assert_eq!(kilobytes("VmRSS:\t  12 kB\n", "VmRSS:"), Some(12 * 1024));
        assert_eq!(field("Threads:\t9\n", "Threads:"), Some(9));
    }
}
