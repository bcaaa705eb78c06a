// Requeue and discard: asked for once more before anything happens, and told afterwards.
import { useState } from "react";
import type { DeadLetter } from "./types.ts";
import { useText } from "../i18n/i18n.ts";
import { Modal } from "../ui/dialog.tsx";
import { type Deed, type Outcome, useDeed } from "./letters.ts";

/** Failures that are told one by one. */
const TOLD = 5;

export function Actions({ selection, onUnselect, onDone }: { selection: readonly DeadLetter[]; onUnselect: () => void; onDone: (outcome: Outcome) => void }) {
  const text = useText().pipeline.dead;
  const [asked, setAsked] = useState<Deed>();
  const can = selection.filter((it) => it.requeueable);
  const none = selection.length === 0;
  return (
    <div className="row actions">
      <span className="selected" role="status">{text.selected(selection.length)}</span>
      <button type="button" className="button" disabled={can.length === 0} onClick={() => setAsked("requeue")}>{none ? text.requeue : text.requeueSome(can.length, selection.length)}</button>
      <button type="button" className="button danger" disabled={none} onClick={() => setAsked("discard")}>{text.discard}</button>
      {none ? null : <button type="button" className="button quiet" onClick={onUnselect}>{text.unselect}</button>}
      {asked ? (
        <Confirm deed={asked} letters={asked === "requeue" ? can : selection} left={asked === "requeue" ? selection.length - can.length : 0}
          onClose={() => setAsked(undefined)} onDone={(outcome) => { setAsked(undefined); onDone(outcome); }} />
      ) : null}
    </div>
  );
}

/** Asks whether it is meant, and does it. */
export function Confirm({ deed, letters, left = 0, onClose, onDone }: {
  deed: Deed;
  letters: readonly Pick<DeadLetter, "sequence">[];
  /** Letters of the selection that it is not done with. */
  left?: number;
  onClose: () => void;
  onDone: (outcome: Outcome) => void;
}) {
  const { common, pipeline: { dead: text } } = useText();
  const { run, progress } = useDeed();
  const requeue = deed === "requeue";
  const start = () => void run(deed, letters).then(onDone);
  return (
    <Modal open onClose={() => { if (!progress) onClose(); }} title={requeue ? text.requeueTitle(letters.length) : text.discardTitle(letters.length)}>
      <p>{requeue ? text.requeueHelp : text.discardHelp}</p>
      {left > 0 ? <p className="notice">{text.requeueLeaves(left)}</p> : null}
      <div className="actions">
        <span className="grow muted" role="status">{progress ? text.working(progress.done, progress.all) : ""}</span>
        <button type="button" className="button" disabled={progress !== undefined} onClick={onClose}>{common.cancel}</button>
        <button type="button" className={requeue ? "button primary" : "button danger"} disabled={progress !== undefined} onClick={start}>{requeue ? text.requeue : text.discard}</button>
      </div>
    </Modal>
  );
}

/** What became of it. */
export function Told({ outcome, onClose }: { outcome: Outcome; onClose: () => void }) {
  const { common, pipeline: { dead: text } } = useText();
  const { deed, done, gone, failures } = outcome;
  return (
    <div className={`notice told ${failures.length > 0 ? "bad" : "good"}`} role={failures.length > 0 ? "alert" : "status"}>
      <div>
        {done > 0 || failures.length + gone === 0 ? <p>{deed === "requeue" ? text.requeued(done) : text.discarded(done)}</p> : null}
        {gone > 0 ? <p>{text.wereGone(gone)}</p> : null}
        {failures.length > 0 ? (
          <>
            <p>{text.failedSome(failures.length)}</p>
            <ul>
              {failures.slice(0, TOLD).map((it) => <li key={it.sequence}>{text.failedOne(it.sequence, it.why)}</li>)}
              {failures.length > TOLD ? <li>{text.furtherFailures(failures.length - TOLD)}</li> : null}
            </ul>
          </>
        ) : null}
      </div>
      <button type="button" className="button small" onClick={onClose}>{common.close}</button>
    </div>
  );
}
