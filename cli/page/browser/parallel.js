import { number, words } from "./format.js";
import { html } from "./html.js";

const [width, height, top, bottom, side] = [720, 220, 24, 26, 70];

/** An axis: where a value lies on it, from 0 at its lower end to 1. Numbers over two orders of magnitude by their logarithm. */
function axisOf(title, values) {
  const known = values.filter((value) => value !== undefined && value !== null);
  if (known.length > 0 && known.every((value) => typeof value === "number")) {
    const [low, high] = [Math.min(...known), Math.max(...known)];
    const isLogarithmic = low > 0 && high / low >= 100;
    const scaled = isLogarithmic ? Math.log : (value) => value;
    const span = scaled(high) - scaled(low);
    const place = (value) => (span === 0 ? 0.5 : (scaled(value) - scaled(low)) / span);
    return { title, place, ends: [number(low), number(high)] };
  }
  const names = [...new Set(known.map(String))].sort();
  const place = (value) => (names.length < 2 ? 0.5 : names.indexOf(String(value)) / (names.length - 1));
  return { title, place, ends: [names[0] ?? "", names.at(-1) ?? ""] };
}

/** Each trial that has come to a value as a line over the axes of its values; the better, the stronger. */
export function Parallel({ sweep: { trials, params, metric, direction }, marked, mark }) {
  const done = trials.filter(({ value }) => typeof value === "number");
  if (done.length < 2 || params.length === 0) return null;
  const axes = [
    ...params.map((name) => ({
      ...axisOf(
        name,
        done.map((trial) => trial.params[name]),
      ),
      of: (trial) => trial.params[name],
    })),
    {
      ...axisOf(
        words(metric),
        done.map(({ value }) => value),
      ),
      of: ({ value }) => value,
    },
  ];
  const x = (at) => side + (at * (width - 2 * side)) / (axes.length - 1);
  const y = (share) => height - bottom - share * (height - top - bottom);
  const last = axes[axes.length - 1];
  const goodness = (trial) => (direction === "maximize" ? last.place(trial.value) : 1 - last.place(trial.value));
  const lines = done.toSorted((a, b) => goodness(a) - goodness(b));
  return html`<svg class="parallel" viewBox="0 0 ${width} ${height}" role="img" aria-label="Values of the trials against ${words(metric)}">
    ${axes.map(
      ({ title, ends }, at) => html`<g key=${title} data-axis=${title}>
        <line x1=${x(at)} x2=${x(at)} y1=${y(0)} y2=${y(1)} class="axis" />
        <text x=${x(at)} y="12" class="title">${title}</text>
        <text x=${x(at) + 5} y=${y(1) + 9}>${ends[1]}</text>
        <text x=${x(at) + 5} y=${y(0) - 2}>${ends[0]}</text>
      </g>`,
    )}
    ${lines.map((trial) => {
      const points = axes.flatMap(({ place, of }, at) => {
        const value = of(trial);
        return value === undefined || value === null ? [] : [`${x(at).toFixed(1)},${y(place(value)).toFixed(1)}`];
      });
      return html`<polyline
        key=${trial.number}
        data-line=${trial.number}
        points=${points.join(" ")}
        class=${trial.number === marked ? "marked" : ""}
        style=${{ opacity: trial.number === marked ? 1 : 0.15 + 0.75 * goodness(trial) }}
        onMouseEnter=${() => mark(trial.number)}
        onMouseLeave=${() => mark(null)}
      ><title>trial ${trial.number}: ${number(trial.value)}</title></polyline>`;
    })}
  </svg>`;
}
