// Takes a picture of each screen from the fixtures, at the three sizes of the window, into ../assets/screenshots.
//   npm run screenshots            all pictures
//   npm run screenshots -- call    only those whose name holds "call"
// Needs a Chromium: CHROMIUM=/path, or `chromium` on a Debian-like system.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { build, preview } from "vite";

const SIZES = ["1200x800", "900x600", "420x720"];
/** Screen, and what is taken of it beside light and dark in English at all sizes. */
const SCREENS = [
  "first_start",
  "people",
  "empty",
  "outgoing",
  "incoming",
  "call_video",
  "call_audio",
  "ended",
];
const MORE = [
  ["people_search", "light", "en", "1200x800"],
  ["people_search", "dark", "zh", "900x600"],
  ["people_search", "light", "en", "420x720"],
  ["people_basic", "light", "en", "900x600"],
  ["call_server_away", "light", "en", "900x600"],
  ["call_server_away", "light", "zh", "420x720"],
  ["ended_rate_limited", "light", "en", "420x720"],
  ["error_restarting", "dark", "en", "1200x800"],
  ["error_server", "light", "en", "900x600"],
  ["error_server", "dark", "zh", "420x720"],
  ["error_token", "light", "en", "420x720"],
  ["error_port", "dark", "en", "900x600"],
  ["people_offline", "light", "en", "1200x800"],
  ["people_offline", "light", "en", "420x720"],
  ["call_echo", "light", "en", "1200x800"],
  ["call_echo", "dark", "zh", "900x600"],
  ["call_echo", "light", "en", "420x720"],
  ["call_echo_audio", "light", "en", "900x600"],
  ["call_echo_audio", "dark", "en", "1200x800"],
  ["call_echo_audio", "light", "zh", "420x720"],
  ["people_preferences", "light", "en", "1200x800"],
  ["people_preferences", "dark", "zh", "900x600"],
  ["people_preferences", "light", "en", "420x720"],
  ["settings", "light", "en", "1200x800"],
  ["settings", "dark", "en", "800x600"],
  ["settings", "light", "zh", "360x640"],
  ["settings", "dark", "en", "360x640"],
  ["settings_silent", "light", "en", "800x600"],
  ["call_devices", "light", "en", "1200x800"],
  ["call_devices", "light", "zh", "800x600"],
  ["call_devices", "light", "en", "360x640"],
  ["call_devices_audio", "dark", "zh", "800x600"],
  ["call_keypad", "light", "en", "1200x800"],
  ["call_keypad", "light", "zh", "360x640"],
  ["call_keypad_audio", "light", "zh", "800x600"],
  ["call_keypad_audio", "dark", "en", "360x640"],
  ["call_no_keypad", "light", "en", "800x600"],
  ["invitation", "light", "en", "1200x800"],
  ["invitation", "dark", "zh", "800x600"],
  ["invitation_plain", "light", "en", "360x640"],
  ["invitation_unreadable", "dark", "en", "360x640"],
  ["rooms_stream", "light", "en", "1200x800"],
  ["rooms_stream", "dark", "zh", "800x600"],
  ["rooms_stream", "light", "en", "360x640"],
  ["stream_play", "light", "en", "1200x800"],
  ["stream_push", "light", "en", "800x600"],
  ["stream_silent", "light", "zh", "800x600"],
  ["stream_two_way", "light", "en", "1200x800"],
  ["stream_half", "light", "zh", "800x600"],
  ["stream_half", "light", "en", "360x640"],
  ["stream_silent", "light", "en", "360x640"],
  ["rooms", "light", "en", "1200x800"],
  ["rooms", "dark", "zh", "800x600"],
  ["rooms", "light", "en", "360x640"],
  ["call_talking_muted", "light", "en", "1200x800"],
  ["call_talking_muted", "light", "zh", "420x720"],
  ["call_microphone_silent", "light", "en", "900x600"],
  ["call_microphone_silent", "dark", "zh", "420x720"],
  ["call_check", "light", "en", "1200x800"],
  ["call_check", "light", "zh", "420x720"],
  ["call_weak", "light", "en", "420x720"],
  ["call_muted", "light", "en", "900x600"],
  ["call_no_devices", "light", "en", "900x600"],
  ["call_reconnecting", "light", "en", "900x600"],
  ["call_no_picture", "light", "zh", "900x600"],
  ["ended_too_old", "light", "en", "900x600"],
  ["people", "dark", "zh", "900x600"],
  ["incoming", "light", "zh", "420x720"],
  ["call_audio", "dark", "zh", "420x720"],
  ["call_video", "light", "zh", "900x600"],
  ["first_start", "dark", "zh", "420x720"],
  ["people", "contrast", "en", "420x720"],
];

