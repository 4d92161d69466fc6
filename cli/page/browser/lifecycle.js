import { clock, stepTime } from "./format.js";
import { html } from "./html.js";
import { useNow, useTopic } from "./store.js";

/** The life of the run as steps with their times. */
export function Lifecycle() {
  const steps = useTopic("lifecycle") ?? [];
  const now = useNow();
  const current = steps.find(({ state }) => state === "failed") ?? steps.findLast(({ state }) => state === "active");
  return html`
    <section class="lifecycle" aria-label="Lifecycle">
      <ol>
        ${steps.map((step) => html`<${Step} key=${step.name} step=${step} now=${now} />`)}
      </ol>
      ${
        current?.detail !== undefined &&
        html`<p class="now ${current.state}"><b>${current.name}</b> <span>${current.detail}</span></p>`
      }
    </section>
  `;
}

const marks = { done: "✓", failed: "✕", active: "", waiting: "" };

function Step({ step, now }) {
  const { name, state, startedAt, endedAt } = step;
  const time =
    startedAt !== undefined && endedAt !== undefined
      ? stepTime(endedAt - startedAt)
      : endedAt !== undefined
        ? clock(endedAt)
        : startedAt !== undefined && state === "active"
          ? stepTime(now - startedAt)
          : "";
  const title = [startedAt && `from ${clock(startedAt)}`, endedAt && `to ${clock(endedAt)}`].filter(Boolean).join(" ");
  return html`<li class=${state} title=${title} data-step=${name}>
    <span class="mark" aria-hidden="true">${marks[state]}</span>
    <span class="name">${name}</span>
    <span class="time">${time || (state === "active" ? "…" : " ")}</span>
    <span class="said">${state}</span>
  </li>`;
}
