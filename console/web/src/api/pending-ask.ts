import { ApiError, fetchApi } from "./client.ts";

/** What an operation answers, or an [`ApiError`]; nothing, for one that answers nothing. */
export async function ask<T>(path: string, init: RequestInit = {}): Promise<T> {
  let response: Response;
  try {
    response = await fetchApi(path, init);
  } catch (error) {
    if (error instanceof ApiError || (error instanceof DOMException && error.name === "AbortError")) throw error;
    throw new ApiError({ code: 0, reason: "Unreachable", message: String(error instanceof Error ? error.message : error) });
  }
  return (response.status === 204 ? undefined : await response.json()) as T;
}

/** The same with a body. */
export function send<T>(method: "POST" | "PUT", path: string, body: unknown, signal?: AbortSignal): Promise<T> {
  return ask(path, { method, body: JSON.stringify(body), headers: { "content-type": "application/json" }, ...(signal ? { signal } : {}) });
}
