import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { hashFile } from "../local/folder/hashes";
import { shellQuote } from "../remote/quote";
import { report } from "./figures";
import { roomyFolder } from "./in-memory";
import { startLineApart } from "./line-apart";
import { medians } from "./rounds";
import { writeRandomFile, writeSmallFiles } from "./transfer/files";
import { Place } from "./transfer/place";

/**
 * Uploads and downloads beside `ssh cat`, `tar | ssh tar` and rsync, through a real sshd on this machine: without a delay,
 * and over a line of 80 ms and 1 Gbit/s. The product's transfers include what the others leave out: manifests, checksums
 * on both ends, and putting into place only what has all arrived.
 */
const line = { roundTripMs: 80, bytesPerSecond: 125e6 };
const big = 2e9;
const longWay = 1e9;
const many = 100_000;
const mathwriting = 655_620;
const million = 1_000_000;
const smallBytes = 1800;

async function main(): Promise<void> {
  process.env.TMPDIR = roomyFolder();
  const place = await Place.open();
  try {
    await bigFile(place);
    await longLine(place);
    await manyFiles(place);
    await veryManyFiles(place);
  } finally {
    await place.close();
  }
}

async function bigFile(place: Place): Promise<void> {
  mkdirSync(place.path("big"));
  const file = place.path("big/data.bin");
  writeRandomFile(file, big);
  const sha256 = await hashFile(file);
  await place.own({ way: "exec", local: "true", remote: "" });
  const megabytes: number[] = [];
  const own = (way: "up" | "down" | "archive", local: string, remote: string) => async (): Promise<number> => {
    const answer = await place.own({ way, local, remote, sha256 });
    megabytes.push(answer.megabytes);
    return answer.seconds;
  };
  const cat = {
    name: "cat",
    prepare: () => rmSync(place.there("raw"), { force: true }),
    run: () => place.shell(`${place.ssh()} 'cat >raw' <${file}`),
  };
  const up = await medians(
    [
      { name: "own", prepare: () => place.forget("big"), run: own("up", place.path("big"), "big") },
      {
        name: "archive",
        prepare: () => place.forget("big.tar"),
        run: own("archive", file, ".lambda-train/archives/x"),
      },
      cat,
    ],
    3,
  );
  ratio("One file of 2 GB up, against `ssh cat`", up, "cat", "own", 0.9);
  ratio("The same as an archive, against `ssh cat`", up, "cat", "archive", 0.9);
  const down = await medians(
    [
      {
        name: "own",
        prepare: () => {
          rmSync(place.path("home"), { recursive: true, force: true });
          place.forget("none");
        },
        run: own("down", place.path("home"), "big"),
      },
      {
        name: "cat",
        prepare: () => rmSync(place.path("raw"), { force: true }),
        run: () => place.shell(`${place.ssh()} 'cat big/data.bin' >raw`),
      },
    ],
    3,
  );
  ratio("One file of 2 GB down, against `ssh cat`", down, "cat", "own", 0.9);
  memory("2 GB up and down: process at home", Math.max(...megabytes));
  memory("2 GB up and down: agent", place.agentMegabytes);
  for (const path of [place.path("big"), place.path("home"), place.path("raw"), place.there("raw")]) {
    rmSync(path, { recursive: true, force: true });
  }
  place.forget("big");
}

async function longLine(place: Place): Promise<void> {
  mkdirSync(place.path("long"));
  writeRandomFile(place.path("long/data.bin"), longWay);
  const far = await startLineApart(place.sshd.access.port, line);
  try {
    const times = await medians(
      [
        {
          name: "up",
          prepare: () => place.forget("long"),
          run: async () =>
            (await place.own({ way: "up", local: place.path("long"), remote: "long" }, far.port)).seconds,
        },
        {
          name: "down",
          prepare: () => rmSync(place.path("home"), { recursive: true, force: true }),
          run: async () =>
            (await place.own({ way: "down", local: place.path("home"), remote: "long" }, far.port)).seconds,
        },
      ],
      2,
    );
    for (const [way, took] of times) {
      report({
        part: "Long line",
        what: `1 GB ${way} over 80 ms and 1 Gbit/s, against the line`,
        value: longWay / line.bytesPerSecond / took,
        unit: "×",
        goal: { atLeast: 0.9 },
        from: `${took.toFixed(1)} s, the line alone ${(longWay / line.bytesPerSecond).toFixed(1)} s`,
      });
    }
  } finally {
    await far.close();
    place.forget("long");
    rmSync(place.path("long"), { recursive: true });
    rmSync(place.path("home"), { recursive: true, force: true });
  }
}

