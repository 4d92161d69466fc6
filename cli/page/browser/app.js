import { Actions } from "./actions.js";
import { Charts } from "./charts.js";
import { Checkpoints } from "./checkpoints.js";
import { Configuration } from "./configuration.js";
import { Evaluation } from "./evaluation.js";
import { Experiments } from "./experiments.js";
import { Figures } from "./figures.js";
import { Head } from "./head.js";
import { History } from "./history.js";
import { html } from "./html.js";
import { Jobs } from "./jobs.js";
import { Lifecycle } from "./lifecycle.js";
import { Log } from "./log.js";
import { Notices } from "./notices.js";
import { Runs } from "./runs.js";
import { useChoice, useTopic } from "./store.js";
import { Sweep } from "./sweep.js";
import { useTheme } from "./theme.js";

/** The page. */
export function App() {
  const [theme, setTheme] = useTheme();
  const [chosen, choose] = useChoice("experiments", []);
  const report = useTopic("report");
  const stack = useTopic("stack");
  if (stack === undefined) return html`<p class="first">Reading the stack …</p>`;
  const rented = report?.instance != null;
  return html`
    <${Head} theme=${theme} setTheme=${setTheme} />
    <${Runs} />
    <main>
      <${Notices} />
      ${rented && html`<${Lifecycle} /><${Figures} />`}
      <${Actions} />
      ${rented && html`<${Evaluation} /><${Jobs} />`}
      <${Sweep} />
      <${Charts} chosen=${chosen} theme=${theme} />
      <${Experiments} chosen=${chosen} choose=${choose} />
      ${rented && html`<div class="pair"><${Log} /><div><${Checkpoints} /><${History} /></div></div><${Configuration} />`}
    </main>
  `;
}
