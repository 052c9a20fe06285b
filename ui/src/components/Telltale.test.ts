import { render } from "@testing-library/svelte";
import { describe, expect, it } from "vitest";
import type { Part } from "../generated/bindings";
import { Preferences } from "../preferences.svelte";
import { Session } from "../session.svelte";
import { FakeBackend } from "../testing/fake_backend";
import { viewOf } from "../testing/render_app";
import Harness from "../testing/TelltaleHarness.svelte";

const PARTS: Part[] = ["ok", "weak", "bad", "unknown"];

function telltale(you: Part, line: Part, them: Part, language = "en"): HTMLElement {
  const media = { matches: false, addEventListener: () => undefined };
  const memory = { getItem: () => null, setItem: () => undefined };
  const preferences = new Preferences(memory, new URLSearchParams({ lang: language }), "en", () => media);
  const session = new Session(new FakeBackend(viewOf("people")), preferences);
  const { container } = render(Harness, { session, you, line, them });
  return container.querySelector(".telltale") as HTMLElement;
}

/** The shape and the class of a part, without its place. */
function shape(glyph: HTMLElement, side: string): string {
  const part = glyph.querySelector(`[data-side="${side}"]`);
  return `${part?.tagName} ${part?.getAttribute("class")?.split(" ")[0]}`;
}

describe("the Telltale", () => {
  it("has you on the left, the line, and them on the right", () => {
    const glyph = telltale("ok", "ok", "ok");
    const sides = [...glyph.querySelectorAll("[data-side]")].map((part) => part.getAttribute("data-side"));
    expect(sides).toEqual(["you", "line", "them"]);
    expect(Number(glyph.querySelector('[data-side="you"]')?.getAttribute("cx"))).toBeLessThan(
      Number(glyph.querySelector('[data-side="them"]')?.getAttribute("cx")),
    );
  });

  it.each(["you", "line", "them"] as const)("shows four states of %s differently", (side) => {
    const shapes = PARTS.map((part) => {
      const glyph = telltale(side === "you" ? part : "ok", side === "line" ? part : "ok", side === "them" ? part : "ok");
      return shape(glyph, side);
    });
    expect(new Set(shapes).size).toBe(4);
  });

  it("a broken end is a cross, not only another colour", () => {
    expect(shape(telltale("bad", "ok", "ok"), "you")).toBe("path bad");
    expect(shape(telltale("ok", "ok", "weak"), "them")).toBe("circle weak");
  });

  it("a cut line has a gap", () => {
    const path = telltale("ok", "bad", "ok").querySelector('[data-side="line"]')?.getAttribute("d") ?? "";
    expect(path.match(/M/g)?.length).toBe(3);
  });

  it("is read as one sentence", () => {
    expect(telltale("weak", "ok", "unknown").getAttribute("aria-label")).toBe("you: weak, line: fine, other side: not known");
    expect(telltale("bad", "bad", "ok", "zh").getAttribute("aria-label")).toBe("你：中断, 线路：断开, 对方：正常");
  });
});
