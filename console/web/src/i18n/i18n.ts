// The texts of the pages, in English and Chinese.
//
// A catalogue is a module of constants and functions, one file an area; the Chinese one is typed by the English one, so that a text that is
// missing does not compile. Only the viewer's is loaded. Texts of the API (errors, reasons) are English and shown as they are.
import { useSyncExternalStore } from "react";
import type { en } from "./en/index.ts";

export type Locale = "en" | "zh";
export type Messages = Widen<typeof en>;
export type Widen<T> = T extends string ? string : T extends (...args: infer A) => string ? (...args: A) => string : { [K in keyof T]: Widen<T[K]> };

const KEY = "vedette.locale";
const CATALOGUES: Record<Locale, () => Promise<Messages>> = {
  en: async () => (await import("./en/index.ts")).en,
  zh: async () => (await import("./zh/index.ts")).zh,
};
const TAGS: Record<Locale, string> = { en: navigator.language.startsWith("en") ? navigator.language : "en", zh: "zh-CN" };
const listeners = new Set<() => void>();

let locale: Locale = chosen();
let messages: Messages | undefined;
document.documentElement.lang = TAGS[locale];

function chosen(): Locale {
  const kept = localStorage.getItem(KEY);
  if (kept === "en" || kept === "zh") return kept;
  return navigator.languages.find((it) => /^(en|zh)/.test(it))?.startsWith("zh") ? "zh" : "en";
}

/** Loads the texts in the viewer's language: to be waited for before anything is shown. */
export async function loadTexts(): Promise<void> {
  messages = await CATALOGUES[locale]();
}

export async function setLocale(next: Locale): Promise<void> {
  messages = await CATALOGUES[next]();
  locale = next;
  localStorage.setItem(KEY, next);
  document.documentElement.lang = TAGS[next];
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useLocale(): Locale {
  return useSyncExternalStore(subscribe, () => locale);
}

/** The texts in the viewer's language. */
export function useText(): Messages {
  useLocale();
  if (!messages) throw new Error("nothing is shown before loadTexts");
  return messages;
}

/** For `Intl`: as the viewer's browser is set where that is the same language. */
export function localeTag(): string {
  return TAGS[locale];
}

const numbers = new Map<string, Intl.NumberFormat>();

/** 15,959 */
export function number(value: number): string {
  let format = numbers.get(localeTag());
  if (!format) numbers.set(localeTag(), (format = new Intl.NumberFormat(localeTag())));
  return format.format(value);
}

/** 1 event, 2 events: for English catalogues. */
export function count(value: number, one: string, many = `${one}s`): string {
  return `${number(value)} ${value === 1 ? one : many}`;
}
