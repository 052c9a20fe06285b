//! What the system says about a process: memory and processor time. Linux only; elsewhere nothing is known.

use std::time::Duration;

/// Bytes that a process has for itself, with its part of what it shares (PSS).
pub(super) fn memory(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

/// Processor time of a process so far, user and system.
pub(super) fn busy(pid: u32) -> Option<Duration> {
    // Ticks per second of this interface, on every architecture that Linux still has (`USER_HZ`).
    const TICK: Duration = Duration::from_millis(10);
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may have spaces; fields 14 and 15 (proc(5)) are the 12th and 13th behind it.
    let (_, fields) = text.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11).map(str::parse::<u32>);
    let (user, system) = (times.next()?.ok()?, times.next()?.ok()?);
    Some(TICK * (user + system))
}

/// Bytes that the kernel keeps in the buffers of all TCP sockets, of every process.
pub(super) fn tcp_buffers() -> Option<u64> {
    const PAGE: u64 = 4096;
    let text = std::fs::read_to_string("/proc/net/sockstat").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("TCP:"))?;
    let (_, pages) = line.rsplit_once("mem ")?;
    Some(pages.trim().parse::<u64>().ok()? * PAGE)
}
