import { useEffect } from "preact/hooks";
import { html } from "./html.js";
import { ofRun, useTopic } from "./store.js";

const stateWords = {
  absent: "not started",
  none: "no run",
};

/** Kind of a state, which gives its colour. */
function kindOf(state) {
  if (state === "running" || state === "starting" || state === "evaluating") return "good";
  if (state === "failed") return "bad";
  return state === "unreachable" ? "warn" : "calm";
}

/** Whose page this is and how it stands. */
export function Head({ theme, setTheme }) {
  const report = useTopic("report");
  const stack = useTopic("stack");
  const name = stack?.name ?? "";
  const title = report?.experiment ?? name;
  const state = report?.instance == null ? "nothing rented" : report.run.state;
  const word = stateWords[state] ?? state;
  useEffect(() => {
    document.title = `${title} · ${word}`;
  }, [title, word]);
  return html`
    <header>
      <div class="who">
        <h1>${title}</h1>
        <span class="pill ${kindOf(state)}" id="state">${word}</span>
      </div>
      <${Where} report=${report} stack=${name} />
      <div class="tools">
        <${Live} />
        ${report?.instance != null && html`<${WorkloadLink} />`}
        <button
          class="quiet"
          onClick=${() => setTheme(theme === "dark" ? "light" : "dark")}
          aria-label=${theme === "dark" ? "light colours" : "dark colours"}
          title=${theme === "dark" ? "light colours" : "dark colours"}
          id="theme"
        >
          ${theme === "dark" ? "☀" : "☾"}
        </button>
      </div>
    </header>
  `;
}

function Where({ report, stack }) {
  const instance = report?.instance;
  const parts = [
    ["stack", stack],
    ["instance-type", instance?.type],
    ["region", instance?.region],
    ["ip", instance?.ip],
    ["instance-status", instance?.status],
  ];
  return html`<p class="where">
    ${parts.filter(([, text]) => text != null).map(([id, text]) => html`<span key=${id} id=${id}>${text}</span>`)}
  </p>`;
}

/** Whether what is shown is of now. */
function Live() {
  const server = useTopic("server");
  const link = useTopic("link");
  const [kind, text] =
    server !== "connected"
      ? ["bad", "page not connected"]
      : link?.state === "lost"
        ? ["warn", "instance unreachable"]
        : link?.state === "connecting"
          ? ["warn", "connecting"]
          : ["good", "live"];
  return html`<span class="live ${kind}" id="live" role="status">${text}</span>`;
}

function WorkloadLink() {
  const configuration = useTopic("configuration");
  const has = configuration?.some(({ values }) => values.some(([name]) => name === "dashboard"));
  if (!has) return null;
  return html`<a class="button quiet" href=${ofRun("/workload")} target="_blank" rel="noopener" id="workload">
    Workload's dashboard<span aria-hidden="true"> ↗</span>
  </a>`;
}
