// Attackers choose texts: what has no width, or turns the direction of what follows, is shown by its code instead of by its effect.

// Controls, line and paragraph separators, joiners and marks of direction, the byte order mark, tags.
const HIDDEN = /[\p{Cc}\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\ufff9-\uffff\u{e0000}-\u{e007f}]/gu;

/** A text with what can't be seen spelled out: `⟨202E⟩`. */
export function visible(text: string): string {
  return text.replaceAll(HIDDEN, (c) => `⟨${(c.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}
