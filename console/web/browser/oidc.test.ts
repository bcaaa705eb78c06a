// Signing in with a real OpenID Connect provider (console/tests/oidc, installed by `scripts/tools.sh oidc`).
//
// VEDETTE_OIDC_CONSOLE is the URL of a console that is configured for such a provider; without it, the provider is started here, and the
// console's answers of who somebody is are given here, by the claims of the token that it is shown.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Page, Route } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { accessible, CONSOLE, type Options, shot, visit } from "./kit.ts";

const MODULE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "vedette/oidc/node_modules/oidc-provider/lib/index.js");
const SCRIPT = new URL("../../tests/oidc/provider.mjs", import.meta.url).pathname;
const CONFIGURED = process.env.VEDETTE_OIDC_CONSOLE;
/** Providers of these tests are not in the policy of a console that is not configured for them: the last test has one that is. */
const anywhere: Options = { token: "", bypassCSP: true };
/** Whatever this console has not been shown a token for. */
const REFUSED = [/401/];

interface Claims {
  iss: string;
  aud: string;
  sub: string;
  exp: number;
  nonce?: string;
}

function claims(token: string): Claims {
  return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as Claims;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => (address && typeof address === "object" ? resolve(address.port) : reject(new Error("no port"))));
    });
  });
}

class Provider {
  readonly issuer: string;
  readonly #process: ChildProcess;

  private constructor(issuer: string, child: ChildProcess) {
    this.issuer = issuer;
    this.#process = child;
  }

  static async start(seconds: number): Promise<Provider> {
    const port = await freePort();
    const issuer = `http://127.0.0.1:${port}`;
    const child = spawn(process.execPath, [SCRIPT, MODULE, String(port), issuer, CONSOLE, String(seconds)], { stdio: "ignore" });
    const provider = new Provider(issuer, child);
    const ready = () => fetch(`${issuer}/.well-known/openid-configuration`, { signal: AbortSignal.timeout(2_000) }).then((it) => it.ok, () => false);
    while (child.exitCode === null && !(await ready())) await new Promise((resolve) => setTimeout(resolve, 100));
    if (child.exitCode !== null) throw new Error(`the provider ended with ${child.exitCode}`);
    return provider;
  }

  stop(): void {
    this.#process.kill();
  }
}

/** A console that is configured for this provider, as far as the browser can see: what it does with a token is done here. */
async function configured(page: Page, issuer: string, more: { refuse?: (claims: Claims) => boolean } = {}) {
  const shown: Claims[] = [];
  const known = (route: Route): Claims | undefined => {
    const token = /^Bearer (.+\..+\..+)$/.exec(route.request().headers().authorization ?? "")?.[1];
    if (token === undefined) return undefined;
    const it = claims(token);
    shown.push(it);
    return it.iss === issuer && it.aud === "vedette" && it.exp * 1000 > Date.now() && !more.refuse?.(it) ? it : undefined;
  };
  // The provider's own pages ask for a font; nothing of a test is fetched from elsewhere.
  await page.route(FONTS, (route) => route.fulfill({ contentType: "text/css", body: "" }));
  await page.route("**/api/v1/**", (route) => {
    const who = known(route);
    if (!who) return route.fulfill({ status: 401, json: { code: 401, reason: "Unauthorized", message: "this token is for another audience" } });
    const name = `${who.iss}#${who.sub}`;
    if (route.request().url().endsWith("/me")) return route.fulfill({ json: { name, everything: true, via: "oidc" } });
    return route.fulfill({ status: 403, json: { code: 403, reason: "Forbidden", message: "for this test alone" } });
  });
  await page.route("**/api/v1/settings", (route) => route.fulfill({ json: { version: "0.1.0", oidc: { issuer, clientId: "vedette", scopes: ["openid", "profile", "email"] } } }));
  return shown;
}

