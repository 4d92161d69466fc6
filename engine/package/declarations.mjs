import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import ts from "typescript";

/** Writes the types of the package's library: of its entry, and of what that names. */
export function declarations(root, target, path = "library/index.ts", written = new Set()) {
  if (written.has(path)) return;
  written.add(path);
  const { outputText } = ts.transpileDeclaration(readFileSync(join(root, path), "utf8"), {
    compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 },
    fileName: path,
  });
  const file = join(target, path.replace(/\.ts$/, ".d.ts"));
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, outputText);
  for (const [, from] of outputText.matchAll(/from "(\.[^"]+)"/g))
    declarations(root, target, `${join(dirname(path), from)}.ts`, written);
}
