import { number, words } from "./format.js";
import { html } from "./html.js";
import { useTopic } from "./store.js";

/** What the run's evaluation found. Nothing while one is due: what is there then was found by an earlier one. */
export function Evaluation() {
  const report = useTopic("report");
  const scores = useTopic("metrics")?.scores ?? [];
  const due = ["pending", "running"].includes(report?.run.evaluation?.state);
  if (due || scores.length === 0) return null;
  return html`<section class="panel" id="evaluation">
    <h2>Evaluation</h2>
    <dl class="scores">
      ${scores.map(
        ({ name, value }) => html`<div key=${name}>
          <dt>${words(name)}</dt>
          <dd><data value=${value} data-score=${name}>${number(value)}</data></dd>
        </div>`,
      )}
    </dl>
  </section>`;
}
