import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { expect, it } from "vitest";

const module = resolve(__dirname, "../../dist/components/kit/engine-gone.js");

/** Runs a program that ends by a rejection that nobody handles, under a handler like the SDK's. */
const program = (error: object): ReturnType<typeof spawnSync> =>
  spawnSync(process.execPath, [
    "-e",
    `process.on("unhandledRejection", () => { console.log("a stack"); process.exit(1); });
     require(${JSON.stringify(module)}).endWithoutEngine();
     Promise.reject(Object.assign(new Error("x"), ${JSON.stringify(error)}));`,
  ]);

it("a program whose engine went away ends without a word, and tells of everything else", () => {
  const gone = program({ code: 14, details: "Connection dropped" });
  expect([gone.status, gone.stdout.toString()]).toEqual([32, ""]);
  const other = program({ code: 14 });
  expect([other.status, other.stdout.toString()]).toEqual([1, "a stack\n"]);
});
