import { randomBytes } from "node:crypto";
import { closeSync, openSync, rmSync, symlinkSync, truncateSync, unlinkSync, writeFileSync, writeSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import type { FaultCase } from "../case";
import { bigBytes, healedWith, slowly, whileArriving } from "../moments";
import type { World } from "../world";

const inData = ({ project }: World, path: string): string => join(project.folder, "tiny-data", path);

/** Nothing at all is rented or claimed. */
const nothingRented = async (world: World): Promise<void> => expect(await world.living()).toEqual([]);

/** What is wrong with the dataset's folder is put right. */
const remade = async (world: World): Promise<void> => {
  rmSync(inData(world, ""), { recursive: true, force: true });
  await world.heal();
};

/** A fault of the dataset that this machine sees before anything is rented. */
const seenHere = (
  fault: string,
  inject: (world: World) => void,
  message: RegExp,
  rest: Pick<FaultCase, "tiny" | "heal" | "inDefault"> = {},
): FaultCase => ({
  kind: "data",
  stage: "check",
  fault,
  inject: async (world) => inject(world),
  outcome: "told",
  message,
  after: nothingRented,
  heal: remade,
  ...rest,
});

const smallFiles = 100_000;

/** A link to content that not even root can read. */
const unreadable = "/proc/self/mem";

/** A big file, and one that is sent after it, on a line that takes seconds for them. Training reads those in train alone. */
async function slowlySent(world: World): Promise<void> {
  writeFileSync(inData(world, "test/big.bin"), randomBytes(bigBytes));
  writeFileSync(inData(world, "valid/late.bin"), randomBytes(300_000));
  await slowly(world, 1_500_000);
}

/** Runs `up` and does something to the dataset's files while the big one is on its way. */
const whileSent = (world: World, strike: () => void): ReturnType<World["up"]> =>
  whileArriving(world, ".lambda-train/staging/tiny-data", strike);

/** Overwrites a file where it is. */
function overwrite(path: string): void {
  const file = openSync(path, "r+");
  writeSync(file, Buffer.alloc(bigBytes, "z"));
  closeSync(file);
}

/** Faults of a dataset that is a folder on this machine. */
export const folderCases: readonly FaultCase[] = [
  seenHere(
    "a split is missing",
    (world) => rmSync(inData(world, "valid"), { recursive: true }),
    /dataset\.splits.*valid.*is missing.*Prepare it, or name the splits that exist/s,
    { inDefault: true },
  ),
  seenHere(
    "a split is empty",
    (world) => unlinkSync(inData(world, "test/ünï.jsonl")),
    /dataset\.splits.*test.*is empty.*Prepare it, or name the splits that exist/s,
  ),
  seenHere(
    "the dataset is a single file",
    (world) => {
      rmSync(inData(world, ""), { recursive: true });
      writeFileSync(inData(world, ""), "[1, 3]\n");
    },
    /dataset\.source.*a file must be an archive: \.tar/s,
  ),
  seenHere(
    "the dataset is not there",
    (world) => rmSync(inData(world, ""), { recursive: true }),
    /dataset\.source.*there is no such folder or file.*Give its path, or dataset\.prepare/s,
  ),
  seenHere(
    "the command that prepares the dataset fails",
    (world) => rmSync(inData(world, ""), { recursive: true }),
    /dataset\.prepare.*wasn't made: .*no disk of pictures.*Run it by hand/s,
    {
      tiny: { dataset: { source: "tiny-data", prepare: "echo no disk of pictures >&2; exit 3" } },
      heal: async (world) => {
        await healedWith({ dataset: { source: "tiny-data" } })(world);
      },
    },
  ),
  seenHere(
    "a file cannot be read",
    (world) => symlinkSync(unreadable, inData(world, "train/mem.bin")),
    /tiny-data\/train\/mem\.bin can't be read/,
  ),
  seenHere(
    "a link leads nowhere",
    (world) => symlinkSync("/nowhere/at/all.jsonl", inData(world, "train/gone.jsonl")),
    /The symbolic link train\/gone\.jsonl \(.*\) leads nowhere; remove or repair it/,
  ),
  seenHere(
    "a link leads back to the folder that holds it",
    (world) => symlinkSync(inData(world, ""), inData(world, "train/again")),
    /The link .*train\/again leads back to a folder that holds it .*; remove it/,
  ),
  seenHere(
    "a file name is no valid UTF-8",
    (world) => writeFileSync(Buffer.concat([Buffer.from(inData(world, "train/")), Buffer.from([0xff, 0xfe])]), "x"),
    /The file name .* is not valid UTF-8 .*; rename it/,
  ),
  {
    kind: "data",
    stage: "upload",
    fault: "file names with spaces, line ends, quotes and signs of other scripts",
    inject: async (world) => {
      for (const name of ["a b", "new\nline", "quo'te\"s", "$(touch evil)", "-rf", "日本 é", "tab\tback\\slash", "*"])
        world.project.write(`tiny-data/train/${name}`, "[1, 3]\n");
    },
    outcome: "ridden out",
    after: async (world) => {
      const { output } = await world.project.run("ssh", [
        "find tiny/data/train -type f -printf '%f\\0' | sort -z | tr '\\0' '|'",
      ]);
      for (const name of ["a b", "new\nline", "quo'te\"s", "$(touch evil)", "-rf", "日本 é", "tab\tback\\slash", "*"])
        expect(`|${output}`).toContain(`|${name}|`);
      expect(await world.onInstance("find . -name evil | wc -l")).toBe("0\n");
    },
    heal: remade,
  },
  {
    kind: "data",
    stage: "upload",
    fault: `${smallFiles.toLocaleString("en-US")} small files`,
    tiny: { dataset: { source: "tiny-data", splits: ["many"] } },
    inject: async (world) => {
      // In turns: other lanes go on meanwhile.
      for (let folder = 0; folder < 100; folder++) {
        await mkdir(inData(world, `many/${folder}`), { recursive: true });
        const files = Array.from({ length: smallFiles / 100 }, (_, file) => file);
        await Promise.all(
          files.map((file) => writeFile(inData(world, `many/${folder}/${file}`), `${folder} ${file}\n`)),
        );
      }
    },
    outcome: "ridden out",
    after: async (world) =>
      expect(await world.onInstance("find tiny/data/many -type f | wc -l; cat tiny/data/many/99/999")).toBe(
        `${smallFiles}\n99 999\n`,
      ),
  },
  {
    kind: "data",
    stage: "upload",
    fault: "a file gets shorter while it is sent",
    inject: slowlySent,
    act: (world) => whileSent(world, () => truncateSync(inData(world, "test/big.bin"), 1000)),
    outcome: "told",
    message: /big\.bin got shorter during the upload. Stop what writes to it and run the command again/,
    heal: remade,
  },
  {
    kind: "data",
    stage: "upload",
    fault: "a file is removed while others are sent",
    inject: slowlySent,
    act: (world) => whileSent(world, () => unlinkSync(inData(world, "valid/late.bin"))),
    outcome: "told",
    message: /late\.bin can't be read: ENOENT/,
    heal: remade,
  },
  {
    kind: "data",
    stage: "upload",
    fault: "a file is written to while it is sent",
    inject: slowlySent,
    act: (world) => whileSent(world, () => overwrite(inData(world, "test/big.bin"))),
    outcome: "told",
    message:
      /did not arrive as they were when the upload began, test\/big\.bin among them.*Stop it and run the command again/,
    heal: remade,
  },
];
