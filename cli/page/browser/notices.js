import { ago, clock } from "./format.js";
import { html } from "./html.js";
import { useNow, useTopic } from "./store.js";

/** What a person has to know before anything else. */
export function Notices() {
  const report = useTopic("report");
  const stack = useTopic("stack");
  const server = useTopic("server");
  const link = useTopic("link");
  const trouble = useTopic("trouble") ?? [];
  const now = useNow();
  const suffix = stack?.name ? ` --stack ${stack.name}` : "";
  return html`
    ${
      server === "lost" &&
      html`<${Notice} kind="warn" title="The page has lost its server">It reconnects by itself while \`npm run dashboard\` is running.</${Notice}>`
    }
    ${
      server === "refused" &&
      html`<${Notice} kind="bad" title="This page belongs to an older \`npm run dashboard\`">Open the address that the newest one printed.</${Notice}>`
    }
    ${stack?.trouble && report != null && html`<${Notice} kind="warn" title="The stack's state can't be read">${stack.trouble}</${Notice}>`}
    ${
      link?.state === "lost" &&
      html`<${Notice} kind="warn" id="unreachable" title="Unreachable since ${clock(link.since)}">
        ${link.reason} The page keeps trying. The run is not affected. The figures are from ${ago(link.since, now)}.
      </${Notice}>`
    }
    ${trouble.map((message) => html`<${Notice} key=${message} kind="warn" title="Something can't be read">${message}</${Notice}>`)}
    ${(report?.maintenance ?? []).map(
      ({
        text,
      }) => html`<${Notice} key=${text} kind="warn" id="maintenance" title="Lambda maintains this instance's host">
        Lambda's ${text}. It may restart or end the instance: <code>npm run results --${suffix}</code> downloads the results now, and
        a running <code>npm run watch</code> does so before it begins.
      </${Notice}>`,
    )}
    <${Situation} report=${report} stack=${stack} suffix=${suffix} />
  `;
}

/** Where there is no run that goes on: what is the case, and what to do. */
function Situation({ report, stack, suffix }) {
  const steps = useTopic("lifecycle") ?? [];
  const broken = steps.find(({ state }) => state === "failed");
  if (report?.strays?.length > 0) {
    return html`<${Notice} kind="bad" id="strays" title="An instance bills that the stack's state doesn't know">
      ${report.strays.map(({ id, type, region, launchedAt }) => html`<div>${id}, ${type} in ${region}, launched ${launchedAt ?? "at an unknown time"}</div>`)}
      An \`up\` was killed during the launch. <code>npm run up --${suffix}</code> adopts it; <code>npm run down --${suffix}</code> terminates it.
    </${Notice}>`;
  }
  if (report?.unknown != null) {
    return html`<${Notice} kind="warn" id="unknown" title="Unknown whether an instance is billed">${report.unknown}</${Notice}>`;
  }
  if (report == null || report.instance === null) {
    return html`<${Notice} kind="calm" id="empty" title="No instance">
      ${stack?.trouble ?? "No instance is billed."} <code>npm run up --${suffix}</code> launches one and starts the run. This page then shows it.
    </${Notice}>`;
  }
  if (report.instance.status === "gone") {
    return html`<${Notice} kind="bad" title="The instance is gone"><code>npm run down --${suffix}</code> cleans up after it; <code>npm run up --${suffix} --refresh</code> launches a new one.</${Notice}>`;
  }
  const { run } = report;
  if (run.state === "failed") return html`<${Evidence} run=${run} suffix=${suffix} />`;
  if (broken) {
    return html`<${Notice} kind="bad" id="failed" title="The ${broken.name} failed">
      <pre class="evidence">${broken.detail ?? ""}</pre>
      Fix it, and <code>npm run up --${suffix}</code> continues from there. Until then the instance bills.
    </${Notice}>`;
  }
  if (run.state === "none" || run.state === "absent") {
    return html`<${Notice} kind="calm" id="starting" title="No run yet">
      The instance is up. If no <code>npm run up --${suffix}</code> is working on it, run it: it continues where it stopped.
    </${Notice}>`;
  }
  if (run.state === "finished" || run.state === "stopped") {
    return html`<${Notice} kind="calm" id="ended" title=${run.state === "finished" ? "The run has finished" : `The run was stopped (${run.stopReason})`}>
      ${downloaded(report)}
      The instance bills until <code>npm run down --${suffix}</code>, which downloads what is missing and terminates it.
    </${Notice}>`;
  }
  return null;
}

function downloaded({ results, resultsLack }) {
  if (results === null) return "Its results aren't downloaded yet. ";
  return resultsLack === undefined
    ? "Its results are downloaded. "
    : `Of its results only some are downloaded: ${resultsLack}. `;
}

function Evidence({ run, suffix }) {
  const log = useTopic("log");
  const last = log.filter(({ text }) => text.trim() !== "").slice(-12);
  return html`<${Notice} kind="bad" id="failed" title="Training failed${run.exitCode === undefined ? "" : ` with status ${run.exitCode}`}">
    <pre class="evidence">${last.map(({ text }) => text).join("\n") || run.lastLine}</pre>
    Fix it, and <code>npm run up --${suffix} --refresh</code> starts it again from its last checkpoint. Until then the instance bills.
  </${Notice}>`;
}

function Notice({ kind, title, id, children }) {
  return html`<section class="notice ${kind}" id=${id} role=${kind === "calm" ? "note" : "alert"}>
    <h2>${title}</h2>
    <div>${children}</div>
  </section>`;
}
