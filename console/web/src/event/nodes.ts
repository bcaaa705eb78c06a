// A JSON value as the rows of a tree: those alone that are shown, so that a body of any size costs what is open of it.

export interface Node {
  /** As in `spec.containers[0].image`; `""` is the whole. */
  path: string;
  name: string;
  value: unknown;
  level: number;
  /** Among its siblings, from 1. */
  position: number;
  siblings: number;
  /** How many are in it; absent where there can be none. */
  inside?: number;
  open: boolean;
}

/** Opened at the beginning: as many levels as fit. */
const AT_FIRST = 60;
/** What "expand all" opens at most. */
const MOST = 50_000;

function inside(value: unknown): [string, unknown][] | undefined {
  if (Array.isArray(value)) return value.map((it, index) => [`[${index}]`, it]);
  if (typeof value === "object" && value !== null) return Object.entries(value);
  return undefined;
}

function join(path: string, name: string, ofArray: boolean): string {
  if (ofArray) return `${path}${name}`;
  if (!/^[\w-]+$/.test(name)) return `${path}[${JSON.stringify(name)}]`;
  return path === "" ? name : `${path}.${name}`;
}

/** The rows that are shown when `open` are open. */
export function rows(root: unknown, name: string, open: ReadonlySet<string>): Node[] {
  const shown: Node[] = [];
  const walk = (value: unknown, path: string, name: string, level: number, position: number, siblings: number) => {
    const children = inside(value);
    const isOpen = children !== undefined && children.length > 0 && open.has(path);
    shown.push({ path, name, value, level, position, siblings, ...(children ? { inside: children.length } : {}), open: isOpen });
    if (!isOpen) return;
    children.forEach(([key, child], index) => walk(child, join(path, key, Array.isArray(value)), key, level + 1, index + 1, children.length));
  };
  walk(root, "", name, 1, 1, 1);
  return shown;
}

/** Paths to open: level by level, while no more than `limit` rows would show. */
export function opened(root: unknown, limit: number = AT_FIRST): Set<string> {
  const open = new Set<string>();
  let level: [string, unknown][] = [["", root]];
  let shown = 1;
  while (level.length > 0) {
    const next: [string, unknown][] = [];
    for (const [path, value] of level) {
      const children = inside(value) ?? [];
      if (children.length === 0) continue;
      if (shown + children.length > limit && path !== "") return open;
      shown += children.length;
      open.add(path);
      for (const [key, child] of children) next.push([join(path, key, Array.isArray(value)), child]);
    }
    level = next;
  }
  return open;
}

export const everything = (root: unknown) => opened(root, MOST);
