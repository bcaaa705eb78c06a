// The letters, with a box to choose each, and more of them as one scrolls.
import { useEffect, useRef, useState } from "react";
import type { DeadLetter } from "./types.ts";
import { useText } from "../i18n/i18n.ts";
import { Tag } from "../ui/tag.tsx";
import { Time } from "../ui/time.tsx";
import { bytes } from "./format.ts";
import { visible } from "../ui/plain.tsx";

/** How many come by scrolling alone; whoever wants more of such a table says so each time. */
const BY_SCROLLING = 400;
/** How much of what the sender chose is shown in a row. */
const DETAIL = 300;

export function LetterTable({ letters, chosen, onChoose, onOpen, more, loading, failed, onMore }: {
  letters: readonly DeadLetter[];
  chosen: ReadonlySet<number>;
  onChoose: (chosen: ReadonlySet<number>) => void;
  onOpen: (letter: DeadLetter) => void;
  more: boolean;
  loading: boolean;
  failed: boolean;
  onMore: () => void;
}) {
  const text = useText().pipeline.dead;
  const some = letters.some((it) => chosen.has(it.sequence));
  const all = letters.every((it) => chosen.has(it.sequence));
  const toggle = (sequence: number) => {
    const next = new Set(chosen);
    if (!next.delete(sequence)) next.add(sequence);
    onChoose(next);
  };
  return (
    <>
      <div className="scroll" role="group" aria-label={text.list} tabIndex={0}>
        <table className="table letters">
          <caption className="visually-hidden">{text.list}</caption>
          <thead>
            <tr>
              <th scope="col">
                <label className="box">
                  <input type="checkbox" aria-label={text.selectAll} checked={all} ref={(box) => { if (box) box.indeterminate = some && !all; }}
                    onChange={() => onChoose(all ? new Set() : new Set(letters.map((it) => it.sequence)))} />
                </label>
              </th>
              <th scope="col">{text.time}</th><th scope="col">{text.service}</th><th scope="col">{text.cluster}</th><th scope="col">{text.reason}</th>
              <th scope="col">{text.why}</th><th scope="col" className="number">{text.bytes}</th>
            </tr>
          </thead>
          <tbody>
            {letters.map((letter) => (
              <tr key={letter.sequence} data-chosen={chosen.has(letter.sequence) || undefined}>
                <td>
                  <label className="box">
                    <input type="checkbox" aria-label={text.select(letter.sequence)} checked={chosen.has(letter.sequence)} onChange={() => toggle(letter.sequence)} />
                  </label>
                </td>
                <td className="when">
                  <button type="button" className="link" onClick={() => onOpen(letter)}><span className="visually-hidden">{text.open(letter.sequence)}, </span><Time value={letter.time} /></button>
                </td>
                <td>{letter.service}</td>
                <td>{letter.cluster}</td>
                <td><code>{letter.reason}</code>{letter.requeueable ? null : <> <Tag title={letter.why ?? ""}>{text.cannot}</Tag></>}</td>
                <td className="detail">{visible(letter.detail, DETAIL)}</td>
                <td className="number">{bytes(letter.bytes)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <div className="row more">
        <span className="small muted" role="status">{loading ? text.loadingMore : text.shown(letters.length, more)}</span>
        {more ? <button type="button" className="button" disabled={loading} onClick={onMore}>{text.more}</button> : null}
        {more && !failed && letters.length < BY_SCROLLING ? <End length={letters.length} loading={loading} onReached={onMore} /> : null}
      </div>
    </>
  );
}

/** The end of what is there: more is fetched when it comes into view, and again as long as it stays there. */
function End({ length, loading, onReached }: { length: number; loading: boolean; onReached: () => void }) {
  const mark = useRef<HTMLSpanElement>(null);
  const [seen, setSeen] = useState(false);
  const reached = useRef(onReached);
  reached.current = onReached;
  useEffect(() => {
    if (!mark.current) return;
    const observer = new IntersectionObserver((entries) => setSeen(entries.at(-1)?.isIntersecting ?? false), { rootMargin: "200px" });
    observer.observe(mark.current);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    if (seen && !loading) reached.current();
  }, [seen, loading, length]);
  return <span ref={mark} className="end-mark" aria-hidden="true" />;
}
