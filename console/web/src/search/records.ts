// Records of an export, counted as it comes.
const NEWLINE = 10;
const QUOTE = 34;

/** Counts records in parts that may end anywhere. In CSV, a line that ends within quotation marks ends no record. */
export function recordCounter(format: "ndjson" | "csv"): (part: Uint8Array) => number {
  let records = format === "csv" ? -1 : 0;
  let quoted = false;
  return (part) => {
    for (const byte of part) {
      // A mark that is part of a value is doubled, which ends and begins the quotation.
      if (byte === QUOTE && format === "csv") quoted = !quoted;
      else if (byte === NEWLINE && !quoted) records += 1;
    }
    return Math.max(records, 0);
  };
}
