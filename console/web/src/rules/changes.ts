// What a text would change: which entries and labels, and which lines.
import type { Entry, Rule } from "../api/rules.ts";

export interface Changes {
  added: string[];
  removed: string[];
  changed: string[];
  labels: string[];
}

export function changes(before: Rule | undefined, after: Rule): Changes {
  const [old, now] = [byName(before?.entries ?? []), byName(after.entries)];
  const labels = new Set([...Object.keys(before?.labels ?? {}), ...Object.keys(after.labels)]);
  return {
    added: [...now.keys()].filter((name) => !old.has(name)),
    removed: [...old.keys()].filter((name) => !now.has(name)),
    changed: [...now].filter(([name, entry]) => old.has(name) && written(old.get(name)) !== written(entry)).map(([name]) => name),
    labels: before ? [...labels].filter((label) => before.labels[label] !== after.labels[label]).sort() : [],
  };
}

const byName = (entries: readonly Entry[]) => new Map(entries.map((entry) => [entry.name, entry]));
const written = (entry: Entry | undefined) => JSON.stringify(Object.entries(entry ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)));

export interface Line {
  kind: "same" | "added" | "removed";
  text: string;
}

/** Cells of a table that is still made on the fly; beyond, the middle is shown as replaced. */
const MOST_CELLS = 1_000_000;

/** The lines of two texts, side by side in one list. */
export function lines(before: string, after: string): Line[] {
  const [old, now] = [before.trimEnd().split("\n"), after.trimEnd().split("\n")];
  let start = 0;
  while (start < old.length && start < now.length && old[start] === now[start]) start += 1;
  let end = 0;
  while (end < old.length - start && end < now.length - start && old[old.length - 1 - end] === now[now.length - 1 - end]) end += 1;
  const same = (text: string): Line => ({ kind: "same", text });
  return [
    ...old.slice(0, start).map(same),
    ...middle(old.slice(start, old.length - end), now.slice(start, now.length - end)),
    ...old.slice(old.length - end).map(same),
  ];
}

function middle(old: readonly string[], now: readonly string[]): Line[] {
  const width = now.length + 1;
  if (old.length * now.length > MOST_CELLS) {
    return [...old.map((text): Line => ({ kind: "removed", text })), ...now.map((text): Line => ({ kind: "added", text }))];
  }
  // The length of the longest common part of what follows each pair of lines.
  const common = new Uint32Array((old.length + 1) * width);
  const at = (i: number, j: number) => common[i * width + j] ?? 0;
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = now.length - 1; j >= 0; j -= 1) {
      common[i * width + j] = old[i] === now[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const found: Line[] = [];
  let [i, j] = [0, 0];
  while (i < old.length || j < now.length) {
    const [left, right] = [old[i], now[j]];
    if (left !== undefined && left === right) {
      found.push({ kind: "same", text: left });
      i += 1;
      j += 1;
    } else if (left !== undefined && (right === undefined || at(i + 1, j) >= at(i, j + 1))) {
      found.push({ kind: "removed", text: left });
      i += 1;
    } else if (right !== undefined) {
      found.push({ kind: "added", text: right });
      j += 1;
    }
  }
  return found;
}
