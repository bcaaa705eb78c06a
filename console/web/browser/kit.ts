// What the browser tests stand on: a person at the console, whose steps are counted, in a tab that may not complain.
//
// Environment: VEDETTE_CONSOLE, the URL of a console that holds the bundled sample; VEDETTE_TOKEN, its token; VEDETTE_CHROMIUM, the
// browser; VEDETTE_SCREENSHOTS, where pictures for reviewers go (nowhere, if it is not set). For tests that send events, VEDETTE_WEBHOOK and
// VEDETTE_WEBHOOK_CA, where and to whom; without them they are skipped.
import { mkdirSync, readFileSync } from "node:fs";
import { request } from "node:https";
import { createRequire } from "node:module";
import { join } from "node:path";
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Locator, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, inject } from "vitest";

export const CONSOLE = process.env.VEDETTE_CONSOLE ?? "http://127.0.0.1:8080";
export const TOKEN = process.env.VEDETTE_TOKEN ?? "";
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** How long anything may take to appear on a busy machine. */
const PATIENCE_MS = 30_000;

let browser: Browser;
let open: { context: BrowserContext; complaints: string[]; expected: RegExp[] }[] = [];

beforeAll(async () => {
  browser = await chromium.connect(inject("browser"));
});

afterAll(async () => {
  await browser.close();
});

// A test passes only if no tab of it complained.
afterEach(async () => {
  const seen = open.flatMap(({ complaints, expected }) => complaints.filter((it) => !expected.some((pattern) => pattern.test(it))));
  await Promise.all(open.map(({ context }) => context.close()));
  open = [];
  expect(seen, "errors in the browser's console").toEqual([]);
});

export interface Options extends BrowserContextOptions {
  /** `undefined` signs in as the administrator; `""` nobody. */
  token?: string;
  /** What the browser's console may say: a request that is refused is told there, too. */
  expected?: RegExp[];
}

/** Somebody at the console. */
export class Person {
  readonly page: Page;
  #steps = 0;

  constructor(page: Page) {
    this.page = page;
  }

  /** Clicks, drags and typed queries so far. */
  get steps(): number {
    return this.#steps;
  }

  async click(what: Locator): Promise<void> {
    this.#steps += 1;
    await what.click();
  }

  /** Types a query and asks it. */
  async ask(query: string): Promise<void> {
    this.#steps += 1;
    const box = this.page.getByRole("combobox", { name: "Search" });
    await box.fill(query);
    await box.press("Enter");
  }

  /** Drags from one part of something's width to another. */
  async drag(what: Locator, from: number, to: number): Promise<void> {
    this.#steps += 1;
    await settled(what);
    const box = await what.boundingBox();
    if (!box) throw new Error("there is nothing to drag on");
    const y = box.y + box.height / 2;
    await this.page.mouse.move(box.x + box.width * from, y);
    await this.page.mouse.down();
    await this.page.mouse.move(box.x + box.width * ((from + to) / 2), y, { steps: 4 });
    await this.page.mouse.move(box.x + box.width * to, y, { steps: 4 });
    await this.page.mouse.up();
  }
}

/** Opens a page of the console. */
export async function visit(path: string, { token = TOKEN, expected = [], ...options }: Options = {}): Promise<Person> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: "en-GB", timezoneId: "Europe/Berlin", ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  const complaints: string[] = [];
  open.push({ context, complaints, expected });
  const page = await context.newPage();
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(`${message.text()} (${message.location().url})`);
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(`${CONSOLE}${path}${token === "" ? "" : `#login=${encodeURIComponent(token)}`}`);
  return new Person(page);
}

/** Asks the API directly, as a program would. */
export async function ask(path: string, token = TOKEN): Promise<Record<string, unknown>> {
  const response = await fetch(`${CONSOLE}/api/v1/${path}`, { headers: { authorization: `Bearer ${token}` } });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as Record<string, unknown>;
}

/** What the API answers to a question that a page is about to ask: of a range that ends now, it says another thing a moment later. */
export async function answerTo(page: Page, path: string, asked: Record<string, string>): Promise<Record<string, unknown>> {
  const response = await page.waitForResponse((it) => {
    const url = new URL(it.url());
    return url.pathname === `/api/v1/${path}` && Object.entries(asked).every(([name, value]) => url.searchParams.get(name) === value);
  });
  return (await response.json()) as Record<string, unknown>;
}

