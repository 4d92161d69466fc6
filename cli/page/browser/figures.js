import { bytes, dollars, duration } from "./format.js";
import { html } from "./html.js";
import { useNow, useTopic } from "./store.js";

/** The figures of now: money, time, and the use of the machine. */
export function Figures() {
  const machine = useTopic("machine");
  return html`<section class="figures" aria-label="Figures">
    <${Cost} />
    <${Time} />
    ${machine != null && html`<${Machine} machine=${machine} />`}
  </section>`;
}

function Figure({ name, children }) {
  return html`<div class="figure"><h2>${name}</h2>${children}</div>`;
}

/** How much of something is used; `used` from 0 to 1. */
function Meter({ used, label }) {
  const part = Math.min(1, Math.max(0, used));
  return html`<div
    class="meter ${part >= 0.95 ? "bad" : part >= 0.8 ? "warn" : ""}"
    role="meter"
    aria-label=${label}
    aria-valuemin="0"
    aria-valuemax="100"
    aria-valuenow=${Math.round(part * 100)}
  >
    <span style=${{ width: `${part * 100}%` }}></span>
  </div>`;
}

/** How something went lately; values from 0 to 100. */
function Spark({ values }) {
  if (values.length < 2) return html`<svg class="spark" aria-hidden="true"></svg>`;
  const at = (value, place) => `${((place * 100) / (values.length - 1)).toFixed(2)},${(24 - value * 0.23).toFixed(2)}`;
  const line = values.map(at).join(" ");
  return html`<svg class="spark" viewBox="0 0 100 25" preserveAspectRatio="none" aria-hidden="true">
    <polygon points="0,25 ${line} 100,25" />
    <polyline points=${line} />
  </svg>`;
}

function Cost() {
  const report = useTopic("report");
  const cost = report?.cost;
  if (cost == null) {
    const why = report?.instance == null ? "not launched yet" : "the instance has ended";
    return html`<${Figure} name="Cost"><p class="big">–</p><p>${why}</p></${Figure}>`;
  }
  const { dollars: spent, dollarsPerHour, budgetDollars, dollarsLeft } = cost;
  return html`<${Figure} name="Cost">
    <p class="big"><data id="cost" value=${spent}>${dollars(spent)}</data></p>
    ${budgetDollars !== null && budgetDollars > 0 && html`<${Meter} used=${spent / budgetDollars} label="budget used" />`}
    <p>
      <data id="price" value=${dollarsPerHour}>${dollars(dollarsPerHour)}</data> per hour${
        dollarsLeft !== null &&
        html`, <data id="dollars-left" value=${dollarsLeft}>${dollars(dollarsLeft)}</data> left of ${dollars(budgetDollars)}`
      }
    </p>
  </${Figure}>`;
}

function Time() {
  const report = useTopic("report");
  const now = useNow();
  const { run, cost } = report;
  if (run.startedAt === undefined)
    return html`<${Figure} name="Training"><p class="big">–</p><p>not started yet</p></${Figure}>`;
  const going = ["starting", "running", "evaluating"].includes(run.state);
  const ends = run.endedAt === undefined ? now : Date.parse(run.endedAt);
  const elapsed = (ends - Date.parse(run.startedAt)) / 1000;
  const left = cost?.hoursLeft;
  const status = run.exitCode === undefined ? "ended without a status" : `ended with status ${run.exitCode}`;
  return html`<${Figure} name="Training">
    <p class="big"><time id="elapsed" datetime=${run.startedAt}>${duration(elapsed)}</time></p>
    <p>
      ${run.attempt > 1 && html`start <data id="attempt" value=${run.attempt}>${run.attempt}</data>, `}
      ${going && left != null ? `${duration(left * 3600)} left by its limits` : going ? "no limit" : status}
    </p>
  </${Figure}>`;
}

function Machine({ machine }) {
  const { samples, gpus, processors, memory, disk } = machine;
  const last = samples.at(-1);
  const values = (name) => samples.map((sample) => sample[name]).filter((value) => value !== null);
  const used = ({ totalBytes, freeBytes }) => totalBytes - freeBytes;
  return html`
    ${gpus.length > 0 && html`<${Gpu} gpus=${gpus} percent=${last.gpu} values=${values("gpu")} />`}
    <${Figure} name="CPU">
      <p class="big"><data id="cpu" value=${last.cpu}>${last.cpu === null ? "–" : `${Math.round(last.cpu)} %`}</data></p>
      <${Spark} values=${values("cpu")} />
      <p>${processors} processors</p>
    </${Figure}>
    <${Figure} name="Memory">
      <p class="big"><data id="memory" value=${used(memory)}>${bytes(used(memory))}</data></p>
      <${Spark} values=${values("memory")} />
      <p>of ${bytes(memory.totalBytes)}</p>
    </${Figure}>
    <${Figure} name="Disk">
      <p class="big"><data id="disk" value=${disk.freeBytes}>${bytes(disk.freeBytes)}</data> <small>free</small></p>
      <${Meter} used=${used(disk) / disk.totalBytes} label="disk used" />
      <p>of ${bytes(disk.totalBytes)}</p>
    </${Figure}>
  `;
}

function Gpu({ gpus, percent, values }) {
  const sum = (name) => gpus.reduce((total, gpu) => total + (gpu[name] ?? 0), 0);
  const total = sum("totalBytes");
  const warmest = Math.max(...gpus.map(({ celsius }) => celsius ?? 0));
  const watts = sum("watts");
  return html`<${Figure} name=${gpus.length === 1 ? "GPU" : `${gpus.length} GPUs`}>
    <p class="big"><data id="gpu" value=${percent}>${percent === null ? "–" : `${Math.round(percent)} %`}</data></p>
    <${Spark} values=${values} />
    <p title=${gpus.map(({ name, percent: each }) => `${name}: ${each ?? "–"} %`).join("\n")}>
      ${[
        total > 0 && `${bytes(sum("usedBytes"))} of ${bytes(total)}`,
        warmest > 0 && `${Math.round(warmest)} °C`,
        watts > 0 && `${Math.round(watts)} W`,
      ]
        .filter(Boolean)
        .join(", ")}
    </p>
  </${Figure}>`;
}
