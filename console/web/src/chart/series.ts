// The colours of series: told apart in both schemes, and by those who see few colours (after Okabe and Ito, lightness differs, too).

const CATEGORIES = [
  "light-dark(#0072b2, #56b4e9)", "light-dark(#e69f00, #f0b030)", "light-dark(#009e73, #2fc79b)", "light-dark(#cc79a7, #e6a5c8)", "light-dark(#a63d00, #e87b35)",
  "light-dark(#56b4e9, #9ad4f7)", "light-dark(#6b4fa0, #ab94dd)", "light-dark(#8a7a00, #e8dc5a)",
];
const REST = "light-dark(#9aa5b1, #66727e)";

// What has a meaning keeps its colour, whichever others are beside it.
const MEANINGS: Record<string, string> = {
  "1xx": "light-dark(#9aa5b1, #66727e)", "2xx": "light-dark(#2c8a6b, #3fae88)", "3xx": "light-dark(#56b4e9, #9ad4f7)", "4xx": "light-dark(#e08e00, #f0b030)", "5xx": "light-dark(#a3232b, #ff7b6e)",
  get: "light-dark(#56b4e9, #8fd0f5)", list: "light-dark(#0072b2, #4593c9)", watch: "light-dark(#7b8fa8, #8fa3bd)", create: "light-dark(#009e73, #2fc79b)",
  update: "light-dark(#e69f00, #f0b030)", patch: "light-dark(#cc79a7, #e6a5c8)", delete: "light-dark(#a63d00, #e87b35)", deletecollection: "light-dark(#6e1f3c, #ff9db0)",
  EMERGENCY: "light-dark(#6e0f2a, #ff5d78)", ALERT: "light-dark(#a3232b, #ff7b6e)", CRITICAL: "light-dark(#c8501e, #f0925a)", ERROR: "light-dark(#e08e00, #f0b030)",
  WARNING: "light-dark(#c9b400, #e8dc5a)", NOTICE: "light-dark(#0072b2, #56b4e9)", INFO: "light-dark(#56b4e9, #9ad4f7)", INFORMATIONAL: "light-dark(#56b4e9, #9ad4f7)", DEBUG: "light-dark(#7b8fa8, #8fa3bd)",
};

/** A CSS colour for each of some series. */
export function colors(series: readonly string[]): string[] {
  let next = 0;
  return series.map((name) => {
    if (name === "…" || name === "") return REST;
    return MEANINGS[name] ?? MEANINGS[name.toUpperCase()] ?? CATEGORIES[next++ % CATEGORIES.length] ?? REST;
  });
}
