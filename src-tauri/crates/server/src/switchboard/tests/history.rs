//! What the history keeps of each call (IM-Suite §6, §11, §16.17, §16.20).

use super::bench::*;
use crate::switchboard::{CallStatus, CallType, EndReason, Input, Switchboard};
use serde_json::json;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn states(bench: &Bench) -> Vec<CallStatus> {
    bench.records.iter().map(|record| record.status).collect()
}

/// Status, reason and duration of the one final record.
fn outcome(bench: &Bench) -> (CallStatus, EndReason, u64) {
    let finals: Vec<_> = bench.records.iter().filter(|record| record.is_final()).collect();
    assert_eq!(finals.len(), 1, "{finals:?}");
    assert!(finals[0].ended_at.is_some());
    (finals[0].status, finals[0].reason.unwrap(), finals[0].duration)
}

#[test]
fn a_call_is_pending_then_answered_then_ended() {
    let (mut bench, [ada, ben, _]) = Bench::with_three();
    bench.send(ada, offer());
    bench.pass(3 * SECOND);
    bench.send(ben, answer());
    bench.pass(Duration::from_millis(61_900));
    bench.send(ben, end("user_hangup"));
    assert_eq!(
        states(&bench),
        [CallStatus::Pending, CallStatus::Answered, CallStatus::Ended]
    );
    assert_eq!(outcome(&bench), (CallStatus::Ended, EndReason::UserHangup, 61));
    assert_eq!(
        serde_json::to_value(bench.records.last()).unwrap(),
        json!({
            "call_id": CALL, "from_user": 1, "to_user": 2, "call_type": "video", "status": "ended",
            "started_at": "2025-10-07T13:00:00Z", "ended_at": "2025-10-07T13:01:04.9Z",
            "duration": 61, "reason": "user_hangup",
        })
    );
    assert_eq!(
        serde_json::to_value(&bench.records[0]).unwrap(),
        json!({
            "call_id": CALL, "from_user": 1, "to_user": 2, "call_type": "video", "status": "pending",
            "started_at": "2025-10-07T13:00:00Z", "ended_at": null, "duration": 0, "reason": null,
        })
    );
}

#[test]
fn each_end_while_ringing_has_its_status() {
    type Ending = fn(&mut Bench, [crate::switchboard::ConnId; 3]);
    let cases: [(Ending, CallStatus, EndReason); 8] = [
        (
            |bench, [ada, ..]| bench.send(ada, end("timeout")),
            CallStatus::Missed,
            EndReason::UserHangup,
        ),
        (
            |bench, [_, ben, _]| bench.send(ben, end("user_rejected")),
            CallStatus::Rejected,
            EndReason::UserRejected,
        ),
        (
            |bench, [_, ben, _]| bench.send(ben, end("a word of later")),
            CallStatus::Rejected,
            EndReason::UserRejected,
        ),
        (
            |bench, [_, ben, _]| {
                let failed = json!({"reason": "user_rejected", "detail": "media_failure"});
                bench.send(ben, message("call.end", failed));
            },
            CallStatus::Rejected,
            EndReason::UserRejected,
        ),
        (
            |bench, [_, ben, _]| bench.send(ben, end("user_busy")),
            CallStatus::Missed,
            EndReason::UserBusy,
        ),
        (
            |bench, _| bench.pass(RING),
            CallStatus::Missed,
            EndReason::Timeout,
        ),
        (
            |bench, [ada, ..]| {
                bench.disconnect(ada);
                bench.pass(10 * SECOND);
            },
            CallStatus::Missed,
            EndReason::NetworkError,
        ),
        (
            |bench, _| bench.input(Input::Shutdown),
            CallStatus::Missed,
            EndReason::ServerError,
        ),
    ];
    for (ending, status, reason) in cases {
        let (mut bench, conns) = Bench::ringing();
        ending(&mut bench, conns);
        assert_eq!(outcome(&bench), (status, reason, 0));
        assert_eq!(states(&bench), [CallStatus::Pending, status]);
    }
}

