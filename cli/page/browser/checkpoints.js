import { ago, bytes, clock } from "./format.js";
import { html } from "./html.js";
import { useNow, useTopic } from "./store.js";

const mostShown = 12;

/** The weights that the run has written, the newest first. */
export function Checkpoints() {
  const checkpoints = useTopic("checkpoints") ?? [];
  const now = useNow();
  const more = checkpoints.length - mostShown;
  return html`<section class="panel" id="checkpoints">
    <h2>Checkpoints</h2>
    ${
      checkpoints.length === 0
        ? html`<p class="empty">None yet.</p>`
        : html`<div class="scroll" tabindex="0"><table><tbody>
            ${checkpoints.slice(0, mostShown).map(
              ({ path, bytes: size, writtenAt }) => html`<tr key=${path}>
                <th scope="row">${path}</th>
                <td class="value">${bytes(size)}</td>
                <td class="soft value" title=${clock(writtenAt * 1000)}>${ago(writtenAt * 1000, now)}</td>
              </tr>`,
            )}
          </tbody></table></div>`
    }
    ${more > 0 && html`<p class="soft">and ${more} more</p>`}
  </section>`;
}
