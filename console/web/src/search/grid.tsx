// Rows on the screen, of however many there are; the keyboard goes all the way.
//
// A grid in ARIA's sense: it has the focus, and says which row is the active one. Only rows near the screen are in the document, so that their
// number and places are told by attributes.
import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type ReactNode, useEffect, useId, useLayoutEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { useLocation } from "wouter";
import type { AuditEvent } from "../api/client.ts";
import { useText } from "../i18n/i18n.ts";
import { hrefs } from "../query/url.ts";
import { type ColumnName, COLUMNS } from "./columns.tsx";
import { type Acts, GridRow } from "./gridrow.tsx";
import type { Row } from "./rows.ts";
import "./grid.css";

const ROW_PX = 31;
/** Where a row has two lines. */
const NARROW_PX = 54;
const NARROW = "(max-width: 600px)";
/** The columns of the first of two lines. */
const LEAD: readonly ColumnName[] = ["verb", "object", "resource", "ns", "name", "code"];
const DAY_PX = 54;
const MARK_PX = 40;
/** Rows before the last at which more are asked for. */
const AHEAD = 40;

interface Line {
  event: AuditEvent;
  row: Row;
  /** Whether it is another stage of the row above. */
  stage: boolean;
}

/** Where the list was when an event was opened from it. */
interface Place {
  offset: number;
  id: string;
}

export interface Props {
  rows: readonly Row[];
  columns: readonly ColumnName[];
  label: string;
  /** What is searched for: it goes along to the event. */
  q: string;
  /** What the list is, so that coming back to it finds the place again. */
  name: string;
  height?: number;
  /** How many requests there are in all, where that is known. */
  total?: number;
  /** Asks for more rows, if there are. */
  onMore?: () => void;
  foot?: ReactNode;
  /** Whether keys work wherever the focus is, but for boxes: the one list of a page. */
  main?: boolean;
}

