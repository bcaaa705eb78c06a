// A body as a tree. Only the rows in sight are in the page; the focus stays on the tree, which says which of its rows is meant.
import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, useId, useMemo, useRef, useState } from "react";
import { useText } from "../i18n/i18n.ts";
import { Copy } from "../ui/copy.tsx";
import { everything, type Node, opened, rows } from "./nodes.ts";
import { json, Plain } from "../ui/plain.tsx";

const ROW = 24;
const FOLDED = 160;
const UNFOLDED = 20_000;

export function Tree({ value, label }: { value: unknown; label: string }) {
  const text = useText().event.tree;
  const id = useId();
  const box = useRef<HTMLDivElement>(null);
  const [open, setOpen] = useState(() => opened(value));
  const [unfolded, setUnfolded] = useState<ReadonlySet<string>>(new Set());
  const [active, setActive] = useState("");
  const shown = useMemo(() => rows(value, label, open), [value, label, open]);
  const at = Math.max(0, shown.findIndex((it) => it.path === active));
  const node = shown[at];
  const virtual = useVirtualizer({
    count: shown.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    getItemKey: (index) => shown[index]?.path ?? index,
    overscan: 12,
    // The row that the focus is on stays in the page: whoever reads by ear is on it.
    rangeExtractor: ({ startIndex, endIndex, overscan, count }) => {
      const found = new Set<number>();
      for (let index = Math.max(0, startIndex - overscan); index <= Math.min(count - 1, endIndex + overscan); index += 1) found.add(index);
      if (at < count) found.add(at);
      return [...found].sort((a, b) => a - b);
    },
  });

  const go = (index: number) => {
    const next = shown[Math.min(shown.length - 1, Math.max(0, index))];
    if (!next) return;
    setActive(next.path);
    virtual.scrollToIndex(shown.indexOf(next));
  };
  const toggle = (it: Node) => {
    setActive(it.path);
    const change = (set: ReadonlySet<string>) => {
      const next = new Set(set);
      if (!next.delete(it.path)) next.add(it.path);
      return next;
    };
    if (it.inside) setOpen(change);
    else if (typeof it.value === "string" && it.value.length > FOLDED) setUnfolded(change);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (!node || event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor((box.current?.clientHeight ?? ROW) / ROW) - 1);
    const parent = () => {
      for (let index = at - 1; index >= 0; index -= 1) if ((shown[index]?.level ?? 0) < node.level) return index;
      return at;
    };
    const moves: Record<string, () => void> = {
      ArrowDown: () => go(at + 1),
      ArrowUp: () => go(at - 1),
      PageDown: () => go(at + page),
      PageUp: () => go(at - page),
      Home: () => go(0),
      End: () => go(shown.length - 1),
      ArrowRight: () => (node.inside && !node.open ? toggle(node) : node.open ? go(at + 1) : undefined),
      ArrowLeft: () => (node.open ? toggle(node) : go(parent())),
      Enter: () => toggle(node),
      " ": () => toggle(node),
    };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    move();
  };

  return (
    <section className="body-tree" aria-label={label}>
      <div className="row bar">
        <code className="grow"><Plain text={node?.path || text.root} limit={300} /></code>
        <Copy value={node?.path ?? ""} label={text.copyPath} />
        <Copy value={() => (typeof node?.value === "string" ? node.value : json(node?.value))} label={text.copyValue} />
        <button type="button" className="button small quiet" onClick={() => setOpen(everything(value))}>{text.expandAll}</button>
        <button type="button" className="button small quiet" onClick={() => setOpen(new Set())}>{text.collapseAll}</button>
      </div>
      <div ref={box} className="tree" role="tree" tabIndex={0} aria-label={label} aria-describedby={`${id}-keys`} aria-activedescendant={`${id}-${at}`} onKeyDown={onKeyDown}>
        <div role="none" style={{ height: virtual.getTotalSize(), position: "relative" }}>
          {virtual.getVirtualItems().map((item) => {
            const it = shown[item.index];
            if (!it) return null;
            return (
              <div key={item.key} ref={virtual.measureElement} data-index={item.index} id={`${id}-${item.index}`} role="treeitem" aria-level={it.level} aria-setsize={it.siblings} aria-posinset={it.position}
                aria-expanded={it.inside ? it.open : undefined} aria-selected={item.index === at} className="node" onClick={() => toggle(it)}
                style={{ position: "absolute", insetInlineStart: 0, insetInlineEnd: 0, transform: `translateY(${item.start}px)`, paddingInlineStart: 6 + Math.min(it.level - 1, 24) * 16 }}>
                <span className="twist" aria-hidden="true">{it.inside ? (it.open ? "▾" : "▸") : ""}</span>
                <span className="key"><Plain text={it.name} limit={200} /></span>{": "}
                <Value node={it} whole={unfolded.has(it.path)} />
              </div>
            );
          })}
        </div>
      </div>
      <p id={`${id}-keys`} className="visually-hidden">{text.keys}</p>
    </section>
  );
}

function Value({ node, whole }: { node: Node; whole: boolean }) {
  const text = useText().event;
  const { value, inside } = node;
  if (Array.isArray(value)) return <span className="muted">{inside ? text.tree.items(inside) : "[]"}</span>;
  if (typeof value === "object" && value !== null) return <span className="muted">{inside ? text.tree.members(inside ?? 0) : "{}"}</span>;
  if (typeof value !== "string") return <span className={`of-${typeof value}`}>{String(value)}</span>;
  const folded = value.length > FOLDED;
  return <span className="of-string">"<Plain text={value} limit={whole ? UNFOLDED : FOLDED} />"{folded ? <span className="muted"> {text.cut(value.length)}</span> : null}</span>;
}
