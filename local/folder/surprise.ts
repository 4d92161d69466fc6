import { LocalReadError } from "./local-error";

/** Refuses an amount that nobody means by "code", and says which folders make it up. */
export function checkAmount(
  root: string,
  found: readonly { readonly path: string; readonly size: number }[],
  limit: { readonly files: number; readonly bytes: number },
): void {
  const bytes = found.reduce((sum, { size }) => sum + size, 0);
  if (found.length <= limit.files && bytes <= limit.bytes) {
    return;
  }
  const parts = new Map<string, { files: number; bytes: number }>();
  for (const { path, size } of found) {
    const top = path.split("/").slice(0, path.includes("/") ? Math.min(2, path.split("/").length - 1) : 1);
    const name = top.join("/");
    const part = parts.get(name) ?? { files: 0, bytes: 0 };
    parts.set(name, { files: part.files + 1, bytes: part.bytes + size });
  }
  const tooMany = found.length > limit.files;
  const biggest = [...parts]
    .sort(([, a], [, b]) => (tooMany ? b.files - a.files : b.bytes - a.bytes))
    .slice(0, 5)
    .map(([name, part]) => `  ${name}: ${count(part.files)}, ${showBytes(part.bytes)}`);
  throw new LocalReadError(
    `The workload ${root} has ${count(found.length)} and ${showBytes(bytes)} to upload; ` +
      `at most ${count(limit.files)} and ${showBytes(limit.bytes)} are taken for code. The biggest parts:\n` +
      `${biggest.join("\n")}\n` +
      "Add what is not code to the workload's .gitignore; data belongs in the dataset.",
  );
}

function count(files: number): string {
  return `${files.toLocaleString("en-US")} ${files === 1 ? "file" : "files"}`;
}

/** Bytes for people: `1.5 GiB`. */
export function showBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}
