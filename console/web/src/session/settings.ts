import { useQuery } from "@tanstack/react-query";
import { answer, api } from "../api/client.ts";

/** How this console is set up: known to anybody, and the same as long as it runs. */
export function useSettings() {
  return useQuery({
    queryKey: ["settings"],
    queryFn: ({ signal }) => answer(api.GET("/api/v1/settings", { signal })),
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  });
}
