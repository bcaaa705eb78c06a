// Signing in with the identity provider: authorization code flow with PKCE, as a public client. The ID token becomes the session's token.
//
// Loaded only when somebody signs in so, or when such a token is renewed.
import * as oauth from "oauth4webapi";
import type { Schemas } from "../api/client.ts";
import type { Grant } from "./session.ts";

type SignIn = Schemas["SignIn"];

/** What is kept in this tab while the user is at the provider. */
interface Begun {
  issuer: string;
  clientId: string;
  state: string;
  nonce: string;
  verifier: string;
  back: string;
}

/** Somebody who has come back from the provider. */
export interface Arrived {
  token: string;
  grant?: Grant | undefined;
  back: string;
}

/** This tab knows of no sign-in that would be answered by this address. */
export class NotBegun extends Error {}

const KEY = "vedette.signin";

const redirectUri = () => `${location.origin}/signed-in`;

/** Plain HTTP is good for a provider on this machine alone, as in tests. */
function options(issuer: string) {
  const { protocol, hostname } = new URL(issuer);
  return { [oauth.allowInsecureRequests]: protocol === "http:" && ["127.0.0.1", "[::1]", "localhost"].includes(hostname) };
}

async function discover(issuer: string): Promise<oauth.AuthorizationServer> {
  const url = new URL(issuer);
  return oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, options(issuer)));
}

/** Goes to the provider; `back` is where the user wants to be afterwards. */
export async function begin({ issuer, clientId, scopes }: SignIn, back: string): Promise<void> {
  const server = await discover(issuer);
  if (!server.authorization_endpoint) throw new Error("the provider has no authorization endpoint");
  const begun: Begun = {
    issuer, clientId, back, state: oauth.generateRandomState(), nonce: oauth.generateRandomNonce(), verifier: oauth.generateRandomCodeVerifier(),
  };
  const url = new URL(server.authorization_endpoint);
  const asked = {
    client_id: clientId, redirect_uri: redirectUri(), response_type: "code", scope: scopes.join(" "), state: begun.state, nonce: begun.nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(begun.verifier), code_challenge_method: "S256",
  };
  for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value);
  sessionStorage.setItem(KEY, JSON.stringify(begun));
  location.assign(url);
}

/** Where the user wanted to be, also where signing in fails. */
export function wanted(): string {
  return local(read()?.back);
}

function read(): Begun | undefined {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? "null") ?? undefined;
  } catch {
    return undefined;
  }
}

/** A place of this console, and not of another. */
function local(back: string | undefined): string {
  return back !== undefined && /^\/(?![/\\])/.test(back) && !back.startsWith("/signed-in") ? back : "/";
}

/** Takes the provider's answer. It can be taken once. */
export async function finish(address: URL): Promise<Arrived> {
  const begun = read();
  if (!begun) throw new NotBegun("nothing was begun in this tab");
  const { issuer, clientId, state, nonce, verifier, back } = begun;
  sessionStorage.removeItem(KEY);
  const server = await discover(issuer);
  const client: oauth.Client = { client_id: clientId };
  const answer = oauth.validateAuthResponse(server, client, address, state);
  const response = await oauth.authorizationCodeGrantRequest(server, client, oauth.None(), answer, redirectUri(), verifier, options(issuer));
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, { expectedNonce: nonce, requireIdToken: true });
  if (tokens.id_token === undefined) throw new Error("the provider gave no ID token");
  const grant = tokens.refresh_token === undefined ? undefined : { issuer, clientId, refreshToken: tokens.refresh_token };
  return { token: tokens.id_token, grant, back: local(back) };
}

/** Another token in place of one that ends. */
export async function refresh(grant: Grant): Promise<{ token: string; grant: Grant }> {
  const server = await discover(grant.issuer);
  const client: oauth.Client = { client_id: grant.clientId };
  const response = await oauth.refreshTokenGrantRequest(server, client, oauth.None(), grant.refreshToken, options(grant.issuer));
  const tokens = await oauth.processRefreshTokenResponse(server, client, response);
  if (tokens.id_token === undefined) throw new Error("the provider gave no ID token");
  return { token: tokens.id_token, grant: { ...grant, refreshToken: tokens.refresh_token ?? grant.refreshToken } };
}

/** What the provider said, or what went wrong on the way, in a line. */
export function reason(error: unknown): string {
  if (error instanceof oauth.AuthorizationResponseError || error instanceof oauth.ResponseBodyError) {
    return error.error_description ? `${error.error_description} (${error.error})` : error.error;
  }
  if (error instanceof Error) return error.cause instanceof Error && error.cause.message ? `${error.message}: ${error.cause.message}` : error.message;
  return String(error);
}

/** Whether the provider could not be asked at all: the browser does not say why. */
export function unreachable(error: unknown): boolean {
  return error instanceof TypeError && error.constructor === TypeError;
}
