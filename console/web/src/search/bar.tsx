// Where a query is typed: with suggestions, and with what is wrong in it.
import { type FormEvent, useLayoutEffect, useRef, useState } from "react";
import { ApiError, type Problem } from "../api/client.ts";
import { useText } from "../i18n/i18n.ts";
import { place } from "../query/language.ts";
import { full } from "../time.ts";
import { useDraft } from "../ui/draft.ts";
import { visible } from "../ui/plain.tsx";
import { Combo, type Option } from "./combo.tsx";
import { useCompletion } from "./complete.ts";
import { isTyping } from "./grid.tsx";
import { asked, shift, type Span, zoneless } from "./times.ts";
import { withWord } from "./word.ts";

export function QueryBar({ query, problem, span, onAsk }: { query: string; problem?: Problem; span?: Span; onAsk: (query: string) => void }) {
  const text = useText().search.bar;
  const [draft, setDraft] = useDraft(query);
  const [caret, setCaret] = useState(query.length);
  const [focused, setFocused] = useState(false);
  const [scrolled, setScrolled] = useState(0);
  const box = useRef<HTMLInputElement>(null);
  const wantedCaret = useRef<number | undefined>(undefined);
  useLayoutEffect(() => {
    if (wantedCaret.current === undefined) return;
    box.current?.setSelectionRange(wantedCaret.current, wantedCaret.current);
    wantedCaret.current = undefined;
  }, [draft]);
  useLayoutEffect(() => {
    const key = (event: KeyboardEvent) => {
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      event.preventDefault();
      box.current?.focus();
      box.current?.select();
    };
    document.addEventListener("keydown", key);
    return () => document.removeEventListener("keydown", key);
  }, []);
  const { word, options } = useCompletion(draft, caret, focused);
  const accept = (option: Option) => {
    const next = withWord(draft, word, option.text);
    wantedCaret.current = next.caret;
    setDraft(next.query);
    setCaret(next.caret);
  };
  const leave = () => document.querySelector<HTMLElement>(".event-grid[data-main]")?.focus() ?? box.current?.blur();
  const wrong = problem && draft === query ? problem : undefined;
  const marked = wrong?.place ? place(asked(query), wrong.place).map((at) => Math.min(Math.max(at + shift(query), 0), query.length)) : undefined;
  const [from = 0, to = 0] = marked ?? [];
  const floating = zoneless(draft);
  const submit = (event?: FormEvent) => {
    event?.preventDefault();
    onAsk(draft.trim());
  };
  return (
    <form role="search" className="query-bar" onSubmit={submit}>
      <div className="query-row">
        <Combo
          label={text.label} listLabel={text.suggestions} className="input query-input" placeholder={text.placeholder} value={draft} options={options} inputRef={box} maxLength={8191}
          aria-invalid={wrong ? true : undefined} aria-describedby={wrong ? "query-problem" : undefined}
          onChange={(value) => { setDraft(value); setCaret(box.current?.selectionStart ?? value.length); }} onSelectCapture={() => setCaret(box.current?.selectionStart ?? 0)}
          onScroll={(event) => setScrolled(event.currentTarget.scrollLeft)} onFocus={() => setFocused(true)} onBlur={() => setFocused(false)} onAccept={accept} onEnter={submit} onLeave={leave}
        >
          {wrong && marked ? (
            <div className="query-marks" aria-hidden="true"><div style={{ transform: `translateX(${-scrolled}px)` }}>{query.slice(0, from)}<mark>{query.slice(from, Math.max(to, from + 1)) || " "}</mark></div></div>
          ) : null}
        </Combo>
        {draft === "" ? null : <button type="button" className="button quiet clear" aria-label={text.clear} onClick={() => { setDraft(""); onAsk(""); box.current?.focus(); }}>✕</button>}
        <button type="submit" className="button primary">{text.submit}</button>
      </div>
      {floating.length > 0 && !wrong ? <p className="small muted" role="note">{text.utc(visible(floating.join(" "), 80), span && draft === query ? `${full(span.start)} – ${full(span.end)}` : "")}</p> : null}
      {wrong ? (
        <div id="query-problem" className="notice bad" role="alert">
          <strong>{text.wrong}.</strong> {wrong.message}
          {wrong.help && !wrong.message.includes(wrong.help) ? <div>{wrong.help}</div> : null}
        </div>
      ) : null}
    </form>
  );
}

/** What is wrong with a query, if that is why there is no answer. */
export function problemOf(error: unknown): Problem | undefined {
  return error instanceof ApiError && error.code === 400 && error.problem.parameter === "q" ? error.problem : undefined;
}
