// A box for a value of one key, with those that are frequent.
import { type Ref, useState } from "react";
import { number, useText } from "../i18n/i18n.ts";
import { Combo } from "./combo.tsx";
import { useValues } from "./complete.ts";
import type { Key } from "./keys.ts";

export function ValueBox({ field, rest, label, value, onChange, onEnter, inputRef }: {
  field: Key;
  /** The query that the values are of. */
  rest: string;
  label: string;
  value: string;
  onChange: (value: string) => void;
  onEnter: () => void;
  inputRef?: Ref<HTMLInputElement>;
}) {
  const text = useText().search;
  const [focused, setFocused] = useState(false);
  const values = useValues(focused ? field : undefined, value, rest);
  return (
    <Combo
      className="input mono" label={label} listLabel={text.bar.suggestions} value={value} inputRef={inputRef}
      options={values.filter((it) => it.value !== value && it.value !== "").map((it) => ({ id: it.value, text: it.value, label: it.value, hint: it.count > 0 ? number(it.count) : undefined }))}
      onChange={onChange} onAccept={(option) => onChange(option.text)} onEnter={onEnter} onFocus={() => setFocused(true)} onBlur={() => setFocused(false)}
    />
  );
}
