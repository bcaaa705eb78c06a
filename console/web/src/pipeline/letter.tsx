// One dead letter: why it is one, and what it holds.
import { useMemo, useState } from "react";
import { ApiError } from "../api/client.ts";
import type { DeadLetterWhole } from "./types.ts";
import { useText } from "../i18n/i18n.ts";
import { Copy } from "../ui/copy.tsx";
import { Modal } from "../ui/dialog.tsx";
import { Empty, Failed, Loading } from "../ui/state.tsx";
import { Time } from "../ui/time.tsx";
import { Confirm } from "./dead-actions.tsx";
import { bytes } from "./format.ts";
import { type Deed, type Outcome, useLetter } from "./letters.ts";
import { visible } from "../ui/plain.tsx";
import { blob, indented } from "./payload.ts";

export function LetterDialog({ sequence, onClose, onDone }: { sequence: number; onClose: () => void; onDone: (outcome: Outcome) => void }) {
  const { common, pipeline: text } = useText();
  const { data, error, refetch } = useLetter(sequence);
  const [asked, setAsked] = useState<Deed>();
  return (
    <Modal open onClose={onClose} title={text.letter.title(sequence)}>
      <div className="letter">
        {data ? <Letter whole={data} />
          : error instanceof ApiError && error.code === 404 ? <Empty title={text.letter.gone}><p>{text.letter.goneHelp}</p></Empty>
          : error ? <Failed error={error} onRetry={() => void refetch()} />
          : <Loading />}
      </div>
      <div className="actions">
        {data?.letter.requeueable ? <button type="button" className="button" onClick={() => setAsked("requeue")}>{text.dead.requeue}</button> : null}
        {data ? <button type="button" className="button danger" onClick={() => setAsked("discard")}>{text.dead.discard}</button> : null}
        <button type="button" className="button" onClick={onClose}>{common.close}</button>
      </div>
      {asked ? <Confirm deed={asked} letters={[{ sequence }]} onClose={() => setAsked(undefined)} onDone={onDone} /> : null}
    </Modal>
  );
}

function Letter({ whole: { letter, payload, base64, truncated } }: { whole: DeadLetterWhole }) {
  const { letter: text, dead } = useText().pipeline;
  return (
    <>
      <dl className="facts">
        <dt>{dead.time}</dt><dd><Time value={letter.time} as="full" /></dd>
        <dt>{dead.service}</dt><dd>{letter.service}</dd>
        <dt>{dead.cluster}</dt><dd>{letter.cluster}</dd>
        <dt>{dead.reason}</dt><dd><code>{letter.reason}</code></dd>
        <dt>{text.detail}</dt><dd className="detail">{visible(letter.detail)}</dd>
        <dt>{text.batch}</dt><dd className={letter.batch ? "mono" : "muted"}>{letter.batch || text.sender}</dd>
        <dt>{dead.bytes}</dt><dd>{bytes(letter.bytes)}</dd>
      </dl>
      {letter.requeueable ? null : <p className="notice warn">{text.stays(letter.why ?? "")}</p>}
      <Payload payload={payload} base64={base64} truncated={truncated} name={`dead-letter-${letter.sequence}`} />
    </>
  );
}

function Payload({ payload, base64, truncated, name }: { payload: string; base64: boolean; truncated: boolean; name: string }) {
  const text = useText().pipeline.letter;
  const json = useMemo(() => (base64 ? undefined : indented(payload)), [payload, base64]);
  const [raw, setRaw] = useState(false);
  const shown = useMemo(() => visible(raw ? payload : (json ?? payload), Number.POSITIVE_INFINITY), [raw, json, payload]);
  const download = () => {
    const url = URL.createObjectURL(blob(payload, base64));
    const link = document.createElement("a");
    link.href = url;
    link.download = json === undefined ? `${name}.bin` : `${name}.json`;
    link.click();
    URL.revokeObjectURL(url);
  };
  return (
    <section aria-labelledby="payload">
      <header className="row">
        <h3 id="payload" className="grow">{text.payload}</h3>
        {json === undefined ? null : (
          <span role="group" aria-label={text.view} className="row">
            <button type="button" className="button small" aria-pressed={!raw} onClick={() => setRaw(false)}>{text.pretty}</button>
            <button type="button" className="button small" aria-pressed={raw} onClick={() => setRaw(true)}>{text.asReceived}</button>
          </span>
        )}
        <Copy value={payload} label={text.copy} />
        <button type="button" className="button small" onClick={download}>{text.download}</button>
      </header>
      <p className="notice warn small">{text.secrets}</p>
      {base64 ? <p className="small muted">{text.base64}</p> : null}
      {truncated ? <p className="small muted">{text.truncated}</p> : null}
      {payload === "" ? <p className="muted">{text.empty}</p> : <pre className="payload" role="group" aria-labelledby="payload" tabIndex={0}>{shown}</pre>}
    </section>
  );
}
