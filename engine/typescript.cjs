// Lets Node.js run this project's sources as they are: `node -r ./engine/typescript.cjs bench/line.ts`. Development alone
// needs it, for what isn't bundled.
const { readFileSync } = require("node:fs");
const { _extensions: extensions } = require("node:module");
const { transformSync } = require("esbuild");

extensions[".ts"] = (module, file) => {
  const settings = { loader: "ts", format: "cjs", target: "node22", sourcemap: "inline", sourcefile: file };
  module._compile(transformSync(readFileSync(file, "utf8"), settings).code, file);
};
