import { useState } from "preact/hooks";
import { duration, number, words } from "./format.js";
import { html } from "./html.js";
import { Parallel } from "./parallel.js";
import { useNow, useTopic } from "./store.js";

const unset = "–";

/** A value of a trial as a cell shows it. */
function text(value) {
  if (value === undefined || value === null) return unset;
  return typeof value === "number" ? number(value) : String(value);
}

/** Numbers by size, all else by name; what is not set is last, whichever way. */
function compare(a, b, isDown) {
  const [noA, noB] = [a === undefined || a === null, b === undefined || b === null];
  if (noA || noB) return Number(noA) - Number(noB);
  const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
  return isDown ? -order : order;
}

function secondsOf({ startedAt, endedAt }, now) {
  if (startedAt == null) return null;
  return Math.max(0, (endedAt ?? now / 1000) - startedAt);
}

function columnsOf({ metric, params }, now) {
  return [
    { key: "number", title: "trial", of: ({ number: own }) => own },
    { key: "state", title: "state", of: ({ state }) => state },
    { key: "value", title: words(metric), of: ({ value }) => value, isValue: true },
    ...params.map((name) => ({ key: `param ${name}`, title: name, of: ({ params: own }) => own[name], isValue: true })),
    { key: "machine", title: "machine", of: ({ machine }) => machine },
    { key: "attempt", title: "attempt", of: ({ attempt }) => attempt, isValue: true },
    { key: "time", title: "time", of: (trial) => secondsOf(trial, now), show: duration, isValue: true },
  ];
}

/** The trials of a sweep: a table that sorts, the values against each other, and how much each matters. */
export function Sweep() {
  const sweep = useTopic("sweep");
  const now = useNow();
  const [sorted, sort] = useState({ key: "number", isDown: false });
  const [marked, mark] = useState(null);
  if (sweep == null) return null;
  const columns = columnsOf(sweep, now);
  const by = columns.find(({ key }) => key === sorted.key) ?? columns[0];
  const rows = sweep.trials.toSorted((a, b) => compare(by.of(a), by.of(b), sorted.isDown));
  const turn = (key) => sort({ key, isDown: sorted.key === key && !sorted.isDown });
  const counts = Map.groupBy(sweep.trials, ({ state }) => state);
  const told = [...counts].map(([state, all]) => `${all.length} ${state}`).join(", ");
  return html`<section class="panel" id="sweep">
    <h2>Sweep</h2>
    <p class="soft">${sweep.trials.length} trials: ${told}. ${words(sweep.metric)}: ${sweep.direction}.</p>
    <${Parallel} sweep=${sweep} marked=${marked} mark=${mark} />
    <${Importance} importance=${sweep.importance} />
    <div class="scroll" tabindex="0">
      <table>
        <thead><tr>
          ${columns.map(
            ({ key, title, isValue }) =>
              html`<th key=${key} scope="col" class=${isValue ? "value" : ""} aria-sort=${
                sorted.key === key ? (sorted.isDown ? "descending" : "ascending") : "none"
              }><button class="quiet small" onClick=${() => turn(key)}>${title}</button></th>`,
          )}
        </tr></thead>
        <tbody>
          ${rows.map(
            (trial) => html`<tr
              key=${trial.number}
              data-trial=${trial.number}
              class=${trial.number === marked ? "marked" : ""}
              onMouseEnter=${() => mark(trial.number)}
              onMouseLeave=${() => mark(null)}
            >
              ${columns.map(({ key, of, show = text, isValue }) => {
                const value = of(trial);
                const best = key === "value" && trial.number === sweep.best;
                return html`<td key=${key} class="${isValue ? "value" : ""} ${best ? "best" : ""}" title=${
                  key === "state" ? (trial.reason ?? null) : null
                }>${value === null || value === undefined ? unset : show(value)}</td>`;
              })}
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </section>`;
}

function Importance({ importance }) {
  const all = Object.entries(importance ?? {}).sort(([, a], [, b]) => b - a);
  if (all.length === 0) return null;
  return html`<dl class="importance" aria-label="Importance of each value">
    ${all.map(
      ([name, share]) => html`<div key=${name} data-importance=${name}>
        <dt>${name}</dt>
        <dd><span class="meter"><span style=${{ width: `${share * 100}%` }}></span></span> ${Math.round(share * 100)} %</dd>
      </div>`,
    )}
  </dl>`;
}
