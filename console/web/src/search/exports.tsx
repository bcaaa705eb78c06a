// Everything that is found, as a file: read as it comes, so that it can be told how far it is, and ended.
import { Menu } from "@base-ui/react/menu";
import { useEffect, useRef, useState } from "react";
import { fetchApi } from "../api/client.ts";
import { number, useText } from "../i18n/i18n.ts";
import { type ColumnName, COLUMNS } from "./columns.tsx";
import { recordCounter } from "./records.ts";

const FORMATS = ["ndjson", "csv"] as const;
type Format = (typeof FORMATS)[number];
/** What is exported is in the browser's memory until all of it is there. */
const LARGE_BYTES = 200_000_000;
/** How often it is told how far it is. */
const TELL_MS = 200;

type State = { kind: "running"; events: number; large: boolean } | { kind: "done"; events: number } | { kind: "failed"; why: string };

/** `hidden` offers no new export; one that runs goes on. */
export default function ExportMenu({ q, sort, columns, total: found, hidden }: { q: string; sort: "asc" | "desc"; columns: readonly ColumnName[]; total?: number; hidden?: boolean }) {
  const text = useText().search.exports;
  const [state, setState] = useState<State | undefined>();
  // What is searched meanwhile does not change how many there are in this one.
  const [total, setTotal] = useState<number | undefined>();
  const running = useRef<AbortController | undefined>(undefined);
  useEffect(() => () => running.current?.abort(), []);
  const start = async (format: Format) => {
    running.current?.abort();
    const control = new AbortController();
    running.current = control;
    setTotal(found);
    setState({ kind: "running", events: 0, large: false });
    try {
      const params = new URLSearchParams({ q, sort, format });
      if (format === "csv") params.set("columns", [...new Set(columns.flatMap((it) => COLUMNS[it].exported))].join(","));
      const response = await fetchApi(`/api/v1/export?${params}`, { signal: control.signal });
      const { parts, events } = await read(response, format, (seen, bytes) => setState({ kind: "running", events: seen, large: bytes > LARGE_BYTES }));
      save(new Blob(parts, { type: response.headers.get("content-type") ?? "" }), `audit-${new Date().toISOString().slice(0, 19).replaceAll(":", "")}.${format}`);
      setState({ kind: "done", events });
    } catch (error) {
      if (control.signal.aborted) setState(undefined);
      else setState({ kind: "failed", why: error instanceof Error ? error.message : String(error) });
    }
  };
  return (
    <>
      {hidden ? null : <Menu.Root modal={false}>
        <Menu.Trigger className="button small" disabled={state?.kind === "running"}>{text.label}</Menu.Trigger>
        <Menu.Portal>
          <Menu.Positioner sideOffset={4} align="end" className="positioner">
            <Menu.Popup className="menu">
              {FORMATS.map((format) => <Menu.Item key={format} className="item" onClick={() => void start(format)}>{text[format]}</Menu.Item>)}
            </Menu.Popup>
          </Menu.Positioner>
        </Menu.Portal>
      </Menu.Root>}
      {state ? (
        <span className={state.kind === "failed" ? "export-state notice bad" : "export-state notice"}>
          <span role="status">
            {state.kind === "running" ? text.running(state.events, total === undefined ? "…" : number(total)) : state.kind === "done" ? text.done(state.events) : text.failed(state.why)}
          </span>
          {state.kind === "running" && state.large ? <span role="alert">{text.large}</span> : null}
          {state.kind === "running" && total ? <progress value={Math.min(state.events, total)} max={total} aria-label={text.label} /> : null}
          {state.kind === "running" ? <button type="button" className="button small" onClick={() => running.current?.abort()}>{text.cancel}</button>
            : <button type="button" className="button quiet small" aria-label={text.dismiss} onClick={() => setState(undefined)}>✕</button>}
        </span>
      ) : null}
    </>
  );
}

async function read(response: Response, format: Format, tell: (events: number, bytes: number) => void): Promise<{ parts: Uint8Array<ArrayBuffer>[]; events: number }> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const reader = response.body?.getReader();
  const counted = recordCounter(format);
  let [events, bytes, told] = [0, 0, 0];
  for (;;) {
    const chunk = await reader?.read();
    if (!chunk || chunk.done) return { parts, events };
    parts.push(chunk.value);
    events = counted(chunk.value);
    bytes += chunk.value.length;
    const now = Date.now();
    if (now - told > TELL_MS) {
      told = now;
      tell(events, bytes);
    }
  }
}

function save(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
