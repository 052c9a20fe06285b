//! The client's snapshot in the words of the page.

use super::{
    CallPhase, CallView, CameraView, EndedView, FoundView, HearsView, LevelView, LostHalfView,
    MicrophoneView, NoticeView, Part, PathView, PersonView, PlayedView, PresenceView, ProblemView,
    RecentView, SearchView, SeesView, ServerPhase, ServerView, SideView, SoundView, StreamView, TelltaleView,
    VerdictView, ViewModel, WayView,
};
use crate::invitation::Invitation;
use crate::settings_file::StoredVoice;
use ahoy_call::{CallState, Direction, EndCause, Party, Purpose, StreamCall, UserId};
use ahoy_client::verdict::{Level, Part as ClientPart, Side, Telltale, Verdict};
use ahoy_client::{
    CameraState, EndedCall, Half, LiveCall, MicrophoneState, PathKind, Person, Phase, Presence, Receipt,
    RecentCall, RecentSource, Room, SearchState, Snapshot,
};
use std::time::{Duration, Instant, SystemTime};

/// What the shell knows of the sign-in and the client does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The name of this person; `None` = the server's number for them.
    pub name: Option<String>,
    pub embedded: bool,
    /// The built-in contact, on the embedded server.
    pub echo: Option<UserId>,
    /// The server has rooms in place of users.
    pub rooms: bool,
}

/// Makes the view model of one moment.
pub fn view_model(snapshot: &Snapshot, account: &Account, now: Instant) -> ViewModel {
    let named = Named {
        people: &snapshot.people,
        account,
    };
    ViewModel {
        server: ServerView {
            url: snapshot.server.url.clone(),
            embedded: account.embedded,
            state: match snapshot.server.phase {
                Phase::SignedOut => ServerPhase::SignedOut,
                Phase::Connecting => ServerPhase::Connecting,
                Phase::Ready => ServerPhase::Ready,
                Phase::Offline => ServerPhase::Offline,
            },
            problem: snapshot.server.problem.as_ref().map(|problem| ProblemView {
                code: problem.code.to_owned(),
                detail: problem.detail.clone(),
            }),
            retry_in_s: snapshot
                .server
                .retry_at
                .map(|at| seconds_up(at.saturating_duration_since(now))),
            basic_mode: snapshot.server.basic_mode,
            rooms: account.rooms,
            invitation: match &snapshot.me {
                Some(Party::Room(room)) => Invitation::link(&snapshot.server.url, room.as_str()),
                Some(Party::User(_)) | None => None,
            },
        },
        me: snapshot.me.as_ref().map(|me| PersonView {
            id: me.to_string(),
            name: account.name.clone().unwrap_or_else(|| me.to_string()),
            presence: if snapshot.call.is_some() {
                PresenceView::InCall
            } else {
                PresenceView::Ready
            },
            echo: false,
            contact: false,
        }),
        people: snapshot
            .people
            .iter()
            .map(|person| named.person(person))
            .chain(snapshot.rooms.iter().map(room_view))
            .collect(),
        found: snapshot.found.as_ref().map(|found| FoundView {
            keyword: found.keyword.clone(),
            people: found.people.iter().map(|person| named.person(person)).collect(),
            state: match found.state {
                SearchState::Searching => SearchView::Searching,
                SearchState::Done => SearchView::Done,
                SearchState::Failed => SearchView::Failed,
            },
        }),
        call: snapshot.call.as_ref().map(|call| call_view(call, &named)),
        ended: snapshot.ended.as_ref().map(|ended| ended_view(ended, &named)),
        recent: snapshot
            .recent
            .iter()
            .map(|recent| recent_view(recent, &named))
            .collect(),
        notices: snapshot
            .notices
            .iter()
            .map(|notice| NoticeView {
                id: notice.id,
                code: notice.code.to_owned(),
                detail: notice.detail.clone(),
            })
            .collect(),
        camera_rotation: 0,
        voice: StoredVoice::default(),
        sound: SoundView::default(),
        invitation: None,
    }
}

/// Finds the names of people who may have left the list.
struct Named<'a> {
    people: &'a [Person],
    account: &'a Account,
}

