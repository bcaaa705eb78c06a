// Counts over time, stacked.
import { useEffect, useMemo, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Histogram } from "../api/client.ts";
import { localeTag, number, useLocale, useText } from "../i18n/i18n.ts";
import { useDark } from "../theme.ts";
import { visible } from "../ui/plain.tsx";
import { BucketTable } from "./buckets.tsx";
import { barRange, ticks } from "./labels.ts";
import { colors } from "./series.ts";
import "./chart.css";

export interface Props {
  histogram: Histogram;
  /** What it shows, for those who can't see it. */
  label: string;
  /** A CSS colour of each series. */
  color?: (series: string) => string;
  /** A range was brushed, or a bar clicked: milliseconds, the end exclusive. */
  onRange?: (start: number, end: number) => void;
  height?: number;
  /** What the axis spans, in milliseconds; else what the buckets span. */
  span?: { start: number; end: number };
  /** How long a bucket is, in milliseconds, where it is known: one alone does not tell. */
  step?: number;
  /** A series was chosen in the legend. */
  onSeries?: (series: string) => void;
  /** The name of a series for people. */
  nameOf?: (series: string) => string;
}

const ALONE_MS = 60_000;
/** A drag of fewer pixels is a click. */
const CLICK_PX = 4;

interface Drawn {
  times: number[];
  step: number;
  /** For each series from the bottom up, what it and those below it reach: later ones are drawn first, and the earlier over them. */
  tops: number[][];
}

function drawn({ buckets, series = [] }: Histogram, known: number | undefined): Drawn {
  const times = buckets.map((it) => Date.parse(it.time));
  const gaps = times.slice(1).map((time, at) => time - (times[at] ?? 0));
  const tops: number[][] = [];
  if (series.length === 0) tops.push(buckets.map((it) => it.count));
  else {
    let below = buckets.map(() => 0);
    for (let at = 0; at < series.length; at += 1) {
      below = buckets.map((it, bucket) => (below[bucket] ?? 0) + (it.counts?.[at] ?? 0));
      tops.push(below);
    }
  }
  return { times, step: known ?? (gaps.length > 0 ? Math.min(...gaps) : ALONE_MS), tops };
}

export function HistogramChart(props: Props) {
  // What somebody is brushing stays as it is until they let go: numbers that come meanwhile would take it out of their hands.
  const [brushing, setBrushing] = useState(false);
  const held = useRef(props);
  if (!brushing) held.current = props;
  useEffect(() => {
    if (!brushing) return undefined;
    const end = () => setBrushing(false);
    addEventListener("mouseup", end);
    addEventListener("blur", end);
    return () => {
      removeEventListener("mouseup", end);
      removeEventListener("blur", end);
    };
  }, [brushing]);
  return <Chart {...held.current} onBrush={() => setBrushing(true)} />;
}

