import { describe, expect, it } from "vitest";
import { END_CAUSES, NOTICE_CODES, PROBLEM_CODES, REFUSAL_CODES, VERDICT_CAUSES } from "./text/codes";
import { endText, languageOf, noticeText, problemText, recentText, refusalText, TEXTS, verdictText } from "./text";

/** Every path of a dictionary with what it says; a function is asked with plausible arguments. */
function sentences(node: unknown, path: string): [path: string, words: string][] {
  if (typeof node === "function") {
    const asked: unknown = path.includes("recentEnd") ? node("Maya", true) : path.endsWith("span") ? node(1, 2, 3) : node("Maya", "12");
    return sentences(asked, path);
  }
  if (typeof node !== "object" || node === null) return [[path, String(node)]];
  return Object.entries(node).flatMap(([key, value]) => sentences(value, path === "" ? key : `${path}.${key}`));
}

const LANGUAGES = ["en", "zh"] as const;

/** Product names and addresses that stay as they are in Chinese. */
const UNTRANSLATED = ["app.name", "signIn.addressHint"];

describe("the dictionaries", () => {
  it("have the same keys", () => {
    const [en, zh] = LANGUAGES.map((language) => sentences(TEXTS[language], "").map(([path]) => path).sort());
    expect(zh).toEqual(en);
  });

  it("say something at every key, except where the title says all", () => {
    for (const language of LANGUAGES) {
      const silent = sentences(TEXTS[language], "").filter(([path, words]) => words === "" && !/^end\.\w+\.body$/.test(path));
      expect(silent).toEqual([]);
    }
  });

  it("are Chinese in Chinese and not in English", () => {
    const han = /\p{Script=Han}/u;
    const untranslated = sentences(TEXTS.zh, "").filter(([, words]) => words !== "" && !han.test(words));
    expect(untranslated.map(([path]) => path)).toEqual(UNTRANSLATED);
    expect(sentences(TEXTS.en, "").filter(([, words]) => han.test(words))).toEqual([]);
  });
});

describe("every code has words in both languages", () => {
  it.each(LANGUAGES)("%s", (language) => {
    const texts = TEXTS[language];
    for (const cause of END_CAUSES) {
      expect(endText(texts, cause, "Maya").title, cause).not.toBe("");
      expect(recentText(texts, cause, "Maya", false), cause).not.toBe("");
    }
    for (const code of PROBLEM_CODES) expect(problemText(texts, code, "im.example").body, code).not.toBe("");
    for (const code of NOTICE_CODES) expect(noticeText(texts, code).body, code).not.toBe("");
    for (const code of REFUSAL_CODES) expect(refusalText(texts, code, "").title, code).not.toBe("");
    for (const cause of VERDICT_CAUSES) {
      const verdict = { level: "poor", side: "ours", cause, loss_percent: 12 };
      expect(verdictText(texts, verdict, "Maya"), cause).not.toBe("");
    }
  });

  it("different ends have different words", () => {
    for (const language of LANGUAGES) {
      const titles = END_CAUSES.map((cause) => endText(TEXTS[language], cause, "Maya").title);
      expect(new Set(titles).size).toBe(END_CAUSES.length);
    }
  });
});

describe("words for what the page does not know", () => {
  it("a new cause of a verdict is told by its level and side", () => {
    const verdict = { level: "poor", side: "theirs", cause: "solar_wind", loss_percent: null };
    expect(verdictText(TEXTS.en, verdict, "Maya")).toBe("Maya's connection is weak");
    expect(verdictText(TEXTS.en, { ...verdict, level: "unknown" }, "Maya")).toBe("Not clear yet, measuring");
    expect(verdictText(TEXTS.en, { ...verdict, level: "good" }, "Maya")).toBe("Clear both ways");
  });

  it("a loss has its unit after a thin space", () => {
    const verdict = { level: "poor", side: "ours", cause: "wifi_loss", loss_percent: 11.6 };
    expect(verdictText(TEXTS.en, verdict, "Maya")).toBe("Your Wi-Fi loses 12\u2009%");
  });

  it("a refusal with the code of a problem reads as that problem", () => {
    expect(refusalText(TEXTS.en, "server_silent", "im.example").title).toBe("The server does not answer");
  });
});

it("the language follows the first part of the tag", () => {
  expect(["zh", "zh-CN", "zh-Hant-TW", "ZH-hk"].map(languageOf)).toEqual(["zh", "zh", "zh", "zh"]);
  expect(["en-GB", "de", "zha", ""].map(languageOf)).toEqual(["en", "en", "en", "en"]);
});
