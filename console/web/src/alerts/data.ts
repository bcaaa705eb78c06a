import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { type AlertFilter, alertHistogram, groupAlerts, listAlerts } from "../api/alerts.ts";

const PAGE = 50;

export function useAlertGroups(filter: AlertFilter) {
  return useQuery({ queryKey: ["alert-groups", filter], queryFn: ({ signal }) => groupAlerts(filter, signal), placeholderData: keepPreviousData });
}

export function useAlertTrend(filter: AlertFilter, interval: string) {
  return useQuery({
    queryKey: ["alert-trend", filter, interval],
    queryFn: ({ signal }) => alertHistogram(filter, interval, signal),
    placeholderData: keepPreviousData,
  });
}

/** How much of the log there is, and that there are any at all. */
export function useAlertsKept() {
  return useQuery({ queryKey: ["alerts-kept"], queryFn: ({ signal }) => listAlerts({}, { limit: 1 }, signal) });
}

export function useAlerts(filter: AlertFilter) {
  return useInfiniteQuery({
    queryKey: ["alerts", filter],
    queryFn: ({ pageParam, signal }) => listAlerts(filter, { limit: PAGE, ...(pageParam ? { cursor: pageParam } : {}) }, signal),
    initialPageParam: "",
    getNextPageParam: (last) => last.next ?? undefined,
  });
}
