import { escaped, pictureStyle } from "../cli/experiments/plot";
import { type Figure, goalText, isMet, shown } from "./figures";

/** A bar of a timeline: from and to in seconds. */
export interface Span {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  /** Whose time it is; spans of the same owner have the same color. */
  readonly owner: string;
}

const width = 980;
const rowHeight = 22;
const left = 430;
const right = 190;
const top = 60;

/** Each figure as a bar, beside the line at which its goal is met. What is to be small grows the less it is. */
export function goalsPicture(figures: readonly Figure[]): string {
  const most = 2;
  const scale = (width - left - right) / most;
  const rows = figures.flatMap((figure, at) => {
    const { value, goal, unit, what } = figure;
    const reached = "atMost" in goal ? goal.atMost / value : value / goal.atLeast;
    const y = top + at * rowHeight;
    return [
      `<text x="${left - 8}" y="${y + 15}" text-anchor="end">${escaped(what)}</text>`,
      `<rect class="${isMet(figure) ? "f2" : "f1"}" x="${left}" y="${y + 4}" width="${(Math.min(reached, most) * scale).toFixed(1)}" height="14"/>`,
      `<text x="${left + Math.min(reached, most) * scale + 6}" y="${y + 15}">${shown(value)} ${unit} (${goalText(figure)})</text>`,
    ];
  });
  const height = top + figures.length * rowHeight + 20;
  const line = `<line class="grid" x1="${left + scale}" x2="${left + scale}" y1="${top - 6}" y2="${height - 14}"/><text x="${left + scale}" y="${top - 12}" text-anchor="middle">goal</text>`;
  return picture("How far each goal is met (right of the line: met)", height, [line, ...rows]);
}

/** What happened when. */
export function timelinePicture(title: string, spans: readonly Span[]): string {
  const end = Math.max(...spans.map(({ to }) => to));
  const scale = (width - left - 60) / end;
  const owners = [...new Set(spans.map(({ owner }) => owner))];
  const rows = spans.flatMap(({ name, from, to, owner }, at) => {
    const y = top + at * rowHeight;
    const x = left + from * scale;
    const wide = Math.max(2, (to - from) * scale);
    return [
      `<text x="${left - 8}" y="${y + 15}" text-anchor="end">${escaped(name)}</text>`,
      `<rect class="f${owners.indexOf(owner) % 6}" x="${x.toFixed(1)}" y="${y + 4}" width="${wide.toFixed(1)}" height="14"/>`,
      `<text x="${(x + wide + 5).toFixed(1)}" y="${y + 15}" font-size="11">${(to - from).toFixed(2)} s</text>`,
    ];
  });
  const height = top + spans.length * rowHeight + 40;
  const legend = owners.flatMap((owner, at) => [
    `<rect class="f${at % 6}" x="${20 + at * 150}" y="${height - 26}" width="12" height="12"/>`,
    `<text x="${38 + at * 150}" y="${height - 15}">${escaped(owner)}</text>`,
  ]);
  return picture(title, height, [...rows, ...legend]);
}

function picture(title: string, height: number, parts: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(title)}">
<style>${pictureStyle}</style>
<text x="20" y="26" font-size="16" font-weight="600">${escaped(title)}</text>
${parts.join("\n")}
</svg>
`;
}
