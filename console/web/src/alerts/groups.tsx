// Alerts by their rules: a row each, that opens to the alerts themselves.
import { Link } from "wouter";
import type { AlertFilter, AlertGroup } from "../api/alerts.ts";
import { number, useText } from "../i18n/i18n.ts";
import { Time } from "../ui/time.tsx";
import { AlertList } from "./list.tsx";
import { visible } from "../ui/plain.tsx";
import { Outcome, Priority } from "./tags.tsx";

export const groupId = (group: Pick<AlertGroup, "rule" | "priority">) => `${group.priority} ${group.rule}`;

export function Groups({ groups, filter, open, onOpen }: {
  groups: readonly AlertGroup[];
  filter: AlertFilter;
  /** The group that is open. */
  open: string;
  onOpen: (id: string) => void;
}) {
  const text = useText().alerts;
  return (
    <table className="table alert-groups">
      <caption className="visually-hidden">{text.groups}</caption>
      <thead>
        <tr>
          <th scope="col">{text.rule}</th>
          <th scope="col" className="number">{text.alerts}</th>
          <th scope="col" className="number">{text.users}</th>
          <th scope="col">{text.first}</th>
          <th scope="col">{text.last}</th>
          <th scope="col">{text.latest}</th>
        </tr>
      </thead>
      {groups.map((group) => (
        <GroupRows key={groupId(group)} group={group} filter={filter} open={open === groupId(group)} onOpen={onOpen} />
      ))}
    </table>
  );
}

function GroupRows({ group, filter, open, onOpen }: { group: AlertGroup; filter: AlertFilter; open: boolean; onOpen: (id: string) => void }) {
  const text = useText().alerts;
  const id = groupId(group);
  const { latest } = group;
  const [resource = ""] = group.rule.split(".");
  return (
    <tbody>
      <tr className={open ? "open" : undefined}>
        <th scope="row">
          <div className="group-name">
            <button type="button" className="expander" aria-expanded={open} onClick={() => onOpen(open ? "" : id)}>
              <span aria-hidden="true">{open ? "▾" : "▸"}</span> <span>{visible(group.rule, 200)}</span>
            </button>
            <Priority priority={group.priority} />
          </div>
        </th>
        <td className="number" data-label={text.alerts}>{number(group.count)}</td>
        <td className="number" data-label={text.users}>{number(group.users)}</td>
        <td className="when" data-label={text.first}><Time value={group.firstSeen} as="ago" /></td>
        <td className="when" data-label={text.last}><Time value={group.lastSeen} as="ago" /></td>
        <td>
          <div className="clamp">{latest.message === "" ? <span className="muted">{text.noMessage}</span> : visible(latest.message, 400)}</div>
          {latest.outcome === "sent" ? null : <div><Outcome alert={latest} /></div>}
        </td>
      </tr>
      {open ? (
        <tr className="inside">
          <td colSpan={6}>
            <p className="small"><Link href={`/rules?${new URLSearchParams({ q: resource })}`}>{text.openRule}</Link></p>
            <AlertList filter={{ ...filter, rule: [group.rule], priority: [group.priority] }} label={text.show(group.rule, group.priority)} />
          </td>
        </tr>
      ) : null}
    </tbody>
  );
}
