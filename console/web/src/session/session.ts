// Who is signed in: a bearer token, kept for this tab, or on this device if the user wants that.
//
// A tab that is opened beside others asks them for the token, so that a link can be opened in a new tab without the token being kept on disk.
// A token of the identity provider is short-lived: where the provider gave a refresh token, too, it is renewed before it ends.
import { useSyncExternalStore } from "react";

const TOKEN = "vedette.token";
const GRANT = "vedette.grant";
const PATIENCE_MS = 400;
/** How long before its end a token is renewed; a quarter of what is left of it, if that is less. */
const EARLY_MS = 60_000;
/** A token that is refused so soon after it was renewed will not be better the next time. */
const AGAIN_MS = 30_000;
/** Instead of a name, where the console could not say it. */
const UNKNOWN = "";
/** No timer is longer: browsers count its milliseconds in 31 bits. */
const LONGEST_MS = 12 * 3_600_000;

/** What a token can be renewed with. It stays in the tabs, never on disk. */
export interface Grant {
  issuer: string;
  clientId: string;
  refreshToken: string;
}

interface State {
  token: string | undefined;
  /** Whether it ended by itself. */
  expired: boolean;
  /** Another number is another session: nothing that was asked before is good any more. */
  epoch: number;
  /** What came of a link with a token, where somebody was signed in: it is another user's, or it could not be checked. */
  link?: { token: string; name: string } | "refused" | undefined;
}

interface Kept {
  token: string;
  grant?: Grant | undefined;
}

type Message = { kind: "asked" } | { kind: "left" } | ({ kind: "told" } & Kept) | ({ kind: "renewed"; was: string } & Kept);

let state: State = { token: undefined, expired: false, epoch: 0 };
let grant: Grant | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;
let renewedAt = 0;
let recovering = false;
/** Whether other tabs were asked for the token, and none has answered: one that is busy may do so later. */
let waiting = false;
const listeners = new Set<() => void>();
const tabs = new BroadcastChannel("vedette.session");

tabs.onmessage = ({ data }: MessageEvent<Message>) => {
  if (data.kind === "asked" && state.token !== undefined) say({ kind: "told", token: state.token, grant });
  if (data.kind === "told" && waiting) hold(data);
  if (data.kind === "renewed" && data.was === state.token) hold(data);
  if (data.kind === "left") leave(false);
};

function say(message: Message): void {
  tabs.postMessage(message);
}

function change(next: Partial<State>): void {
  state = { ...state, ...next };
  for (const listener of listeners) listener();
}

/** The token, if somebody is signed in. */
export function token(): string | undefined {
  return state.token;
}

/** Takes the token of the address (`#login=…`), of this tab, of this device, or of another tab. */
export async function restore(): Promise<void> {
  const login = new URLSearchParams(location.hash.slice(1)).get("login");
  if (login) history.replaceState(history.state, "", location.pathname + location.search);
  const kept = sessionStorage.getItem(TOKEN);
  const onDevice = localStorage.getItem(TOKEN);
  const there = kept ?? onDevice;
  if (login && (there === null || there === login || (await replaces(login, there)))) {
    hold({ token: login });
    return;
  }
  if (kept !== null) hold({ token: kept, grant: read(sessionStorage.getItem(GRANT)) });
  else if (onDevice !== null) hold({ token: onDevice });
  else {
    const told = await fromTabs();
    if (told) hold(told);
  }
}

/** Whether a link's token takes the place of the one that is there, unasked: if it is good, and the other is not, or is the same user's. */
async function replaces(login: string, there: string): Promise<boolean> {
  const nameOf = async (token: string): Promise<string | undefined> => {
    try {
      const answer = await fetch("/api/v1/me", { headers: { authorization: `Bearer ${token}` } });
      if (answer.ok) return ((await answer.json()) as { name: string }).name;
      return answer.status === 401 ? undefined : UNKNOWN;
    } catch {
      return UNKNOWN;
    }
  };
  const [next, now] = await Promise.all([nameOf(login), nameOf(there)]);
  if (next === undefined || next === UNKNOWN) change({ link: "refused" });
  else if (now === undefined || now === next) return true;
  else change({ link: { token: login, name: next } });
  return false;
}