/** Says at the provider who one is, and agrees. */
async function agree(page: Page, name: string): Promise<void> {
  await page.getByPlaceholder("Enter any login").fill(name);
  await page.getByPlaceholder("and password").fill("any");
  await page.getByRole("button", { name: "Sign-in" }).click();
  await page.getByRole("button", { name: "Continue" }).click();
}

const FONTS = "https://fonts.googleapis.com/**";
const signIn = (page: Page) => page.getByRole("button", { name: "Sign in with your organisation" });

describe.skipIf(!existsSync(MODULE))(`with a real provider (${existsSync(MODULE) ? "here" : "skipped: run `scripts/tools.sh oidc`"})`, () => {
  let provider: Provider;
  beforeAll(async () => {
    provider = await Provider.start(600);
  });
  afterAll(() => provider.stop());

  test("somebody signs in with it, and is where they wanted to be", async () => {
    const { page } = await visit("/nowhere", { ...anywhere, expected: [...REFUSED, /403/] });
    const shown = await configured(page, provider.issuer);
    await page.goto(`${CONSOLE}/pipeline?tab=dead&service=ingest`);
    await signIn(page).waitFor();
    await page.getByText("or", { exact: true }).waitFor();
    await accessible(page);
    await shot(page, "sign-in-oidc");
    await signIn(page).click();
    await page.waitForURL(`${provider.issuer}/**`);
    const asked = page.waitForRequest((it) => it.url().startsWith(`${CONSOLE}/signed-in`));
    await agree(page, "auditor");
    expect(new URL((await asked).url()).searchParams.get("code")).not.toBeNull();
    await page.getByText("auditor · all events").waitFor();
    expect(page.url()).toBe(`${CONSOLE}/pipeline?tab=dead&service=ingest`);
    const [first] = shown;
    expect(first).toMatchObject({ iss: provider.issuer, aud: "vedette", sub: "auditor", groups: ["auditors", "staff"] });
    expect(first?.nonce).toMatch(/^[\w-]{40,}$/);
    // Nothing of it is on disk, and nothing of the way there is left.
    const kept = await page.evaluate(() => ({ tab: Object.keys(sessionStorage).sort(), device: Object.keys(localStorage) }));
    expect(kept).toEqual({ tab: ["vedette.grant", "vedette.token"], device: [] });
    await page.getByRole("button", { name: "Sign out" }).click();
    await signIn(page).waitFor();
    expect(await page.evaluate(() => Object.keys(sessionStorage))).toEqual([]);
  });

  test("what does not belong to this sign-in is refused", async () => {
    const { page } = await visit("/nowhere", { ...anywhere, expected: REFUSED });
    await configured(page, provider.issuer);
    await page.goto(`${CONSOLE}/signed-in?code=stolen&state=other&iss=${encodeURIComponent(provider.issuer)}`);
    await page.getByText("This sign-in was not begun in this tab").waitFor();
    await accessible(page);
    expect(page.url()).toBe(`${CONSOLE}/signed-in`);
    await page.getByRole("link", { name: "Back to signing in" }).click();
    await signIn(page).click();
    await page.waitForURL(`${provider.issuer}/**`);
    await page.goto(`${CONSOLE}/signed-in?code=stolen&state=other&iss=${encodeURIComponent(provider.issuer)}`);
    await page.getByText("Signing in failed").waitFor();
    await shot(page, "sign-in-oidc-failed");
    // What this tab had begun is over, too: an answer is taken once.
    await page.goto(`${CONSOLE}/signed-in?code=stolen&state=other&iss=${encodeURIComponent(provider.issuer)}`);
    await page.getByText("This sign-in was not begun in this tab").waitFor();
  });

  test("another's nonce is refused", async () => {
    const { page } = await visit("/nowhere", { ...anywhere, expected: REFUSED });
    await configured(page, provider.issuer);
    await page.goto(`${CONSOLE}/`);
    await signIn(page).click();
    await page.waitForURL(`${provider.issuer}/**`);
    // As if the answer were to another sign-in of this browser.
    await page.route(`${CONSOLE}/signed-in**`, async (route) => {
      await route.fulfill({ contentType: "text/html", body: "<title>between</title>" });
    });
    await agree(page, "auditor");
    await page.waitForURL(`${CONSOLE}/signed-in**`);
    await page.unroute(`${CONSOLE}/signed-in**`);
    await page.evaluate(() => {
      const begun = JSON.parse(sessionStorage.getItem("vedette.signin") ?? "{}") as Record<string, string>;
      sessionStorage.setItem("vedette.signin", JSON.stringify({ ...begun, nonce: "another" }));
    });
    await page.reload();
    await page.getByText(/Signing in failed: .*nonce/).waitFor();
    await accessible(page);
  });

  test("who says no at the provider is told so", async () => {
    const { page } = await visit("/nowhere", { ...anywhere, expected: REFUSED });
    await configured(page, provider.issuer);
    await page.goto(`${CONSOLE}/alerts`);
    await signIn(page).click();
    await page.getByRole("link", { name: "Cancel" }).click();
    await page.getByText("Signing in failed: End-User aborted interaction (access_denied)").waitFor();
    await page.getByRole("link", { name: "Back to signing in" }).click();
    await signIn(page).waitFor();
    expect(page.url()).toBe(`${CONSOLE}/alerts`);
  });

  test("whom the console does not take is told so", async () => {
    const { page } = await visit("/nowhere", { ...anywhere, expected: REFUSED });
    await configured(page, provider.issuer, { refuse: () => true });
    await page.goto(`${CONSOLE}/`);
    await signIn(page).click();
    await agree(page, "stranger");
    await page.getByText("the console does not take its word").waitFor();
    await page.getByText("this token is for another audience").waitFor();
    expect(await page.evaluate(() => sessionStorage.getItem("vedette.token"))).toBeNull();
  });

  test("a token that is refused is renewed, once, and the page stays", async () => {
    const { page } = await visit("/nowhere", { ...anywhere, expected: [...REFUSED, /403/] });
    const over = new Set<number>();
    let all = false;
    const shown = await configured(page, provider.issuer, { refuse: (it) => all || over.has(it.exp) });
    await page.goto(`${CONSOLE}/pipeline`);
    await signIn(page).click();
    await agree(page, "auditor");
    await page.getByText("The pipeline is for administrators").waitFor();
    const before = await page.evaluate(() => ({ token: sessionStorage.getItem("vedette.token"), grant: sessionStorage.getItem("vedette.grant") }));
    over.add(claims(before.token ?? "").exp);
    // The next token ends in another second.
    await page.waitForTimeout(1_100);
    await page.reload();
    await expect.poll(() => page.evaluate(() => sessionStorage.getItem("vedette.token")), { timeout: 15_000 }).not.toBe(before.token);
    await page.getByText("The pipeline is for administrators").waitFor();
    expect(page.url()).toBe(`${CONSOLE}/pipeline`);
    expect(shown.at(-1)?.exp).toBeGreaterThan(claims(before.token ?? "").exp);
    // Refused again at once: it is no use to go on asking.
    all = true;
    await page.goto(`${CONSOLE}/pipeline?tab=dead`);
    await page.getByText("Sign in again, and you are back where you were.").waitFor();
    expect(page.url()).toBe(`${CONSOLE}/pipeline?tab=dead`);
    await accessible(page);
    await shot(page, "sign-in-again");
  });
});

