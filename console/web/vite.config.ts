import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// In development the API is that of a console that runs, as `make up` starts it.
const api = process.env.VEDETTE_CONSOLE ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [react()],
  // Beside the sources, so that each checkout has its own although packages may be shared.
  cacheDir: ".vite",
  server: { host: "127.0.0.1", proxy: { "/api": api } },
  build: {
    target: "es2023",
    // Small assets inside the bundle would be `data:` URLs, which the content security policy allows for images alone.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
