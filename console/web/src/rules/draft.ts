// What somebody wrote and has not applied stays in the tab: the editor may go away unasked, as when a token ends.

export interface Draft {
  /** Which version it was begun with; empty for a rule that is not there yet. */
  etag: string;
  /** The text of that version. */
  begun: string;
  source: string;
}

const key = (rule: string) => `vedette.draft ${rule}`;

/** The draft of a rule; of a new one, where `rule` is empty. */
export function draftOf(rule: string): Draft | undefined {
  try {
    return (JSON.parse(sessionStorage.getItem(key(rule)) ?? "null") as Draft | null) ?? undefined;
  } catch {
    return undefined;
  }
}

export function keepDraft(rule: string, draft: Draft): void {
  try {
    sessionStorage.setItem(key(rule), JSON.stringify(draft));
  } catch {
    // There is no room: the editor still has the text, and leaving it is asked about.
  }
}

export function dropDraft(rule: string): void {
  sessionStorage.removeItem(key(rule));
}
