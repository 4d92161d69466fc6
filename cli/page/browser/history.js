import { clock } from "./format.js";
import { html } from "./html.js";
import { useTopic } from "./store.js";

/** What happened to the run, the newest first. */
export function History() {
  const events = useTopic("history") ?? [];
  if (events.length === 0) return null;
  return html`<section class="panel" id="history">
    <h2>History</h2>
    <div class="scroll" tabindex="0"><table><tbody>
      ${events.map(
        ({ at, text }) => html`<tr key=${`${at} ${text}`}>
          <th scope="row">${text}</th>
          <td class="soft value"><time datetime=${new Date(at).toISOString()}>${clock(at)}</time></td>
        </tr>`,
      )}
    </tbody></table></div>
  </section>`;
}
