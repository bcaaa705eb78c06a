// Which letters are shown. What can be chosen is what the status knows of, beside what the address asks for.
import type { Status } from "./types.ts";
import { useText } from "../i18n/i18n.ts";
import { type Filter, SERVICES } from "./letters.ts";

export function Filters({ filter, status, filtered, fetching, onChange, onRefresh }: {
  filter: Filter;
  status: Status | undefined;
  filtered: boolean;
  fetching: boolean;
  onChange: (filter: Partial<Filter>) => void;
  onRefresh: () => void;
}) {
  const text = useText().pipeline.dead;
  const known = status?.deadLetters?.reasons ?? [];
  const reasons = known.filter((it) => filter.service === "" || it.service === filter.service).map((it) => it.reason);
  const clusters = Object.keys(status?.books.clusters ?? {});
  const set = (name: keyof Filter) => (value: string) => {
    // A reason is one service's.
    onChange({ ...filter, [name]: value, ...(name === "service" ? { reason: "" } : {}) });
  };
  return (
    <form className="row filters" role="search" aria-label={text.filters} onSubmit={(event) => event.preventDefault()}>
      <Choice label={text.service} value={filter.service} values={SERVICES} onChange={set("service")} />
      <Choice label={text.reason} value={filter.reason} values={reasons} onChange={set("reason")} />
      <Choice label={text.cluster} value={filter.cluster} values={clusters} onChange={set("cluster")} />
      <button type="button" className="button quiet" onClick={onRefresh} disabled={fetching}>{text.refresh}</button>
      {filtered ? <button type="button" className="button quiet" onClick={() => onChange({})}>{text.clear}</button> : null}
    </form>
  );
}

function Choice({ label, value, values, onChange }: { label: string; value: string; values: readonly string[]; onChange: (value: string) => void }) {
  const text = useText().pipeline.dead;
  const all = [...new Set(value === "" ? values : [...values, value])].sort();
  return (
    <label className="field">
      <span>{label}</span>
      <select className="input" value={value} onChange={(event) => onChange(event.target.value)}>
        <option value="">{text.any}</option>
        {all.map((it) => <option key={it} value={it}>{it}</option>)}
      </select>
    </label>
  );
}
