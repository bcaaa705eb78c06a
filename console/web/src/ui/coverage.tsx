// What is kept of the events that a question asks for: "no hits" is not "not kept".
import type { Coverage as Kept } from "../api/client.ts";
import { number, useText } from "../i18n/i18n.ts";
import { full } from "../time.ts";
import { Plain } from "./plain.tsx";
import { Tag } from "./tag.tsx";

export function Coverage({ coverage, open = false }: { coverage: Kept; open?: boolean }) {
  const text = useText().common.coverage;
  const { losses, gaps = [], rules = [] } = coverage;
  const lost = losses ? losses.dropped + losses.deadLettered + losses.inFlight : 0;
  return (
    <details className="coverage" open={open}>
      <summary>{text.title}{coverage.beginsBefore || rules.some((it) => !it.kept) ? <> <Tag tone="warn">!</Tag></> : null}</summary>
      <ul>
        <li>{coverage.oldest ? text.oldest(full(coverage.oldest)) : text.nothing} {text.retention(coverage.retentionDays)}</li>
        {coverage.beginsBefore && coverage.oldest ? <li><strong>{text.beginsBefore}</strong></li> : null}
        {gaps.length > 0 ? <li>{text.gaps(gaps.join(", "))}</li> : null}
        {losses && lost > 0 ? <li>{text.losses(number(losses.dropped), number(losses.deadLettered), number(losses.inFlight))}</li> : null}
        {rules.map((it) => (
          <li key={it.event}>
            <Tag tone={it.kept ? "good" : "warn"}><Plain text={it.kept ? text.kept(it.event) : text.notKept(it.event)} limit={300} /></Tag>{" "}
            {it.rules?.length ? text.by(it.rules.join(", ")) : null} {it.reason}
          </li>
        ))}
      </ul>
    </details>
  );
}