#[test]
fn an_answered_call_is_ended_whatever_the_reason() {
    for (word, reason) in [
        ("user_hangup", EndReason::UserHangup),
        ("network_error", EndReason::NetworkError),
        ("user_rejected", EndReason::UserRejected),
        ("timeout", EndReason::Timeout),
        ("a word of later", EndReason::UserHangup),
    ] {
        let (mut bench, [ada, ..]) = Bench::active();
        bench.pass(SECOND);
        bench.send(ada, end(word));
        assert_eq!(outcome(&bench), (CallStatus::Ended, reason, 1), "{word}");
    }
    let (mut bench, [ada, ..]) = Bench::active();
    bench.disconnect(ada);
    bench.pass(GRACE);
    assert_eq!(outcome(&bench), (CallStatus::Ended, EndReason::NetworkError, 30));
    let (mut bench, _) = Bench::active();
    bench.input(Input::Shutdown);
    assert_eq!(outcome(&bench), (CallStatus::Ended, EndReason::ServerError, 0));
}

/// §16.20
#[test]
fn a_busy_call_is_missed_and_says_so() {
    let (mut bench, [_, _, cora]) = Bench::ringing();
    bench.records.clear();
    bench.send(cora, offer_from(3, 2, "call_other"));
    assert_eq!(outcome(&bench), (CallStatus::Missed, EndReason::UserBusy, 0));
    assert_eq!(bench.records.len(), 1);
    assert_eq!(bench.records[0].call_id.as_str(), "call_other");
    assert_eq!(
        (bench.records[0].from_user, bench.records[0].to_user),
        (user(3), user(2))
    );
}

/// §16.17
#[test]
fn a_refused_offer_leaves_no_record_and_its_id_free() {
    let (mut bench, [ada, ben, _]) = Bench::with_three();
    let mut bad_sdp = offer();
    bad_sdp["payload"]["sdp"]["sdp"] = "v=0".into();
    let mut bad_type = offer();
    bad_type["payload"]["call_type"] = "hologram".into();
    for refused in [bad_sdp, bad_type, offer_from(1, 4, CALL), offer_from(1, 99, CALL)] {
        bench.send(ada, refused);
        assert!(bench.error(ada).1);
    }
    assert_eq!(bench.records, []);
    bench.send(ada, offer());
    assert_eq!(type_of(&bench.only(ben)), "call.offer");
}

#[test]
fn a_call_was_video_if_it_ever_was() {
    let (mut bench, [ada, ben, _]) = Bench::with_three();
    let mut audio = offer();
    audio["payload"]["call_type"] = "audio".into();
    bench.send(ada, audio.clone());
    bench.send(ben, answer());
    assert!(
        bench
            .records
            .iter()
            .all(|record| record.call_type == CallType::Audio)
    );
    bench.send(ada, with_other_sdp(offer()));
    assert_eq!(bench.records.last().unwrap().call_type, CallType::Video);
    assert_eq!(bench.records.last().unwrap().status, CallStatus::Answered);
    bench.send(ben, with_other_sdp(answer()));
    bench.send(ada, with_other_sdp(with_other_sdp(audio)));
    bench.send(ada, end("user_hangup"));
    assert_eq!(bench.records.last().unwrap().call_type, CallType::Video);
}

#[test]
fn a_node_that_joins_hears_of_every_live_call() {
    let (mut bench, [_, _, cora]) = Bench::active();
    bench.connect(4, "d1");
    bench.send(cora, offer_from(3, 4, "call_other"));
    let state = serde_json::to_string(&bench.board).unwrap();
    let mut joined: Switchboard = serde_json::from_str(&state).unwrap();
    joined.repeat_records(bench.now());
    let records: Vec<_> = std::iter::from_fn(|| joined.poll_record()).collect();
    let said: Vec<_> = records
        .iter()
        .map(|record| (record.call_id.as_str(), record.status))
        .collect();
    assert_eq!(
        said,
        [(CALL, CallStatus::Answered), ("call_other", CallStatus::Pending)]
    );
}