export function EventGrid({ rows, columns: chosen, label, q, name, height, total, onMore, foot, main = false }: Props) {
  const text = useText().search.table;
  const [, navigate] = useLocation();
  const id = useId();
  const scroller = useRef<HTMLDivElement>(null);
  const narrow = useNarrow();
  const rowPx = narrow ? NARROW_PX : ROW_PX;
  const [lead, rest] = useMemo(() => inLines(chosen, narrow), [chosen, narrow]);
  const columns = useMemo(() => [...lead, ...rest], [lead, rest]);
  const [back] = useState(() => placeOf(name));
  const [unfolded, setUnfolded] = useState<ReadonlySet<string>>(new Set());
  const [activeId, setActiveId] = useState(back?.id);
  const lines = useMemo<Line[]>(() => rows.flatMap((row) => [
    { event: row.event, row, stage: false },
    ...(unfolded.has(row.event.id) ? row.others.map((event) => ({ event, row, stage: true })) : []),
  ]), [rows, unfolded]);
  const found = lines.findIndex((it) => it.event.id === activeId);
  const active = found < 0 ? undefined : found;
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowPx,
    overscan: 12,
    initialOffset: back?.offset ?? 0,
    scrollPaddingStart: narrow ? 0 : ROW_PX,
  });
  useEffect(() => virtual.measure(), [rowPx]);
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (last >= lines.length - AHEAD) onMore?.();
  }, [last, lines.length, onMore]);
  useEffect(() => {
    // Rows may have come on top since: the row is what is looked for, not the place.
    if (back && active !== undefined) virtual.scrollToIndex(active, { align: "auto" });
  }, [back]);

  const move = (to: number) => {
    const next = Math.min(Math.max(to, 0), lines.length - 1);
    const line = lines[next];
    if (!line) return;
    setActiveId(line.event.id);
    virtual.scrollToIndex(next, { align: "auto" });
  };
  // The same for as long as they do the same: rows are not made anew for them.
  const acts = useMemo<Acts>(() => {
    const leave = (event: AuditEvent) => keepPlace(name, { offset: virtual.scrollOffset ?? 0, id: event.id });
    return {
      leave,
      open: (event) => {
        leave(event);
        navigate(hrefs.event(event.id, q));
      },
      activate: (event) => setActiveId(event.id),
      toggle: ({ event, others }) => {
        if (others.length === 0) return;
        setUnfolded((before) => {
          const next = new Set(before);
          if (!next.delete(event.id)) next.add(event.id);
          return next;
        });
        setActiveId(event.id);
      },
    };
  }, [name, q, navigate, virtual]);
  const pressed = useRef("");
  const onKey = (event: Pick<KeyboardEvent, "key" | "preventDefault" | "shiftKey">): boolean => {
    const here = active ?? -1;
    const page = Math.max(Math.floor((scroller.current?.clientHeight ?? 300) / rowPx) - 2, 1);
    const line = lines[here];
    const twice = pressed.current === "g" && event.key === "g";
    pressed.current = event.key;
    const to: Record<string, number | undefined> = {
      j: here + 1, ArrowDown: here + 1, k: here - 1, ArrowUp: here - 1, PageDown: here + page, PageUp: here - page, Home: 0, End: lines.length - 1, G: lines.length - 1, g: twice ? 0 : undefined,
    };
    const target = to[event.key];
    if (target !== undefined) move(target);
    else if (event.key === "Enter" && line) acts.open(line.event);
    else if ((event.key === " " || event.key === "ArrowRight" || event.key === "ArrowLeft") && line && line.row.others.length > 0) acts.toggle(line.row);
    else return false;
    event.preventDefault();
    return true;
  };
  const keys = useRef(onKey);
  keys.current = onKey;
  // As soon as the rows are seen.
  useLayoutEffect(() => {
    if (!main) return undefined;
    const listen = (event: globalThis.KeyboardEvent) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !"jkgG".includes(event.key) || isTyping(event.target)) return;
      scroller.current?.focus({ preventScroll: true });
      keys.current(event as unknown as KeyboardEvent);
    };
    document.addEventListener("keydown", listen);
    return () => document.removeEventListener("keydown", listen);
  }, [main]);

  // Days and marks of stages take room only where there are any: rows are in the order of their times.
  const days = [rows[0], rows.at(-1)].some((row) => row && new Date(row.event.time).toDateString() !== new Date().toDateString());
  const room = (days ? DAY_PX : 0) + (rows.some((row) => row.others.length > 0) ? MARK_PX : 0);
  const template = columns.map((it, at) => (at === 0 && room > 0 ? `calc(${room}px + ${it === "time" ? COLUMNS.time.width : "120px"})` : COLUMNS[it].width)).join(" ");
  return (
    <div
      ref={scroller} className="event-grid" role="grid" aria-label={label} aria-rowcount={total !== undefined ? Math.max(total, lines.length) + 1 : -1} aria-colcount={columns.length} tabIndex={0}
      aria-activedescendant={active !== undefined && items.some((it) => it.index === active) ? `${id}-${active}` : undefined}
      style={{ maxHeight: height }} data-main={main || undefined}
      onKeyDown={(event) => { if (!event.defaultPrevented && !event.ctrlKey && !event.metaKey && !event.altKey && event.target === event.currentTarget) keys.current(event); }}
    >
      <div role="rowgroup" className={narrow ? "event-grid-head visually-hidden" : "event-grid-head"}>
        <div role="row" aria-rowindex={1} className="event-grid-row" style={{ gridTemplateColumns: template }}>
          {columns.map((it, at) => <div key={it} role="columnheader" aria-colindex={at + 1}>{text.names[it]}</div>)}
        </div>
      </div>
      <div role="rowgroup" className="event-grid-body" style={{ height: virtual.getTotalSize() }}>
        {items.map((item) => {
          const line = lines[item.index];
          if (!line) return null;
          return (
            <GridRow
              key={line.event.id} id={`${id}-${item.index}`} index={item.index} start={item.start} height={rowPx} template={narrow ? undefined : template} lead={lead} rest={rest}
              event={line.event} row={line.row} stage={line.stage} active={item.index === active} unfolded={unfolded.has(line.event.id)} q={q} acts={acts}
            />
          );
        })}
      </div>
      {foot ? <div className="event-grid-foot">{foot}</div> : null}
    </div>
  );
}

/** The columns of a row's lines: what was done first, then who did it, when, and what else is chosen. */
function inLines(columns: readonly ColumnName[], narrow: boolean): [readonly ColumnName[], readonly ColumnName[]] {
  if (!narrow) return [columns, []];
  const lead = LEAD.filter((it) => columns.includes(it));
  const first = lead.length > 0 ? lead : columns.slice(0, 1);
  const rest = columns.filter((it) => !first.includes(it));
  return [first, [...rest.filter((it) => it === "actor"), ...rest.filter((it) => it !== "actor")]];
}

function useNarrow(): boolean {
  return useSyncExternalStore((changed) => {
    const asked = matchMedia(NARROW);
    asked.addEventListener("change", changed);
    return () => asked.removeEventListener("change", changed);
  }, () => matchMedia(NARROW).matches);
}

export function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || target.matches("input, textarea, select") || target.closest("[role=dialog], [role=menu]") !== null);
}

const PLACE = "vedette.place";

function keepPlace(name: string, place: Place): void {
  sessionStorage.setItem(PLACE, JSON.stringify({ name, ...place }));
}

function placeOf(name: string): Place | undefined {
  try {
    const kept = JSON.parse(sessionStorage.getItem(PLACE) ?? "null") as ({ name: string } & Place) | null;
    return kept?.name === name ? kept : undefined;
  } catch {
    return undefined;
  }
}
