//! A lost server: what waits, which calls are over, and how a call that goes on is made known again.

use super::*;

fn server_bye(about: Value) -> Value {
    let mut message = about;
    message["class"] = "indication".into();
    message["method"] = "bye".into();
    message["reason"] = "peer unregister".into();
    message.as_object_mut().expect("an object").remove(FIELD);
    message
}

#[test]
fn a_bye_of_the_server_ends_no_live_call_of_two_that_are_ahoy() {
    let mut caller = Bench::talking(Some(json!({})));
    caller.text(server_bye(about_own("", "", json!({}))));
    assert_eq!(caller.signals(), []);
    let mut callee = Bench::answered();
    callee.text(server_bye(request("t", None)));
    assert_eq!(callee.signals(), []);
    // A person's own word does.
    callee.text(json!({
        "class": "indication", "method": "bye", "transaction_id": "t", "guest_id": format!("alice_{RANDOM}"),
        "room_id": "bob", "reason": "hangup", "ahoy": {"reason": "user_hangup"}
    }));
    assert_eq!(callee.signals(), [end(EndReason::UserHangup)]);
}

#[test]
fn a_bye_of_anybody_else_ends_the_call() {
    let mut bench = Bench::talking(None);
    bench.text(about_own("indication", "bye", json!({})));
    assert_eq!(bench.signals(), [end(EndReason::UserHangup)]);
    bench.text(about_own("indication", "bye", json!({})));
    assert_eq!(bench.signals(), []);
}

#[test]
fn a_caller_that_vanishes_while_it_rings_is_missed_and_one_that_gives_up_too() {
    let mut bench = Bench::ready();
    bench.text(request("t1", Some(json!({}))));
    bench.signals();
    bench.text(server_bye(request("t", None)));
    assert_eq!(bench.signals(), [incoming::lost(call())]);
    let mut bench = Bench::ready();
    bench.text(request("t1", None));
    bench.signals();
    let mut bye = server_bye(request("t", None));
    bye["reason"] = "hangup".into();
    bench.text(bye);
    assert!(matches!(
        bench.signals()[..],
        [Signal::End {
            reason: EndReason::UserHangup,
            ..
        }]
    ));
}

#[test]
fn the_caller_shows_the_server_the_way_again_after_its_own_loss() {
    let mut bench = Bench::talking(Some(json!({})));
    bench.lose_link();
    bench.register();
    let sent = bench.sent();
    assert_eq!((sent.len(), &sent[0]["method"]), (1, &json!("call")));
    assert_eq!(
        (&sent[0][FIELD]["resume"], &sent[0]["sdp"]),
        (&json!(true), &json!(SDP))
    );
    bench.text(accept(&sent[0], Some(json!({"resume": true}))));
    assert_eq!(bench.signals(), [], "nothing is negotiated");
    bench.pass_alive(60 * SECOND);
    assert_eq!(bench.sent(), [] as [Value; 0]);
}

#[test]
fn the_caller_looks_for_a_callee_that_has_lost_the_server_until_it_is_back() {
    let mut bench = Bench::talking(Some(json!({})));
    bench.text(server_bye(about_own("", "", json!({}))));
    for _ in 0..4 {
        let sent = bench.sent();
        assert_eq!((sent.len(), &sent[0][FIELD]["resume"]), (1, &json!(true)));
        bench.text(reject(&sent[0], "room_id: \"alice\" unregistered", None));
        bench.session.handle_alive(bench.now);
        bench.pass(3 * SECOND);
    }
    let sent = bench.sent();
    bench.text(accept(&sent[0], Some(json!({"resume": true}))));
    bench.pass_alive(60 * SECOND);
    assert_eq!((bench.signals(), bench.sent()), (Vec::new(), Vec::new()));
}

#[test]
fn a_call_that_ends_while_the_server_is_shown_the_way_says_so_when_it_knows_it() {
    let mut bench = Bench::talking(Some(json!({})));
    bench.lose_link();
    bench.register();
    let shown = bench.sent();
    bench.say(end(EndReason::UserHangup));
    assert_eq!(bench.sent(), [] as [Value; 0], "the server would drop it");
    bench.text(accept(&shown[0], Some(json!({"resume": true}))));
    let sent = bench.sent();
    assert_eq!(
        (sent.len(), &sent[0]["method"], &sent[0][FIELD]["reason"]),
        (1, &json!("bye"), &json!("user_hangup"))
    );
    bench.pass_alive(120 * SECOND);
    assert_eq!((bench.signals(), bench.sent()), (Vec::new(), Vec::new()));
}

#[test]
fn looking_for_the_other_side_has_an_end_and_is_no_end_of_the_call() {
    let mut bench = Bench::talking(Some(json!({})));
    bench.text(server_bye(about_own("", "", json!({}))));
    bench.pass_alive(120 * SECOND);
    assert!((10..20).contains(&bench.sent().len()));
    assert_eq!(bench.signals(), []);
}

#[test]
fn the_callee_confirms_a_call_that_goes_on_and_refuses_one_that_is_over() {
    let mut bench = Bench::answered();
    bench.text(request("t5", Some(json!({"resume": true}))));
    let sent = bench.sent();
    assert_eq!(
        (&sent[0]["class"], &sent[0]["transaction_id"]),
        (&json!("accept"), &json!("t5"))
    );
    assert_eq!(
        (&sent[0][FIELD]["resume"], &sent[0]["sdp"]),
        (&json!(true), &json!(SDP))
    );
    assert_eq!(bench.signals(), [], "nobody rings");
    bench.say(end(EndReason::UserHangup));
    bench.sent();
    bench.text(request("t6", Some(json!({"resume": true}))));
    let sent = bench.sent();
    assert_eq!(
        (&sent[0]["class"], &sent[0][FIELD]["reason"]),
        (&json!("reject"), &json!("user_hangup"))
    );
    // One that this side never knew: it has been started anew.
    let mut fresh = Bench::ready();
    fresh.text(request("t7", Some(json!({"resume": true}))));
    assert_eq!(fresh.signals(), []);
    assert_eq!(fresh.sent()[0]["class"], "reject");
}

#[test]
fn a_call_that_the_other_side_has_ended_meanwhile_ends_here_too() {
    let mut bench = Bench::talking(Some(json!({})));
    bench.lose_link();
    bench.register();
    let sent = bench.sent();
    bench.text(reject(&sent[0], "hangup", Some(json!({"reason": "user_hangup"}))));
    assert_eq!(bench.signals(), [end(EndReason::UserHangup)]);
}

#[test]
fn calls_that_nobody_answered_are_over_after_a_loss() {
    let (mut bench, _) = Bench::calling();
    bench.lose_link();
    bench.register();
    assert_eq!(bench.signals(), [incoming::lost(call())]);
    assert_eq!(bench.sent(), [] as [Value; 0]);
}

#[test]
fn what_is_said_without_a_link_waits_for_it() {
    let mut bench = Bench::answered();
    bench.lose_link();
    bench.say(end(EndReason::UserHangup));
    assert_eq!(bench.sent(), [] as [Value; 0]);
    bench.register();
    let sent = bench.sent();
    assert_eq!((sent.len(), &sent[0]["method"]), (1, &json!("bye")));
}