describe.skipIf(!existsSync(MODULE))("with a provider whose tokens are short", () => {
  let provider: Provider;
  beforeAll(async () => {
    provider = await Provider.start(12);
  });
  afterAll(() => provider.stop());

  test("a token is renewed before it ends, in every tab, unseen", async () => {
    const { page } = await visit("/nowhere", { ...anywhere, expected: [...REFUSED, /403/] });
    await configured(page, provider.issuer);
    await page.goto(`${CONSOLE}/pipeline`);
    await signIn(page).click();
    await agree(page, "auditor");
    await page.getByText("auditor · all events").waitFor();
    const other = await page.context().newPage();
    await configured(other, provider.issuer);
    await other.goto(`${CONSOLE}/pipeline`);
    await other.getByText("auditor · all events").waitFor();
    const tokens = () => Promise.all([page, other].map((it) => it.evaluate(() => sessionStorage.getItem("vedette.token") ?? "")));
    const [first] = await tokens();
    for (let renewed = 0, last = first; renewed < 2; renewed += 1) {
      await expect.poll(async () => {
        const [mine, others] = await tokens();
        return mine !== last && mine === others;
      }, { timeout: 20_000 }).toBe(true);
      [last] = await tokens();
    }
    for (const it of [page, other]) await it.getByText("auditor · all events").waitFor();
  });
});

