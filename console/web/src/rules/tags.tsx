import type { Rule, RuleState } from "../api/rules.ts";
import { visible } from "../ui/plain.tsx";
import { useText } from "../i18n/i18n.ts";
import { Tag, type Tone } from "../ui/tag.tsx";

const STATES: Record<RuleState, Tone> = { inForce: "good", lastGoodInForce: "warn", refused: "bad", notSelected: "plain", pending: "plain" };

export function StateTag({ state }: { state: RuleState }) {
  const text = useText().rules;
  return <Tag tone={STATES[state]} title={text.stateHelp[state]}>{text.states[state]}</Tag>;
}

/** Its labels; `type` decides, by what is set by default, what becomes of the events that it matches. */
export function Labels({ labels }: { labels: Rule["labels"] }) {
  const text = useText().rules;
  const all = Object.entries(labels);
  if (all.length === 0) return <span className="small muted">{text.noLabels}</span>;
  return all.map(([label, value]) => {
    const known = label === "type" ? { archiving: text.archiving, alerting: text.alerting }[value] : undefined;
    return <Tag key={label} {...(known ? { tone: "accent" } : {})} title={`${label}=${value}`}>{known ?? visible(`${label}=${value}`, 60)}</Tag>;
  });
}
