import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { type Line, type LineOptions, startLine } from "./line";

/** A line in a process of its own, which takes no time from what is measured over it. */
export async function startLineApart(targetPort: number, options: LineOptions): Promise<Line> {
  const words = [
    "-r",
    join(__dirname, "../engine/typescript.cjs"),
    __filename,
    String(targetPort),
    JSON.stringify(options),
  ];
  const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  const ended = once(child, "exit");
  return {
    port: Number(said.toString()),
    close: async () => {
      child.kill();
      await ended;
    },
  };
}

if (require.main === module) {
  const [port = "", options = "{}"] = process.argv.slice(2);
  startLine(Number(port), JSON.parse(options) as LineOptions).then((line) => console.log(line.port));
}
