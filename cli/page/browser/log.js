import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { html } from "./html.js";
import { useTopic } from "./store.js";

const lineHeight = 20;
/** Lines drawn above and below what is seen. */
const margin = 20;

/** The log's tail: searched, filtered, followed. Only the lines in sight are drawn. */
export function Log() {
  const log = useTopic("log");
  const open = useTopic("open-line") ?? "";
  const [search, setSearch] = useState("");
  const [only, setOnly] = useState(true);
  const [follow, setFollow] = useState(true);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(400);
  const box = useRef(null);
  const wanted = search.trim() === "" ? "" : search.toLowerCase();
  const matches = useMemo(
    () => (wanted === "" ? log : log.filter(({ text }) => text.toLowerCase().includes(wanted))),
    [log, wanted],
  );
  const shown = wanted !== "" && only ? matches : log;
  const lines = open === "" || (wanted !== "" && only) ? shown : [...shown, { number: 0, text: open }];
  const first = Math.max(0, Math.floor(top / lineHeight) - margin);
  const last = Math.min(lines.length, Math.ceil((top + height) / lineHeight) + margin);

  useEffect(() => {
    const observer = new ResizeObserver(() => setHeight(box.current.clientHeight));
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    if (follow) box.current.scrollTop = box.current.scrollHeight;
  }, [lines.length, lines.at(-1)?.number, follow]);

  const scrolled = () => {
    const { scrollTop, scrollHeight, clientHeight } = box.current;
    setTop(scrollTop);
    setFollow(scrollHeight - scrollTop - clientHeight < lineHeight);
  };
  return html`<section class="panel" id="log">
    <div class="bar">
      <h2>Log</h2>
      <input
        type="search"
        placeholder="Search"
        aria-label="Search the log"
        value=${search}
        onInput=${({ target }) => setSearch(target.value)}
      />
      ${
        wanted !== "" &&
        html`<label><input type="checkbox" checked=${only} onChange=${() => setOnly(!only)} /> matches only</label>
          <span class="soft" id="matches" role="status">${matches.length} of ${log.length} lines</span>`
      }
      <label class="last"><input id="follow" type="checkbox" checked=${follow} onChange=${() => setFollow(!follow)} /> follow</label>
    </div>
    <div class="lines" ref=${box} onScroll=${scrolled} tabindex="0" aria-label="Log" role="log" aria-live="off">
      ${log.length === 0 && open === "" && html`<p class="empty">Nothing yet.</p>`}
      <div style=${{ height: `${lines.length * lineHeight}px` }}>
        <div style=${{ transform: `translateY(${first * lineHeight}px)` }}>
          ${lines
            .slice(first, last)
            .map(
              (line) =>
                html`<div key=${line.number} class="line ${kindOf(line)}" data-line=${line.number}>${marked(line.text, wanted)}</div>`,
            )}
        </div>
      </div>
    </div>
  </section>`;
}

function kindOf({ number, text }) {
  if (number === 0) return "open";
  if (/^=== lambda-train: /.test(text)) return "ours";
  if (/\b(error|exception|traceback|fatal|critical)\b/i.test(text.slice(0, 200))) return "bad";
  return /\bwarn(ing)?\b/i.test(text.slice(0, 200)) ? "warn" : "";
}

/** The text with what was searched for marked. */
function marked(text, wanted) {
  if (wanted === "") return text || " ";
  const lower = text.toLowerCase();
  // Where lower case has another length the places do not fit: then nothing is marked.
  if (lower.length !== text.length) return text;
  const parts = [];
  let from = 0;
  for (let at = lower.indexOf(wanted); at >= 0; at = lower.indexOf(wanted, from)) {
    parts.push(text.slice(from, at), html`<mark>${text.slice(at, at + wanted.length)}</mark>`);
    from = at + wanted.length;
  }
  return [...parts, text.slice(from)];
}
