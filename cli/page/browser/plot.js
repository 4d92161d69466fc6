import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { number } from "./format.js";
import { html } from "./html.js";

const dashes = { train: [6, 4] };
const sync = uPlot.sync("charts");

function options({ lines, axis, logarithmic, onCursor }, width) {
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(name).trim();
  const font = `11px ${style.getPropertyValue("--font")}`;
  const grid = { stroke: color("--line"), width: 1 };
  const ticks = { show: false };
  return {
    width,
    height: 200,
    // The last label of the axis below stands half outside of the plot.
    padding: [10, (plot) => 6 + 3.5 * number(plot.data?.[0]?.at(-1) ?? 0).length, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: sync.key, setSeries: false }, points: { size: 6 }, drag: { x: true, y: false }, y: false },
    scales: { x: { time: false }, y: { distr: logarithmic ? 3 : 1, log: 10 } },
    axes: [
      { stroke: color("--soft"), font, grid: { show: false }, ticks, size: 28, values: (_, all) => all.map(number) },
      {
        stroke: color("--soft"),
        font,
        grid,
        ticks,
        size: 52,
        space: 36,
        values: (_, all) => all.map((value) => (value === null ? "" : number(value))),
      },
    ],
    series: [
      { label: axis },
      ...lines.map(({ name, split, color: named }) => ({
        label: name,
        stroke: color(named),
        width: split === "logged" ? 1 : 1.75,
        alpha: split === "logged" ? 0.45 : 1,
        dash: dashes[split],
        spanGaps: true,
        points: { show: false },
      })),
    ],
    hooks: { setCursor: [(plot) => onCursor(plot.cursor.left >= 0 ? plot.posToVal(plot.cursor.left, "x") : null)] },
  };
}

/** A chart of lines over one axis. `onCursor` is told the place under the pointer, or null. */
export function Plot(props) {
  const { lines, logarithmic, theme, label } = props;
  const place = useRef(null);
  const plot = useRef(null);
  const latest = useRef(props);
  latest.current = props;
  const data = () => uPlot.join(latest.current.lines.map(({ xs, ys }) => [xs, ys]));
  const shape = JSON.stringify([lines.map(({ key, color }) => [key, color]), logarithmic, theme]);
  useEffect(() => {
    const current = { ...latest.current, onCursor: (at) => latest.current.onCursor(at) };
    plot.current = new uPlot(options(current, place.current.clientWidth), data(), place.current);
    sync.sub(plot.current);
    const observer = new ResizeObserver(() => plot.current.setSize({ width: place.current.clientWidth, height: 200 }));
    observer.observe(place.current);
    return () => {
      observer.disconnect();
      sync.unsub(plot.current);
      plot.current.destroy();
    };
  }, [shape]);
  useEffect(() => plot.current?.setData(data()), [lines]);
  return html`<div class="plot" ref=${place} role="img" aria-label=${label}></div>`;
}
