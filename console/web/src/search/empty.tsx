// Nothing was found: what did not happen, beside what is not kept.
import type { Coverage as Kept } from "../api/client.ts";
import { useText } from "../i18n/i18n.ts";
import { isTime, terms, withTime, withoutTerm } from "../query/language.ts";
import { Coverage } from "../ui/coverage.tsx";
import { Empty } from "../ui/state.tsx";
import { visible } from "../ui/plain.tsx";
import type { Span } from "./times.ts";

const DAY_MS = 86_400_000;
const LONGER = [["24h", DAY_MS], ["7d", 7 * DAY_MS]] as const;

export function NothingFound({ query, span, coverage, onAsk }: { query: string; span?: Span; coverage?: Kept | null; onAsk: (query: string) => void }) {
  const text = useText().search.empty;
  const long = span ? span.end - span.start : 0;
  const offered = terms(query).filter((term) => !isTime(term));
  return (
    <div className="card">
      <Empty
        title={text.title}
        actions={
          <>
            {LONGER.map(([name, length]) => (length > long ? <button key={name} type="button" className="button" onClick={() => onAsk(withTime(query, `last:${name}`))}>{text.longer[name]}</button> : null))}
            {offered.length > 0 ? offered.map((term) => (
              <button key={term.start} type="button" className="button without" onClick={() => onAsk(withoutTerm(query, term))}>{text.without(visible(term.text))}</button>
            )) : null}
          </>
        }
      >
        <p>{text.help}</p>
      </Empty>
      {coverage ? <Coverage coverage={coverage} open /> : null}
    </div>
  );
}
