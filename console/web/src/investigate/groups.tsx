// Events by one field or two: how many, since when, and what of it is new.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { Link } from "wouter";
import { answer, api, type Group } from "../api/client.ts";
import { Plain } from "../ui/plain.tsx";
import { number, useText } from "../i18n/i18n.ts";
import { is } from "../query/language.ts";
import { hrefs, searchHref } from "../query/url.ts";
import { full } from "../time.ts";
import { Coverage } from "../ui/coverage.tsx";
import { Failed, Loading } from "../ui/state.tsx";
import { Tag } from "../ui/tag.tsx";
import { Time } from "../ui/time.tsx";
import { Nothing } from "./nothing.tsx";
import type { Scope } from "./scope.ts";

export type By = "actor" | "user" | "ip" | "credential" | "resource" | "namespace" | "name";
const KEYS: Record<By, string> = { actor: "actor", user: "user", ip: "ip", credential: "cred", resource: "resource", namespace: "ns", name: "name" };
const MORE = 100;

interface Props {
  /** Terms beside those of the scope. */
  terms?: readonly string[];
  scope: Scope;
  by: readonly [By] | readonly [By, By];
  /** Tell what was not there from so long ago until the time begins. */
  newSince?: string;
  /** What goes along to the pages of the values, beside what the scope carries. */
  carried?: Record<string, string>;
  /** How a value reads and where it leads, if not as usual. */
  cell?: (by: By, value: string, row: Group) => ReactNode;
}

export function Groups({ terms = [], scope, by, newSince, carried = {}, cell }: Props) {
  const text = useText().investigate;
  const [top, setTop] = useState(MORE);
  const [onlyNew, setOnlyNew] = useState(false);
  const q = scope.with(...terms);
  const found = useQuery({
    queryKey: ["groups", q, by.join(), newSince, top],
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => answer(api.GET("/api/v1/groups", { params: { query: { q, by: by.join(), top, ...(newSince ? { newSince } : {}) } }, signal })),
  });
  if (found.isPending) return <Loading />;
  if (found.isError) return <Failed error={found.error} onRetry={() => void found.refetch()} />;
  const { rows, total, coverage, newSince: from } = found.data;
  if (rows.length === 0) return <Nothing q={q} coverage={coverage} scope={scope} />;
  const told = newSince !== undefined && rows.some((row) => row.new != null);
  const shown = told && onlyNew ? rows.filter((row) => row.new) : rows;
  const along = { ...scope.carried, ...carried };
  return (
    <>
      {newSince === undefined ? null : told && from ? (
        <div className="row small">
          <span className="muted">{text.newHelp(full(from))}</span>
          <label className="check"><input type="checkbox" checked={onlyNew} onChange={(event) => setOnlyNew(event.target.checked)} /> {text.onlyNew}</label>
        </div>
      ) : <p className="notice">{text.newUnknown}</p>}
      <div className="scroll" tabIndex={0} role="group" aria-label={text.groups(shown.length, total)}>
        <table className="table">
          <thead>
            <tr>
              {by.map((field) => <th key={field} scope="col">{text.column[field]}</th>)}
              <th scope="col" className="number">{text.column.count}</th>
              <th scope="col">{text.column.first}</th>
              <th scope="col">{text.column.last}</th>
              {told ? <th scope="col">{text.column.isNew}</th> : null}
            </tr>
          </thead>
          <tbody>
            {shown.map((row) => (
              <tr key={JSON.stringify(row.values)} className={told && row.new ? "is-new" : undefined}>
                {by.map((field, index) => <td key={field}>{cell?.(field, row.values[index] ?? "", row) ?? <Value field={field} value={row.values[index] ?? ""} along={along} />}</td>)}
                <td className="number"><Link href={searchHref(scope.with(...terms, ...by.map((field, index) => is(KEYS[field], row.values[index] ?? ""))))} aria-label={text.events(row.count)}>{number(row.count)}</Link></td>
                <td><Time value={row.firstSeen} /></td>
                <td><Time value={row.lastSeen} /></td>
                {told ? <td>{row.new ? <New row={row} by={by} /> : null}</td> : null}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p className="row small muted">
        {text.groups(shown.length, total)}
        {rows.length < total && top < 1000 ? <button type="button" className="button small" onClick={() => setTop(1000)}>{text.moreGroups}</button> : null}
      </p>
      <Coverage coverage={coverage} />
    </>
  );
}

/** What of a group is new: one of its values, or only the two together. */
function New({ row, by }: { row: Group; by: readonly By[] }) {
  const text = useText().investigate;
  const values = by.filter((_, index) => row.newValues?.[index]);
  return values.length > 0 ? values.map((field) => <Tag key={field} tone="warn">{text.column[field]}</Tag>) : <Tag tone="warn">{text.together}</Tag>;
}

function Value({ field, value, along }: { field: By; value: string; along: Record<string, string> }) {
  const text = useText().investigate;
  if (value === "") return <span className="muted">{text.noValue}</span>;
  // A page is not narrowed to what it is about.
  const { actor: _, ...others } = along;
  const href = field === "actor" || field === "user" ? hrefs.user(value, others) : field === "ip" ? hrefs.address(value, along) : field === "credential" ? hrefs.credential(value, along) : undefined;
  const shown = <Plain text={value} limit={120} />;
  return <span className="mono">{href ? <Link href={href}>{shown}</Link> : shown}</span>;
}
