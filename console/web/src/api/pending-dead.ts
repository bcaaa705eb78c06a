// Dead letters, typed as `console/src/api/dead.rs` writes them, until they are in the OpenAPI document.
import type { Client } from "openapi-fetch";
import { api } from "./client.ts";

export interface DeadLetter {
  sequence: number;
  time: string;
  service: string;
  cluster: string;
  reason: string;
  detail: string;
  /** The message that it came in; empty where it came from a sender. */
  batch: string;
  bytes: number;
  requeueable: boolean;
  /** Why it can't be requeued. */
  why?: string;
}

export interface DeadLetterPage {
  items: DeadLetter[];
  next?: string;
}

export interface DeadLetterWhole {
  letter: DeadLetter;
  payload: string;
  base64: boolean;
  truncated: boolean;
}

type Json<T> = { 200: { content: { "application/json": T } } };
type Named = { path: { sequence: number } };
type Gone = { 204: { content?: never } };

interface Paths {
  "/api/v1/dead-letters": {
    get: {
      parameters: { query?: { service?: string; reason?: string; cluster?: string; limit?: number; cursor?: string } };
      responses: Json<DeadLetterPage>;
    };
  };
  "/api/v1/dead-letters/{sequence}": {
    get: { parameters: Named; responses: Json<DeadLetterWhole> };
    delete: { parameters: Named; responses: Gone };
  };
  "/api/v1/dead-letters/{sequence}/requeue": {
    post: { parameters: Named; responses: Gone };
  };
}

export const pending = api as unknown as Client<Paths>;
