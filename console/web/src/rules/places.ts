// Places of the compiler, in lines and characters, as offsets of this text.
import type { Diagnostic } from "../api/rules.ts";

/** Where a finding is in the text that it is about; `undefined` where it does not say, or the text is another. */
export function placeOf(text: string, found: Diagnostic): [from: number, to: number] | undefined {
  if (found.document !== "source" || !found.line) return undefined;
  const from = offset(text, found.line, found.column ?? 1);
  const to = found.endLine ? offset(text, found.endLine, found.endColumn ?? 1) : from;
  if (to > from) return [from, to];
  // Where it says no end: to the end of the word, so that there is something to see.
  const word = /^[^\s,;)\]}]+/.exec(text.slice(from))?.[0] ?? "";
  return [from, from + word.length];
}

/** A line and a character in it, from 1; what is beyond the text is at its end. */
function offset(text: string, line: number, column: number): number {
  let start = 0;
  for (let i = 1; i < line; i += 1) {
    const end = text.indexOf("\n", start);
    if (end < 0) return text.length;
    start = end + 1;
  }
  let at = start;
  // Characters may be two units of a string.
  for (let i = 1; i < column && at < text.length && text[at] !== "\n"; i += 1) at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
  return at;
}
