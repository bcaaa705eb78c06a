// An object: who was shown it, who changed it and how, and what else was done to it.
import { Link } from "wouter";
import { useText } from "../i18n/i18n.ts";
import { is, withTerm, withTime } from "../query/language.ts";
import { searchHref, useParam, useParams } from "../query/url.ts";
import { Empty } from "../ui/state.tsx";
import { Activity } from "./activity.tsx";
import { Changes, Toggle } from "./changes.tsx";
import { Page, useStatistics } from "./frame.tsx";
import { type By, Groups } from "./groups.tsx";
import { objectOf, type ObjectName, objectTerms, objectText, readsTerm, type Scope, useScope } from "./scope.ts";

export default function ObjectPage() {
  const [params] = useParams();
  const object = objectOf(params);
  const text = useText().common;
  if (!object) return <Empty title={text.notFound.title} actions={<Link href="/" className="button">{text.notFound.home}</Link>}><p>{text.notFound.help}</p></Empty>;
  return <About object={object} />;
}

function About({ object }: { object: ObjectName }) {
  const text = useText().investigate;
  const terms = objectTerms(object);
  const scope = useScope(terms, ["object"], "last:7d");
  return (
    <Page kind="object" name={objectText(object)} subject={terms.join(" ")} by="verb" scope={scope}
      note={object.cluster ? <span className="muted small">{text.cluster(object.cluster)}</span> : null}
      tabs={[
        { id: "activity", label: text.tabs.activity, content: () => <Activity q={scope.q} scope={scope} /> },
        { id: "reads", label: text.tabs.reads, content: () => <Reads object={object} scope={scope} /> },
        { id: "changes", label: text.tabs.changes, content: () => <Changes scope={scope} byObject={object.name === ""} actors /> },
        { id: "refused", label: text.tabs.refused, content: () => <Groups scope={scope} terms={["is:denied"]} by={["actor", "ip"]} carried={carriedOf(object)} /> },
      ]} />
  );
}

function carriedOf({ cluster, namespace, resource, name }: ObjectName): Record<string, string> {
  return { cluster, ns: namespace, resource, name };
}

const BY = { actorIp: ["actor", "ip"], actor: ["actor"], credential: ["actor", "credential"], ip: ["ip"] } as const satisfies Record<string, readonly [By] | readonly [By, By]>;

/** Who was shown the object, by its name or among all of its kind: those are requests of another name, which the object's own terms miss. */
function Reads({ object, scope }: { object: ObjectName; scope: Scope }) {
  const text = useText().investigate;
  const [by, setBy] = useParam("by", "actorIp");
  const chosen = by in BY ? (by as keyof typeof BY) : "actorIp";
  const actor = scope.carried.actor;
  const terms = [readsTerm(object), ...(object.cluster ? [is("cluster", object.cluster)] : []), ...(actor ? [is("actor", actor)] : [])];
  const reading = (...more: string[]) => withTime([...terms, ...more].reduce(withTerm, ""), scope.time);
  const reads: Scope = { ...scope, q: reading(), with: reading, timeless: terms.join(" ") };
  const refused = scope.with("is:denied");
  const [named, listed, denied] = [useStatistics(reading("verb:get")).data, useStatistics(reading("verb:list,watch")).data, useStatistics(refused).data];
  return (
    <>
      <p className="row" role="status">
        {named ? <Link href={searchHref(reading("verb:get"))}>{text.reads.named(named.events)}</Link> : "…"}
        {listed ? <><span className="muted">·</span><Link href={searchHref(reading("verb:list,watch"))}>{text.reads.listed(listed.events)}</Link></> : null}
        {denied && denied.events > 0 ? <><span className="muted">·</span><Link href={searchHref(refused)}>{text.reads.refused(denied.events)}</Link></> : null}
      </p>
      <div className="row toolbar">
        <fieldset>
          <legend>{text.groupBy}</legend>
          {(["actorIp", "actor", "credential", "ip"] as const).map((it) => <Toggle key={it} pressed={chosen === it} onPress={() => setBy(it)}>{text.by[it]}</Toggle>)}
        </fieldset>
      </div>
      <Groups scope={reads} by={BY[chosen]} carried={carriedOf(object)} />
    </>
  );
}
