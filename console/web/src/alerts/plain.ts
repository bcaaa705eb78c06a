// Texts that an attacker may have chosen, as they are shown.

// What is not seen itself, but changes how its neighbours are: controls, marks of direction, characters of no width.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** The text with its controls made visible, cut off where it goes on and on. */
export function plain(text: string, most = 1_000): string {
  const cut = text.length > most ? `${text.slice(0, most)}…` : text;
  return cut.replace(UNSEEN, (c) => {
    const code = c.charCodeAt(0);
    // White space is seen: as one space, or as it is where lines are kept.
    if (code === 0x0a || code === 0x09) return c;
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
  });
}
