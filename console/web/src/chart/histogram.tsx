// Counts over time, stacked.
import type { Histogram } from "../api/client.ts";

export interface Props {
  histogram: Histogram;
  /** What it shows, for those who can't see it. */
  label: string;
  /** A CSS colour of each series. */
  color?: (series: string) => string;
  /** A range was brushed, or a bar clicked: milliseconds, the end exclusive. */
  onRange?: (start: number, end: number) => void;
  height?: number;
}

export function HistogramChart({ histogram, label }: Props) {
  return <p aria-label={label}>{histogram.total}</p>;
}
