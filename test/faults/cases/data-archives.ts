import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Member, splits, tarOf, writeArchive } from "../archives";
import type { FaultCase } from "../case";
import { bigBytes, whileArriving } from "../moments";
import type { World } from "../world";
import { expectNothingRented } from "./expect";

/** What is sound is put in the archive's place. */
const soundArchive =
  (file: string) =>
  async (world: World): Promise<void> => {
    await world.heal();
    writeArchive(world, file, splits);
  };

/** An archive with the splits, of some size. */
function bigArchive(world: World, bytes: number): void {
  for (const split of ["train", "valid", "test"]) world.project.write(`big/${split}/a`, "x".repeat(bytes / 3));
  tarOf(world, "data.tar", "big");
}

/** An archive that wants to write or to lead where it must not. */
const hostile = (fault: string, file: string, members: readonly Member[]): FaultCase => ({
  kind: "data",
  stage: "upload",
  fault,
  tiny: { dataset: { source: file } },
  inject: async (world) => writeArchive(world, file, [...splits, ...members]),
  outcome: "told",
  message: /Nothing was launched[\s\S]*The archive is refused: .*(outside of|out of|through the link)/,
  after: expectNothingRented,
  heal: soundArchive(file),
});

/** Faults of a dataset that is an archive on this machine: it is looked into before a launch. All ways out of an archive: test/remote/dataset.test.ts. */
export const archiveCases: readonly FaultCase[] = [
  hostile("a tar that climbs out", "data.tar.gz", [{ name: "../../evil" }]),
  hostile("a tar with a link out", "data.tar.gz", [{ name: "train/evil", link: "../../../.ssh/authorized_keys" }]),
  hostile("a tar that writes through its own link", "data.tar.gz", [
    { name: "train/evil", link: "../valid" },
    { name: "train/evil/evil" },
  ]),
  hostile("a zip that climbs out", "data.zip", [{ name: "train/../../../evil" }]),
  hostile("a zip with a link out", "data.zip", [{ name: "train/evil", link: "../../../.bashrc" }]),
  {
    kind: "data",
    stage: "upload",
    fault: "an archive that was cut short",
    tiny: { dataset: { source: "data.tar.gz" } },
    inject: async (world) => {
      writeArchive(world, "data.tar.gz", splits);
      const path = join(world.project.folder, "data.tar.gz");
      const whole = readFileSync(path);
      writeFileSync(path, whole.subarray(0, whole.length / 2));
    },
    outcome: "told",
    message: /Nothing was launched[\s\S]*The archive could not be read/,
    after: expectNothingRented,
    heal: soundArchive("data.tar.gz"),
  },
  {
    kind: "data",
    stage: "upload",
    fault: "a file that is no archive though it is named so",
    tiny: { dataset: { source: "data.tar.gz" } },
    inject: async ({ project }) => project.write("data.tar.gz", "<html>Sign in to go on</html>\n"),
    outcome: "told",
    message: /Nothing was launched[\s\S]*The archive could not be read/,
    after: expectNothingRented,
    heal: soundArchive("data.tar.gz"),
  },
  {
    kind: "data",
    stage: "upload",
    fault: "an archive without the splits",
    tiny: { dataset: { source: "data.zip" } },
    inject: async (world) => writeArchive(world, "data.zip", [{ name: "train/a.jsonl" }, { name: "dev/a.jsonl" }]),
    outcome: "told",
    message: /Nothing was launched[\s\S]*no folders train, valid, test on top; it has: dev, train/,
    after: expectNothingRented,
    heal: soundArchive("data.zip"),
  },
  {
    kind: "data",
    stage: "upload",
    fault: "an archive that is changed while it is sent",
    tiny: { dataset: { source: "data.tar" } },
    inject: async (world) => {
      bigArchive(world, bigBytes);
      await world.cloud.admin.addLinkFault({ match: {}, trouble: { kind: "throttle", bytesPerSecond: 1_500_000 } });
    },
    act: (world) =>
      whileArriving(world, ".lambda-train/archives", () => {
        const path = join(world.project.folder, "data.tar");
        writeFileSync(path, Buffer.alloc(statSync(path).size, "y"));
      }),
    outcome: "told",
    message: /data\.tar no longer has the checksum .* it changed during the upload. Run the command again/,
    heal: async (world) => {
      await world.heal();
      world.configure({ dataset: { source: "tiny-data" } });
    },
  },
  {
    kind: "data",
    stage: "upload",
    fault: "an archive that does not fit on the instance's disk",
    tiny: { dataset: { source: "data.tar" } },
    inject: async (world) => {
      bigArchive(world, 20_000_000);
      await world.cloud.admin.addInstanceFault({
        match: {},
        times: 1,
        trouble: { kind: "small-disk", bytes: 8_000_000 },
      });
    },
    outcome: "told",
    message: /No space left on device/,
    heal: async (world) => {
      await world.heal();
      world.configure({ dataset: { source: "tiny-data" } });
      await world.onInstance("rm -rf .lambda-train/archives/*");
    },
  },
];
