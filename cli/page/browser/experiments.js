import { shownExperiments } from "./charts.js";
import { ago, bytes, number, words } from "./format.js";
import { html } from "./html.js";
import { useNow, useTopic } from "./store.js";

const lower = /loss|error|perplexity|(?:^|[_./])(?:wer|cer|mae|mse|rmse)(?:$|[_./])/i;
const higher = /acc|bleu|rouge|f1|auc|map|iou|precision|recall|correct/i;
const mostColumns = 6;

/** The last value of each curve that is no rate, and the scores of the evaluation, by name. */
function valuesOf({ series, scores }) {
  const last = series.filter(({ source, name }) => source === "file" && !/lr|learning.rate/i.test(name));
  return new Map([...last.map(({ name, ys }) => [name, ys.at(-1)]), ...scores.map(({ name, value }) => [name, value])]);
}

/** Scores first, as many columns as a row can hold. */
function columnsOf(rows) {
  const count = new Map();
  for (const { values } of rows) for (const name of values.keys()) count.set(name, (count.get(name) ?? 0) + 1);
  const judged = [...count.keys()].filter((name) => lower.test(name) || higher.test(name));
  return judged.sort((a, b) => count.get(b) - count.get(a)).slice(0, mostColumns);
}

/** The best value of a column, where more than one row has it. */
function bestOf(rows, name) {
  const values = rows.flatMap(({ values: each }) => each.get(name) ?? []);
  if (values.length < 2) return undefined;
  return lower.test(name) ? Math.min(...values) : Math.max(...values);
}

/** Which of its files may hold metrics and were not read, and why. */
function notRead({ left = [] }) {
  return left.map(({ path, bytes: size, why }) => `${path} (${bytes(size)}: ${why})`).join(", ");
}

/** Experiments side by side: what they reached, and which of them the charts show. */
export function Experiments({ chosen, choose }) {
  const report = useTopic("report");
  const metrics = useTopic("metrics");
  const homes = useTopic("experiments") ?? [];
  const now = useNow();
  const shown = shownExperiments(report, metrics, homes, chosen);
  const own = report?.experiment == null || metrics == null ? undefined : shown[0];
  const others = homes.filter(({ id }) => id !== own?.id);
  if (others.length === 0) return null;
  const rows = [...(own === undefined ? [] : [own]), ...others].map((each) => ({ ...each, values: valuesOf(each) }));
  const columns = columnsOf(rows);
  const best = new Map(columns.map((name) => [name, bestOf(rows, name)]));
  const toggle = (id) => choose(chosen.includes(id) ? chosen.filter((each) => each !== id) : [...chosen, id]);
  return html`<section class="panel" id="experiments">
    <h2>Experiments</h2>
    <div class="scroll" tabindex="0">
      <table>
        <thead>
          <tr><th scope="col">experiment</th><th scope="col">stack</th>${columns.map(
            (name) => html`<th key=${name} scope="col" class="value">${words(name)}</th>`,
          )}<th scope="col">results</th></tr>
        </thead>
        <tbody>
          ${rows.map((row) => {
            const color = shown.find(({ id }) => id === row.id)?.color;
            const live = row.id === own?.id;
            return html`<tr key=${row.id} data-experiment=${row.id}>
              <th scope="row"><label>
                <input type="checkbox" checked=${color !== undefined} disabled=${live} onChange=${() => toggle(row.id)} />
                <span class="swatch" style=${{ background: color === undefined ? "transparent" : `var(${color})` }}></span>
                ${row.name ?? report.experiment}
              </label></th>
              <td>${row.stack ?? report.stack}</td>
              ${columns.map((name) => {
                const value = row.values.get(name);
                return html`<td key=${name} class="value ${value !== undefined && value === best.get(name) ? "best" : ""}">${
                  value === undefined ? "–" : number(value)
                }</td>`;
              })}
              <td class="soft" title=${notRead(row) || null}>${live ? "this run" : `${ago(row.homeAt, now)}, ${bytes(row.bytes)}`}${
                notRead(row) && "; metrics not read"
              }</td>
            </tr>`;
          })}
        </tbody>
      </table>
    </div>
  </section>`;
}
