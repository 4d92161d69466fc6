import { useEffect, useState } from "preact/hooks";

const keptLines = 5000;
const topics = [
  "stack",
  "runs",
  "report",
  "link",
  "lifecycle",
  "machine",
  "metrics",
  "checkpoints",
  "history",
  "experiments",
  "sweep",
  "configuration",
  "trouble",
  "action",
  "open-line",
];

/** An address of the server for the run that this page shows: where there are several, the page's own address names it. */
export function ofRun(path) {
  return path + location.search;
}

/** What the server has told, by topic, and the log. `server`: whether the page hears from it. */
const state = { server: "connecting", log: [] };
const listeners = new Set();

function tell() {
  for (const listener of listeners) listener();
}

/** Changes of one frame are shown together. */
let asked = false;
function tellSoon() {
  if (asked) return;
  asked = true;
  // A page in the background draws no frames, and is to be right when it comes back.
  setTimeout(() => {
    asked = false;
    tell();
  }, 16);
}

/** Listens to the server; the browser comes back by itself, and the server sends what was missed. */
export function connect() {
  const source = new EventSource(ofRun("/events"));
  source.onopen = () => {
    state.server = "connected";
    tellSoon();
  };
  source.onerror = () => {
    state.server = source.readyState === EventSource.CLOSED ? "refused" : "lost";
    tellSoon();
  };
  for (const topic of topics) {
    source.addEventListener(topic, ({ data }) => {
      state[topic] = JSON.parse(data);
      tellSoon();
    });
  }
  source.addEventListener("log", ({ data }) => {
    const { reset, lines } = JSON.parse(data);
    state.log = (reset ? lines : state.log.concat(lines)).slice(-keptLines);
    tellSoon();
  });
}

/** A topic's state, and a drawing anew when that changes. */
export function useTopic(topic) {
  const [value, set] = useState(state[topic]);
  useEffect(() => {
    const listener = () => set(state[topic]);
    listener();
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, [topic]);
  return value;
}

/** The time, every second. */
export function useNow() {
  const [now, set] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => set(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

/** A choice that this browser remembers. */
export function useChoice(name, initial) {
  const [value, set] = useState(() => {
    try {
      return JSON.parse(localStorage.getItem(name)) ?? initial;
    } catch {
      return initial;
    }
  });
  const choose = (next) => {
    set(next);
    try {
      localStorage.setItem(name, JSON.stringify(next));
    } catch {
      // Without storage it holds as long as the page is open.
    }
  };
  return [value, choose];
}
