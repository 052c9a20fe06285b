// Which notice is shown when there are several: one at a time, the worst, and of these the newest. Pure.
import type { NoticeView } from "./generated/bindings";

/** What a missing device costs the call: sound more than a picture. */
function weight(code: string): number {
  return code.includes("camera") ? 0 : 1;
}

/** The notice to show, `null` when there is none. */
export function worstNotice(notices: readonly NoticeView[]): NoticeView | null {
  return notices.reduce<NoticeView | null>((worst, notice) => {
    if (worst === null) return notice;
    const heavier = weight(notice.code) - weight(worst.code);
    return heavier > 0 || (heavier === 0 && notice.id > worst.id) ? notice : worst;
  }, null);
}
