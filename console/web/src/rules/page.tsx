// Every Rule resource, what became of it, and who applies it.
import { useState } from "react";
import { Link } from "wouter";
import { useDraft } from "../ui/draft.ts";
import { visible } from "../ui/plain.tsx";
import { Priority } from "../alerts/tags.tsx";
import type { Rule, RuleState } from "../api/rules.ts";
import { useText } from "../i18n/i18n.ts";
import { useParams } from "../query/url.ts";
import { Empty, Loading } from "../ui/state.tsx";
import { Tag } from "../ui/tag.tsx";
import { partsOf, ruleHref, useRules } from "./data.ts";
import { Diagnostics } from "./diagnostics.tsx";
import { Evaluators } from "./evaluators.tsx";
import "./rules.css";
import { RulesFailed } from "./states.tsx";
import { Labels, StateTag } from "./tags.tsx";

const STATES: readonly RuleState[] = ["inForce", "lastGoodInForce", "refused", "notSelected", "pending"];
/** Resources and rules of one that are shown at first. */
const MOST = 50;
const MOST_RULES = 8;

export default function Page() {
  const text = useText().rules;
  const [params, change] = useParams();
  const [most, setMost] = useState(MOST);
  const rules = useRules();
  if (rules.isPending) return <Loading />;
  if (rules.isError) return <RulesFailed error={rules.error} onRetry={() => void rules.refetch()} />;
  const { items, evaluators, generation } = rules.data;
  const [q, state] = [params.get("q") ?? "", params.get("state") ?? ""];
  const found = items.filter((rule) => (state === "" || rule.state === state) && has(rule, q));
  return (
    <div className="rules">
      <header className="page-head row">
        <div className="grow"><h1>{text.title}</h1><p className="muted">{text.intro}</p></div>
        <Link href="/rules/new" className="button primary">{text.new}</Link>
      </header>
      {items.length === 0 ? (
        <Empty title={text.empty.title} actions={<Link href="/rules/new" className="button">{text.new}</Link>}><p>{text.empty.help}</p></Empty>
      ) : (
        <>
          <Filters q={q} state={state} shown={found.length} all={items.length} onChange={(values) => change(values, { replace: true })} />
          {found.length === 0 ? (
            <Empty title={text.nothing.title} actions={<button type="button" className="button" onClick={() => change({ q: "", state: "" })}>{text.nothing.clear}</button>}>
              <p>{text.nothing.help}</p>
            </Empty>
          ) : found.slice(0, most).map((rule) => <Resource key={rule.name} rule={rule} />)}
          {found.length > most ? <button type="button" className="button" onClick={() => setMost(most + MOST)}>{text.showAll}</button> : null}
        </>
      )}
      <Evaluators evaluators={evaluators} generation={generation} />
    </div>
  );
}

function has(rule: Rule, q: string): boolean {
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return true;
  const labels = Object.entries(rule.labels).map(([label, value]) => `${label}=${value}`);
  const entries = rule.entries.flatMap((it) => [it.name, it.desc, it.condition, it.output, it.macro, it.alias, ...(it.list ?? [])]);
  const all = [rule.name, ...labels, ...entries].join("\n").toLowerCase();
  return words.every((word) => all.includes(word));
}

function Filters({ q, state, shown, all, onChange }: { q: string; state: string; shown: number; all: number; onChange: (values: Record<string, string>) => void }) {
  const text = useText().rules;
  const [typed, setTyped] = useDraft(q);
  return (
    <search aria-label={text.filters} className="rule-filters">
      <label className="field">
        <span>{text.text}</span>
        <input className="input" type="search" value={typed} placeholder={text.textHint}
          onChange={(event) => { setTyped(event.target.value); onChange({ q: event.target.value }); }} />
      </label>
      <label className="field">
        <span>{text.state}</span>
        <select className="input" value={state} onChange={(event) => onChange({ state: event.target.value })}>
          <option value="">{text.anyState}</option>
          {STATES.map((it) => <option key={it} value={it}>{text.states[it]}</option>)}
        </select>
      </label>
      <p className="muted" role="status">{text.resources(shown, all)}</p>
    </search>
  );
}

function Resource({ rule }: { rule: Rule }) {
  const text = useText().rules;
  const { namespace, name } = partsOf(rule);
  const rules = rule.entries.filter((it) => it.kind === "rule");
  const count = (kind: string) => rule.entries.filter((it) => it.kind === kind).length;
  return (
    <section className="card" aria-label={visible(name, 200)}>
      <header>
        <h2><Link href={ruleHref(namespace, name)}>{visible(name, 200)}</Link></h2>
        <span className="muted">{text.namespace(visible(namespace, 200))}</span>
        <StateTag state={rule.state} />
        <Labels labels={rule.labels} />
        <span className="small muted">{text.inForce(rule.rulesInForce, rules.length)} · {text.counts(count("macro"), count("list"), count("alias"))}</span>
      </header>
      {rule.state === "inForce" ? null : <p className="small">{text.stateHelp[rule.state]}</p>}
      {rule.diagnostics.length > 0 ? <Diagnostics found={rule.diagnostics} /> : null}
      {rules.length === 0 ? null : (
        <ul className="rule-names">
          {rules.slice(0, MOST_RULES).map((it) => (
            <li key={it.name}>
              <strong>{visible(it.name, 120)}</strong>
              {it.priority ? <Priority priority={visible(it.priority, 20)} /> : null}
              {it.enabled === false ? <Tag>{text.disabled}</Tag> : null}
              <span className="muted">{visible(it.desc, 300)}</span>
            </li>
          ))}
          {rules.length > MOST_RULES ? <li><Link href={ruleHref(namespace, name)}>{text.moreRules(rules.length - MOST_RULES)}</Link></li> : null}
        </ul>
      )}
    </section>
  );
}
