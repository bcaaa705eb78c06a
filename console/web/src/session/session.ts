// Who is signed in: a bearer token, kept for this tab, or on this device if the user wants that.
//
// A tab that is opened beside others asks them for the token, so that a link can be opened in a new tab without the token being kept on disk.
import { useSyncExternalStore } from "react";

const KEY = "vedette.token";
const PATIENCE_MS = 150;

type State = { token: string | undefined; expired: boolean };

let state: State = { token: undefined, expired: false };
const listeners = new Set<() => void>();
const tabs = new BroadcastChannel("vedette.session");

tabs.onmessage = ({ data }: MessageEvent<{ kind: string; token?: string }>) => {
  if (data.kind === "asked" && state.token !== undefined) tabs.postMessage({ kind: "told", token: state.token });
  if (data.kind === "left") change({ token: undefined, expired: false });
};

function change(next: State): void {
  state = next;
  for (const listener of listeners) listener();
}

/** The token, if somebody is signed in. */
export function token(): string | undefined {
  return state.token;
}

/** Takes the token of the address (`#login=…`), of this tab, of this device, or of another tab. */
export async function restore(): Promise<void> {
  const login = new URLSearchParams(location.hash.slice(1)).get("login");
  if (login) {
    history.replaceState(history.state, "", location.pathname + location.search);
    signIn(login, false);
    return;
  }
  const kept = sessionStorage.getItem(KEY) ?? localStorage.getItem(KEY) ?? (await fromTabs());
  if (kept !== undefined && kept !== null) {
    sessionStorage.setItem(KEY, kept);
    change({ token: kept, expired: false });
  }
}

function fromTabs(): Promise<string | undefined> {
  return new Promise((resolve) => {
    const asking = new BroadcastChannel("vedette.session");
    const done = (token?: string) => {
      asking.close();
      resolve(token);
    };
    const timer = setTimeout(done, PATIENCE_MS);
    asking.onmessage = ({ data }: MessageEvent<{ kind: string; token?: string }>) => {
      if (data.kind !== "told") return;
      clearTimeout(timer);
      done(data.token);
    };
    asking.postMessage({ kind: "asked" });
  });
}

/** Signs in with a token. `keep`: also after the browser was closed. */
export function signIn(token: string, keep: boolean): void {
  sessionStorage.setItem(KEY, token);
  if (keep) localStorage.setItem(KEY, token);
  change({ token, expired: false });
}

/** Signs out in every tab. */
export function signOut(): void {
  forget();
  tabs.postMessage({ kind: "left" });
  change({ token: undefined, expired: false });
}

/** The console does not know the token any more. */
export function expire(): void {
  if (state.token === undefined) return;
  forget();
  change({ token: undefined, expired: true });
}

function forget(): void {
  sessionStorage.removeItem(KEY);
  localStorage.removeItem(KEY);
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