impl Named<'_> {
    fn person(&self, person: &Person) -> PersonView {
        PersonView {
            id: person.id.to_string(),
            name: person.name.clone(),
            presence: match person.presence {
                Presence::Ready => PresenceView::Ready,
                Presence::InCall => PresenceView::InCall,
                Presence::Offline => PresenceView::Offline,
                Presence::Unknown => PresenceView::Unknown,
            },
            echo: self.account.echo == Some(person.id),
            contact: person.contact,
        }
    }

    fn party(&self, party: &Party, name: Option<&str>) -> PersonView {
        let listed = self.people.iter().find(|person| *party == Party::User(person.id));
        match listed {
            Some(person) => self.person(person),
            None => PersonView {
                id: party.to_string(),
                name: name.map_or_else(|| party.to_string(), str::to_owned),
                presence: PresenceView::Unknown,
                echo: self.account.echo.is_some_and(|echo| *party == Party::User(echo)),
                contact: false,
            },
        }
    }
}

/// Another room of the server, which is called by its name.
fn room_view(room: &Room) -> PersonView {
    PersonView {
        id: room.room_id.clone(),
        name: room.room_id.clone(),
        presence: if room.busy {
            PresenceView::InCall
        } else {
            PresenceView::Ready
        },
        echo: false,
        contact: false,
    }
}

fn call_view(call: &LiveCall, named: &Named<'_>) -> CallView {
    CallView {
        call_id: call.call.to_string(),
        peer: named.party(&call.peer, call.peer_name.as_deref()),
        outgoing: call.outgoing,
        video: call.video,
        way: match call.way {
            Direction::SendRecv | Direction::Inactive => WayView::Both,
            Direction::SendOnly => WayView::Send,
            Direction::RecvOnly => WayView::Receive,
        },
        stream: stream_view(call.stream.as_ref(), call.played.as_ref()),
        lost_half: call.lost.map(|lost| LostHalfView {
            push: lost.half == Half::Push,
            cause: cause(lost.cause, lost.by_us, call.outgoing).to_owned(),
        }),
        state: match call.state {
            CallState::Calling => CallPhase::Calling,
            CallState::RingingOut => CallPhase::RingingOut,
            CallState::RingingIn => CallPhase::RingingIn,
            CallState::Connecting => CallPhase::Connecting,
            CallState::Connected => CallPhase::Connected,
            CallState::Reconnecting => CallPhase::Reconnecting,
        },
        began_at_ms: unix_ms(call.began_at),
        connected_at_ms: call.connected_at.map(unix_ms),
        muted: call.muted,
        camera_on: call.camera != CameraState::Off,
        microphone: match call.microphone {
            MicrophoneState::Ok => MicrophoneView::Ok,
            MicrophoneState::Missing => MicrophoneView::Missing,
        },
        camera: match call.camera {
            CameraState::Off => CameraView::Off,
            CameraState::On => CameraView::Ok,
            CameraState::TestPicture => CameraView::TestPicture,
        },
        remote_muted: call.remote_muted,
        remote_video: call.remote_video,
        hears: match call.hears {
            Receipt::Yes => HearsView::Yes,
            // A muted side is not heard, and the mute button says why.
            Receipt::No | Receipt::NotSending => HearsView::No,
            Receipt::Unknown => HearsView::Unknown,
        },
        sees: match call.sees {
            Receipt::Yes => SeesView::Yes,
            Receipt::No => SeesView::No,
            Receipt::Unknown => SeesView::Unknown,
            Receipt::NotSending => SeesView::NotSending,
        },
        telltale: telltale_view(call.telltale),
        verdict: verdict_view(&call.verdict),
        check_code: call.check_code.clone(),
        path: match call.path {
            PathKind::Direct => PathView::Direct,
            PathKind::Relay => PathView::Relay,
            PathKind::Unknown => PathView::Unknown,
        },
        takes_digits: call.takes_digits,
        voice_loss: call.voice_loss,
        level_in: call.level_in,
        level_out: call.level_out,
    }
}

/// `None` for a call between two people.
fn stream_view(stream: Option<&StreamCall>, played: Option<&StreamCall>) -> Option<StreamView> {
    let stream = stream?;
    let push = match stream.purpose {
        Purpose::Play => false,
        Purpose::Push => true,
        Purpose::Call | Purpose::Other(_) => return None,
    };
    Some(StreamView {
        push,
        vhost: stream.vhost.clone(),
        app: stream.app.clone(),
        name: stream.stream.clone(),
        played: played.map(|played| PlayedView {
            app: played.app.clone(),
            name: played.stream.clone(),
        }),
    })
}

