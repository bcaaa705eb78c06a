// Events that a text was tried on, with what it decides about each.
import { Link } from "wouter";
import { visible } from "../ui/plain.tsx";
import type { Tried } from "../api/rules.ts";
import { useText } from "../i18n/i18n.ts";
import { hrefs } from "../query/url.ts";
import { Code, Tag } from "../ui/tag.tsx";
import { Time } from "../ui/time.tsx";

export function TriedList({ items, rule }: { items: readonly Tried[]; rule: string }) {
  const text = useText().rules.trial;
  return <ol className="tried" aria-label={text.results}>{items.map((it) => <TriedEvent key={it.event.id} tried={it} rule={rule} />)}</ol>;
}

function TriedEvent({ tried, rule }: { tried: Tried; rule: string }) {
  const text = useText().rules.trial;
  const { event, alerts, blind, archived, explanation, error } = tried;
  const what = [event.resource, event.subresource].filter(Boolean).join("/");
  const where = [event.namespace, event.name].filter(Boolean).join("/");
  const undecided = blind.length > 0 || error;
  return (
    <li>
      <div className="row">
        <Link href={hrefs.event(event.id)}><Time value={event.time} /></Link>
        {alerts.length > 0 ? <Tag tone="warn">{text.isAlerting}</Tag> : null}
        {archived ? <Tag tone="good">{text.isArchived}</Tag> : null}
        {undecided ? <Tag tone="bad">{text.isBlind}</Tag> : null}
        {alerts.length === 0 && !archived && !undecided ? <Tag>{text.isNothing}</Tag> : null}
        <span className="tried-what">
          {visible(event.actor, 120)} <strong>{visible(event.verb, 40)}</strong> {visible(what === "" ? event.requestURI : what, 200)} {where ? <code>{visible(where, 200)}</code> : null}
        </span>
        <Code event={event} />
      </div>
      {alerts.map((it) => <p key={it.rule} className="tried-alert"><code>{visible(it.rule, 200)}</code> {visible(it.message)}</p>)}
      {blind.length > 0 ? <p className="small muted">{text.blindRules(blind.map((it) => visible(it, 120)).join(", "))}</p> : null}
      {error ? <p className="small">{visible(error)}</p> : null}
      {explanation ? (
        <details>
          <summary className="small">{text.explanation(visible(rule, 120))}</summary>
          <pre>{visible(explanation, 20_000)}</pre>
        </details>
      ) : null}
    </li>
  );
}
