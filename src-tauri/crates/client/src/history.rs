//! The server's history of calls as recent calls, beside those this program saw itself. Pure.

use crate::snapshot::{EndedCall, RecentCall, RecentSource, Snapshot};
use ahoy_call::{CallEnd, EndCause, EndReason, Party, UserId};
use ahoy_signaling::rest::{CallRecord, RecordStatus};
use std::time::SystemTime;

/// Puts the server's records among the recent calls. What this program saw itself stays as it saw it, because it knows
/// more: who hung up, and why.
pub(crate) fn merge(recent: &mut Vec<RecentCall>, records: &[CallRecord], me: UserId, started: SystemTime) {
    recent.retain(|call| call.source == RecentSource::Here);
    let seen: Vec<_> = recent.iter().map(|call| call.ended.call.clone()).collect();
    let unseen = records.iter().filter(|record| !seen.contains(&record.call));
    recent.extend(unseen.filter_map(|record| recent_of(record, me, started)));
    recent.sort_by_key(|call| std::cmp::Reverse(call.at));
    recent.truncate(Snapshot::RECENT);
}

/// `None` for calls that go on, of others, or without a time.
fn recent_of(record: &CallRecord, me: UserId, started: SystemTime) -> Option<RecentCall> {
    let outgoing = record.from == me;
    let peer = if outgoing { record.to } else { record.from };
    if !outgoing && record.to != me {
        return None;
    }
    let at = SystemTime::from(record.started_at?);
    // A call that came while this program ran and that it never saw to its end was taken on another device.
    let elsewhere = !outgoing && at >= started;
    let (cause, answered) = match record.status {
        RecordStatus::Pending => return None,
        RecordStatus::Answered if !elsewhere => return None,
        RecordStatus::Answered => (EndCause::AnsweredElsewhere, true),
        RecordStatus::Rejected => (EndCause::Declined, false),
        RecordStatus::Ended if elsewhere => (EndCause::AnsweredElsewhere, true),
        RecordStatus::Ended => (cause_of_end(record.reason), true),
        RecordStatus::Missed if outgoing => (cause_of_missed(record.reason), false),
        RecordStatus::Missed => (EndCause::Missed, false),
    };
    Some(RecentCall {
        ended: EndedCall {
            call: record.call.clone(),
            peer: Party::User(peer),
            peer_name: None,
            outgoing,
            video: record.video,
            stream: None,
            played: None,
            retry_after: None,
            end: CallEnd {
                cause,
                reason: record.reason.unwrap_or(EndReason::UserHangup),
                detail: None,
                by_us: cause == EndCause::Declined && !outgoing,
                answered,
                duration: record.duration,
            },
        },
        at,
        source: RecentSource::Server,
    })
}

fn cause_of_end(reason: Option<EndReason>) -> EndCause {
    match reason {
        Some(EndReason::NetworkError | EndReason::Timeout) => EndCause::ConnectionLost,
        Some(EndReason::ServerError) => EndCause::ServerProblem,
        Some(EndReason::UserHangup | EndReason::UserRejected | EndReason::UserBusy) | None => {
            EndCause::HungUp
        }
    }
}

