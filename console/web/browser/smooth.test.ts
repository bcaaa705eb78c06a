// How smooth a table of thousands of rows is, in frames. Told, not judged: machines differ; only that few rows are in the document is the
// table's own doing. It takes minutes on a busy machine, and runs where VEDETTE_MEASURE is set.
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { visit } from "./kit.ts";

/** Rows that are paged in before anything is measured among them. */
const ROWS = 3_000;
/** As in grid.tsx. */
const ROW_PX = 31;
/** Those that are seen in a high window, those beside them, and the head. */
const ROWS_IN_DOCUMENT = 80;
/** What is longer is seen as a stop. */
const LONG_MS = 50;
/** As a wheel that is turned fast, and a key that is held, report themselves. */
const WHEEL = { px: 240, ms: 16, turns: 200 };
const KEY = { ms: 33, times: 200 };

interface Recorder {
  frames: number[];
  rows: number;
  stopped: boolean;
}

const grid = (page: Page) => page.getByRole("grid").first();
const body = (page: Page) => page.locator(".event-grid-body").first();

/** How many rows there are to scroll through. */
async function loaded(page: Page): Promise<number> {
  return Math.round((await body(page).evaluate((it) => Number.parseFloat(it.style.height))) / ROW_PX);
}

/** Notes how long each frame took, and how many rows are in the document in it, while something is done. */
async function measured(page: Page, what: string, act: () => Promise<void>): Promise<number> {
  const recorder = await page.evaluateHandle(() => {
    const recorder: Recorder = { frames: [], rows: 0, stopped: false };
    const rows = document.getElementsByClassName("event-grid-row");
    let before: number | undefined;
    const frame = (now: number) => {
      if (before !== undefined) recorder.frames.push(now - before);
      before = now;
      recorder.rows = Math.max(recorder.rows, rows.length);
      if (!recorder.stopped) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    return recorder;
  });
  const cdp = await page.context().newCDPSession(page);
  // Of the page's own thread, not of the clock: what else the machine does is not in it.
  await cdp.send("Performance.enable", { timeDomain: "threadTicks" });
  const busy = async () => (await cdp.send("Performance.getMetrics")).metrics.find((it) => it.name === "TaskDuration")?.value ?? 0;
  const before = await busy();
  await act();
  const work = (await busy()) - before;
  const { frames, rows } = await recorder.evaluate((it) => {
    it.stopped = true;
    return it;
  });
  frames.sort((one, other) => one - other);
  const at = (part: number) => (frames[Math.min(Math.floor(frames.length * part), frames.length - 1)] ?? 0).toFixed(1);
  const long = frames.filter((it) => it > LONG_MS).length;
  console.log(`${what}: ${frames.length} frames, median ${at(0.5)} ms, p95 ${at(0.95)}, p99 ${at(0.99)}, longest ${at(1)}, ${long} over ${LONG_MS} ms; ${((work * 1000) / frames.length).toFixed(1)} ms of work a frame; at most ${rows} rows in the document`);
  expect(frames.length).toBeGreaterThan(10);
  return rows;
}

/** Does something again and again, at the pace at which a hand does it: no faster, and slower only where the page is. */
async function paced(times: number, ms: number, act: () => Promise<void>): Promise<void> {
  const begun = performance.now();
  for (let time = 0; time < times; time += 1) {
    await act();
    const early = begun + (time + 1) * ms - performance.now();
    if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
  }
}

test.skipIf(!process.env.VEDETTE_MEASURE)("a table of thousands of rows keeps few of them in the document", { timeout: 300_000 }, async () => {
  const { page } = await visit(`/?${new URLSearchParams({ q: "last:30d" })}`);
  await page.getByRole("gridcell").first().waitFor();
  await page.getByRole("group", { name: "Events over time" }).waitFor();
  const turn = (px: number) => page.mouse.wheel(0, px);
  const most: number[] = [];
  most.push(await measured(page, "at rest", () => page.waitForTimeout(2_000)));
  most.push(await measured(page, `paging ${ROWS} rows in by wheel`, async () => {
    while ((await loaded(page)) < ROWS) {
      // At the end of what is there the window scrolls instead, and the table from under the mouse.
      await grid(page).hover();
      await turn(WHEEL.px * 8);
    }
  }));
  console.log(`${await loaded(page)} rows are there`);
  most.push(await measured(page, "up again by wheel", () => paced(WHEEL.turns, WHEEL.ms, () => turn(-WHEEL.px))));
  most.push(await measured(page, "down by wheel", () => paced(WHEEL.turns, WHEEL.ms, () => turn(WHEEL.px))));
  const row = () => grid(page).evaluate((it) => Number(document.getElementById(it.getAttribute("aria-activedescendant") ?? "")?.getAttribute("aria-rowindex") ?? 0));
  await page.keyboard.press("G");
  await page.keyboard.press("PageUp");
  for (let time = 0; time < 20; time += 1) await page.keyboard.press("PageUp");
  const from = await row();
  expect(from).toBeGreaterThan(ROWS / 2);
  most.push(await measured(page, "down by `j`, held", async () => {
    await paced(KEY.times, KEY.ms, () => page.keyboard.down("j"));
    await page.keyboard.up("j");
  }));
  expect(await row()).toBe(from + KEY.times);
  expect(Math.max(...most)).toBeLessThan(ROWS_IN_DOCUMENT);
});