function Chart({ histogram, label, color, onRange, height = 130, span, step, onSeries, nameOf = visible, onBrush }: Props & { onBrush: () => void }) {
  const text = useText().search.trend;
  const locale = useLocale();
  const dark = useDark();
  const host = useRef<HTMLDivElement>(null);
  const [at, setAt] = useState<{ bucket: number; left: number; width: number } | undefined>();
  const ranged = useRef<Props["onRange"]>(undefined);
  // The first and the last bucket may reach beyond what is asked about.
  const within = onRange && ((start: number, end: number) => (span ? onRange(Math.max(start, span.start), Math.min(end, Math.max(span.end, start + 1))) : onRange(start, end)));
  ranged.current = within;
  const data = useMemo(() => drawn(histogram, step), [histogram, step]);
  const series = histogram.series ?? [];
  const palette = useMemo(() => (color ? series.map(color) : colors(series)), [color, series.join("\n")]);
  const interactive = onRange !== undefined;

  useEffect(() => {
    const box = host.current;
    if (!box) return;
    const { times, step, tops } = data;
    const canvas = resolver(box);
    const from = span?.start ?? times[0] ?? Date.now() - ALONE_MS;
    const to = span?.end ?? (times.at(-1) ?? from) + step;
    const line = { stroke: canvas("var(--muted)"), grid: { stroke: canvas("var(--line)"), width: 1 }, ticks: { stroke: canvas("var(--line)"), width: 1, size: 4 }, font: "11px system-ui, sans-serif" };
    const long = to - from > 36 * 3_600_000;
    const made = new uPlot(
      {
        width: Math.max(box.clientWidth, 50),
        height,
        ms: 1,
        padding: [6, 8, 0, 0],
        legend: { show: false },
        cursor: { y: false, points: { show: false }, drag: { x: interactive, y: false, setScale: false, dist: CLICK_PX } },
        select: { show: interactive, left: 0, top: 0, width: 0, height: 0 },
        scales: { x: { time: true, range: () => [from, to] }, y: { range: (_, __, max) => [0, Math.max(max * 1.05, 1)] } },
        axes: [
          { ...line, size: 22, space: long ? 90 : 60, values: (_, splits, __, ___, apart) => ticks(localeTag(), splits, apart, { from, to }) },
          { ...line, size: 48, space: 26, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6, 1e7, 1e8, 1e9], values: (_, splits) => splits.map(compact) },
        ],
        series: [
          {},
          ...tops.map((_, index) => {
            const shown = canvas(palette[tops.length - 1 - index] ?? "var(--accent)");
            return { paths: bars(step), fill: shown, width: 0, points: { show: false } };
          }),
        ],
        hooks: {
          setCursor: [(self) => {
            const { left = -10 } = self.cursor;
            const bucket = left < 0 ? -1 : bucketAt(times, step, self.posToVal(left, "x"));
            setAt(bucket < 0 ? undefined : { bucket, left: left + self.over.offsetLeft, width: box.clientWidth });
          }],
          setSelect: [(self) => {
            const { left, width } = self.select;
            if (width < CLICK_PX) return;
            const start = Math.max(from, self.posToVal(left, "x"));
            const end = Math.min(to, self.posToVal(left + width, "x"));
            self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            // To the second where that is precise enough: addresses are read by people.
            const unit = end - start > 120_000 ? 1_000 : 1;
            ranged.current?.(Math.floor(start / unit) * unit, Math.max(Math.ceil(end / unit) * unit, Math.floor(start / unit) * unit + 1));
          }],
        },
      },
      [times, ...[...tops].reverse()],
      box,
    );
    let pressed = -100;
    const press = (event: MouseEvent) => { pressed = event.clientX; };
    const release = (event: MouseEvent) => {
      if (Math.abs(event.clientX - pressed) >= CLICK_PX) return;
      const bucket = bucketAt(times, step, made.posToVal(event.clientX - made.over.getBoundingClientRect().left, "x"));
      const start = times[bucket];
      if (start !== undefined) ranged.current?.(start, start + step);
    };
    if (interactive) {
      made.over.addEventListener("mousedown", press);
      made.over.addEventListener("mouseup", release);
    }
    const observer = new ResizeObserver(() => {
      if (box.clientWidth > 0 && box.clientWidth !== made.width) made.setSize({ width: box.clientWidth, height });
    });
    observer.observe(box);
    return () => {
      observer.disconnect();
      made.destroy();
      setAt(undefined);
    };
  }, [data, palette, dark, locale, height, span?.start, span?.end, interactive]);

  const bucket = at ? histogram.buckets[at.bucket] : undefined;
  const totals = series.map((_, index) => histogram.buckets.reduce((sum, it) => sum + (it.counts?.[index] ?? 0), 0));
  return (
    <div className="histogram">
      <div className="histogram-plot" role="group" aria-label={label} ref={host} style={{ height }} data-interactive={interactive || undefined} onMouseDown={onBrush}>
        {at && bucket ? (
          <div className="histogram-tip" aria-hidden="true" style={at.left > at.width / 2 ? { right: at.width - at.left + 12 } : { left: at.left + 12 }}>
            <strong>{barRange(localeTag(), Date.parse(bucket.time), Date.parse(bucket.time) + data.step)}</strong> <span>{number(bucket.count)}</span>
            {series.map((name, index) => {
              const many = bucket.counts?.[index] ?? 0;
              return many > 0 ? <div key={name} className="histogram-tip-row"><i style={{ background: palette[index] }} />{name === "…" ? text.rest : nameOf(name)}<b>{number(many)}</b></div> : null;
            })}
          </div>
        ) : null}
      </div>
      <div className="histogram-foot">
        {series.length > 0 ? (
          <ul className="histogram-legend">
            {series.map((name, index) => {
              const many = totals[index] ?? 0;
              if (many === 0) return null;
              const shown = name === "…" ? text.rest : name === "" ? text.none : nameOf(name);
              const inside = <><i style={{ background: palette[index] }} /><span>{shown}</span> <span className="muted">{number(many)}</span></>;
              return (
                <li key={name}>
                  {onSeries && name !== "…" ? <button type="button" onClick={() => onSeries(name)} title={`${text.onlyWord} ${shown}`}><span className="visually-hidden">{text.onlyWord} </span>{inside}</button> : <span className="still">{inside}</span>}
                </li>
              );
            })}
          </ul>
        ) : null}
        <BucketTable histogram={histogram} label={label} step={data.step} onRange={within} nameOf={nameOf} />
      </div>
    </div>
  );
}

/** The bucket that a time is in; -1 for none. */
function bucketAt(times: readonly number[], step: number, time: number): number {
  return times.findIndex((start) => time >= start && time < start + step);
}

/** Bars that begin at their bucket's time and are as wide as it, but for a gap. */
function bars(step: number): uPlot.Series.PathBuilder {
  return (self, seriesAt, first, last) => {
    const fill = new Path2D();
    const xs = self.data[0];
    const ys = self.data[seriesAt] ?? [];
    const ground = self.valToPos(0, "y", true);
    for (let at = first; at <= last; at += 1) {
      const x = xs[at];
      const y = ys[at];
      if (x === undefined || !y) continue;
      const left = self.valToPos(x, "x", true);
      const right = self.valToPos(x + step, "x", true);
      const gap = Math.min(2 * devicePixelRatio, (right - left) * 0.15);
      const begin = Math.max(left, self.bbox.left);
      const end = Math.min(right - gap, self.bbox.left + self.bbox.width);
      // What is there is seen, however few it is beside others.
      const top = Math.min(self.valToPos(y, "y", true), ground - devicePixelRatio);
      fill.rect(begin, top, Math.max(end - begin, devicePixelRatio), ground - top);
    }
    return { fill };
  };
}

/** Colours of CSS as a canvas takes them. */
function resolver(host: HTMLElement): (color: string) => string {
  return (color) => {
    const probe = document.createElement("span");
    probe.style.color = color;
    host.append(probe);
    const seen = getComputedStyle(probe).color;
    probe.remove();
    return seen;
  };
}

function compact(value: number): string {
  return new Intl.NumberFormat(localeTag(), { notation: "compact", maximumFractionDigits: 1 }).format(value);
}
