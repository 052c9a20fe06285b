// The language and the look of the page: what the person chose, else what the system says. Sets them on the root
// element. Knows no view model.
import { languageOf, type Language } from "./text";

export type Look = "system" | "light" | "dark";

const LANGUAGE_KEY = "ahoy.language";
const LOOK_KEY = "ahoy.look";

/** What the person chose, and what follows from it. An address (`?lang=`, `?theme=`, `?contrast=`) wins over both. */
export class Preferences {
  language: Language = $state("en");
  look: Look = $state("system");
  private systemDark = $state(false);
  private moreContrast = $state(false);

  constructor(
    private readonly memory: Pick<Storage, "getItem" | "setItem">,
    address: URLSearchParams,
    systemLanguage: string,
    media: (query: string) => Pick<MediaQueryList, "matches" | "addEventListener">,
  ) {
    this.language = languageOf(address.get("lang") ?? memory.getItem(LANGUAGE_KEY) ?? systemLanguage);
    this.look = lookOf(address.get("theme") ?? memory.getItem(LOOK_KEY));
    const dark = media("(prefers-color-scheme: dark)");
    this.systemDark = dark.matches;
    dark.addEventListener("change", () => (this.systemDark = dark.matches));
    const contrast = media("(prefers-contrast: more)");
    const forced = address.get("contrast") === "more";
    this.moreContrast = forced || contrast.matches;
    contrast.addEventListener("change", () => (this.moreContrast = forced || contrast.matches));
  }

  chooseLanguage(language: Language): void {
    this.language = language;
    this.memory.setItem(LANGUAGE_KEY, language);
  }

  chooseLook(look: Look): void {
    this.look = look;
    this.memory.setItem(LOOK_KEY, look);
  }

  /** Writes the choices on the root element; to be run inside an effect. */
  apply(root: HTMLElement): void {
    root.lang = this.language === "zh" ? "zh-CN" : "en";
    root.dataset["theme"] = this.look === "system" ? (this.systemDark ? "dark" : "light") : this.look;
    if (this.moreContrast) root.dataset["contrast"] = "more";
    else delete root.dataset["contrast"];
  }
}

function lookOf(word: string | null): Look {
  return word === "light" || word === "dark" ? word : "system";
}
