import { useState } from "preact/hooks";
import { html } from "./html.js";
import { useTopic } from "./store.js";

/** More than these are no line any more. */
const mostInLine = 8;

/** The runs with the word that tells each from the others: workers of a sweep, say, are of one experiment. */
function named(runs) {
  const ofOne = new Set(runs.map(({ experiment }) => experiment)).size < runs.length;
  return runs.map((run) => ({ ...run, word: ofOne ? run.machine : (run.experiment ?? run.machine) }));
}

/** The stack's runs, each with a page of its own, where there are several. */
export function Runs() {
  const runs = named(useTopic("runs") ?? []);
  if (runs.length === 0) return null;
  if (runs.length > mostInLine) return html`<${ManyRuns} runs=${runs} />`;
  return html`<nav class="where" id="runs" aria-label="Runs">
    ${runs.map((run) => html`<span key=${run.name}><${Link} run=${run} /></span>`)}
  </nav>`;
}

function Link({ run: { name, machine, word, shown } }) {
  return html`<a href=${`/?run=${encodeURIComponent(name)}`} title="machine ${machine}" aria-current=${shown ? "page" : undefined}>${word}</a>`;
}

/** A line that says which one is shown, with the one before and after it; the others come up when it is opened. */
function ManyRuns({ runs }) {
  const [wanted, want] = useState("");
  const at = Math.max(
    0,
    runs.findIndex(({ shown }) => shown),
  );
  const found = runs.filter(({ word, machine }) => `${word} ${machine}`.toLowerCase().includes(wanted.toLowerCase()));
  const [before, after] = [runs[at - 1], runs[at + 1]];
  const search = (event) => want(event.currentTarget.value);
  const go = (event) => {
    const [first] = found;
    if (event.key === "Enter" && first !== undefined) location.search = `?run=${encodeURIComponent(first.name)}`;
  };
  return html`<nav id="runs" class="many" aria-label="Runs">
    <details>
      <summary>${runs[at].word} <span class="soft">(${at + 1} of ${runs.length})</span></summary>
      <input type="search" placeholder="find a run" aria-label="find a run" value=${wanted} onInput=${search} onKeyDown=${go} />
      <ul>${found.map((run) => html`<li key=${run.name}><${Link} run=${run} /></li>`)}</ul>
      ${found.length === 0 && html`<p class="soft">No run has that name.</p>`}
    </details>
    ${before && html`<span>‹ <${Link} run=${before} /></span>`}
    ${after && html`<span><${Link} run=${after} /> ›</span>`}
  </nav>`;
}
