// Which notice is shown when there are several: one at a time, the worst, and of these the newest. Pure.
import type { NoticeView } from "./generated/bindings";

/** What only informs; nothing of a call is at stake. */
const MILD = ["basic_mode", "contact_failed", "stream_without_sound"];

/** What it costs the call: the server least, a picture less than sound. */
function weight(code: string): number {
  if (MILD.includes(code)) return 0;
  return code.includes("camera") ? 1 : 2;
}

/** The notice to show, `null` when there is none. */
export function worstNotice(notices: readonly NoticeView[]): NoticeView | null {
  return notices.reduce<NoticeView | null>((worst, notice) => {
    if (worst === null) return notice;
    const heavier = weight(notice.code) - weight(worst.code);
    return heavier > 0 || (heavier === 0 && notice.id > worst.id) ? notice : worst;
  }, null);
}
