// The text, tried on what happened: what would be archived and alerted.
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import type { Diagnostic, Trial, Tried } from "../api/rules.ts";
import { tryRules } from "../api/rules.ts";
import { useText } from "../i18n/i18n.ts";
import { useParams } from "../query/url.ts";
import { Diagnostics } from "./diagnostics.tsx";
import { TriedList } from "./tried.tsx";

const QUERY = "last:12h";

export function TrialPanel({ source, rules, onJump }: { source: string; rules: readonly string[]; onJump: (found: Diagnostic) => void }) {
  const text = useText().rules.trial;
  const [params, change] = useParams();
  const [q, setQ] = useState(params.get("tryq") ?? QUERY);
  const chosen = params.get("explain") ?? "";
  const rule = rules.includes(chosen) ? chosen : "";
  const trial = useMutation({ mutationFn: async (asked: { source: string; q: string; rule?: string }) => ({ ...(await tryRules(asked)), of: asked }) });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    change({ tryq: q === QUERY ? "" : q }, { replace: true });
    trial.mutate({ source, q, ...(rule ? { rule } : {}) });
  };
  return (
    <section className="card trial" aria-labelledby="trial">
      <header><h2 id="trial">{text.title}</h2></header>
      <p className="muted">{text.help}</p>
      <form className="trial-form" onSubmit={submit}>
        <label className="field">
          <span>{text.query}</span>
          <input className="input mono" value={q} spellCheck={false} autoComplete="off" onChange={(event) => setQ(event.target.value)} />
        </label>
        <label className="field">
          <span>{text.explain}</span>
          <select className="input" value={rule} onChange={(event) => change({ explain: event.target.value }, { replace: true })}>
            <option value="">{text.noRule}</option>
            {rules.map((it) => <option key={it} value={it}>{it}</option>)}
          </select>
        </label>
        <button type="submit" className="button" disabled={trial.isPending}>{trial.isPending ? text.running : text.run}</button>
      </form>
      {trial.error ? <p className="notice bad" role="alert">{text.failed} {trial.error.message}</p> : null}
      {trial.data ? (
        <>
          {trial.data.of.source !== source ? <p className="notice warn">{text.stale}</p> : null}
          <Result trial={trial.data} rule={trial.data.of.rule ?? ""} onJump={onJump} />
        </>
      ) : null}
    </section>
  );
}

const KINDS = ["all", "alerts", "archived", "blind", "none"] as const;
type Kind = (typeof KINDS)[number];

const OF: Record<Kind, (it: Tried) => boolean> = {
  all: () => true,
  alerts: (it) => it.alerts.length > 0,
  archived: (it) => it.archived,
  blind: (it) => it.blind.length > 0 || it.error !== undefined,
  none: (it) => !it.archived && it.alerts.length === 0 && it.blind.length === 0 && it.error === undefined,
};

function Result({ trial, rule, onJump }: { trial: Trial; rule: string; onJump: (found: Diagnostic) => void }) {
  const text = useText().rules.trial;
  const [kind, setKind] = useState<Kind>("all");
  const broken = trial.diagnostics.some((it) => it.severity === "error" && it.document === "source");
  if (broken) {
    return (
      <div role="alert">
        <p className="notice bad">{text.broken}</p>
        <Diagnostics found={trial.diagnostics} onJump={onJump} />
      </div>
    );
  }
  const leftOut = trial.leftOut > 0 ? <p className="notice warn" role="status">{text.leftOut(trial.leftOut)}</p> : null;
  if (trial.events === 0) return leftOut ?? <p className="notice" role="status">{text.noEvents}</p>;
  const count = (of: Kind) => trial.items.filter(OF[of]).length;
  const names: Record<Kind, string> = { all: text.all, alerts: text.onlyAlerts, archived: text.onlyArchived, blind: text.onlyBlind, none: text.onlyNone };
  const shown = trial.items.filter(OF[kind]);
  return (
    <>
      <p role="status">
        <strong>{text.alerting(count("alerts"), trial.events)}</strong> · {text.archived(count("archived"))}
        {count("blind") > 0 ? <> · {text.blind(count("blind"))}. {text.blindHelp}</> : null}
      </p>
      {leftOut}
      <div className="row" role="group" aria-label={text.show}>
        {KINDS.map((it) => (
          <button key={it} type="button" className="button small" aria-pressed={it === kind} onClick={() => setKind(it)}>{names[it]} · {count(it)}</button>
        ))}
      </div>
      {shown.length === 0 ? <p className="muted">{text.noneShown}</p> : <TriedList items={shown} rule={rule} />}
    </>
  );
}
