// `GET /api/v1/status` and `GET /api/v1/settings`, typed as `console/src/document.rs` and `console/src/api/settings.rs` write them, until they
// are in the OpenAPI document.
import type { Client } from "openapi-fetch";
import { api } from "./client.ts";

export interface Settings {
  version: string;
  oidc?: SignIn;
  /** Whether a management service is configured. */
  rules?: boolean;
}

/** The identity provider, where there is one. */
export interface SignIn {
  issuer: string;
  clientId: string;
  scopes: string[];
}

export interface Status {
  version: string;
  time: string;
  books: Books;
  broker: { connected: boolean; message?: string; version: string; streams: Stream[]; consumers: Consumer[] };
  deadLetters: { messages: number; bytes: number; reasons: DeadReason[]; complete: boolean } | null;
  blindRules: BlindRule[];
  blindRulesComplete: boolean;
  services: Service[];
  archive: { ready: boolean; detail: string; events?: number; days?: number; bytes?: number };
}

export interface Books {
  balanced: boolean;
  settled: boolean;
  complete: boolean;
  inFlight: { archiveEvents: number; archiveResults: number; alertEvents: number; alertResults: number } | null;
  equations: Equation[];
  total: Sums;
  clusters: Record<string, Sums>;
  repeatedEntries: number;
}

export interface Equation {
  name: string;
  left: number;
  right: number;
  holds: boolean;
}

export interface Sums {
  ingest: { received: number; published: number; dropped: Record<string, number>; deadLettered: Record<string, number>; oversize: number };
  archive: {
    batches: number; evaluated: number; archived: number; alertedOnly: number; ignored: number; deadLettered: number;
    stored: number; duplicate: number; rejected: number;
  };
  alert: { batches: number; evaluated: number; alerted: number; alerts: number; deadLettered: number; sent: number; unrouted: number; rejected: number };
}

export interface Stream {
  name: string;
  messages: number;
  bytes: number;
  /** -1: without a limit of its own. */
  maxBytes: number;
}

export interface Consumer {
  stream: string;
  name: string;
  pending: number;
  ackPending: number;
  redelivered: number;
  /** Requests that wait for messages; 0: nobody is there. */
  waiting: number;
}

export interface DeadReason {
  service: string;
  reason: string;
  messages: number;
}

export interface BlindRule {
  rule: string;
  field: string;
  level: string;
  events: number;
}

export interface Service {
  name: string;
  id: string;
  version: string;
  metadata: Record<string, string>;
}

/** What an evaluator says of the rules that it follows, as the management service knows it. */
export interface Evaluator {
  name: string;
  service: string;
  version: string;
  generation: number;
  rules: number;
  behindSince?: string;
  lastError?: string;
}

interface Read<T> {
  get: { parameters: object; responses: { 200: { content: { "application/json": T } } } };
}

interface Paths {
  "/api/v1/status": Read<Status>;
  "/api/v1/settings": Read<Settings>;
  "/api/v1/rules": Read<{ evaluators: Evaluator[]; generation: number }>;
}

export const pending = api as unknown as Client<Paths>;
