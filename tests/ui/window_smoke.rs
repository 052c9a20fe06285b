//! One run of the real window, unseen: the settings hear the microphone, it calls Echo, the remote picture moves, a key of
//! the keypad is taken, it hangs up.
//!
//! `cargo xtask test` runs it; by itself it needs `AHOY_WINDOW` (the window built with its page), Xvfb and
//! WebKitWebDriver. `AHOY_WINDOW_PICTURE` names where the screenshot goes, `AHOY_WINDOW_CAMERA` another camera.

mod webdriver;

use anyhow::{Context, Result, ensure};
use std::collections::HashSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use webdriver::{Display, Window};

/// Everything in the window happens within this, even on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Pictures that are looked at.
const SAMPLES: usize = 12;

/// Waits for the next drawn picture of a view and tells about it. The observer runs right after the drawing, while the
/// pixels can be read even from WebGL.
const NEXT_PICTURE: &str = r#"
    const done = arguments[arguments.length - 1];
    const canvas = document.querySelector('canvas[data-view="VIEW"]');
    if (canvas === null) { done(null); return; }
    const observer = new MutationObserver(() => {
        observer.disconnect();
        const small = document.createElement('canvas');
        small.width = 64; small.height = 36;
        const context = small.getContext('2d');
        context.drawImage(canvas, 0, 0, 64, 36);
        const pixels = context.getImageData(0, 0, 64, 36).data;
        let hash = 5381, least = 255, most = 0;
        for (let at = 0; at < pixels.length; at += 4) {
            const green = pixels[at + 1];
            hash = (hash * 33 + green) >>> 0;
            least = Math.min(least, green); most = Math.max(most, green);
        }
        done({ frames: Number(canvas.dataset.frames), hash, contrast: most - least, renderer: canvas.dataset.renderer });
    });
    observer.observe(canvas, { attributes: true, attributeFilter: ['data-frames'] });
"#;

#[test]
#[ignore = "needs the built window and a display: cargo xtask test"]
fn the_window_calls_echo_sees_its_picture_move_and_hangs_up() -> Result<()> {
    let program =
        PathBuf::from(std::env::var_os("AHOY_WINDOW").context("AHOY_WINDOW names the built window")?);
    let settings = std::env::temp_dir().join(format!("ahoy-window-{}", std::process::id()));
    std::fs::create_dir_all(&settings)?;
    let camera = std::env::var("AHOY_WINDOW_CAMERA").unwrap_or_else(|_| "pattern:640x360@15".to_owned());
    let display = Display::start()?;
    let devices = [
        "--microphone",
        "tone:440",
        "--speaker",
        "null",
        "--camera",
        &camera,
    ];
    let window = Window::open(&display, &program, &devices, &settings)?;

    let call_echo = "[data-focus='video:9000']";
    window.wait_until(
        &format!("document.querySelector(\"{call_echo}:not(:disabled)\")"),
        LIMIT,
    )?;
    hear_the_microphone(&window).context("the meter of the settings")?;
    window.click(call_echo)?;
    window.wait_until("document.querySelector('canvas[data-view=\"remote\"]')", LIMIT)?;

    let begun = Instant::now();
    let remote = watch(&window, "remote").context("the picture of Echo")?;
    let drawn_per_second = f64::from(remote.drawn) / begun.elapsed().as_secs_f64();
    println!(
        "remote: {} different of {SAMPLES}, {drawn_per_second:.1} drawn/s, {}",
        remote.different, remote.renderer
    );
    watch(&window, "local").context("the own picture")?;

    press_a_key(&window).context("the keypad")?;

    let picture = window.picture()?;
    ensure!(picture.starts_with(b"\x89PNG"), "the screenshot is no PNG");
    if let Some(path) = std::env::var_os("AHOY_WINDOW_PICTURE") {
        std::fs::write(&path, &picture).with_context(|| format!("cannot write {}", path.display()))?;
    }

    window.click("[data-control='hang-up']")?;
    window.wait_until("document.querySelector('[data-screen=\"ended\"]')", LIMIT)?;
    let cause = window.run("return document.querySelector('[data-screen=\"ended\"]').dataset.cause;")?;
    ensure!(cause == "hung_up_by_us", "the call ended by {cause}");
    drop(window);
    std::fs::remove_dir_all(settings)?;
    Ok(())
}

/// The tone of the microphone is seen while the settings are open.
fn hear_the_microphone(window: &Window) -> Result<()> {
    window.click(".side [aria-haspopup='dialog']")?;
    window.click("[data-control='settings']")?;
    let meter = "document.querySelector('[role=\"meter\"]')";
    window.wait_until(
        &format!("Number({meter}?.getAttribute('aria-valuenow')) > -40"),
        LIMIT,
    )?;
    window.click("[data-control='back']")?;
    window.wait_until("document.querySelector('[data-screen=\"people\"]')", LIMIT)
}

/// A key is shown as pressed once the call has taken it.
fn press_a_key(window: &Window) -> Result<()> {
    let taken = "document.querySelector('[data-control=\"keypad\"][aria-disabled=\"false\"]')";
    window.wait_until(taken, LIMIT)?;
    window.click("[data-control='keypad']")?;
    window.click("[data-digit='5']")?;
    let pressed = "document.querySelector('[data-panel=\"keypad\"] [role=\"status\"]')";
    window.wait_until(&format!("{pressed}?.textContent === '5'"), LIMIT)?;
    window.click("[data-control='keypad']")
}

struct Watched {
    different: usize,
    /// Pictures drawn from the first sample to the last.
    drawn: u32,
    renderer: String,
}

/// Looks at pictures as they are drawn: they must show something, and move.
fn watch(window: &Window, view: &str) -> Result<Watched> {
    let script = NEXT_PICTURE.replace("VIEW", view);
    let (mut hashes, mut counts, mut renderer) = (HashSet::new(), Vec::new(), String::new());
    for _ in 0..SAMPLES {
        let seen = window.run_async(&script)?;
        let number = |field: &str| {
            seen[field]
                .as_u64()
                .with_context(|| format!("no {field} in {seen}"))
        };
        ensure!(number("contrast")? > 30, "the picture shows nothing: {seen}");
        hashes.insert(number("hash")?);
        counts.push(u32::try_from(number("frames")?)?);
        renderer = seen["renderer"].as_str().unwrap_or_default().to_owned();
    }
    ensure!(
        counts.is_sorted(),
        "the count of drawn pictures goes backwards: {counts:?}"
    );
    ensure!(
        hashes.len() >= SAMPLES / 2,
        "only {} different pictures of {SAMPLES}",
        hashes.len()
    );
    Ok(Watched {
        different: hashes.len(),
        drawn: counts[SAMPLES - 1] - counts[0],
        renderer,
    })
}
