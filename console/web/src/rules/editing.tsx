// A rule being written: checked as one types, tried on what happened, applied by those who may.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";
import { Link, useLocation } from "wouter";
import { visible } from "../ui/plain.tsx";
import { getRule, listRules, putRule, type Rule } from "../api/rules.ts";
import { useText } from "../i18n/i18n.ts";
import { ApplyDialog, NotApplied } from "./apply.tsx";
import { useCheck } from "./check.ts";
import { Conflict } from "./conflict.tsx";
import { isCode, partsOf, ruleHref, ruleKey, RULES } from "./data.ts";
import { draftOf, dropDraft, keepDraft } from "./draft.ts";
import { Findings } from "./findings.tsx";
import { useLeave } from "./leave.tsx";
import { outline } from "./outline.ts";
import { type EditorHandle, SourceEditor } from "./source-editor.tsx";
import { Unmanaged } from "./states.tsx";
import { TEMPLATE } from "./template.ts";
import { TrialPanel } from "./trial.tsx";

/** The rule is another one than the text was begun with; absent, where it was deleted. */
class Changed extends Error {
  readonly theirs: Rule | undefined;
  constructor(theirs: Rule | undefined) {
    super("changed");
    this.theirs = theirs;
  }
}

export default function Editing({ opened }: { opened?: Rule }) {
  const text = useText().rules;
  const own = opened?.name ?? "";
  const [draft] = useState(() => draftOf(own));
  // A draft goes on from the version that it was begun with: if there is another by now, applying tells of it.
  const [base, setBase] = useState(() => opened && draft ? { ...opened, etag: draft.etag, source: draft.begun } : opened);
  const [source, setSource] = useState(draft?.source ?? opened?.source ?? TEMPLATE);
  const check = useCheck(source);
  const editor = useRef<EditorHandle>(null);
  const queries = useQueryClient();
  const [, navigate] = useLocation();
  const unchanged = base?.source ?? TEMPLATE;
  const dirty = source !== unchanged;
  const leave = useLeave(dirty, () => dropDraft(own));
  useEffect(() => {
    if (dirty) keepDraft(own, { etag: base?.etag ?? "", begun: unchanged, source });
    else dropDraft(own);
  }, [own, dirty, base, unchanged, source]);
  const said = useMemo(() => outline(source), [source]);
  // A rule that is there keeps its name: the path, not the text, says which it is.
  const place = base ? partsOf(base) : { namespace: said.namespace ?? "default", name: said.name ?? "" };

  const put = async (validateOnly: boolean): Promise<Rule> => {
    if (base === undefined) {
      const { items } = await queries.fetchQuery({ queryKey: RULES, queryFn: ({ signal }) => listRules(signal), staleTime: 0 });
      const there = items.find((it) => it.name === `namespaces/${place.namespace}/rules/${place.name}`);
      if (there) throw new Changed(there);
    }
    try {
      return await putRule(place.namespace, place.name, { source, ...(base ? { etag: base.etag } : {}) }, validateOnly);
    } catch (error) {
      if (base && (isCode(error, 409) || isCode(error, 404))) throw new Changed(await current(place));
      throw error;
    }
  };
  const validation = useMutation({ mutationFn: () => put(true) });
  const application = useMutation({
    mutationFn: () => put(false),
    onSuccess: (rule) => {
      const { namespace, name } = partsOf(rule);
      queries.setQueryData(ruleKey(namespace, name), rule);
      void queries.invalidateQueries({ queryKey: RULES });
      leave.pass();
      dropDraft(own);
      navigate(ruleHref(namespace, name), { state: { applied: true } });
    },
    onSettled: () => validation.reset(),
  });
  const [forget, forgetAnswer] = [application.reset, validation.reset];
  // What was said of another text is not true of this one.
  useEffect(() => {
    forget();
    forgetAnswer();
  }, [source, forget, forgetAnswer]);

  const error = validation.error ?? application.error;
  if (base === undefined && check.error && isCode(check.error, 404)) return <Unmanaged said={check.error.message} />;
  const rebase = (theirs: Rule | undefined, keep: boolean) => {
    validation.reset();
    application.reset();
    if (theirs) queries.setQueryData(ruleKey(place.namespace, place.name), theirs);
    setBase(theirs);
    if (!keep && theirs) setSource(theirs.source);
  };
  return (
    <div className="rules editing">
      <p className="small"><Link href={opened ? ruleHref(place.namespace, place.name) : "/rules"}>← {opened ? text.editor.close : text.back}</Link></p>
      <header className="page-head row">
        <h1 className="grow">{opened ? text.editor.title(visible(place.name, 200)) : text.editor.newTitle}</h1>
        <span className="small muted" role="status">{dirty ? text.editor.changed : text.editor.unchanged}</span>
        <button type="button" className="button" disabled={!dirty} onClick={() => setSource(unchanged)}>{text.editor.discard}</button>
        <button type="button" className="button primary" disabled={place.name === "" || (base !== undefined && !dirty) || validation.isPending}
          onClick={() => { application.reset(); validation.mutate(); }}>
          {validation.isPending ? text.apply.checking : text.editor.apply}
        </button>
      </header>
      {draft && dirty ? <p className="notice" role="status">{text.editor.restored}</p> : null}
      {place.name === "" ? <p className="notice warn">{text.editor.unnamed}</p> : null}
      {error instanceof Changed ? <Conflict before={base} theirs={error.theirs} source={source} onRebase={rebase} /> : error ? <NotApplied error={error} /> : null}
      <SourceEditor ref={editor} value={source} onChange={setSource} found={check.answer} />
      <p className="small muted">{text.editor.help}</p>
      <Findings check={check} onJump={(it) => editor.current?.jump(it)} />
      <TrialPanel source={source} rules={said.rules} onJump={(it) => editor.current?.jump(it)} />
      <ApplyDialog before={base} after={validation.data} source={source} applying={application.isPending} onApply={() => application.mutate()} onClose={() => validation.reset()} />
      {leave.dialog}
    </div>
  );
}

async function current({ namespace, name }: { namespace: string; name: string }): Promise<Rule | undefined> {
  try {
    return await getRule(namespace, name);
  } catch (error) {
    if (isCode(error, 404)) return undefined;
    throw error;
  }
}
