import { defineConfig } from "vitest/config";

// The pictures of docs/console.md and of the README: `scripts/pictures.sh`.
export default defineConfig({
  test: {
    root: new URL("..", import.meta.url).pathname,
    include: ["browser/tour.ts"],
    testTimeout: 120_000,
    hookTimeout: 60_000,
    globalSetup: ["browser/setup.ts"],
  },
});
