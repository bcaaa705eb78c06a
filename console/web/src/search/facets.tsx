// The most frequent values: what stands out, to be looked at alone or left out.
import { number, useText } from "../i18n/i18n.ts";
import { is, withTerm } from "../query/language.ts";
import { visible } from "../ui/plain.tsx";
import type { useFacets } from "./data.ts";
import { FACETS } from "./keys.ts";

export function Facets({ query, found, onAsk }: { query: string; found: ReturnType<typeof useFacets>; onAsk: (query: string) => void }) {
  const text = useText().search;
  const busy = found.isPending || found.isPlaceholderData;
  const ask = (next: string) => {
    if (!busy) onAsk(next);
  };
  return (
    <aside className="facets" aria-label={text.facets.label} aria-busy={busy}>
      {FACETS.map((key, at) => {
        const facet = found.data?.facets[at];
        if (!facet || facet.values.length === 0) return null;
        const most = Math.max(...facet.values.map((it) => it.count), 1);
        return (
          <section key={key} aria-labelledby={`facet-${key}`}>
            <h3 id={`facet-${key}`}>{text.facets.of[key]}</h3>
            <ul>
              {facet.values.map(({ value, count }) => {
                const shown = value === "" ? text.facets.empty : visible(value);
                return (
                  <li key={value}>
                    <button type="button" className="facet-only" onClick={() => ask(withTerm(query, is(key, value)))} title={shown.slice(0, 600)}>
                      <span className="facet-bar" aria-hidden="true" style={{ width: `${(100 * count) / most}%` }} />
                      <span className="visually-hidden">{text.trend.onlyWord} </span>
                      <span className="facet-value">{shown}</span>{" "}
                      <span className="facet-count">{number(count)}</span>
                    </button>
                    <button type="button" className="facet-not" onClick={() => ask(withTerm(query, `-${is(key, value)}`))} aria-label={text.facets.without(shown)} title={text.facets.without(shown)}>−</button>
                  </li>
                );
              })}
            </ul>
            {facet.other > 0 ? <p className="small muted">{text.facets.other(facet.other)}</p> : null}
          </section>
        );
      })}
    </aside>
  );
}
