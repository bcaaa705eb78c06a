import { type Page, type Route } from "playwright-core";
import { describe, expect, test } from "vitest";
import type { DeadLetter } from "../src/pipeline/types.ts";
import type { Status } from "../src/pipeline/types.ts";
import { accessible, ask, fits, type Options, type Person, shot, visit } from "./kit.ts";

const status = async () => (await ask("status")) as unknown as Status;

/** Somebody at a page whose questions for the status are answered by the test. */
async function at(path: string, answers: (route: Route) => Promise<void>, options: Options = {}): Promise<Person> {
  const person = await visit("/", { ...options, viewport: options.viewport ?? { width: 1440, height: 1000 } });
  await settings(person.page, {});
  await person.page.route("**/api/v1/status", answers);
  await person.page.goto(new URL(path, person.page.url()).href);
  return person;
}

async function settings(page: Page, more: object): Promise<void> {
  await page.route("**/api/v1/settings", (route) => route.fulfill({ json: { version: "0.1.0", ...more } }));
}

/** The page's own clock, and how often it has begun to ask for the status since then. */
const now = (page: Page) => page.evaluate(() => performance.now());
const askedSince = (page: Page, then: number) =>
  page.evaluate((at) => performance.getEntriesByType("resource").filter((it) => it.name.endsWith("/api/v1/status") && it.startTime > at).length, then);

/** The status with something else in it. */
function changed(from: Status, change: (status: Status) => void): Status {
  const to = structuredClone(from);
  change(to);
  return to;
}

