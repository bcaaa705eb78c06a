// Texts that strangers chose: what does not print, or turns the direction of writing, is shown as what it is.
import type { ReactNode } from "react";

/** Controls, marks of direction, joiners, and what else has no shape of its own. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}\p{Cs}\u115F\u1160\u3164\uFFA0\u034F\u00A0\u2000-\u200A\u202F\u205F\u3000]/gu;

/** What stands for a character that can't be seen. */
function sign(character: string): string {
  if (character === "\n") return "↵";
  if (character === "\t") return "⇥";
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
}

/** The text with signs for what can't be seen, cut where it goes on and on. Lines and tabs stay: they are seen where they are kept. */
export function visible(text: string, most = 1_000): string {
  const cut = text.length > most ? `${text.slice(0, most)}…` : text;
  return cut.replace(UNSEEN, (character) => (character === "\n" || character === "\t" ? character : `⟨${sign(character)}⟩`));
}

function parts(text: string): ReactNode[] {
  const shown: ReactNode[] = [];
  let at = 0;
  for (const match of text.matchAll(UNSEEN)) {
    if (match.index > at) shown.push(text.slice(at, match.index));
    shown.push(<span key={match.index} className="unseen">{sign(match[0])}</span>);
    at = match.index + match[0].length;
  }
  if (at < text.length) shown.push(text.slice(at));
  return shown;
}

/** A text on one line, cut at `limit` characters: for links and cells. */
export function Plain({ text, limit = 200 }: { text: string; limit?: number }) {
  const cut = text.length > limit;
  return <bdi>{parts(cut ? text.slice(0, limit) : text)}{cut ? "…" : null}</bdi>;
}

/** JSON for people, in which what can't be seen is escaped; it is the same JSON still. */
export function json(value: unknown): string {
  const text = JSON.stringify(value, null, 2) ?? "";
  return text.replace(UNSEEN, (character) => character === "\n" ? character : [...Array(character.length).keys()].map((unit) => `\\u${character.charCodeAt(unit).toString(16).padStart(4, "0")}`).join(""));
}
