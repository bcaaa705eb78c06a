// The word of a query that is being typed.
import { type Key, keyOf } from "./keys.ts";

export interface Word {
  start: number;
  end: number;
  /** `-`, `!`, or nothing. */
  sign: string;
  key?: Key;
  /** With the operator: `user:`. */
  keyText: string;
  /** Values before the last comma, with that. */
  before: string;
  /** What is typed of the value, or of the key. */
  part: string;
}

/** The word that the caret is in. */
export function wordAt(query: string, caret: number): Word {
  let start = 0;
  let quoted = false;
  for (let at = 0; at < caret; at += 1) {
    const c = query[at] ?? "";
    if (c === "\\") at += 1;
    else if (c === '"') quoted = !quoted;
    else if (!quoted && /[\s()]/.test(c)) start = at + 1;
  }
  const rest = quoted ? query.length : query.slice(caret).search(/[\s()]/);
  const end = quoted ? query.length : rest < 0 ? query.length : caret + rest;
  const text = query.slice(start, caret);
  const [, sign = "", name, operator = "", value = ""] = /^([-!]?)(?:([A-Za-z]+)(:=|:~|[:~]))?([^]*)$/.exec(text) ?? [];
  if (name === undefined) return { start, end, sign, keyText: "", before: "", part: value };
  const comma = value.startsWith('"') ? 0 : value.lastIndexOf(",") + 1;
  return { start, end, sign, key: keyOf(name), keyText: name + operator, before: value.slice(0, comma), part: value.slice(comma).replace(/^"/, "") };
}

/** The query with something else in a word's place, and where the caret is then. */
export function withWord(query: string, word: Word, text: string): { query: string; caret: number } {
  const after = query.slice(word.end);
  const space = /[:~]$/.test(text) || after.startsWith(" ") ? "" : " ";
  const before = query.slice(0, word.start) + text + space;
  return { query: before + after, caret: before.length + (space === "" && after.startsWith(" ") && !/[:~]$/.test(text) ? 1 : 0) };
}