fn telltale_view(telltale: Telltale) -> TelltaleView {
    let part = |part| match part {
        ClientPart::Ok => Part::Ok,
        ClientPart::Weak => Part::Weak,
        ClientPart::Bad => Part::Bad,
        ClientPart::Unknown => Part::Unknown,
    };
    TelltaleView {
        you: part(telltale.you),
        line: part(telltale.line),
        them: part(telltale.them),
    }
}

fn verdict_view(verdict: &Verdict) -> VerdictView {
    VerdictView {
        level: match verdict.level {
            Level::Good => LevelView::Good,
            Level::Fair => LevelView::Fair,
            Level::Poor => LevelView::Poor,
            Level::Bad => LevelView::Bad,
            Level::Unknown => LevelView::Unknown,
        },
        side: match verdict.side {
            Side::Ours => SideView::Ours,
            Side::Theirs => SideView::Theirs,
            Side::Network => SideView::Network,
            Side::None => SideView::None,
        },
        cause: verdict.cause.to_string(),
        loss_percent: verdict.loss_percent,
    }
}

fn ended_view(ended: &EndedCall, named: &Named<'_>) -> EndedView {
    EndedView {
        peer: named.party(&ended.peer, ended.peer_name.as_deref()),
        video: ended.video,
        outgoing: ended.outgoing,
        stream: stream_view(ended.stream.as_ref(), ended.played.as_deref()),
        duration_s: ended
            .end
            .answered
            .then(|| u32::try_from(ended.end.duration.as_secs()).unwrap_or(u32::MAX)),
        cause: cause(ended.end.cause, ended.end.by_us, ended.outgoing).to_owned(),
        retry_after_s: ended.retry_after.map(seconds_up),
        detail: match &ended.end.detail {
            Some(detail) => format!("{} ({})", ended.end.reason.as_str(), detail.as_str()),
            None => ended.end.reason.as_str().to_owned(),
        },
    }
}

fn recent_view(recent: &RecentCall, named: &Named<'_>) -> RecentView {
    let ended = ended_view(&recent.ended, named);
    // The server's history does not say who hung up.
    let cause = match (recent.source, recent.ended.end.cause) {
        (RecentSource::Server, EndCause::HungUp) => "ended".to_owned(),
        _ => ended.cause,
    };
    RecentView {
        peer: ended.peer,
        outgoing: ended.outgoing,
        video: ended.video,
        stream: ended.stream,
        cause,
        duration_s: ended.duration_s,
        at_ms: unix_ms(recent.at),
    }
}

/// The page's word for why a call ended.
fn cause(cause: EndCause, by_us: bool, outgoing: bool) -> &'static str {
    match (cause, by_us) {
        (EndCause::HungUp, true) => "hung_up_by_us",
        (EndCause::HungUp, false) => "hung_up_by_them",
        (EndCause::Cancelled, _) => "cancelled",
        (EndCause::Declined, true) => "declined_by_us",
        (EndCause::Declined, false) => "declined",
        (EndCause::Busy, true) if !outgoing => "declined_by_us",
        // This user is in a call on another device, so the server did not take this one.
        (EndCause::Busy, true) | (EndCause::Glare, _) => "not_placed",
        (EndCause::Busy, false) => "busy",
        (EndCause::NoAnswer, _) => "no_answer",
        (EndCause::Missed, _) => "missed",
        (EndCause::AnsweredElsewhere, _) => "answered_elsewhere",
        (EndCause::NotReachable, _) => "not_reachable",
        (EndCause::NotPermitted, _) => "not_permitted",
        (EndCause::RateLimited, _) => "rate_limited",
        (EndCause::CallsUnsupported, _) => "calls_unsupported",
        (EndCause::ConnectionLost, _) => "connection_lost",
        (EndCause::ServerProblem, _) => "server_problem",
        (EndCause::MediaFailed, _) => "media_failed",
        (EndCause::IncompatibleOffer, _) => "too_old",
        (EndCause::StreamNotFound, _) => "stream_not_found",
        (EndCause::StreamTaken, _) => "stream_taken",
    }
}

