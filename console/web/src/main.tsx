import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";
import { loadTexts } from "./i18n/i18n.ts";
import { restore } from "./session/session.ts";
import { reloadOnce } from "./ui/reload.ts";
import "./ui/base.css";
import "./ui/ui.css";

addEventListener("vite:preloadError", reloadOnce);

// A token in the address, as `make up` prints it, is taken before anything shows or asks.
await Promise.all([restore(), loadTexts()]);

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
