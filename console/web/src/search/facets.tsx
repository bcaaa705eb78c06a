// The most frequent values: what stands out, to be looked at alone or left out.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { answer, api } from "../api/client.ts";
import { number, useText } from "../i18n/i18n.ts";
import { is, withTerm } from "../query/language.ts";
import { visible } from "../ui/plain.tsx";
import { FACETS, keyOf } from "./keys.ts";

const TOP = 6;

export function Facets({ query, q, onAsk }: { query: string; q: string; onAsk: (query: string) => void }) {
  const text = useText().search;
  const by = FACETS.map((key) => keyOf(key)?.by ?? key).join(",");
  const found = useQuery({
    queryKey: ["facets", q, by],
    queryFn: ({ signal }) => answer(api.GET("/api/v1/facets", { params: { query: { q, by, top: TOP } }, signal })),
    placeholderData: keepPreviousData,
  });
  return (
    <aside className="facets" aria-label={text.facets.label} aria-busy={found.isPending}>
      {FACETS.map((key, at) => {
        const facet = found.isError ? undefined : found.data?.facets[at];
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
                    <button type="button" className="facet-only" onClick={() => onAsk(withTerm(query, is(key, value)))} title={shown.slice(0, 600)}>
                      <span className="facet-bar" aria-hidden="true" style={{ width: `${(100 * count) / most}%` }} />
                      <span className="visually-hidden">{text.trend.onlyWord} </span>
                      <span className="facet-value">{shown}</span>{" "}
                      <span className="facet-count">{number(count)}</span>
                    </button>
                    <button type="button" className="facet-not" onClick={() => onAsk(withTerm(query, `-${is(key, value)}`))} aria-label={text.facets.without(shown)} title={text.facets.without(shown)}>−</button>
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
