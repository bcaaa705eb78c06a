// Who follows the rules, as `GET /api/v1/rules` will tell it, until it is in the OpenAPI document.
import type { Client } from "openapi-fetch";
import { api, type Schemas } from "./client.ts";

/** Whether a management service is configured will be told, too. */
export type Settings = Schemas["Settings"] & { rules?: boolean };

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

interface Paths {
  "/api/v1/rules": { get: { parameters: object; responses: { 200: { content: { "application/json": { evaluators: Evaluator[]; generation: number } } } } } };
}

export const pending = api as unknown as Client<Paths>;
