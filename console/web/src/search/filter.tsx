// A search without its language: parameter, exactly or in part, value.
import { useId, useState } from "react";
import { useText } from "../i18n/i18n.ts";
import { withTerm } from "../query/language.ts";
import { keyOf, PARAMETERS, written } from "./keys.ts";
import { Popover } from "./popover.tsx";
import { ValueBox } from "./values.tsx";

type Parameter = (typeof PARAMETERS)[number];

/** Of which a part says nothing: their values are whole or ranges. */
const WHOLE: readonly Parameter[] = ["code"];

export function AddFilter({ query, onAsk, onTime }: { query: string; onAsk: (query: string) => void; onTime?: () => void }) {
  const text = useText().search;
  const id = useId();
  const [open, setOpen] = useState(false);
  const [parameter, setParameter] = useState<Parameter>("user");
  const [fuzzy, setFuzzy] = useState(false);
  const [value, setValue] = useState("");
  const key = keyOf(parameter);
  const inPart = fuzzy && !WHOLE.includes(parameter);
  const apply = () => {
    if (value.trim() === "") return;
    setOpen(false);
    onAsk(withTerm(query, `${parameter}${inPart ? "~" : ":"}${written(parameter, value.trim())}`));
    setValue("");
  };
  if (!key) return null;
  return (
    <Popover label={text.filter.add} shown={text.filter.add} title={text.filter.title} className="button small add-button" open={open} onOpen={setOpen}>
      <form className="popover-form" onSubmit={(event) => { event.preventDefault(); apply(); }}>
        <label className="field">
          <span>{text.filter.parameter}</span>
          <select
            className="input" value={parameter}
            onChange={(event) => {
              if (event.target.value === "time") {
                setOpen(false);
                onTime?.();
              } else {
                setParameter(event.target.value as Parameter);
                setValue("");
              }
            }}
          >
            {PARAMETERS.map((it) => <option key={it} value={it}>{text.names[it]}</option>)}
            {onTime ? <option value="time">{text.names.time}…</option> : null}
          </select>
        </label>
        <fieldset className="row match" disabled={WHOLE.includes(parameter)}>
          <legend>{text.filter.match}</legend>
          <label className="check"><input type="radio" name={`${id}-match`} checked={!inPart} onChange={() => setFuzzy(false)} /> {text.filter.exact}</label>
          <label className="check"><input type="radio" name={`${id}-match`} checked={inPart} onChange={() => setFuzzy(true)} /> {text.filter.fuzzy}</label>
        </fieldset>
        <label className="field"><span>{text.filter.value}</span><ValueBox field={key} rest={query} label={text.filter.value} value={value} onChange={setValue} onEnter={apply} /></label>
        <p className="small muted">{text.filter.help}</p>
        <div className="row"><button type="submit" className="button primary">{text.filter.apply}</button></div>
      </form>
    </Popover>
  );
}
