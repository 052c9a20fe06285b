// One page for the window; in mode "fixtures" another one that shows scripted view models (tests, screenshots).
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { svelteTesting } from "@testing-library/svelte/vite";
import { defineConfig } from "vitest/config";

export default defineConfig(({ mode }) => {
  const fixtures = mode === "fixtures";
  return {
    // Relative addresses work under tauri://localhost and http://tauri.localhost alike.
    base: "./",
    plugins: [svelte(), svelteTesting()],
    server: { port: 1420, strictPort: true },
    build: {
      outDir: fixtures ? "dist-fixtures" : "dist",
      emptyOutDir: true,
      // The oldest webview in use: WebKitGTK 2.40 and Safari 16.4.
      target: ["safari16.4", "chrome111"],
      rolldownOptions: { input: fixtures ? "fixtures.html" : "index.html" },
      // Everything that is small enough stays a file: the content security policy allows no data: script.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
    },
    test: {
      environment: "jsdom",
      include: ["src/**/*.test.ts"],
      setupFiles: ["src/testing/setup.ts"],
      restoreMocks: true,
    },
  };
});
