// A user: what they did, from where, what they changed, what was refused, and which secrets they read.
import { Link } from "wouter";
import { Plain } from "../ui/plain.tsx";
import { useText } from "../i18n/i18n.ts";
import { is, withTime } from "../query/language.ts";
import { hrefs, searchHref, useParam, usePathValue } from "../query/url.ts";
import { Activity } from "./activity.tsx";
import { Changes, Toggle } from "./changes.tsx";
import { Page, useStatistics } from "./frame.tsx";
import { Groups } from "./groups.tsx";
import { type Scope, useScope } from "./scope.ts";
import { newSince } from "./times.ts";

export default function User() {
  const name = usePathValue("/users/");
  const text = useText().investigate;
  const subject = is("actor", name);
  const scope = useScope([subject], ["actor"], "last:24h");
  // Credentials and addresses are of whoever authenticated: those of somebody who acts as this user are not this user's.
  const authenticated = useScope([is("user", name)], ["actor"], "last:24h");
  const impersonated = scope.with(`-${is("user", name)}`);
  const carried = { actor: name };
  const others = withTime(`${is("user", name)} -${subject}`, scope.time);
  const acted = useStatistics(others).data;
  return (
    <Page kind="user" name={name} subject={subject} by="verb" scope={scope}
      note={acted && acted.events > 0 ? <Link className="small" href={searchHref(others)}>{text.asOthers(acted.events)}</Link> : null}
      tabs={[
        { id: "activity", label: text.tabs.activity, content: () => <Activity q={scope.q} scope={scope} /> },
        { id: "addresses", label: text.tabs.addresses, content: () => <Addresses scope={authenticated} carried={carried} impersonated={impersonated} /> },
        { id: "changes", label: text.tabs.changes, content: () => <Changes scope={scope} /> },
        { id: "refused", label: text.tabs.refused, content: () => <Groups scope={scope} terms={["is:denied"]} by={["resource", "namespace"]} carried={carried} /> },
        { id: "secrets", label: text.tabs.secrets, content: () => <Secrets scope={scope} actor={name} /> },
      ]} />
  );
}

/** Addresses with the credentials that were used there. */
export function Addresses({ scope, carried, byCredential = true, impersonated = "" }: {
  scope: Scope;
  carried?: Record<string, string>;
  byCredential?: boolean;
  /** The query of what others did as this user, which is not among these. */
  impersonated?: string;
}) {
  const text = useText().investigate;
  const byOthers = useStatistics(impersonated, impersonated !== "").data;
  const [days, setDays] = useParam("new");
  const since = days === "7" || days === "1" ? Number(days) : undefined;
  return (
    <>
      <div className="row toolbar">
        {([1, 7] as const).map((it) => (
          <Toggle key={it} title={text.newSinceHelp(it)} pressed={since === it} onPress={() => setDays(since === it ? "" : String(it))}>{text.newSince(it)}</Toggle>
        ))}
        {byOthers && byOthers.events > 0 ? <Link className="small" href={searchHref(impersonated)}>{text.byOthers(byOthers.events)}</Link> : null}
      </div>
      <Groups scope={scope} by={byCredential ? ["ip", "credential"] : ["ip"]} newSince={since === undefined ? undefined : (newSince(scope.time, since) ?? "")} carried={carried} />
    </>
  );
}

/** Which secrets were read: by name, or all of a namespace. */
function Secrets({ scope, actor }: { scope: Scope; actor: string }) {
  const text = useText().investigate;
  return (
    <Groups scope={scope} terms={["resource:secrets", "is:read", "-is:failed"]} by={["namespace", "name"]}
      cell={(field, value, row) => {
        const [namespace = "", name = ""] = row.values;
        if (field === "namespace") return value === "" ? <span className="muted">{text.noValue}</span> : <code><Plain text={value} /></code>;
        const href = hrefs.object({ namespace, resource: "secrets", name }, { actor, time: scope.carried.time ?? "", tab: "reads" });
        return <Link href={href}>{name === "" ? text.allOfThem : <code><Plain text={name} /></code>}</Link>;
      }} />
  );
}
