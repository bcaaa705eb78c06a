// Light, dark, or as the system is: an attribute of the document that base.css reads.
import { useSyncExternalStore } from "react";
import { useMedia } from "./ui/media.ts";

export type Theme = "system" | "light" | "dark";

const KEY = "vedette.theme";
const listeners = new Set<() => void>();

let theme: Theme = kept();
apply();

function kept(): Theme {
  const value = localStorage.getItem(KEY);
  return value === "light" || value === "dark" ? value : "system";
}

function apply(): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

export function setTheme(next: Theme): void {
  theme = next;
  localStorage.setItem(KEY, next);
  apply();
  for (const listener of listeners) listener();
}

export function useTheme(): Theme {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => theme,
  );
}

/** Whether dark colours are shown; changes with the theme and with the system. */
export function useDark(): boolean {
  const chosen = useTheme();
  const system = useMedia("(prefers-color-scheme: dark)");
  return chosen === "system" ? system : chosen === "dark";
}
