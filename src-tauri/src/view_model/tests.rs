use super::*;
use crate::session::SoundUse;
use crate::settings_file::StoredSuppression;
use std::path::Path;

/// The page's copy of these types, in the order in which they stand above.
fn bindings() -> String {
    let config = ts_rs::Config::new();
    let declarations = [
        ViewModel::decl(&config),
        ServerView::decl(&config),
        ServerPhase::decl(&config),
        ProblemView::decl(&config),
        PersonView::decl(&config),
        FoundView::decl(&config),
        SearchView::decl(&config),
        PresenceView::decl(&config),
        CallView::decl(&config),
        WayView::decl(&config),
        StreamView::decl(&config),
        PlayedView::decl(&config),
        LostHalfView::decl(&config),
        CallPhase::decl(&config),
        MicrophoneView::decl(&config),
        CameraView::decl(&config),
        HearsView::decl(&config),
        SeesView::decl(&config),
        TelltaleView::decl(&config),
        Part::decl(&config),
        VerdictView::decl(&config),
        LevelView::decl(&config),
        SideView::decl(&config),
        PathView::decl(&config),
        EndedView::decl(&config),
        RecentView::decl(&config),
        NoticeView::decl(&config),
        StoredVoice::decl(&config),
        SoundView::decl(&config),
        DeviceView::decl(&config),
        MeterView::decl(&config),
        SoundUse::decl(&config),
        InvitationView::decl(&config),
        StoredSuppression::decl(&config),
        VideoFeedAddress::decl(&config),
    ];
    let mut text = String::from(
        "// The shapes that the shell sends and takes, generated from src-tauri/src/view_model.rs. Not edited by hand:\n\
         // AHOY_WRITE_BINDINGS=1 cargo test -p ahoy bindings\n",
    );
    for declaration in declarations {
        text.push_str("\nexport ");
        text.push_str(&declaration);
        text.push('\n');
    }
    text
}

#[test]
fn the_bindings_of_the_page_are_those_of_the_types() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ui/src/generated/bindings.ts");
    let wanted = bindings();
    if std::env::var_os("AHOY_WRITE_BINDINGS").is_some() {
        std::fs::write(&file, &wanted).unwrap();
    }
    let present = std::fs::read_to_string(&file).unwrap();
    // A checkout on Windows may have other line ends.
    assert_eq!(
        present.replace("\r\n", "\n"),
        wanted,
        "run: AHOY_WRITE_BINDINGS=1 cargo test -p ahoy bindings"
    );
}
