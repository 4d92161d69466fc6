import plot from "simple-ascii-chart";

/** A metric over the course of a training: [epoch or step, value]. */
type Series = [number, number][];

/** A curve and its name. */
export interface Curve {
  readonly name: string;
  readonly points: Series;
}

/** Most points that a curve is drawn with. */
const mostPoints = 400;

/** Every n-th point, the last one always. */
function thinned(points: Series, most = mostPoints): Series {
  const step = Math.ceil(points.length / most);
  return points.filter((_, index) => index % step === 0 || index === points.length - 1);
}

/** Curves as text of so many columns, for a terminal: in one plot where colors tell them apart, else each in its own. */
export function textPlot(title: string, curves: readonly Curve[], width: number, colored: boolean): string {
  if (!colored && curves.length > 1) return curves.map((curve) => textPlot(title, [curve], width, false)).join("\n");
  const counts = curves.flatMap(({ points }) => points.map(([at]) => at));
  const [from, to] = range(counts);
  return plot(
    curves.map(({ points }) => thinned(points, width)),
    {
      title: `${title}: ${curves.map(({ name }) => name).join(", ")} (${short(from)} to ${short(to)})`,
      width: Math.max(20, width - 14),
      height: 12,
      hideXAxisTicks: true,
      formatter: short,
      ...(colored ? { color: curves.map((_, index) => colors[index % colors.length] ?? "ansiCyan") } : {}),
      ...(colored ? { legend: { position: "bottom" as const, series: curves.map(({ name }) => name) } } : {}),
    },
  ).trimEnd();
}

const colors = ["ansiCyan", "ansiYellow", "ansiGreen", "ansiMagenta", "ansiRed", "ansiBlue"] as const;

const size = { width: 860, height: 420, left: 70, right: 20, top: 50, bottom: 50 };

/** Style of pictures, for light and dark surroundings: lines of classes c0 to c5, filled shapes of f0 to f5. */
export const pictureStyle = `
  svg { background: #fff; color: #1f2328; font: 13px system-ui, sans-serif; }
  .grid { stroke: #d0d7de; } text { fill: currentColor; } path { fill: none; stroke-width: 2; }
  .c0 { stroke: #0969da; } .c1 { stroke: #bc4c00; } .c2 { stroke: #1a7f37; } .c3 { stroke: #8250df; } .c4 { stroke: #cf222e; } .c5 { stroke: #57606a; }
  .f0 { fill: #0969da; } .f1 { fill: #bc4c00; } .f2 { fill: #1a7f37; } .f3 { fill: #8250df; } .f4 { fill: #cf222e; } .f5 { fill: #57606a; }
  @media (prefers-color-scheme: dark) {
    svg { background: #0d1117; color: #e6edf3; } .grid { stroke: #30363d; }
    .c0 { stroke: #58a6ff; } .c1 { stroke: #f0883e; } .c2 { stroke: #3fb950; } .c3 { stroke: #bc8cff; } .c4 { stroke: #ff7b72; } .c5 { stroke: #8b949e; }
    .f0 { fill: #58a6ff; } .f1 { fill: #f0883e; } .f2 { fill: #3fb950; } .f3 { fill: #bc8cff; } .f4 { fill: #ff7b72; } .f5 { fill: #8b949e; }
  }`;

/** Curves as a picture that suits light and dark surroundings. */
export function svgPlot(title: string, curves: readonly Curve[]): string {
  const all = curves.flatMap(({ points }) => points);
  const [left, right] = range(all.map(([x]) => x));
  const [low, high] = range(all.map(([, y]) => y));
  const x = (value: number): number =>
    size.left + ((value - left) / (right - left)) * (size.width - size.left - size.right);
  const y = (value: number): number =>
    size.height - size.bottom - ((value - low) / (high - low)) * (size.height - size.top - size.bottom);
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  const rows = ticks.map((part) => low + part * (high - low));
  const columns = ticks.map((part) => left + part * (right - left));
  const parts = [
    `<text x="${size.left}" y="24" font-size="16" font-weight="600">${escaped(title)}</text>`,
    ...rows.flatMap((value) => [
      `<line class="grid" x1="${size.left}" x2="${size.width - size.right}" y1="${y(value)}" y2="${y(value)}"/>`,
      `<text x="${size.left - 8}" y="${y(value) + 4}" text-anchor="end">${short(value)}</text>`,
    ]),
    ...columns.map(
      (value) =>
        `<text x="${x(value)}" y="${size.height - size.bottom + 20}" text-anchor="middle">${short(value)}</text>`,
    ),
    ...curves.flatMap(({ name, points }, index) => {
      const path = thinned(points).map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`);
      const from = size.left + index * ((size.width - size.left - size.right) / curves.length);
      return [
        `<path class="c${index % 6}" d="M${path.join("L")}"/>`,
        `<path class="c${index % 6}" d="M${from},${size.height - 12}h18"/>`,
        `<text x="${from + 24}" y="${size.height - 8}">${escaped(name)}</text>`,
      ];
    }),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="${escaped(title)}">\n<style>${pictureStyle}</style>\n${parts.join("\n")}\n</svg>\n`;
}

/** Least and largest, a little apart where they are the same. */
function range(values: readonly number[]): [number, number] {
  const low = values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
  const high = values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
}

/** A number in at most four digits or so. */
export function short(value: number): string {
  return String(Number(value.toPrecision(4)));
}

/** A text as XML holds it. */
export function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
