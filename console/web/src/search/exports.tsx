// Everything that is found, as a file: read as it comes, so that it can be told how far it is, and ended.
import { Menu } from "@base-ui/react/menu";
import { useEffect, useRef, useState } from "react";
import { fetchApi } from "../api/client.ts";
import { number, useText } from "../i18n/i18n.ts";
import { type ColumnName, COLUMNS } from "./columns.tsx";

const FORMATS = ["ndjson", "csv"] as const;
type Format = (typeof FORMATS)[number];
const NEWLINE = 10;
/** How often it is told how far it is. */
const TELL_MS = 200;

type State = { kind: "running"; events: number } | { kind: "done"; events: number } | { kind: "failed"; why: string };

export default function ExportMenu({ q, sort, columns, total }: { q: string; sort: "asc" | "desc"; columns: readonly ColumnName[]; total?: number }) {
  const text = useText().search.exports;
  const [state, setState] = useState<State | undefined>();
  const running = useRef<AbortController | undefined>(undefined);
  useEffect(() => () => running.current?.abort(), []);
  const start = async (format: Format) => {
    running.current?.abort();
    const control = new AbortController();
    running.current = control;
    setState({ kind: "running", events: 0 });
    try {
      const params = new URLSearchParams({ q, sort, format });
      if (format === "csv") params.set("columns", [...new Set(columns.flatMap((it) => COLUMNS[it].exported))].join(","));
      const response = await fetchApi(`/api/v1/export?${params}`, { signal: control.signal });
      const { parts, lines } = await read(response, (seen) => setState({ kind: "running", events: seen }));
      save(new Blob(parts, { type: response.headers.get("content-type") ?? "" }), `audit-${new Date().toISOString().slice(0, 19).replaceAll(":", "")}.${format}`);
      setState({ kind: "done", events: format === "csv" ? Math.max(lines - 1, 0) : lines });
    } catch (error) {
      if (control.signal.aborted) setState(undefined);
      else setState({ kind: "failed", why: error instanceof Error ? error.message : String(error) });
    }
  };
  return (
    <>
      <Menu.Root modal={false}>
        <Menu.Trigger className="button small" disabled={state?.kind === "running"}>{text.label}</Menu.Trigger>
        <Menu.Portal>
          <Menu.Positioner sideOffset={4} align="end" className="positioner">
            <Menu.Popup className="menu">
              {FORMATS.map((format) => <Menu.Item key={format} className="item" onClick={() => void start(format)}>{text[format]}</Menu.Item>)}
            </Menu.Popup>
          </Menu.Positioner>
        </Menu.Portal>
      </Menu.Root>
      {state ? (
        <span className={state.kind === "failed" ? "export-state notice bad" : "export-state notice"}>
          <span role="status">
            {state.kind === "running" ? text.running(state.events, total === undefined ? "…" : number(total)) : state.kind === "done" ? text.done(state.events) : text.failed(state.why)}
          </span>
          {state.kind === "running" && total ? <progress value={Math.min(state.events, total)} max={total} aria-label={text.label} /> : null}
          {state.kind === "running" ? <button type="button" className="button small" onClick={() => running.current?.abort()}>{text.cancel}</button>
            : <button type="button" className="button quiet small" aria-label={text.dismiss} onClick={() => setState(undefined)}>✕</button>}
        </span>
      ) : null}
    </>
  );
}

async function read(response: Response, tell: (lines: number) => void): Promise<{ parts: Uint8Array<ArrayBuffer>[]; lines: number }> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const reader = response.body?.getReader();
  let lines = 0;
  let told = 0;
  for (;;) {
    const chunk = await reader?.read();
    if (!chunk || chunk.done) return { parts, lines };
    parts.push(chunk.value);
    for (let at = chunk.value.indexOf(NEWLINE); at >= 0; at = chunk.value.indexOf(NEWLINE, at + 1)) lines += 1;
    const now = Date.now();
    if (now - told > TELL_MS) {
      told = now;
      tell(lines);
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
