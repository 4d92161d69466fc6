import { useMemo, useState } from "preact/hooks";
import { chartsOf } from "./chart-groups.js";
import { number, words } from "./format.js";
import { html } from "./html.js";
import { Plot } from "./plot.js";
import { useChoice, useTopic } from "./store.js";

/** Colours of experiments, by their place among those that are shown; the run that goes on has the first. */
export const colors = ["--c0", "--c1", "--c2", "--c3", "--c4", "--c5", "--c6", "--c7"];

/** The experiments that the charts show: the stack's own, and those chosen among the ones at home. */
export function shownExperiments(report, metrics, homes, chosen) {
  const own = report?.experiment == null ? undefined : `${report.stack}/${report.experiment}`;
  const live = own !== undefined && metrics != null ? [{ id: own, name: report.experiment, ...metrics }] : [];
  const others = homes.filter(({ id }) => chosen.includes(id) && !(live.length > 0 && id === own));
  // Without a run that goes on, the newest results are what there is to see.
  const fallback = live.length === 0 && others.length === 0 ? homes.slice(0, 1) : [];
  return [...live, ...others, ...fallback].slice(0, colors.length).map((each, at) => ({ ...each, color: colors[at] }));
}

/** The curves. */
export function Charts({ chosen, theme }) {
  const report = useTopic("report");
  const metrics = useTopic("metrics");
  const homes = useTopic("experiments") ?? [];
  const experiment = report?.experiment;
  const shown = useMemo(
    () => shownExperiments(report, metrics, homes, chosen),
    [report?.stack, experiment, metrics, homes, chosen],
  );
  const charts = useMemo(() => chartsOf(shown), [shown]);
  if (charts.length === 0) {
    if (report?.instance == null) return null;
    return html`<section class="panel" id="charts">
      <h2>Metrics</h2>
      <p class="empty">No curves yet. They come from JSON, JSON lines or CSV files among the experiment's outputs, and from
        lines of the log that name a step and a loss.</p>
    </section>`;
  }
  const several = shown.length > 1;
  return html`<section class="charts" id="charts" aria-label="Metrics">
    ${charts.map((chart) => html`<${Chart} key=${chart.key} chart=${chart} several=${several} theme=${theme} />`)}
  </section>`;
}

function Chart({ chart, several, theme }) {
  const { metric, axis, lines } = chart;
  const [logarithmic, setLogarithmic] = useChoice(`log ${metric}`, false);
  const [cursor, setCursor] = useState(null);
  const positive = lines.every(({ ys }) => ys.every((y) => y > 0));
  const label = `${words(metric)} by ${axis}: ${lines.map(({ name, ys }) => `${name} ${number(ys.at(-1))}`).join(", ")}`;
  return html`<figure class="panel chart" data-metric=${metric}>
    <figcaption>
      <h2>${words(metric)}</h2>
      <span class="axis">by ${axis}${cursor === null ? "" : ` ${Math.round(cursor)}`}</span>
      ${
        positive &&
        html`<button class="quiet small" aria-pressed=${logarithmic} onClick=${() => setLogarithmic(!logarithmic)}>log scale</button>`
      }
    </figcaption>
    <${Plot} lines=${lines} axis=${axis} logarithmic=${positive && logarithmic} theme=${theme} label=${label} onCursor=${setCursor} />
    <ul class="legend">
      ${lines.map((line) => html`<${Entry} key=${line.key} line=${line} several=${several} cursor=${cursor} />`)}
    </ul>
  </figure>`;
}

function Entry({ line, several, cursor }) {
  const { name, split, experiment, color, xs, ys } = line;
  const at = cursor === null ? xs.length - 1 : xs.findLastIndex((x) => x <= cursor);
  const title = several ? [experiment, split].filter(Boolean).join(" · ") : split === "" ? words(name) : split;
  return html`<li data-experiment=${experiment} data-series=${name} data-points=${xs.length}>
    <svg class="line" viewBox="0 0 18 6" aria-hidden="true" style=${{ stroke: `var(${color})` }}>
      <line x1="0" y1="3" x2="18" y2="3" stroke-dasharray=${split === "train" ? "5 3" : ""} opacity=${split === "logged" ? 0.5 : 1} />
    </svg>
    <span>${title}</span> <b>${at < 0 ? "–" : number(ys[at])}</b>
  </li>`;
}
