// Exchanges the page's content every few seconds; keeps the log at its end unless the reader has scrolled up.
const SECONDS = 3;

function replace(text) {
  const fresh = new DOMParser().parseFromString(text, "text/html");
  const before = document.querySelector("pre");
  const atEnd = !before || before.scrollTop + before.clientHeight >= before.scrollHeight - 8;
  const top = before ? before.scrollTop : 0;
  document.title = fresh.title;
  for (const tag of ["nav", "main"]) document.querySelector(tag).replaceWith(fresh.querySelector(tag));
  const after = document.querySelector("pre");
  if (after) after.scrollTop = atEnd ? after.scrollHeight : top;
}

async function refresh() {
  // A selection would be lost, and a hidden tab has no reader.
  if (!document.hidden && getSelection().isCollapsed) {
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      if (answer.ok) replace(await answer.text());
    } catch {
      document.title = "(no connection) HMER-Ink";
    }
  }
  setTimeout(refresh, SECONDS * 1000);
}

const log = document.querySelector("pre");
if (log) log.scrollTop = log.scrollHeight;
setTimeout(refresh, SECONDS * 1000);
