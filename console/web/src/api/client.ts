// The client of `/api/v1`, typed by the OpenAPI document: `npm run client` makes schema.ts from it.
import createClient, { type Middleware } from "openapi-fetch";
import { expire, token } from "../session/session.ts";
import type { components, paths } from "./schema.ts";

export type Schemas = components["schemas"];
export type AuditEvent = Schemas["Event"];
export type Whole = Schemas["Whole"];
export type Coverage = Schemas["Coverage"];
export type Group = Schemas["Group"];
export type Histogram = Schemas["Histogram"];
export type Problem = Schemas["Problem"];

/** Why there is no answer. */
export class ApiError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.message);
    this.name = "ApiError";
    this.problem = problem;
  }

  /** The HTTP status; 0 where nobody answered. */
  get code(): number {
    return this.problem.code;
  }
}

const authorize: Middleware = {
  onRequest({ request }) {
    const value = token();
    // A token that is not the session's is one that is being tried.
    if (value !== undefined && !request.headers.has("authorization")) request.headers.set("authorization", `Bearer ${value}`);
    return request;
  },
  onResponse({ request, response }) {
    if (response.status === 401) expire(request.headers.get("authorization")?.replace(/^Bearer /, ""));
    return response;
  },
};

export const api = createClient<paths>({ baseUrl: location.origin });
api.use(authorize);

/** What an operation answers, or an [`ApiError`]. */
export async function answer<T>(
  asked: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<T> {
  let got: { data?: T; error?: unknown; response: Response };
  try {
    got = await asked;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError({ code: 0, reason: "Unreachable", message: String(error instanceof Error ? error.message : error) });
  }
  if (got.response.ok) return got.data as T;
  throw new ApiError(problemOf(got.error, got.response));
}

/** The same for a request that openapi-fetch can't make: one whose answer is read as it comes. */
export async function fetchApi(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  const value = token();
  if (value !== undefined) headers.set("authorization", `Bearer ${value}`);
  const response = await fetch(path, { ...init, headers });
  if (response.ok) return response;
  if (response.status === 401) expire(value);
  throw new ApiError(problemOf(await response.json().catch(() => undefined), response));
}

function problemOf(error: unknown, response: Response): Problem {
  if (typeof error === "object" && error !== null && "message" in error) return error as Problem;
  return { code: response.status, reason: response.statusText, message: response.statusText || `HTTP ${response.status}` };
}