/** Waits until something stays where it is and shows what was asked last: what is still laid out, or of the question before, can't be aimed at. */
export async function settled(what: Locator): Promise<void> {
  const one = () => what.evaluate(async (element) => {
    const place = () => JSON.stringify(element.getBoundingClientRect());
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    const busy = () => element.closest("[aria-busy=true]") !== null;
    for (let [still, before] = [0, place()]; still < 20 && element.isConnected; before = place()) {
      await frame();
      still = place() === before && !busy() ? still + 1 : 0;
    }
    return element.isConnected;
  });
  // Another may have been drawn in its place meanwhile.
  while (!(await one()));
}

/** Waits until a form or a dialog that was opened has the focus: it takes the focus when it is there, and from whatever was chosen before. */
export async function opened(what: Locator): Promise<void> {
  await what.waitFor();
  await expect.poll(() => what.evaluate((it) => it.contains(document.activeElement))).toBe(true);
}

/** Nothing is wider than the window: what depends on its width follows some time after that has changed. */
export async function fits(page: Page): Promise<void> {
  await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), { message: "wider than the window" }).toBeLessThanOrEqual(0);
}

/** Where events can be sent, if they can. */
export const WEBHOOK = process.env.VEDETTE_WEBHOOK;

/** Sends events as a kube-apiserver does. */
export function send(items: object[]): Promise<void> {
  const ca = readFileSync(process.env.VEDETTE_WEBHOOK_CA ?? "");
  const body = JSON.stringify({ kind: "EventList", apiVersion: "audit.k8s.io/v1", items });
  return new Promise((resolve, reject) => {
    const asked = request(WEBHOOK ?? "", { method: "POST", ca, timeout: PATIENCE_MS, headers: { "content-type": "application/json" } }, (answer) => {
      answer.resume();
      if (answer.statusCode === 200) answer.on("end", resolve);
      else reject(new Error(`the webhook answers ${answer.statusCode}`));
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

interface Violation {
  id: string;
  help: string;
  nodes: { target: unknown; failureSummary?: string }[];
}

/** Nothing that WCAG 2.2 AA and axe-core would complain about, in light and in dark colours. */
export async function accessible(page: Page): Promise<void> {
  // A page that is still loading has no heading yet, and what is of the question before is dimmed.
  await page.locator("h1, h2").first().waitFor({ state: "attached" });
  await page.locator("[aria-busy=true]").first().waitFor({ state: "detached" });
  for (const colorScheme of ["light", "dark"] as const) {
    await inColours(page, colorScheme);
    // Evaluated, not added as a script: the content security policy would refuse that, as it should.
    await page.evaluate(AXE);
    const violations = await page.evaluate(async () => {
      const { axe } = globalThis as unknown as { axe: { run: (context: Document, options: object) => Promise<{ violations: unknown[] }> } };
      const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
      return (await axe.run(document, { runOnly: { type: "tag", values: tags } })).violations;
    });
    const told = (violations as Violation[]).map((it) => `${it.id}: ${it.help}: ${it.nodes.map((node) => `${String(node.target)} ${node.failureSummary ?? ""}`).join("; ")}`);
    expect(told, `accessibility in ${colorScheme} colours`).toEqual([]);
  }
  await page.emulateMedia({ colorScheme: null, reducedMotion: null });
}

/** Shows a page in light or dark colours. What `light-dark()` decides follows some time after the media query. */
async function inColours(page: Page, colorScheme: "light" | "dark"): Promise<void> {
  await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
  await page.waitForFunction((scheme) => {
    const [red = 255] = getComputedStyle(document.body).backgroundColor.match(/\d+/g)?.map(Number) ?? [];
    return red < 128 === ((document.documentElement.dataset.theme ?? scheme) === "dark");
  }, colorScheme);
}

/** A picture for reviewers. */
export async function shot(page: Page, name: string, colorScheme: "light" | "dark" = "light"): Promise<void> {
  const folder = process.env.VEDETTE_SCREENSHOTS;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  await inColours(page, colorScheme);
  await page.screenshot({ path: join(folder, `${name}.png`) });
  await page.emulateMedia({ colorScheme: null, reducedMotion: null });
}
