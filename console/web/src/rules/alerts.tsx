// What the rules of a resource alerted lately.
import { useMemo, useState } from "react";
import { Link } from "wouter";
import "../alerts/alerts.css";
import { useAlertGroups } from "../alerts/data.ts";
import { Groups } from "../alerts/groups.tsx";
import { rangeOf } from "../alerts/period.ts";
import { useText } from "../i18n/i18n.ts";
import { Empty, Failed, Loading } from "../ui/state.tsx";

export function AlertsOf({ rules }: { rules: readonly string[] }) {
  const text = useText().rules.alertsOf;
  const [now] = useState(Date.now);
  const [open, setOpen] = useState("");
  const start = rangeOf("7d", now).start ?? "";
  const filter = useMemo(() => ({ rule: [...rules], start }), [rules, start]);
  const groups = useAlertGroups(filter);
  const all = <Link href="/alerts?time=7d" className="button">{text.all}</Link>;
  if (groups.isPending) return <Loading />;
  if (groups.isError) return <Failed error={groups.error} onRetry={() => void groups.refetch()} />;
  if (groups.data.items.length === 0) return <Empty title={text.none} actions={all} />;
  return (
    <>
      <p className="muted">{text.help}</p>
      <div className="card wide"><Groups groups={groups.data.items} filter={filter} open={open} onOpen={setOpen} /></div>
    </>
  );
}
