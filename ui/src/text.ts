// Codes to sentences for people, in the language of the moment. Knows no view model and no DOM.
import { percentText } from "./format";
import {
  END_CAUSES,
  known,
  NOTICE_CODES,
  PROBLEM_CODES,
  REFUSAL_CODES,
  VERDICT_CAUSES,
  type VerdictCause,
} from "./text/codes";
import { en, type Said, type Texts } from "./text/en";
import { zh } from "./text/zh";

export type { Said, Texts };

export type Language = "en" | "zh";

export const TEXTS: Record<Language, Texts> = { en, zh };

/** The language of a BCP 47 tag: Chinese of any script and place, else English. */
export function languageOf(tag: string): Language {
  return /^zh\b/i.test(tag) ? "zh" : "en";
}

/** Why a call ended, for the screen after it. */
export function endText(texts: Texts, cause: string, name: string): Said {
  return texts.end[known(END_CAUSES, cause, "server_problem")](name);
}

/** Why a call ended, as one line of the list of calls. */
export function recentText(texts: Texts, cause: string, name: string, video: boolean): string {
  return texts.recentEnd[known(END_CAUSES, cause, "server_problem")](name, video);
}

/** What keeps the client from its server. */
export function problemText(texts: Texts, code: string, host: string): Said {
  return texts.problem[known(PROBLEM_CODES, code, "internal")](host);
}

/** What a person should know about a device. */
export function noticeText(texts: Texts, code: string): Said {
  return texts.notice[known(NOTICE_CODES, code, "media_failed")];
}

/** Why a command was not accepted; a problem with the server or a device reads as that problem. */
export function refusalText(texts: Texts, code: string, host: string): Said {
  const problem = PROBLEM_CODES.find((candidate) => candidate === code);
  if (problem !== undefined) return texts.problem[problem](host);
  const notice = NOTICE_CODES.find((candidate) => candidate === code);
  if (notice !== undefined) return texts.notice[notice];
  return { title: texts.refusal[known(REFUSAL_CODES, code, "wrong_state")], body: "" };
}

/** The words of the pill. `loss` is in percent. */
export function verdictText(
  texts: Texts,
  verdict: { level: string; side: string; cause: string; loss_percent: number | null },
  name: string,
): string {
  const loss = verdict.loss_percent === null ? null : percentText(verdict.loss_percent);
  return texts.verdict[known(VERDICT_CAUSES, verdict.cause, generalCause(verdict))](name, loss);
}

/** The general words for a cause without words of its own: the level and the side are always known. */
function generalCause(verdict: { level: string; side: string }): VerdictCause {
  if (verdict.level === "unknown") return "measuring";
  if (verdict.level === "good") return "fine";
  if (verdict.side === "ours") return "link_loss";
  if (verdict.side === "theirs") return "their_link";
  return "line_loss";
}
