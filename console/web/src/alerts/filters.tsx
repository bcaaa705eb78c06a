// Which alerts are looked at. The address holds it.
import { useEffect } from "react";
import { useText } from "../i18n/i18n.ts";
import { useDraft } from "../ui/draft.ts";
import { periodName } from "./period-name.ts";
import { PERIODS } from "./period.ts";

/** How long typing rests before it is asked for. */
const REST_MS = 300;
const PRIORITIES = ["WARNING", "INFO", "DEBUG"];

export interface Chosen {
  q: string;
  rule: string;
  priority: string;
  time: string;
}

export function Filters({ chosen, rules, onChange, onClear, onRefresh }: {
  chosen: Chosen;
  /** Rules that alerted. */
  rules: readonly string[];
  onChange: (change: Partial<Chosen>) => void;
  onClear?: () => void;
  onRefresh: () => void;
}) {
  const text = useText().alerts;
  const [typed, setTyped] = useDraft(chosen.q);
  useEffect(() => {
    if (typed === chosen.q) return;
    const timer = setTimeout(() => onChange({ q: typed }), REST_MS);
    return () => clearTimeout(timer);
  }, [typed, chosen.q, onChange]);
  const names = chosen.rule !== "" && !rules.includes(chosen.rule) ? [chosen.rule, ...rules] : rules;
  const period = (PERIODS as readonly string[]).includes(chosen.time) ? [] : [chosen.time];
  return (
    <search aria-label={text.filters} className="alert-filters">
      <label className="field">
        <span>{text.text}</span>
        <input className="input" type="search" value={typed} placeholder={text.textHint} onChange={(event) => setTyped(event.target.value)} />
      </label>
      <Choice label={text.rule} value={chosen.rule} choices={[["", text.anyRule], ...names.map((it) => [it, it] as const)]} onChange={(rule) => onChange({ rule })} />
      <Choice label={text.priority} value={chosen.priority} choices={[["", text.anyPriority], ...PRIORITIES.map((it) => [it, it] as const)]} onChange={(priority) => onChange({ priority })} />
      <Choice label={text.time} value={chosen.time} choices={[...period, ...PERIODS].map((it) => [it, periodName(it, text)] as const)} onChange={(time) => onChange({ time })} />
      <div className="row">
        <button type="button" className="button" onClick={onRefresh}>{text.refresh}</button>
        {onClear ? <button type="button" className="button quiet" onClick={onClear}>{text.clear}</button> : null}
      </div>
    </search>
  );
}

function Choice({ label, value, choices, onChange }: { label: string; value: string; choices: readonly (readonly [string, string])[]; onChange: (value: string) => void }) {
  return (
    <label className="field">
      <span>{label}</span>
      <select className="input" value={value} onChange={(event) => onChange(event.target.value)}>
        {choices.map(([it, name]) => <option key={it} value={it}>{name}</option>)}
      </select>
    </label>
  );
}
