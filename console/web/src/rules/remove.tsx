// Deleting a rule, by somebody who says its name.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { visible } from "../ui/plain.tsx";
import { deleteRule, type Rule } from "../api/rules.ts";
import { useText } from "../i18n/i18n.ts";
import { Modal } from "../ui/dialog.tsx";
import { isCode, partsOf, ruleKey, RULES } from "./data.ts";

export function Remove({ rule, open, onClose, onRemoved }: { rule: Rule; open: boolean; onClose: () => void; onRemoved: () => void }) {
  const all = useText();
  const text = all.rules.remove;
  const { namespace, name } = partsOf(rule);
  const [typed, setTyped] = useState("");
  const queries = useQueryClient();
  const removal = useMutation({
    mutationFn: () => deleteRule(namespace, name, rule.etag),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: RULES });
      queries.removeQueries({ queryKey: ruleKey(namespace, name) });
      onRemoved();
    },
    onError: (error) => {
      if (isCode(error, 409)) void queries.invalidateQueries({ queryKey: ruleKey(namespace, name) });
    },
  });
  const close = () => {
    setTyped("");
    removal.reset();
    onClose();
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (typed === name) removal.mutate();
  };
  return (
    <Modal open={open} onClose={close} title={text.title(visible(name, 200))}>
      <form onSubmit={submit}>
        <p>{text.help(rule.entries.filter((it) => it.kind === "rule").length)}</p>
        <label className="field">
          <span>{text.type(visible(name, 300))}</span>
          <input className="input mono" value={typed} autoComplete="off" spellCheck={false} onChange={(event) => setTyped(event.target.value)} />
        </label>
        {removal.error ? (
          <div className="notice bad" role="alert">
            <strong>{isCode(removal.error, 403) ? all.rules.apply.refused : text.failed}</strong> {isCode(removal.error, 409) ? text.conflict : null} {removal.error.message}
          </div>
        ) : null}
        <div className="actions">
          <button type="button" className="button" onClick={close}>{all.common.cancel}</button>
          <button type="submit" className="button danger" disabled={typed !== name || removal.isPending}>{removal.isPending ? text.deleting : text.confirm}</button>
        </div>
      </form>
    </Modal>
  );
}
