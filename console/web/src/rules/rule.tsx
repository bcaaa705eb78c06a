// One Rule resource: what it consists of, what it matched and alerted, and its text.
import { lazy, Suspense, useMemo, useState } from "react";
import { Link, useLocation, useParams as usePath } from "wouter";
import { visible } from "../ui/plain.tsx";
import type { Rule } from "../api/rules.ts";
import { useText } from "../i18n/i18n.ts";
import { useParam } from "../query/url.ts";
import { Copy } from "../ui/copy.tsx";
import { Loading } from "../ui/state.tsx";
import { Tabs } from "../ui/tabs.tsx";
import { Time } from "../ui/time.tsx";
import { AlertsOf } from "./alerts.tsx";
import { partsOf, ruleHref, useRule } from "./data.ts";
import { Diagnostics } from "./diagnostics.tsx";
import { Entries } from "./entries.tsx";
import { Remove } from "./remove.tsx";
import "./rules.css";
import { RulesFailed } from "./states.tsx";
import { Labels, StateTag } from "./tags.tsx";

// The editor is heavy, and most who look at a rule don't write.
const Editing = lazy(() => import("./editing.tsx"));

export default function Page() {
  const { namespace = "", name = "" } = usePath();
  const [edit] = useParam("edit");
  const rule = useRule(namespace, name);
  if (rule.isPending) return <Loading />;
  if (rule.data === undefined) return <RulesFailed error={rule.error} name={name} onRetry={() => void rule.refetch()} />;
  if (edit !== "1") return <Shown rule={rule.data} />;
  return <Suspense fallback={<Loading />}><Editing opened={rule.data} /></Suspense>;
}

function Shown({ rule }: { rule: Rule }) {
  const text = useText().rules;
  const { namespace, name } = partsOf(rule);
  const [tab, setTab] = useParam("tab", "entries");
  const [removing, setRemoving] = useState(false);
  const [, navigate] = useLocation();
  const names = useMemo(() => rule.entries.filter((it) => it.kind === "rule").map((it) => `${name}.${it.name}`), [rule, name]);
  const tabs = [
    { id: "entries", label: text.tabs.entries, content: () => <Entries entries={rule.entries} resource={name} /> },
    { id: "alerts", label: text.tabs.alerts, content: () => <AlertsOf rules={names} /> },
    {
      id: "source",
      label: text.tabs.source,
      content: () => <div className="card"><div className="end"><Copy value={rule.source} /></div><pre className="source">{rule.source}</pre></div>,
    },
  ];
  return (
    <div className="rules">
      <p className="small"><Link href="/rules">← {text.back}</Link></p>
      {applied() ? <p className="notice good" role="status">{text.apply.done}</p> : null}
      <header className="page-head row">
        <div className="grow">
          <h1>{visible(name, 200)}</h1>
          <p className="row">
            <span className="muted">{text.namespace(visible(namespace, 200))}</span>
            <StateTag state={rule.state} />
            <Labels labels={rule.labels} />
            <span className="small muted">
              {text.inForce(rule.rulesInForce, names.length)} · {rule.generation > 0 ? text.generation(rule.generation) : text.noGeneration}
              {rule.created ? <> · {text.created} <Time value={rule.created} as="full" /></> : null}
            </span>
          </p>
        </div>
        <Link href={ruleHref(namespace, name, { edit: "1" })} className="button primary">{text.edit}</Link>
        <button type="button" className="button danger" onClick={() => setRemoving(true)}>{text.delete}</button>
      </header>
      {rule.state === "inForce" ? null : <p className={rule.state === "refused" ? "notice bad" : "notice"}>{text.stateHelp[rule.state]}</p>}
      {rule.diagnostics.length > 0 ? (
        <section className="card" aria-label={text.diagnostics.title}>
          <header><h2>{text.diagnostics.title}</h2></header>
          <Diagnostics found={rule.diagnostics} />
        </section>
      ) : null}
      <Tabs label={text.tabs.label} tabs={tabs} value={tabs.some((it) => it.id === tab) ? tab : "entries"} onChange={setTab} />
      <Remove rule={rule} open={removing} onClose={() => setRemoving(false)} onRemoved={() => navigate("/rules")} />
    </div>
  );
}

/** Whether this was just applied: a state of this entry of the browser's history, which no link carries. */
function applied(): boolean {
  return typeof history.state === "object" && history.state !== null && "applied" in history.state;
}
