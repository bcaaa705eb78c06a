// What can be said of an event that is not there.
import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { answer, api } from "../api/client.ts";
import { type Alert, alertsOf } from "../api/alerts.ts";
import { useText } from "../i18n/i18n.ts";
import { hrefs } from "../query/url.ts";
import { useMe } from "../session/me.ts";
import { full } from "../time.ts";
import { Tag } from "../ui/tag.tsx";
import { Time } from "../ui/time.tsx";
import { type Back, BackLink } from "./back.tsx";
import { Long } from "./long.tsx";
import { Plain } from "../ui/plain.tsx";

export function Missing({ id, back }: { id: string; back: Back }) {
  const text = useText().event.missing;
  const alerts = useQuery({ queryKey: ["alerts", "of", id], queryFn: ({ signal }) => alertsOf(id, signal), retry: false });
  const kept = useQuery({ queryKey: ["coverage", ""], queryFn: ({ signal }) => answer(api.GET("/api/v1/coverage", { signal })) }).data;
  const me = useMe().data;
  const alert = alerts.data?.[0];
  const old = alert && kept?.oldest && alert.time < kept.oldest;
  return (
    <>
      <section className="card missing">
        <h1>{text.title}</h1>
        <p className="mono muted"><Plain text={id} /></p>
        {alert ? <p>{old ? text.alertedOld(kept.retentionDays) : text.alertedOnly}</p> : alerts.isPending ? null : (
          <>
            <p>{text.why}</p>
            <ul>
              {alerts.isError ? <li>{text.unknownAlert}</li> : null}
              {kept && kept.retentionDays > 0 ? <li>{text.expired(kept.retentionDays)}</li> : null}
              <li>{text.never}</li>
              {me && !me.everything ? <li>{text.notYours}</li> : null}
            </ul>
            {alerts.isSuccess ? <p>{text.noAlert}</p> : null}
          </>
        )}
        {kept?.oldest ? <p className="muted">{text.oldest(full(kept.oldest))}</p> : null}
        <p><BackLink back={back} /></p>
      </section>
      {(alerts.data ?? []).map((it) => <AlertFacts key={it.id} alert={it} />)}
    </>
  );
}

function AlertFacts({ alert }: { alert: Alert }) {
  const text = useText().event;
  const { user, ip, resource, namespace, name, subresource, time } = alert;
  const around = `around:${time}/12h`;
  const rows: [string, React.ReactNode][] = [
    [text.field.time, <Time value={time} as="full" />],
    [text.missing.alerted, <Time value={alert.alertedTime} as="full" />],
    [text.missing.rule, <code><Plain text={alert.rule} /></code>],
    [text.missing.priority, <Tag tone="warn">{alert.priority}</Tag>],
    [text.missing.message, <Long text={alert.message} />],
    [text.field.user, user ? <Link href={hrefs.user(user, { time: around })}><Plain text={user} /></Link> : ""],
    [text.field.verb, <Plain text={alert.verb} />],
    [text.field.resource, resource ? <Link href={hrefs.object({ cluster: alert.cluster, namespace, resource, name }, { time: around })}><Plain text={`${resource}${subresource ? `/${subresource}` : ""} ${namespace ? `${namespace}/` : ""}${name}`} /></Link> : ""],
    [text.field.ip, ip ? <Link href={hrefs.address(ip, { time: around })}><Plain text={ip} /></Link> : ""],
    [text.field.cluster, <Plain text={alert.cluster} />],
    [text.field.auditID, <code><Plain text={alert.auditID} /></code>],
  ];
  return (
    <section className="card" aria-label={text.missing.alert}>
      <header><h2>{text.missing.alert}</h2></header>
      <dl className="fields">
        {rows.filter(([, value]) => value !== "").map(([label, value]) => <div key={label}><dt>{label}</dt><dd>{value}</dd></div>)}
      </dl>
    </section>
  );
}
