import { useQuery } from "@tanstack/react-query";
import { answer, api } from "../api/client.ts";
import { useSession } from "./session.ts";

/** Who asks, and whether they see everything. */
export function useMe() {
  const { token, epoch } = useSession();
  return useQuery({
    queryKey: ["me", epoch],
    queryFn: ({ signal }) => answer(api.GET("/api/v1/me", { signal })),
    enabled: token !== undefined,
    staleTime: 60_000,
  });
}