const PREFERENCES = '.side [aria-haspopup="dialog"]';
const SETTINGS = [PREFERENCES, '[data-control="settings"]'];
/** What is pressed first, in order. */
const PRESSED = {
  people_preferences: [PREFERENCES],
  settings: SETTINGS,
  settings_silent: SETTINGS,
  call_check: ['[data-control="check-code"]'],
  call_keypad: ['[data-control="keypad"]', '[data-digit="1"]', '[data-digit="5"]', '[data-digit="#"]'],
  call_keypad_audio: ['[data-control="keypad"]', '[data-digit="4"]'],
  rooms_stream: ['[data-control="streams"]'],
  call_devices: ['[data-control="devices"]'],
  call_devices_audio: ['[data-control="devices"]'],
};

/** What stands in the search field. */
const TYPED = { people_search: "ma" };

const executablePath = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser"].find(
  (path) => path !== undefined && existsSync(path),
);
if (executablePath === undefined) throw new Error("no chromium found; set CHROMIUM to its path");

const out = fileURLToPath(new URL("../../assets/screenshots/", import.meta.url));
const root = fileURLToPath(new URL("..", import.meta.url));
mkdirSync(out, { recursive: true });
await build({ root, mode: "fixtures", logLevel: "warn" });
const server = await preview({ root, mode: "fixtures", preview: { port: 0, host: "127.0.0.1" } });
const address = server.resolvedUrls?.local[0];
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });

// The stage of a video call is dark in both themes: one of them is enough.
const shots = SCREENS.flatMap((screen) =>
  SIZES.flatMap((size) =>
    (screen === "call_video" ? ["light"] : ["light", "dark"]).map((theme) => [screen, theme, "en", size]),
  ),
).concat(MORE);
const wanted = process.argv[2] ?? "";
for (const [screen, theme, lang, size] of shots.filter(([screen]) => screen.includes(wanted))) {
  const [width, height] = size.split("x").map(Number);
  const page = await browser.newPage({ viewport: { width, height }, reducedMotion: "reduce" });
  const query = new URLSearchParams({ fixture: screen, lang, theme: theme === "contrast" ? "light" : theme });
  if (theme === "contrast") query.set("contrast", "more");
  page.on("pageerror", (error) => console.error(`${screen}: ${error.message}`));
  await page.goto(`${address}fixtures.html?${query}`);
  await page.waitForSelector("[data-screen]");
  if (TYPED[screen] !== undefined) await page.fill('[data-control="search"]', TYPED[screen]);
  for (const selector of PRESSED[screen] ?? []) await page.click(selector);
  // The same letters on every machine that has them.
  await page.addStyleTag({ content: ':root { --font: Inter, "Noto Sans CJK SC", system-ui, sans-serif; }' });
  // A canvas counts its pictures; the third one has its final size.
  await page.waitForFunction(() =>
    [...document.querySelectorAll("canvas")].every((canvas) => Number(canvas.dataset["frames"]) > 2),
  );
  // A screen that is to be looked at shows no focus ring.
  await page.evaluate(() => document.activeElement?.blur());
  const overflow = await page.evaluate(
    () => document.documentElement.scrollWidth > innerWidth || document.documentElement.scrollHeight > innerHeight,
  );
  if (overflow) console.error(`${screen} ${size}: larger than the window`);
  const name = [screen.replaceAll("_", "-"), lang === "zh" ? "zh" : null, theme, size].filter(Boolean).join(".");
  const path = `${out}${name}.png`;
  await page.screenshot({ path });
  await page.close();
  shrink(path);
}
await browser.close();
await server.close();

/** Reduces a picture to a palette where pngquant is installed. */
function shrink(path) {
  try {
    execFileSync("pngquant", ["--force", "--skip-if-larger", "--strip", "--output", path, "128", path]);
  } catch (error) {
    // 98: the palette would be larger. Without pngquant the picture stays as it is.
    if (error.status !== 98 && error.code !== "ENOENT") throw error;
  }
}
