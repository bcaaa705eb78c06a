import { expect, test } from "vitest";
import { CONSOLE, visit } from "./kit.ts";

/** Bytes of script, as they are sent, until the search page is whole. */
const BUDGET = 200_000;

test("the search page takes less than 200 kB of script", async () => {
  const { page } = await visit("/");
  await page.getByRole("gridcell").first().waitFor();
  await page.getByRole("img", { name: "Events over time" }).or(page.getByRole("group", { name: "Events over time" })).first().waitFor();
  // What is loaded a little later is of the page, too.
  for (const name of ["Saved searches", "Export", "Columns"]) await page.getByRole("button", { name, exact: true }).waitFor();
  const sizes = await page.evaluate(() =>
    (performance.getEntriesByType("resource") as PerformanceResourceTiming[])
      .filter((it) => new URL(it.name).pathname.endsWith(".js"))
      .map((it) => ({ name: new URL(it.name).pathname, bytes: it.encodedBodySize })),
  );
  const bytes = sizes.reduce((sum, it) => sum + it.bytes, 0);
  console.log(`the search page loads ${sizes.length} scripts of ${bytes} bytes`);
  expect(sizes.length).toBeGreaterThan(3);
  expect(sizes.every((it) => it.bytes > 0)).toBe(true);
  expect(bytes).toBeLessThan(BUDGET);
});

test("how long it takes until the first row is there", async () => {
  const { page } = await visit("/");
  const times: number[] = [];
  for (let run = 0; run < 3; run += 1) {
    await page.goto("about:blank");
    await page.goto(CONSOLE, { waitUntil: "commit" });
    // Measured by the page itself, frame by frame, so that the test's own way to it does not count.
    times.push(await page.evaluate(() => new Promise<number>((resolve) => {
      const look = () => {
        if (document.querySelector("[role=gridcell]")) resolve(performance.now());
        else requestAnimationFrame(look);
      };
      look();
    })));
  }
  // Told, not judged: machines differ.
  console.log(`the first row is there after ${Math.round(times.sort((one, other) => one - other)[1] ?? 0)} ms (the median of ${times.length}, with what the browser keeps)`);
  expect(times.length).toBe(3);
});
