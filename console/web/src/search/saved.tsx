// The viewer's own searches, kept by the console.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { answer, api, type Schemas } from "../api/client.ts";
import { useText } from "../i18n/i18n.ts";
import { Modal } from "../ui/dialog.tsx";
import { visible } from "../ui/plain.tsx";
import { Popover } from "./popover.tsx";

type SavedSearch = Schemas["SavedSearch"];
type Asked = { kind: "save" } | { kind: "rename" | "remove"; search: SavedSearch };

export default function Saved({ query, onAsk }: { query: string; onAsk: (query: string) => void }) {
  const text = useText().search.saved;
  const client = useQueryClient();
  const [open, setOpen] = useState(false);
  const [dialog, setDialog] = useState<Asked | undefined>();
  const list = useQuery({
    queryKey: ["searches"],
    queryFn: ({ signal }) => answer(api.GET("/api/v1/searches", { signal })),
    enabled: open,
  });
  const changed = useMutation({
    mutationFn: async (change: { id?: string; name?: string; q?: string }) => {
      const { id, name, q } = change;
      if (id === undefined) await answer(api.POST("/api/v1/searches", { body: { name: name ?? "", q: q ?? "" } }));
      else if (name === undefined) await answer(api.DELETE("/api/v1/searches/{id}", { params: { path: { id } } }));
      else await answer(api.PUT("/api/v1/searches/{id}", { params: { path: { id } }, body: { name, q: q ?? "" } }));
    },
    onSuccess: async () => {
      setDialog(undefined);
      await client.invalidateQueries({ queryKey: ["searches"] });
    },
  });
  const ask = (next: Asked) => {
    changed.reset();
    setOpen(false);
    setDialog(next);
  };
  const failed = changed.isError ? <p className="notice bad" role="alert">{text.failed(changed.error.message)}</p> : null;
  const items = list.data?.items ?? [];
  return (
    <>
      <Popover label={text.label} shown={text.label} title={text.label} className="button small" open={open} onOpen={setOpen}>
        <button type="button" className="button" onClick={() => ask({ kind: "save" })}>{text.save}</button>
        {failed}
        {list.isError ? <p className="notice bad">{text.failed(list.error.message)}</p> : null}
        {list.data && items.length === 0 ? <p className="muted">{text.none}</p> : null}
        <ul className="saved">
          {items.map((it) => {
            const name = visible(it.name);
            return (
              <li key={it.id}>
                <button type="button" className="saved-open" onClick={() => { setOpen(false); onAsk(it.q); }}>
                  <strong>{name}</strong>
                  <span className="mono muted">{it.q === "" ? text.everything : visible(it.q)}</span>
                </button>
                <button type="button" className="button quiet small" aria-label={text.overwrite(name)} title={text.overwrite(name)} onClick={() => changed.mutate({ id: it.id, name: it.name, q: query })}>↓</button>
                <button type="button" className="button quiet small" aria-label={text.rename(name)} title={text.rename(name)} onClick={() => ask({ kind: "rename", search: it })}>✎</button>
                <button type="button" className="button quiet small" aria-label={text.remove(name)} title={text.remove(name)} onClick={() => ask({ kind: "remove", search: it })}>✕</button>
              </li>
            );
          })}
        </ul>
      </Popover>
      {dialog?.kind === "remove" ? (
        <Modal open onClose={() => setDialog(undefined)} title={text.removeTitle}>
          <p>{text.removeHelp(visible(dialog.search.name))}</p>
          {failed}
          <Actions submit={<button type="button" className="button danger" disabled={changed.isPending} onClick={() => changed.mutate({ id: dialog.search.id })}>{text.removeConfirm}</button>} onCancel={() => setDialog(undefined)} />
        </Modal>
      ) : dialog ? (
        <Modal open onClose={() => setDialog(undefined)} title={dialog.kind === "save" ? text.saveTitle : text.renameTitle}>
          <NameForm
            initial={dialog.kind === "rename" ? dialog.search.name : ""} pending={changed.isPending} onCancel={() => setDialog(undefined)}
            onName={(name) => changed.mutate(dialog.kind === "rename" ? { id: dialog.search.id, name, q: dialog.search.q } : { name, q: query })}
          >
            <p className="mono muted">{(dialog.kind === "rename" ? dialog.search.q : query) || text.everything}</p>
            {failed}
          </NameForm>
        </Modal>
      ) : null}
    </>
  );
}

function NameForm({ initial, pending, onName, onCancel, children }: { initial: string; pending: boolean; onName: (name: string) => void; onCancel: () => void; children: React.ReactNode }) {
  const { search, common } = useText();
  const [name, setName] = useState(initial);
  return (
    <form onSubmit={(event) => { event.preventDefault(); if (name.trim() !== "") onName(name.trim()); }}>
      <label className="field"><span>{search.saved.name}</span><input className="input" value={name} maxLength={200} required onChange={(event) => setName(event.target.value)} /></label>
      {children}
      <Actions submit={<button type="submit" className="button primary" disabled={pending}>{common.save}</button>} onCancel={onCancel} />
    </form>
  );
}

function Actions({ submit, onCancel }: { submit: React.ReactNode; onCancel: () => void }) {
  const { common } = useText();
  return <div className="actions"><button type="button" className="button" onClick={onCancel}>{common.cancel}</button>{submit}</div>;
}
