// What a request changed, place by place.
import { Link } from "wouter";
import type { AuditEvent, Schemas } from "../api/client.ts";
import { useText } from "../i18n/i18n.ts";
import { hrefs } from "../query/url.ts";
import { full } from "../time.ts";
import { Long } from "./long.tsx";
import { json, Plain } from "../ui/plain.tsx";

type Change = Schemas["Change"];
type Words = ReturnType<typeof useText>["event"]["change"];

/** As many places as the API tells at most. */
const MOST = 500;

/** Whether there is anything to say of a change: of reads, and of sessions in a pod, there is not. */
export function tellsChange(change: Change): boolean {
  return change.kind !== "none" || (!!change.reason && change.reason !== "it is no change of the object itself" && /^no body|dry run|deletion|read/.test(change.reason));
}

/** Why there is no more, in the viewer's language where it is one of the known causes. */
function reasonIn(words: Words, reason: string): string {
  const [, body, level] = /^no body( of the answer)?: level (\w*)$/.exec(reason) ?? [];
  if (level !== undefined) return body ? words.noAnswer(level) : words.noBody(level);
  const stage = /^no body at stage (\w*)$/.exec(reason)?.[1];
  if (stage !== undefined) return words.noBodyAtStage(stage);
  if (reason.startsWith("no earlier event recorded")) return words.noEarlier;
  if (reason.startsWith("a dry run")) return words.dryRun;
  if (reason.startsWith("each object that it deleted")) return words.collection;
  if (reason === "the record can't be read") return words.unreadable;
  return reason;
}

function summary(words: Words, change: Change): string {
  const before = change.before ? full(change.before.time) : "";
  switch (change.kind) {
    case "created": return words.createdAs;
    case "compared": return words.compared(before);
    case "afterOnly": return words.afterOnly;
    case "patch": return words.patch;
    case "deleted": return before ? words.deletedAs(before) : words.deleted;
    case "none": return words.none;
  }
}

export function Difference({ change, event, q = "" }: { change: Change; event: Pick<AuditEvent, "id">; q?: string }) {
  const words = useText().event.change;
  const places = change.places ?? [];
  const compared = change.kind === "compared";
  return (
    <div className="difference">
      <p>
        {change.kind === "none" && change.reason ? null : <>{summary(words, change)} </>}
        {compared ? (change.exact ? words.exact : words.inexact) : null}
        {change.reason ? <> <Plain text={reasonIn(words, change.reason)} limit={400} /></> : null}{" "}
        {change.before && change.before.id !== event.id ? <Link href={hrefs.event(change.before.id, q)}>{words.earlier}</Link> : null}
      </p>
      {compared && places.length === 0 ? <p className="muted">{words.nothing}</p> : null}
      {places.length > 0 ? <Places places={places} /> : null}
      {places.length >= MOST ? <p className="muted">{words.limit(MOST)}</p> : null}
      {change.patch !== undefined && change.patch !== null ? <pre className="patch"><Long text={json(change.patch)} limit={2000} /></pre> : null}
    </div>
  );
}

function Places({ places }: { places: NonNullable<Change["places"]> }) {
  const words = useText().event.change;
  // A column of nothing but dashes says nothing.
  const before = places.some((it) => "before" in it);
  const after = places.some((it) => "after" in it);
  return (
    <div className="places" role="table" aria-label={words.path}>
      <div role="row" className="head">
        <span role="columnheader">{words.path}</span>
        {before ? <span role="columnheader">{words.before}</span> : null}
        {after ? <span role="columnheader">{words.after}</span> : null}
      </div>
      {places.map((place) => (
        <div role="row" key={place.path} className={before && after ? "both" : "one"}>
          <code role="cell" className="at"><Plain text={place.path} limit={500} /></code>
          {before ? <State kind="before" there={"before" in place} value={place.before} /> : null}
          {after ? <State kind="after" there={"after" in place} value={place.after} /> : null}
        </div>
      ))}
    </div>
  );
}

function State({ kind, there, value }: { kind: "before" | "after"; there: boolean; value: unknown }) {
  const words = useText().event.change;
  return (
    <div role="cell" className={there ? kind : "absent"}>
      {there ? <><span className="sign" aria-hidden="true">{kind === "before" ? "−" : "+"}</span><pre><Long text={json(value)} limit={240} /></pre></> : <span className="muted">{words.absent}</span>}
    </div>
  );
}
