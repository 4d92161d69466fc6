import { useRef, useState } from "preact/hooks";
import { duration } from "./format.js";
import { html } from "./html.js";
import { ofRun, useNow, useTopic } from "./store.js";

const titles = { results: "Download of the results", stop: "Clean stop" };
const words = { running: "is running", done: "is done", failed: "failed" };

/** What the page can do: nothing of it loses anything. What ends the bill is a command. */
export function Actions() {
  const report = useTopic("report");
  const action = useTopic("action");
  const dialog = useRef(null);
  const [trouble, setTrouble] = useState("");
  const run = report?.run;
  if (report?.instance == null || run === undefined || run.state === "none") return null;
  const busy = action?.state === "running";
  const reachable = run.state !== "unreachable";
  const goesOn = run.state === "running" || run.state === "starting";
  const start = async (name) => {
    const response = await fetch(ofRun(`/api/actions/${name}`), { method: "POST" }).catch((error) => error);
    setTrouble(response.ok ? "" : response instanceof Error ? response.message : await response.text());
  };
  return html`
    <section class="actions" aria-label="Actions">
      <button id="download" disabled=${busy || !reachable} onClick=${() => start("results")}>Download results</button>
      <button id="stop" disabled=${busy || !goesOn} onClick=${() => dialog.current.showModal()}>Stop cleanly …</button>
      <p class="ending">To terminate the instance and end the bill: <code>npm run down -- --stack ${report.stack}</code></p>
      ${trouble && html`<p class="trouble" role="alert">${trouble}</p>`}
      <${Progress} action=${action} />
    </section>
    <dialog ref=${dialog} aria-labelledby="stop-title">
      <form method="dialog">
        <h2 id="stop-title">Stop ${report.experiment}?</h2>
        <p>Training gets SIGTERM and time to write a checkpoint. Then the run is evaluated, unless that is done, and its
          results are downloaded and verified.</p>
        <p>The instance stays, and bills, until <code>npm run down -- --stack ${report.stack}</code>.
          <code> npm run up</code> starts the run again from its last checkpoint.</p>
        <div class="choices">
          <button value="no" autofocus>Keep it running</button>
          <button value="yes" class="strong" id="stop-yes" onClick=${() => start("stop")}>Stop cleanly</button>
        </div>
      </form>
    </dialog>
  `;
}

function Progress({ action }) {
  const now = useNow();
  if (action == null) return null;
  const { name, state, startedAt, lines } = action;
  return html`<div class="progress ${state}" id="action" data-state=${state} role="status">
    <b>${titles[name]} ${words[state]}${state === "running" ? `, ${duration((now - startedAt) / 1000)}` : ""}</b>
    <span>${lines.at(-1)}</span>
  </div>`;
}
