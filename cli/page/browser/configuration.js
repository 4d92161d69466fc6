import { html } from "./html.js";
import { useTopic } from "./store.js";

/** What the stack was made with. */
export function Configuration() {
  const parts = useTopic("configuration") ?? [];
  return html`<section class="panel" id="configuration">
    <h2>Configuration</h2>
    <div class="parts">
      ${parts.map(
        ({ title, values }) => html`<div key=${title}>
          <h3>${title}</h3>
          <dl>${values.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
        </div>`,
      )}
    </div>
  </section>`;
}