describe("the pipeline", () => {
  test("says at a glance that the books balance", async () => {
    const { page } = await at("/pipeline", (route) => route.continue());
    await page.getByRole("status").filter({ hasText: "The books balance" }).waitFor();
    const books = page.getByRole("region", { name: "Do the books balance?" });
    await books.getByText("is accounted for, and nothing is on its way").waitFor();
    const { books: said, archive } = await status();
    expect(await books.getByRole("listitem").count()).toBe(said.equations.length);
    expect(await books.getByText("equal", { exact: true }).count()).toBe(said.equations.length);
    await page.locator(".step.archive").getByText(new Intl.NumberFormat("en-GB").format(archive.events ?? 0)).waitFor();
    for (const step of ["Ingest", "Events", "Evaluator", "Archive results", "Archiver", "Archive", "Alert results", "Alerter", "Receivers"]) {
      await page.getByRole("heading", { name: step, exact: true }).waitFor();
    }
    await accessible(page);
    await shot(page, "pipeline");
    await shot(page, "pipeline-dark", "dark");
  });

  test("fits a narrow window, and Chinese", async () => {
    const { page } = await at("/pipeline", (route) => route.continue(), { locale: "zh-CN", viewport: { width: 1100, height: 1000 } });
    await page.getByText("账目平衡").waitFor();
    await shot(page, "pipeline-zh-1100");
    await page.setViewportSize({ width: 390, height: 844 });
    await fits(page);
    await accessible(page);
    await shot(page, "pipeline-zh-390");
  });

  test("tells which sum differs, and in which cluster", async () => {
    const wrong = changed(await status(), ({ books, broker, services, deadLetters, archive }) => {
      books.balanced = books.settled = false;
      books.total.archive.stored -= 12;
      const [sums] = Object.values(books.clusters);
      if (!sums) throw new Error("the sample has a cluster");
      sums.archive.stored -= 12;
      books.clusters.fine = structuredClone(sums);
      books.clusters.fine.archive.stored += 12;
      sums.ingest.dropped = { level: 0 };
      books.total.ingest.dropped = { level_none: 120, duplicate_stage: 3 };
      for (const equation of books.equations) {
        if (equation.name.startsWith("archived")) Object.assign(equation, { right: equation.right - 12, holds: false });
      }
      const [stream] = broker.streams;
      if (stream) Object.assign(stream, { bytes: stream.maxBytes * 0.91, messages: 40_213 });
      for (const consumer of broker.consumers) Object.assign(consumer, { pending: 40_000, ackPending: 0, waiting: 0, redelivered: 7 });
      services.splice(services.findIndex((it) => it.name === "vedette-archiver"), 1);
      services.push({ name: "vedette-evaluator", id: "another", version: "0.0.9", metadata: { generation: "12", note: "x".repeat(400) } });
      if (deadLetters) Object.assign(deadLetters, { messages: 5, reasons: [{ service: "ingest", reason: "wrong_type", messages: 4 }, { service: "archiver", reason: "refused_by_archive", messages: 1 }] });
      Object.assign(archive, { ready: false, detail: "does not answer" });
    });
    const { page } = await at("/pipeline", (route) => route.fulfill({ json: wrong }));
    await page.getByRole("status").filter({ hasText: "The books do NOT balance" }).waitFor();
    const row = page.getByRole("listitem").filter({ hasText: "differs" });
    expect(await row.count()).toBe(1);
    expect(await row.textContent()).toContain("12 more on the left");
    expect(await row.textContent()).toContain("default: +12");
    expect(await row.textContent()).not.toContain("fine");
    expect(await page.getByRole("row", { name: /^default/ }).textContent()).toContain("differ");
    await page.locator(".step.archiver").getByText("nobody runs").waitFor();
    await page.locator(".step.archiver").getByText("Nobody takes these messages.").waitFor();
    await page.locator(".step.events").getByText("nearly full").waitFor();
    await page.locator(".step.evaluator").getByText("follow different rules").waitFor();
    await page.getByText("different versions").waitFor();
    await page.getByRole("row", { name: /level_none/ }).waitFor();
    await accessible(page);
    await shot(page, "pipeline-unbalanced");
    await page.getByRole("link", { name: "Look at them: ingest, wrong_type" }).waitFor();
    for (const width of [1100, 390]) {
      await page.setViewportSize({ width, height: 900 });
      await fits(page);
    }
  });

  test("counts per second, asks every five seconds, and stops where nobody looks", async () => {
    const first = await status();
    let asked = 0;
    const { page } = await at("/pipeline", async (route) => {
      asked += 1;
      await route.fulfill({
        json: changed(first, (it) => {
          it.time = new Date(Date.parse(first.time) + asked * 5_000).toISOString();
          it.books.total.ingest.received += asked * 500;
          it.books.settled = false;
          Object.assign(it.books.inFlight ?? {}, { archiveEvents: 3 });
        }),
      });
    });
    await page.getByText("The books balance so far").waitFor();
    await page.getByText("3 messages on the way").waitFor();
    await page.locator(".step.ingest").getByText("100/s").waitFor();
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByText("paused").waitFor();
    // What was under way when it was paused may still come.
    const paused = await now(page);
    await page.waitForTimeout(6_000);
    expect(await askedSince(page, paused)).toBe(0);
    await page.getByRole("button", { name: "Resume" }).click();
    await expect.poll(() => askedSince(page, paused)).toBeGreaterThan(0);
    // A tab that is hidden: the browser says so by this property and this event.
    await page.evaluate(() => {
      Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    });
    const hidden = await now(page);
    await page.waitForTimeout(6_000);
    expect(await askedSince(page, hidden)).toBe(0);
  });

  test("keeps its last numbers while the console does not answer", async () => {
    let away = false;
    const { page } = await at("/pipeline", (route) => (away ? route.abort() : route.continue()), { expected: [/ERR_FAILED/] });
    await page.getByText("The books balance").waitFor();
    away = true;
    await page.getByText("these are its last numbers").waitFor();
    await page.getByText("The books balance").waitFor();
    await accessible(page);
  });

  test("says what it does not know", async () => {
    const away = changed(await status(), (it) => {
      it.broker = { connected: false, message: "connection refused", version: "", streams: [], consumers: [] };
      it.books.inFlight = null;
      it.books.complete = it.books.settled = false;
      it.deadLetters = null;
      it.services = [];
      it.blindRules = [];
    });
    const { page } = await at("/pipeline", (route) => route.fulfill({ json: away }));
    await page.getByText("It can't be told whether the books balance").waitFor();
    await page.getByText("The broker is away").waitFor();
    await page.getByText("No service has announced itself").waitFor();
    await accessible(page);
    await shot(page, "pipeline-unknown");
  });

  test("asks the management service who follows the rules, where there is one", async () => {
    const { page } = await at("/pipeline", (route) => route.continue());
    await settings(page, { rules: true });
    await page.route("**/api/v1/rules", (route) => route.fulfill({
      json: { items: [], generation: 9, evaluators: [{ name: "evaluator-2", service: "vedette-evaluator", version: "0.1.0", generation: 8, rules: 41, behindSince: "2026-11-26T04:00:00Z", lastError: "this version does not know `foo`" }] },
    }));
    await page.reload();
    await page.getByText("this version does not know").waitFor();
    await page.getByText("41 rules in force").waitFor();
  });
});

