// The events that a query finds, as rows.
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { answer, api } from "../api/client.ts";
import { hrefs } from "../query/url.ts";
import { Failed, Loading } from "../ui/state.tsx";
import { Code } from "../ui/tag.tsx";
import { Time } from "../ui/time.tsx";

export function EventTable({ q, sort = "desc", height }: { q: string; sort?: "asc" | "desc"; height?: number }) {
  const found = useInfiniteQuery({
    queryKey: ["events", q, sort],
    queryFn: ({ pageParam, signal }) =>
      answer(api.GET("/api/v1/events", { params: { query: { q, sort, limit: 100, ...(pageParam ? { cursor: pageParam } : {}) } }, signal })),
    initialPageParam: "",
    getNextPageParam: (last) => last.next ?? undefined,
  });
  if (found.isPending) return <Loading />;
  if (found.isError) return <Failed error={found.error} onRetry={() => void found.refetch()} />;
  return (
    <div style={{ maxHeight: height, overflow: "auto" }}>
      <table className="table">
        <tbody>
          {found.data.pages.flatMap((page) => page.items).map((event) => (
            <tr key={event.id}>
              <td><Link href={hrefs.event(event.id, q)}><Time value={event.time} /></Link></td>
              <td>{event.actor}</td>
              <td>{event.verb}</td>
              <td>{event.resource} {event.namespace}/{event.name}</td>
              <td><Code event={event} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
