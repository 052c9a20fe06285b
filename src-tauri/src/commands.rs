//! What the page may ask: one function per intent of the user. Each forwards and returns; an error means "not accepted",
//! never "the call failed". State comes back as whole view models only.

use crate::session::{SessionHandle, SignIn, SoundUse, problem};
use crate::settings_file::StoredVoice;
use crate::typed_stream::TypedStream;
use crate::video_feed::VideoFeed;
use crate::view_model::{ProblemView, VideoFeedAddress, ViewModel};
use ahoy_call::{Party, RoomId, UserId};
use ahoy_client::{BadDigits, Command};
use tauri::State;

type Accepted = Result<(), ProblemView>;

fn user_of(id: &str) -> Result<UserId, ProblemView> {
    let user = id.parse().ok().and_then(|number| UserId::new(number).ok());
    user.ok_or_else(|| problem("user_not_found", &format!("{id} is not a user id")))
}

/// Whom a call goes to: a room where the server has rooms, else a user.
fn party_of(id: &str, rooms: bool) -> Result<Party, ProblemView> {
    if !rooms {
        return user_of(id).map(Party::User);
    }
    let room = RoomId::new(id).map_err(|error| problem("user_not_found", &error.to_string()))?;
    Ok(Party::Room(room))
}

#[tauri::command]
pub async fn current(session: State<'_, SessionHandle>) -> Result<ViewModel, ProblemView> {
    // A page that begins anew shows no settings yet; the one before it may have.
    session.show_sound(false).await?;
    let views = session.views();
    let view = views.borrow().as_ref().clone();
    Ok(view)
}

#[tauri::command]
pub async fn place_call(session: State<'_, SessionHandle>, to: String, video: bool) -> Accepted {
    let rooms = session.views().borrow().server.rooms;
    session
        .command(Command::PlaceCall {
            to: party_of(&to, rooms)?,
            video,
            stream: None,
        })
        .await
}

#[tauri::command]
pub async fn place_stream_call(
    session: State<'_, SessionHandle>,
    to: String,
    push: bool,
    stream: TypedStream,
) -> Accepted {
    let stream = stream.check(push)?;
    session
        .command(Command::PlaceCall {
            to: party_of(to.trim(), true)?,
            video: true,
            stream: Some(Box::new(stream)),
        })
        .await
}

#[tauri::command]
pub async fn place_two_way_call(
    session: State<'_, SessionHandle>,
    to: String,
    push: TypedStream,
    play: TypedStream,
) -> Accepted {
    let (push, play) = TypedStream::check_both(&push, &play)?;
    session
        .command(Command::PlaceTwoWay {
            to: party_of(to.trim(), true)?,
            video: true,
            push: Box::new(push),
            play: Box::new(play),
        })
        .await
}

#[tauri::command]
pub async fn accept(session: State<'_, SessionHandle>, video: bool) -> Accepted {
    session.command(Command::Accept { video }).await
}

#[tauri::command]
pub async fn decline(session: State<'_, SessionHandle>) -> Accepted {
    session.command(Command::Decline).await
}

#[tauri::command]
pub async fn hang_up(session: State<'_, SessionHandle>) -> Accepted {
    session.command(Command::HangUp).await
}

#[tauri::command]
pub async fn set_muted(session: State<'_, SessionHandle>, muted: bool) -> Accepted {
    session.command(Command::SetMuted(muted)).await
}

#[tauri::command]
pub async fn set_camera(session: State<'_, SessionHandle>, on: bool) -> Accepted {
    session.command(Command::SetCamera(on)).await
}

#[tauri::command]
pub async fn set_voice_loss(session: State<'_, SessionHandle>, percent: u8) -> Accepted {
    session.command(Command::SetVoiceLoss(percent)).await
}

#[tauri::command]
pub async fn set_voice(session: State<'_, SessionHandle>, voice: StoredVoice) -> Accepted {
    session.set_voice(voice).await
}

#[tauri::command]
pub async fn set_camera_rotation(session: State<'_, SessionHandle>, degrees: u32) -> Accepted {
    session.set_camera_rotation(degrees).await
}

#[tauri::command]
pub async fn send_digits(session: State<'_, SessionHandle>, digits: String) -> Accepted {
    let digits = digits
        .parse()
        .map_err(|error: BadDigits| problem("digits_not_taken", &error.to_string()))?;
    session.command(Command::SendDigits(digits)).await
}

#[tauri::command]
pub async fn show_sound(session: State<'_, SessionHandle>, shown: bool) -> Accepted {
    session.show_sound(shown).await
}

#[tauri::command]
pub async fn set_sound_device(
    session: State<'_, SessionHandle>,
    used: SoundUse,
    spec: Option<String>,
) -> Accepted {
    session.set_sound_device(used, spec).await
}

#[tauri::command]
pub async fn set_ring_volume(session: State<'_, SessionHandle>, percent: u8) -> Accepted {
    session.set_ring_volume(percent).await
}

#[tauri::command]
pub async fn test_sound(session: State<'_, SessionHandle>, used: SoundUse) -> Accepted {
    session.test_sound(used).await
}

#[tauri::command]
pub async fn silence(session: State<'_, SessionHandle>) -> Accepted {
    session.command(Command::Silence).await
}

#[tauri::command]
pub async fn dismiss_ended(session: State<'_, SessionHandle>) -> Accepted {
    session.command(Command::DismissEnded).await
}

#[tauri::command]
pub async fn dismiss_notice(session: State<'_, SessionHandle>, id: u64) -> Accepted {
    session.command(Command::DismissNotice(id)).await
}

#[tauri::command]
pub async fn search(session: State<'_, SessionHandle>, keyword: String) -> Accepted {
    session.command(Command::Search(keyword)).await
}

#[tauri::command]
pub async fn set_contact(session: State<'_, SessionHandle>, id: String, contact: bool) -> Accepted {
    let user = user_of(&id)?;
    session
        .command(if contact {
            Command::AddContact(user)
        } else {
            Command::RemoveContact(user)
        })
        .await
}

#[tauri::command]
pub async fn retry_now(session: State<'_, SessionHandle>) -> Accepted {
    session.command(Command::RetryNow).await
}

#[tauri::command]
pub async fn sign_in(
    session: State<'_, SessionHandle>,
    server: String,
    token: Option<String>,
    user: Option<String>,
    password: Option<String>,
) -> Accepted {
    session
        .sign_in(SignIn {
            server,
            token,
            user,
            password,
        })
        .await
}

#[tauri::command]
pub async fn open_invitation(session: State<'_, SessionHandle>, link: String) -> Accepted {
    session.ask(link).await
}

#[tauri::command]
pub async fn accept_invitation(session: State<'_, SessionHandle>, video: bool) -> Accepted {
    session.accept_invitation(video).await
}

#[tauri::command]
pub async fn dismiss_invitation(session: State<'_, SessionHandle>) -> Accepted {
    session.dismiss_invitation().await
}

#[tauri::command]
pub async fn use_embedded(session: State<'_, SessionHandle>) -> Accepted {
    session.use_embedded().await
}

#[tauri::command]
pub fn video_feed(feed: State<'_, VideoFeed>) -> VideoFeedAddress {
    VideoFeedAddress {
        url: feed.url(),
        token: feed.token().to_owned(),
    }
}