describe("dead letters", () => {
  const SECRET = '{"kind":"Event","auditID":12345678901234567890,"note":"\u202eevil <img src=x onerror=alert(1)>","requestObject":{"data":{"password":"aHVudGVyMg=="}}}';

  function letter(sequence: number, more: Partial<DeadLetter> = {}): DeadLetter {
    return {
      sequence, time: new Date(Date.UTC(2026, 10, 26, 5, 0, sequence % 60)).toISOString(), service: "ingest", cluster: "default", reason: "wrong_type",
      detail: "`auditID` must be a string", batch: "", bytes: SECRET.length, requeueable: true, ...more,
    };
  }

  /** A console that has these letters. */
  async function having(letters: DeadLetter[], path = "/pipeline?tab=dead", options: Options = {}) {
    const seen: string[] = [];
    const refused = new Map<number, [number, string]>();
    const said = changed(await status(), (it) => {
      it.deadLetters = { messages: letters.length, bytes: 1, complete: true, reasons: [{ service: "ingest", reason: "wrong_type", messages: 1 }, { service: "alerter", reason: "receiver_refused", messages: 1 }] };
      it.books.clusters.edge = structuredClone(it.books.total);
    });
    const person = await at("/", (route) => route.fulfill({ json: said }), options);
    await person.page.route("**/api/v1/dead-letters**", async (route) => {
      const request = route.request();
      const url = new URL(request.url());
      const sequence = Number(/dead-letters\/(\d+)/.exec(url.pathname)?.[1]);
      seen.push(`${request.method()} ${url.pathname.replace("/api/v1", "")}${url.search}`);
      if (request.method() !== "GET") {
        const [code, message] = refused.get(sequence) ?? [204, ""];
        if (code === 204) letters.splice(letters.findIndex((it) => it.sequence === sequence), 1);
        return route.fulfill(code === 204 ? { status: 204 } : { status: code, json: { code, reason: "Conflict", message } });
      }
      if (!Number.isNaN(sequence)) {
        const found = letters.find((it) => it.sequence === sequence);
        return found ? route.fulfill({ json: { letter: found, payload: found.service === "archiver" ? "//79" : SECRET, base64: found.service === "archiver", truncated: false } })
          : route.fulfill({ status: 404, json: { code: 404, reason: "NotFound", message: "there is no such letter" } });
      }
      const match = letters.filter((it) => (["service", "reason", "cluster"] as const).every((name) => [null, it[name]].includes(url.searchParams.get(name))));
      const from = Number(url.searchParams.get("cursor") ?? 0);
      const next = from + 50 < match.length ? String(from + 50) : undefined;
      return route.fulfill({ json: { items: match.slice(from, from + 50), ...(next ? { next } : {}) } });
    });
    await person.page.goto(new URL(path, person.page.url()).href);
    return { page: person.page, seen, refused };
  }

  test("are told by service, reason and cluster, and filtered", async () => {
    const letters = [letter(9), letter(8, { service: "alerter", reason: "receiver_refused", cluster: "edge", detail: "400 Bad Request", requeueable: false, why: "the receiver is not set up any more" }), letter(7)];
    const { page, seen } = await having(letters);
    await page.getByRole("tab", { name: "Dead letters (3)" }).waitFor();
    await page.getByRole("button", { name: "Look at letter 7" }).waitFor();
    expect(await page.getByRole("row").count()).toBe(4);
    await page.getByText("can't be requeued").waitFor();
    await accessible(page);
    await page.getByLabel("Service").selectOption("alerter");
    await expect.poll(() => page.getByRole("row").count()).toBe(2);
    await page.waitForURL(/service=alerter/);
    expect(await page.getByLabel("Reason").locator("option").allTextContents()).toEqual(["any", "receiver_refused"]);
    await page.getByLabel("Cluster").selectOption("default");
    await page.getByText("No dead letter is like that").waitFor();
    await accessible(page);
    expect(seen).toContain("GET /dead-letters?service=alerter&cluster=default");
    await page.goBack();
    await expect.poll(() => page.getByRole("row").count()).toBe(2);
    await page.getByRole("button", { name: "Clear filters" }).click();
    await expect.poll(() => page.getByRole("row").count()).toBe(4);
  });

  test("come by pages as one scrolls", async () => {
    const { page } = await having(Array.from({ length: 700 }, (_, at) => letter(700 - at, at % 9 === 0 ? { detail: `${"long ".repeat(400)}\u202eend`, cluster: "c".repeat(63) } : {})));
    await page.getByText("50 letters shown, there are more").waitFor();
    await shot(page, "dead-letters");
    for (const width of [1100, 390]) {
      await page.setViewportSize({ width, height: 900 });
      await fits(page);
      await shot(page, `dead-letters-${width}`);
    }
    await page.setViewportSize({ width: 1440, height: 900 });
    await expect.poll(async () => {
      await page.mouse.wheel(0, 100_000);
      return page.locator("tbody tr").count();
    }, { timeout: 30_000 }).toBe(400);
    await page.getByRole("button", { name: "Load more" }).click();
    await expect.poll(() => page.locator("tbody tr").count()).toBe(450);
  });

  test("are looked at, as they were received", async () => {
    const { page, seen } = await having([letter(9), letter(8, { service: "archiver", reason: "refused_by_archive", requeueable: false, why: "it is no event", batch: "b-1" })]);
    await page.getByRole("button", { name: "Look at letter 9" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("may hold passwords").waitFor();
    await page.waitForURL(/letter=9/);
    const payload = dialog.locator("pre");
    expect(await payload.textContent()).toContain('"auditID": 12345678901234567890,\n  "note": "⟨U+202E⟩evil <img src=x');
    await dialog.getByRole("button", { name: "As received" }).click();
    expect(await payload.textContent()).toContain('{"kind":"Event","auditID":12345678901234567890');
    await accessible(page);
    await shot(page, "dead-letter");
    const [download] = await Promise.all([page.waitForEvent("download"), dialog.getByRole("button", { name: "Download" }).click()]);
    expect(download.suggestedFilename()).toBe("dead-letter-9.json");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Look at letter 8" }).click();
    await dialog.getByText("It can't be requeued: it is no event").waitFor();
    await dialog.getByText("shown as base64").waitFor();
    expect(await dialog.getByRole("button", { name: "Requeue" }).count()).toBe(0);
    await dialog.getByRole("button", { name: "Discard" }).click();
    await page.getByRole("dialog", { name: "Discard 1 letter?" }).getByRole("button", { name: "Discard" }).click();
    await page.getByText("1 letter discarded.").waitFor();
    expect(seen).toContain("DELETE /dead-letters/8");
  });

  test("that are gone are told as gone", async () => {
    const { page } = await having([letter(9)], "/pipeline?tab=dead&letter=4", { expected: [/404/] });
    await page.getByText("This letter is gone").waitFor();
    await accessible(page);
  });

  test("are requeued and discarded, several at once, when it is meant", async () => {
    const { page, seen, refused } = await having([1, 2, 3, 4, 5].map((it) => letter(10 - it, it === 5 ? { requeueable: false, why: "nobody can read it" } : {})), undefined, { expected: [/40\d|409/] });
    refused.set(8, [409, "this letter can't be requeued: the stream is full"]);
    refused.set(7, [404, "there is no such letter"]);
    expect(await page.getByRole("button", { name: "Discard" }).isDisabled()).toBe(true);
    await page.getByRole("checkbox", { name: "Select all that are shown" }).check();
    await page.getByText("5 letters selected").waitFor();
    await page.getByRole("button", { name: "Requeue 4 of 5" }).click();
    const dialog = page.getByRole("dialog", { name: "Requeue 4 letters?" });
    await dialog.getByText("1 letter of the selection can't be requeued and stays.").waitFor();
    await accessible(page);
    await dialog.getByRole("button", { name: "Cancel" }).click();
    expect(seen.filter((it) => it.startsWith("POST"))).toEqual([]);
    await page.getByRole("button", { name: "Requeue 4 of 5" }).click();
    await dialog.getByRole("button", { name: "Requeue" }).click();
    const told = page.getByRole("alert");
    await told.getByText("2 letters requeued.").waitFor();
    await told.getByText("1 letter was gone already.").waitFor();
    await told.getByText("Letter 8: this letter can't be requeued: the stream is full").waitFor();
    expect(seen.filter((it) => it.startsWith("POST")).sort()).toEqual([6, 7, 8, 9].map((it) => `POST /dead-letters/${it}/requeue`).sort());
    // What failed stays chosen, to be tried again.
    expect(await page.getByRole("checkbox", { name: "Select letter 8" }).isChecked()).toBe(true);
    await accessible(page);
    await page.getByRole("checkbox", { name: "Select letter 5" }).check();
    await page.getByRole("checkbox", { name: "Select letter 8" }).uncheck();
    await page.getByRole("button", { name: "Discard" }).click();
    await page.getByRole("dialog", { name: "Discard 1 letter?" }).getByRole("button", { name: "Discard" }).click();
    await page.getByText("1 letter discarded.").waitFor();
    expect(seen).toContain("DELETE /dead-letters/5");
  });

  test("there are none of, as a rule", async () => {
    const { page } = await having([]);
    await page.getByText("There are no dead letters").waitFor();
    await accessible(page);
  });
});
