// What a word that is being typed may become.
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { answer, api } from "../api/client.ts";
import { number, useText } from "../i18n/i18n.ts";
import { quote } from "../query/language.ts";
import type { Option } from "./combo.tsx";
import { type Key, KEYS, keyOf } from "./keys.ts";
import { asked } from "./times.ts";
import { type Word, wordAt } from "./word.ts";

const TOP = 12;
const PAUSE_MS = 150;

/** The frequent values of a key that begin so, among what else the query finds. */
export function useValues(key: Key | undefined, part: string, rest: string): { value: string; count: number }[] {
  const waited = useSettled(`${key?.name ?? ""}\n${part}`);
  const [name = "", begin = ""] = waited.split("\n", 2);
  const field = keyOf(name);
  const narrowed = field?.prefix && begin !== "" ? `${rest} ${field.name}:${begin.replaceAll(/[^\p{L}\p{N}_\-:@]/gu, "\\$&")}*` : rest;
  const by = field?.by ?? "";
  const found = useQuery({
    queryKey: ["values", by, narrowed],
    queryFn: ({ signal }) => answer(api.GET("/api/v1/facets", { params: { query: { q: asked(narrowed), by, top: field?.prefix ? TOP : 50 } }, signal })),
    enabled: by !== "",
    retry: false,
    placeholderData: (before, query) => (query?.queryKey[1] === by ? before : undefined),
  });
  if (key?.values) return key.values.map((value) => ({ value, count: 0 })).filter((it) => it.value.startsWith(part));
  if (name !== key?.name) return [];
  const small = part.toLowerCase();
  return (found.data?.facets[0]?.values ?? []).filter((it) => it.value.toLowerCase().startsWith(small)).slice(0, TOP);
}

function useSettled(value: string): string {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}

/** What a word at the caret may become, each with what it means or how often it is found. */
export function useCompletion(query: string, caret: number, on: boolean): { word: Word; options: Option[] } {
  const text = useText().search;
  const word = wordAt(query, caret);
  const rest = `${query.slice(0, word.start)} ${query.slice(word.end)}`.replaceAll(/\(\s*\)/g, "").trim();
  const values = useValues(on ? word.key : undefined, word.part, rest);
  if (!on) return { word, options: [] };
  if (word.key) {
    const literal = word.key.values !== undefined;
    return {
      word,
      options: values.map(({ value, count }) => ({
        id: value,
        text: `${word.sign}${word.keyText}${word.before}${literal ? value : quote(value)}`,
        label: value === "" ? '""' : value,
        hint: count > 0 ? number(count) : undefined,
      })),
    };
  }
  const small = word.part.toLowerCase();
  const options: Option[] = KEYS.filter((key) => key.name.startsWith(small)).map((key) => ({ id: key.name, text: `${word.sign}${key.name}:`, label: `${key.name}:`, hint: text.keys[key.name] }));
  if (small !== "" && word.sign === "") {
    for (const [name, meaning] of Object.entries(text.bar.operators)) {
      if (name.startsWith(small)) options.push({ id: name, text: name, label: name, hint: meaning });
    }
  }
  return { word, options };
}
