//! Whether a picture in the window shows something and moves.

use crate::webdriver::Session;
use anyhow::{Context, Result, ensure};
use std::collections::HashSet;

/// Pictures that are looked at.
pub const SAMPLES: usize = 12;

/// Waits for the next drawn picture of a view and tells about it, also when another screen takes the view over meanwhile.
/// The observer runs right after the drawing, while the pixels can be read even from WebGL.
const NEXT_PICTURE: &str = r#"
    const done = arguments[arguments.length - 1];
    const selector = 'canvas[data-view="VIEW"]';
    if (document.querySelector(selector) === null) { done(null); return; }
    const observer = new MutationObserver((changes) => {
        const canvas = changes.map((change) => change.target).find((target) => target.matches(selector));
        if (canvas === undefined) return;
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
    observer.observe(document.body, { subtree: true, attributes: true, attributeFilter: ['data-frames'] });
"#;

/// What was seen of a view.
pub struct Watched {
    pub different: usize,
    /// Pictures drawn from the first sample to the last.
    pub drawn: u32,
    pub renderer: String,
}

/// Looks at pictures as they are drawn: they must show something, and move.
pub fn watch(window: &Session, view: &str) -> Result<Watched> {
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
