import { defineConfig } from "vitest/config";

// In a real browser, against a console that runs: see kit.ts for what it wants of the environment.
export default defineConfig({
  test: {
    root: new URL("..", import.meta.url).pathname,
    include: ["browser/**/*.test.ts"],
    // Bounds, for a machine that does much else: nothing waits longer than it must.
    testTimeout: 180_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 15_000 } },
    // One browser, one file after the other: this runs beside other tests on two cores.
    fileParallelism: false,
    globalSetup: ["browser/setup.ts"],
  },
});
