// Where the keyboard is: one tab stop per toolbar or list, F6 between the regions of a screen, and the way back.

const FOCUSABLE = "button:not(:disabled), input:not(:disabled), select:not(:disabled), a[href], [tabindex]:not([tabindex='-1'])";

/** A Svelte action: the arrows, Home and End move inside `node`, which is one tab stop. */
export function rove(node: HTMLElement): { destroy: () => void } {
  const items = (): HTMLElement[] => [...node.querySelectorAll<HTMLElement>("button:not(:disabled)")];
  const stop = (chosen: HTMLElement | undefined): void => {
    for (const item of items()) item.tabIndex = item === chosen ? 0 : -1;
  };
  const key = (event: KeyboardEvent): void => {
    const all = items();
    const at = all.indexOf(document.activeElement as HTMLElement);
    const to = nextIndex(event.key, at, all.length);
    if (at < 0 || to === null) return;
    event.preventDefault();
    all[to]?.focus();
  };
  const focused = (event: FocusEvent): void => {
    if (event.target instanceof HTMLElement && items().includes(event.target)) stop(event.target);
  };
  node.addEventListener("keydown", key);
  node.addEventListener("focusin", focused);
  // A control that comes or goes must not leave the toolbar without a tab stop, or with two.
  const changed = new MutationObserver(() => {
    const all = items();
    stop(all.find((item) => item === document.activeElement) ?? all.find((item) => item.tabIndex === 0) ?? all[0]);
  });
  changed.observe(node, { childList: true });
  stop(items()[0]);
  return {
    destroy() {
      changed.disconnect();
      node.removeEventListener("keydown", key);
      node.removeEventListener("focusin", focused);
    },
  };
}

/** The place an arrow key leads to in a ring of `count`, `null` for another key. */
export function nextIndex(key: string, at: number, count: number): number | null {
  if (count === 0) return null;
  switch (key) {
    case "ArrowRight":
    case "ArrowDown":
      return (at + 1) % count;
    case "ArrowLeft":
    case "ArrowUp":
      return (at - 1 + count) % count;
    case "Home":
      return 0;
    case "End":
      return count - 1;
    default:
      return null;
  }
}

/** The order of F6. */
const REGIONS = ["notice", "pill", "side", "main", "self", "answer", "bar", "panel"];

/** Moves the focus to the first control of the next region of the page that has one. */
export function focusNextRegion(root: ParentNode, backwards: boolean): void {
  const regions = REGIONS.flatMap((name) => [...root.querySelectorAll<HTMLElement>(`[data-region="${name}"]`)])
    .map((region) => ({ region, target: firstFocusable(region) }))
    .filter((entry) => entry.target !== null);
  if (regions.length === 0) return;
  const at = regions.findIndex(({ region }) => region.contains(document.activeElement));
  const step = backwards ? -1 : 1;
  const to = at < 0 ? (backwards ? regions.length - 1 : 0) : (at + step + regions.length) % regions.length;
  regions[to]?.target?.focus();
}

function firstFocusable(region: HTMLElement): HTMLElement | null {
  if (region.tabIndex >= 0) return region;
  const all = [...region.querySelectorAll<HTMLElement>(FOCUSABLE)];
  return all.find((element) => element.tabIndex === 0) ?? all[0] ?? null;
}

/** Remembers which control had the focus, by its `data-focus` name, and gives it back when the screen returns. */
export class FocusReturn {
  private name: string | null = null;

  remember(): void {
    const holder = document.activeElement?.closest<HTMLElement>("[data-focus]");
    if (holder !== null && holder !== undefined) this.name = holder.dataset["focus"] ?? null;
  }

  /** Returns whether the control was found. */
  giveBack(root: ParentNode): boolean {
    if (this.name === null) return false;
    const target = root.querySelector<HTMLElement>(`[data-focus="${CSS.escape(this.name)}"]`);
    this.name = null;
    target?.focus();
    return target !== null;
  }
}

/** A Svelte action: takes the focus when the element appears. */
export function focusOnOpen(node: HTMLElement): void {
  node.focus({ preventScroll: true });
}