/** Goes on as the user of the link, in this tab; or as before. */
export function answerLink(take: boolean): void {
  const { link } = state;
  change({ link: undefined });
  if (take && typeof link === "object") hold({ token: link.token }, { expired: false, epoch: state.epoch + 1 });
}

function read(text: string | null): Grant | undefined {
  try {
    return text === null ? undefined : (JSON.parse(text) as Grant);
  } catch {
    return undefined;
  }
}

function fromTabs(): Promise<Kept | undefined> {
  return new Promise((resolve) => {
    const asking = new BroadcastChannel("vedette.session");
    const done = (told?: Kept) => {
      asking.close();
      resolve(told);
    };
    const giveUp = setTimeout(() => {
      waiting = true;
      done();
    }, PATIENCE_MS);
    asking.onmessage = ({ data }: MessageEvent<Message>) => {
      if (data.kind !== "told") return;
      clearTimeout(giveUp);
      done(data);
    };
    asking.postMessage({ kind: "asked" } satisfies Message);
  });
}

/** Signs in with a token. `keep`: also after the browser was closed. `renewal`: how it goes on after the token's end. */
export function signIn(token: string, keep: boolean, renewal?: Grant): void {
  if (keep) localStorage.setItem(TOKEN, token);
  else localStorage.removeItem(TOKEN);
  hold({ token, grant: renewal }, { expired: false, epoch: state.epoch + 1 });
}

/** Signs out in every tab. */
export function signOut(): void {
  leave(false);
  say({ kind: "left" });
}

/** The console does not know the token (any more) that a request was sent with. */
export function expire(used?: string): void {
  if (state.token === undefined || (used !== undefined && used !== state.token)) return;
  if (grant && Date.now() - renewedAt > AGAIN_MS) void recover();
  else if (!recovering) leave(true);
}

function hold(kept: Kept, more: Partial<State> = {}): void {
  waiting = false;
  grant = kept.grant;
  sessionStorage.setItem(TOKEN, kept.token);
  if (grant) sessionStorage.setItem(GRANT, JSON.stringify(grant));
  else sessionStorage.removeItem(GRANT);
  change({ token: kept.token, ...more });
  schedule();
}

function leave(expired: boolean): void {
  waiting = false;
  grant = undefined;
  clearTimeout(timer);
  sessionStorage.removeItem(TOKEN);
  sessionStorage.removeItem(GRANT);
  localStorage.removeItem(TOKEN);
  change({ token: undefined, expired, epoch: state.epoch + 1 });
}

function schedule(): void {
  clearTimeout(timer);
  const end = grant && state.token !== undefined ? endOf(state.token) : undefined;
  if (end === undefined) return;
  const left = end - Date.now();
  // One that has ended is renewed when the console says so.
  if (left <= 0) return;
  timer = setTimeout(() => void renew(), Math.min(left - Math.min(EARLY_MS, left / 4), LONGEST_MS));
}

/** When a token ends, if it says so. Nothing is decided by this but when to ask for another. */
function endOf(token: string): number | undefined {
  try {
    const claims = JSON.parse(atob((token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/"))) as { exp?: unknown };
    return typeof claims.exp === "number" ? claims.exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}

/** A token was refused: another one is asked for, and then everything once more. */
async function recover(): Promise<void> {
  if (recovering) return;
  recovering = true;
  try {
    if (await renew()) change({ epoch: state.epoch + 1 });
    else leave(true);
  } finally {
    recovering = false;
  }
}

/** Whether there is another token now. One tab at a time: a provider takes a refresh token once, and holds a second use for theft. */
async function renew(): Promise<boolean> {
  const was = state.token;
  return navigator.locks.request("vedette.renew", async () => {
    // What another tab got while this one waited is told by a message, which may come after the lock.
    await new Promise((resolve) => setTimeout(resolve, 50));
    if (state.token === undefined || !grant) return false;
    if (was === undefined || state.token !== was) return true;
    try {
      const { refresh } = await import("./oidc.ts");
      const kept = await refresh(grant);
      // Whoever signed out meanwhile stays so.
      if (state.token !== was) return state.token !== undefined;
      renewedAt = Date.now();
      hold(kept);
      say({ kind: "renewed", was, ...kept });
      return true;
    } catch {
      // As long as the token is good, it stays; when it is refused, this is tried once more.
      return false;
    }
  });
}

export function useSession(): State {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => state,
  );
}