test("a provider that is away is told, and a token still signs in", async () => {
  const { page } = await visit("/nowhere", { ...anywhere, expected: [...REFUSED, /ERR_CONNECTION_REFUSED/] });
  await configured(page, `http://127.0.0.1:${await freePort()}`);
  await page.goto(`${CONSOLE}/`);
  await signIn(page).click();
  await page.getByText("identity provider does not answer").waitFor();
  await page.getByLabel("Token").waitFor();
  await accessible(page);
});

/** The origin that a provider says tokens are at. */
async function tokensAt(issuer: string): Promise<string> {
  const said = (await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()) as { token_endpoint: string };
  return new URL(said.token_endpoint).origin;
}

// Its provider has tokens at another origin than everything else, and no policy is bypassed.
describe.skipIf(!CONFIGURED)(`with a console of its own (${CONFIGURED ?? "skipped: VEDETTE_OIDC_CONSOLE is not set"})`, () => {
  test("an auditor signs in, and sees everything", async () => {
    const { page } = await visit("/nowhere", { token: "" });
    await page.route(FONTS, (route) => route.fulfill({ contentType: "text/css", body: "" }));
    await page.goto(`${CONFIGURED}/pipeline`);
    await signIn(page).click();
    await agree(page, "auditor");
    await page.getByText("The books balance").waitFor();
    expect(page.url()).toBe(`${CONFIGURED}/pipeline`);
    await page.getByText("all events").waitFor();
  });

  test("nobody would, were the issuer the only one whom pages may ask", async () => {
    const { page } = await visit("/nowhere", { token: "", expected: [/\/token\b.* violates the .*Content Security Policy/] });
    await page.route(FONTS, (route) => route.fulfill({ contentType: "text/css", body: "" }));
    const { oidc } = (await (await fetch(`${CONFIGURED}/api/v1/settings`)).json()) as { oidc: { issuer: string } };
    const tokens = await tokensAt(oidc.issuer);
    expect(tokens).not.toBe(new URL(oidc.issuer).origin);
    // One more policy for the page that takes the provider's answer, before any script of it runs: both hold.
    await page.addInitScript((policy) => {
      document.addEventListener("readystatechange", () => {
        if (location.pathname !== "/signed-in" || document.readyState !== "interactive") return;
        const meta = document.createElement("meta");
        meta.httpEquiv = "Content-Security-Policy";
        meta.content = policy;
        document.head.append(meta);
      });
    }, `connect-src 'self' ${oidc.issuer}`);
    const response = await page.goto(`${CONFIGURED}/pipeline`);
    expect(response?.headers()["content-security-policy"]).toContain(`connect-src 'self' ${oidc.issuer} ${tokens};`);
    await signIn(page).click();
    await agree(page, "auditor");
    await page.getByText("identity provider does not answer").waitFor();
    expect(await page.evaluate(() => sessionStorage.getItem("vedette.token"))).toBeNull();
  });
});
