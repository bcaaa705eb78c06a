// The bodies, and the record as it is stored.
import { useMemo, useState } from "react";
import { useText } from "../i18n/i18n.ts";
import { Copy } from "../ui/copy.tsx";
import { json } from "../ui/plain.tsx";
import { Tree } from "./tree.tsx";

/** More than that is not put into the page; it can be copied and downloaded. */
const MOST = 200_000;

/** A member of a record, which is spelled in KubeSphere's way or in Kubernetes'. */
function member(document: Record<string, unknown>, name: string): unknown {
  return document[name] ?? document[name.charAt(0).toLowerCase() + name.slice(1)];
}

export function Bodies({ document }: { document: Record<string, unknown> }) {
  const text = useText().event;
  const bodies = ([["RequestObject", text.tree.request], ["ResponseObject", text.tree.response]] as const).map(([name, label]) => ({ name, label, value: member(document, name) }));
  const there = bodies.filter((it) => it.value !== undefined && it.value !== null);
  return (
    <section className="card" aria-labelledby="event-bodies">
      <header><h2 id="event-bodies">{text.sections.bodies}</h2></header>
      {there.length === 0 ? <p className="muted">{text.tree.none}</p> : (
        <div className="bodies">{there.map((it) => <div key={it.name}><h3>{it.label}</h3><Tree value={it.value} label={it.label} /></div>)}</div>
      )}
    </section>
  );
}

export function Raw({ document, id }: { document: Record<string, unknown>; id: string }) {
  const text = useText().event;
  const [shown, setShown] = useState(false);
  return (
    <section className="card" aria-labelledby="event-raw">
      <header>
        <h2 id="event-raw">{text.sections.raw}</h2>
        <span className="row">
          <button type="button" className="button small" aria-expanded={shown} onClick={() => setShown(!shown)}>{shown ? text.raw.hide : text.raw.show}</button>
          <Copy value={() => json(document)} name={text.copyOf(text.sections.raw)} />
          <button type="button" className="button small quiet" onClick={() => download(json(document), `${id}.json`)}>{text.raw.download}</button>
        </span>
      </header>
      {shown ? <Document document={document} /> : null}
    </section>
  );
}

function Document({ document }: { document: Record<string, unknown> }) {
  const text = useText().event;
  const whole = useMemo(() => json(document), [document]);
  return (
    <pre className="raw" tabIndex={0} aria-label={text.sections.raw}>
      {whole.slice(0, MOST)}
      {whole.length > MOST ? `\n${text.cut(whole.length)}` : null}
    </pre>
  );
}

function download(content: string, name: string): void {
  const url = URL.createObjectURL(new Blob([content], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The browser has begun to read it by then.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
