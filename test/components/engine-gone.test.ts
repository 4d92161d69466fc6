import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";
import { bundled } from "../support/bundled";

const module = bundled("components/kit/engine-gone.ts");

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