/// Why an own call was not taken (table of IM-Suite §6).
fn cause_of_missed(reason: Option<EndReason>) -> EndCause {
    match reason {
        Some(EndReason::UserHangup) => EndCause::Cancelled,
        Some(EndReason::UserRejected) => EndCause::Declined,
        Some(EndReason::UserBusy) => EndCause::Busy,
        Some(EndReason::Timeout) | None => EndCause::NoAnswer,
        Some(EndReason::NetworkError) => EndCause::ConnectionLost,
        Some(EndReason::ServerError) => EndCause::ServerProblem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ahoy_call::CallId;
    use ahoy_signaling::Timestamp;
    use std::time::Duration;

    /// When the program started, seconds of the epoch.
    const STARTED: i64 = 1000;

    fn user(n: u64) -> UserId {
        UserId::new(n).expect("id")
    }

    fn record(id: &str, from: u64, status: RecordStatus, reason: Option<EndReason>, at: i64) -> CallRecord {
        CallRecord {
            call: CallId::new(id).expect("id"),
            from: user(from),
            to: user(3 - from),
            video: false,
            status,
            started_at: Timestamp::from_second(at).ok(),
            duration: Duration::from_secs(5),
            reason,
        }
    }

    fn merged(recent: Vec<RecentCall>, records: &[CallRecord]) -> Vec<RecentCall> {
        let mut recent = recent;
        let started = SystemTime::UNIX_EPOCH + Duration::from_secs(STARTED.unsigned_abs());
        merge(&mut recent, records, user(1), started);
        recent
    }

    fn causes(records: &[CallRecord]) -> Vec<EndCause> {
        merged(Vec::new(), records)
            .into_iter()
            .map(|call| call.ended.end.cause)
            .collect()
    }

    #[test]
    fn every_record_says_what_its_user_would_have_seen() {
        use RecordStatus::{Ended, Missed, Rejected};
        let records = [
            record("a", 1, Ended, Some(EndReason::UserHangup), 900),
            record("b", 1, Ended, Some(EndReason::NetworkError), 890),
            record("c", 1, Rejected, Some(EndReason::UserRejected), 880),
            record("d", 1, Missed, Some(EndReason::UserBusy), 870),
            record("e", 1, Missed, Some(EndReason::Timeout), 860),
            record("f", 1, Missed, Some(EndReason::UserHangup), 850),
            record("g", 2, Missed, Some(EndReason::Timeout), 840),
            record("h", 2, Ended, Some(EndReason::UserHangup), 830),
        ];
        assert_eq!(
            causes(&records),
            [
                EndCause::HungUp,
                EndCause::ConnectionLost,
                EndCause::Declined,
                EndCause::Busy,
                EndCause::NoAnswer,
                EndCause::Cancelled,
                EndCause::Missed,
                EndCause::HungUp,
            ]
        );
    }

    #[test]
    fn a_call_that_another_device_took_meanwhile_says_so() {
        let records = [
            record("a", 2, RecordStatus::Answered, None, STARTED + 20),
            record(
                "b",
                2,
                RecordStatus::Ended,
                Some(EndReason::UserHangup),
                STARTED + 10,
            ),
            record(
                "c",
                2,
                RecordStatus::Ended,
                Some(EndReason::UserHangup),
                STARTED - 10,
            ),
            record("d", 1, RecordStatus::Answered, None, STARTED + 5),
            record("e", 2, RecordStatus::Pending, None, STARTED + 30),
        ];
        let elsewhere = EndCause::AnsweredElsewhere;
        assert_eq!(causes(&records), [elsewhere, elsewhere, EndCause::HungUp]);
    }

    #[test]
    fn what_was_seen_here_is_kept_and_records_do_not_pile_up() {
        let ended = RecordStatus::Ended;
        let mut here = merged(Vec::new(), &[record("a", 1, ended, None, 900)]);
        here[0].source = RecentSource::Here;
        here[0].ended.end.cause = EndCause::Cancelled;
        let records = [record("b", 1, ended, None, 950), record("a", 1, ended, None, 900)];
        let once = merged(here, &records);
        let twice = merged(once, &records);
        let seen: Vec<_> = twice
            .iter()
            .map(|call| (call.ended.call.as_str(), call.ended.end.cause))
            .collect();
        assert_eq!(seen, [("b", EndCause::HungUp), ("a", EndCause::Cancelled)]);
    }

    #[test]
    fn records_of_others_and_without_a_time_are_left_out() {
        let mut strange = record("a", 2, RecordStatus::Ended, None, 900);
        strange.to = user(7);
        let mut timeless = record("b", 1, RecordStatus::Ended, None, 900);
        timeless.started_at = None;
        assert!(causes(&[strange, timeless]).is_empty());
    }
}
