import { ago, clock } from "./format.js";
import { html } from "./html.js";
import { useTopic } from "./store.js";

const kinds = { failed: "bad", starting: "good", running: "good" };

/** The jobs beside the run, on its machine. Nothing where none was ever started. */
export function Jobs() {
  const report = useTopic("report");
  const stack = useTopic("stack");
  const { jobs = [], now = 0 } = report?.run ?? {};
  if (jobs.length === 0) return null;
  const option = stack?.name ? `--stack ${stack.name} ` : "";
  return html`<section class="panel" id="jobs">
    <h2>Jobs</h2>
    <div class="scroll" tabindex="0"><table>
      <thead><tr>
        ${["job", "state", "exit status", "since"].map((title) => html`<th key=${title} scope="col">${title}</th>`)}
      </tr></thead>
      <tbody>${jobs.map((job) => html`<${Job} key=${job.experiment} job=${job} now=${now} />`)}</tbody>
    </table></div>
    <p class="soft"><code>npm run logs -- ${option}--run ${jobs[0].experiment}</code> follows one.</p>
  </section>`;
}

/** @param now When the instance told of it, in seconds by its own clock, as the job's times are. */
function Job({ job: { experiment, state, exitCode, stopReason, startedAt, endedAt }, now }) {
  const since = Date.parse(endedAt ?? startedAt ?? "");
  return html`<tr data-job=${experiment}>
    <th scope="row">${experiment}</th>
    <td><span class="pill ${kinds[state] ?? "calm"}">${state}</span></td>
    <td>${exitCode ?? ""}${stopReason === undefined ? "" : ` (${stopReason})`}</td>
    <td class="soft" title=${Number.isNaN(since) ? null : clock(since)}>${Number.isNaN(since) ? "" : ago(since, now * 1000)}</td>
  </tr>`;
}
