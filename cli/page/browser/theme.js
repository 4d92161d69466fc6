import { useEffect, useState } from "preact/hooks";
import { useChoice } from "./store.js";

const dark = matchMedia("(prefers-color-scheme: dark)");

/** The theme in force, `light` or `dark`, and a function that changes it: the system's unless somebody has chosen. */
export function useTheme() {
  const [system, setSystem] = useState(dark.matches);
  const [chosen, choose] = useChoice("theme", "system");
  const theme = chosen === "system" ? (system ? "dark" : "light") : chosen;
  useEffect(() => {
    const changed = () => setSystem(dark.matches);
    dark.addEventListener("change", changed);
    return () => dark.removeEventListener("change", changed);
  }, []);
  // Before the charts, which read the colours, are drawn.
  document.documentElement.dataset.theme = theme;
  return [theme, (next) => choose(next === (system ? "dark" : "light") ? "system" : next)];
}
