// What jsdom lacks and every test needs.
import { vi } from "vitest";

class SilentResizeObserver implements ResizeObserver {
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
}

vi.stubGlobal("ResizeObserver", SilentResizeObserver);
vi.stubGlobal("matchMedia", () => ({ matches: false, addEventListener: () => undefined, removeEventListener: () => undefined }));
vi.stubGlobal("CSS", { escape: (text: string) => text.replace(/[^\w-]/g, (sign) => `\\${sign}`) });
// jsdom has no canvas; the renderer takes `null` for "no context".
HTMLCanvasElement.prototype.getContext = () => null;