/// Exact: today's milliseconds need 41 of the 53 bits.
fn unix_ms(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_millis() as f64
}

/// "In 1 second" until the last moment, never "in 0 seconds" before it.
fn seconds_up(left: Duration) -> u32 {
    let whole = left.as_secs() + u64::from(left.subsec_nanos() > 0);
    u32::try_from(whole).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ahoy_call::{CallEnd, CallId, EndDetail, EndReason};
    use ahoy_client::{Problem, ServerState};

    const ECHO: u64 = 9000;

    fn user(number: u64) -> UserId {
        UserId::new(number).unwrap()
    }

    fn account() -> Account {
        Account {
            name: Some("maya".into()),
            embedded: true,
            echo: Some(user(ECHO)),
            rooms: false,
        }
    }

    fn snapshot() -> Snapshot {
        let person = |id: u64, name: &str| Person {
            id: user(id),
            name: name.into(),
            presence: Presence::Ready,
            contact: true,
            blocked: false,
        };
        Snapshot {
            server: ServerState {
                url: "ws://127.0.0.1:1/ws".into(),
                phase: Phase::Ready,
                problem: None,
                retry_at: None,
                basic_mode: false,
            },
            me: Some(Party::User(user(1))),
            people: vec![person(2, "Theo"), person(ECHO, "Echo")],
            rooms: Vec::new(),
            found: None,
            call: None,
            ended: None,
            recent: Vec::new(),
            notices: Vec::new(),
        }
    }

    fn ended(peer: u64, name: Option<&str>, cause: EndCause, by_us: bool, answered: bool) -> EndedCall {
        EndedCall {
            call: CallId::from_random([7; 16]),
            peer: Party::User(user(peer)),
            peer_name: name.map(str::to_owned),
            outgoing: true,
            video: false,
            stream: None,
            played: None,
            retry_after: None,
            end: CallEnd {
                cause,
                reason: EndReason::NetworkError,
                detail: Some(EndDetail::IceFailed),
                by_us,
                answered,
                duration: Duration::from_millis(61_999),
            },
        }
    }

    fn shown(snapshot: &Snapshot) -> ViewModel {
        view_model(snapshot, &account(), Instant::now())
    }

    #[test]
    fn echo_is_marked_and_everybody_else_is_not() {
        let view = shown(&snapshot());
        let marks: Vec<(&str, bool)> = view
            .people
            .iter()
            .map(|person| (&*person.id, person.echo))
            .collect();
        assert_eq!(marks, [("2", false), ("9000", true)]);
        assert_eq!(
            view.me.map(|me| (me.id, me.name)),
            Some(("1".into(), "maya".into()))
        );
        let elsewhere = Account {
            name: None,
            embedded: false,
            echo: None,
            rooms: false,
        };
        let view = view_model(&snapshot(), &elsewhere, Instant::now());
        assert!(view.people.iter().all(|person| !person.echo));
    }

    #[test]
    fn a_peer_who_left_keeps_the_name_that_the_call_had() {
        let mut snapshot = snapshot();
        snapshot.ended = Some(ended(55, Some("Lin"), EndCause::ConnectionLost, true, true));
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        let recent = |peer, name| RecentCall {
            ended: ended(peer, name, EndCause::NoAnswer, true, false),
            at,
            source: RecentSource::Here,
        };
        snapshot.recent = vec![recent(56, None), recent(2, Some("old name"))];
        let view = shown(&snapshot);
        let ended = view.ended.unwrap();
        assert_eq!(
            (ended.peer.name.as_str(), ended.peer.presence),
            ("Lin", PresenceView::Unknown)
        );
        assert_eq!(
            (ended.cause.as_str(), ended.detail.as_str()),
            ("connection_lost", "network_error (ice_failed)")
        );
        assert_eq!(ended.duration_s, Some(61));
        let names: Vec<&str> = view
            .recent
            .iter()
            .map(|recent| recent.peer.name.as_str())
            .collect();
        assert_eq!(names, ["56", "Theo"]);
        assert_eq!(
            (view.recent[0].duration_s, view.recent[0].at_ms),
            (None, 1_700_000_000_123.0)
        );
    }

    #[test]
    fn a_stream_is_named_and_a_talk_is_none() {
        let stream = |purpose| StreamCall {
            purpose,
            vhost: "v".into(),
            app: "live".into(),
            stream: "harbor".into(),
        };
        let mut snapshot = snapshot();
        let mut shown = |purpose| {
            let ended = ended(2, None, EndCause::HungUp, true, true);
            snapshot.ended = Some(EndedCall {
                stream: Some(stream(purpose)),
                ..ended
            });
            view_model(&snapshot, &account(), Instant::now())
                .ended
                .unwrap()
                .stream
        };
        let harbor = |push| StreamView {
            push,
            vhost: "v".into(),
            app: "live".into(),
            name: "harbor".into(),
            played: None,
        };
        assert_eq!(shown(Purpose::Play), Some(harbor(false)));
        assert_eq!(shown(Purpose::Push), Some(harbor(true)));
        assert_eq!(shown(Purpose::Call), None);
        let ended = ended(2, None, EndCause::HungUp, true, true);
        snapshot.ended = Some(EndedCall {
            stream: Some(stream(Purpose::Push)),
            played: Some(Box::new(StreamCall {
                stream: "quay".into(),
                ..stream(Purpose::Play)
            })),
            ..ended
        });
        let view = view_model(&snapshot, &account(), Instant::now());
        let played = view.ended.unwrap().stream.unwrap().played;
        assert_eq!(
            played.map(|played| (played.app, played.name)),
            Some(("live".into(), "quay".into()))
        );
    }

    #[test]
    fn who_ended_it_decides_the_word() {
        let word = |cause, by_us, outgoing| super::cause(cause, by_us, outgoing);
        assert_eq!(word(EndCause::HungUp, true, true), "hung_up_by_us");
        assert_eq!(word(EndCause::HungUp, false, true), "hung_up_by_them");
        assert_eq!(word(EndCause::Declined, false, true), "declined");
        assert_eq!(word(EndCause::Declined, true, false), "declined_by_us");
        assert_eq!(word(EndCause::Busy, false, true), "busy");
        assert_eq!(word(EndCause::Busy, true, false), "declined_by_us");
        assert_eq!(word(EndCause::Busy, true, true), "not_placed");
        assert_eq!(word(EndCause::IncompatibleOffer, false, true), "too_old");
    }

    #[test]
    fn a_call_of_the_servers_history_does_not_say_who_hung_up() {
        let mut snapshot = snapshot();
        let recent = |source| RecentCall {
            ended: ended(2, None, EndCause::HungUp, false, true),
            at: SystemTime::UNIX_EPOCH,
            source,
        };
        snapshot.recent = vec![recent(RecentSource::Here), recent(RecentSource::Server)];
        let causes: Vec<String> = shown(&snapshot)
            .recent
            .into_iter()
            .map(|call| call.cause)
            .collect();
        assert_eq!(causes, ["hung_up_by_them", "ended"]);
    }

    #[test]
    fn the_countdown_never_says_zero_before_the_attempt() {
        let now = Instant::now();
        let mut snapshot = snapshot();
        snapshot.server.phase = Phase::Offline;
        snapshot.server.problem = Some(Problem {
            code: "server_silent",
            detail: "refused".into(),
        });
        let left = |snapshot: &mut Snapshot, wait: Duration| {
            snapshot.server.retry_at = Some(now + wait);
            view_model(snapshot, &account(), now).server.retry_in_s
        };
        assert_eq!(left(&mut snapshot, Duration::from_millis(1)), Some(1));
        assert_eq!(left(&mut snapshot, Duration::from_millis(2000)), Some(2));
        assert_eq!(left(&mut snapshot, Duration::ZERO), Some(0));
    }

    #[test]
    fn rooms_are_people_that_are_called_by_their_names() {
        let rooms = Account {
            rooms: true,
            ..account()
        };
        let room = |name: &str, busy| Room {
            room_id: name.to_owned(),
            busy,
        };
        let snapshot = Snapshot {
            people: Vec::new(),
            rooms: vec![room("alice", false), room("keeper", true)],
            ..snapshot()
        };
        let view = view_model(&snapshot, &rooms, Instant::now());
        assert!(view.server.rooms);
        let shown: Vec<_> = view
            .people
            .iter()
            .map(|person| (person.id.as_str(), person.presence))
            .collect();
        assert_eq!(
            shown,
            [("alice", PresenceView::Ready), ("keeper", PresenceView::InCall)]
        );
    }
}