async function manyFiles(place: Place): Promise<void> {
  const folder = place.path("many");
  writeSmallFiles(folder, many, smallBytes);
  const own = async (way: "up" | "down", local: string) => (await place.own({ way, local, remote: "many" })).seconds;
  const up = await medians(
    [
      { name: "own", prepare: () => place.forget("many"), run: () => own("up", folder) },
      {
        name: "tar",
        prepare: () => rmSync(place.there("tar"), { recursive: true, force: true }),
        run: () => place.shell(`tar -cf - -C ${folder} . | ${place.ssh()} 'mkdir tar && tar -xf - -C tar'`),
      },
    ],
    3,
  );
  ratio("100,000 files of 1.8 kB up, against `tar | ssh tar`", up, "tar", "own", 1);
  await extraction(place);
  const changed = await medians(
    [
      {
        name: "own",
        prepare: () => change(folder),
        run: () => own("up", folder),
      },
      {
        name: "rsync",
        prepare: () => change(folder),
        run: () => place.shell(rsync(place, folder, "tar")),
      },
    ],
    3,
  );
  ratio("1 changed of 100,000 files, against rsync", changed, "rsync", "own", 1);
  const down = await medians(
    [
      {
        name: "own",
        prepare: () => rmSync(place.path("home"), { recursive: true, force: true }),
        run: () => own("down", place.path("home")),
      },
      {
        name: "tar",
        prepare: () => rmSync(place.path("tar"), { recursive: true, force: true }),
        run: () => place.shell(`mkdir tar; ${place.ssh()} 'tar -cf - -C many .' | tar -xf - -C tar`),
      },
    ],
    3,
  );
  ratio("100,000 files of 1.8 kB down, against `ssh tar | tar`", down, "tar", "own", 1);
  for (const path of [folder, place.path("home"), place.path("tar"), place.there("tar")]) {
    rmSync(path, { recursive: true, force: true });
  }
  place.forget("many");
}

/** The same files, from an archive that is there, beside `tar -xzf`: refusing what is hostile and all other checks included. */
async function extraction(place: Place): Promise<void> {
  const archive = ".lambda-train/archives/many.tar.gz";
  const there = (command: string): Promise<undefined> => place.shell(`${place.ssh()} ${shellQuote(command)}`);
  const remove = (name: string) => (): void => rmSync(place.there(name), { recursive: true, force: true });
  await there(`mkdir -p .lambda-train/archives && tar -czf ${archive} -C many .`);
  const times = await medians(
    [
      {
        name: "own",
        prepare: remove("extracted"),
        run: async () => (await place.own({ way: "extract", local: "extracted", remote: archive })).seconds,
      },
      {
        name: "tar -xzf",
        prepare: remove("tarred"),
        run: () => there(`mkdir tarred && tar -xzf ${archive} -C tarred`),
      },
    ],
    3,
  );
  ratio("The same extracted there, against `tar -xzf`", times, "tar -xzf", "own", 1);
  for (const name of ["extracted", "tarred"]) remove(name)();
}

async function veryManyFiles(place: Place): Promise<void> {
  const folder = place.path("inks");
  writeSmallFiles(folder, mathwriting, smallBytes);
  const took = await medians(
    [
      {
        name: "own",
        run: async () => (await place.own({ way: "up", local: folder, remote: "inks" })).seconds,
      },
      { name: "rsync", run: () => place.shell(rsync(place, folder, "rsync")) },
    ],
    1,
  );
  ratio("655,620 files up, against rsync", took, "rsync", "own", 1);
  rmSync(place.there("rsync"), { recursive: true });
  rmSync(place.there("inks"), { recursive: true });
  place.forget("inks");
  place.agentMegabytes = 0;
  writeSmallFiles(join(folder, "more"), million - mathwriting, smallBytes);
  const up = await place.own({ way: "up", local: folder, remote: "million" });
  memory("1,000,000 files up: process at home", up.megabytes);
  memory("1,000,000 files up: agent", place.agentMegabytes);
  place.agentMegabytes = 0;
  const down = await place.own({ way: "down", local: place.path("home"), remote: "million" });
  memory("1,000,000 files down: process at home", down.megabytes);
  memory("1,000,000 files down: agent", place.agentMegabytes);
}

/** Changes one file in the middle of a folder of small files. */
function change(folder: string): void {
  execFileSync("bash", ["-c", 'echo "$RANDOM $EPOCHREALTIME" >>"$1"/050/0050000.inkml', "bash", folder]);
}

function rsync(place: Place, from: string, to: string): string {
  return `rsync -a -e ${shellQuote(place.sshOptions())} ${from}/ ${place.target}:${to}/`;
}

/** A ratio of speeds: how many times as fast as the other the product is. */
function ratio(what: string, times: Map<string, number>, other: string, own: string, atLeast: number): void {
  const [theirs = Number.NaN, ours = Number.NaN] = [times.get(other), times.get(own)];
  const from = `${ours.toFixed(2)} s, ${other} ${theirs.toFixed(2)} s`;
  report({ part: "Transfer", what, value: theirs / ours, unit: "×", goal: { atLeast }, from });
}

function memory(what: string, value: number): void {
  report({ part: "Memory", what, value, unit: "MB", goal: { atMost: 300 }, from: "peak resident memory" });
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
