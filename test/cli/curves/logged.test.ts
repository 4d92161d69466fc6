import { spawnSync } from "node:child_process";
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { loggedAtHome } from "../../../cli/curves/logged/at-home";
import { joined } from "../../../cli/curves/logged/join";
import { isLogged } from "../../../cli/curves/logged/read";
import { toldCurves } from "../../../cli/curves/logged/told";
import { metricsOf } from "../../../cli/curves/metric-files";
import { projectFolder } from "../../../local/paths";

type Points = readonly (readonly [number, number])[];
type Told = Record<string, Points>;

const corpus = join(projectFolder(), "test/fixtures/curves");
/** What TensorBoard, W&B and MLflow say is in the files of each folder (make.py). */
const expected = withNumbers(readFileSync(join(corpus, "expected.json"), "utf8")) as Record<string, Told>;
const places = mkdtempSync(join(tmpdir(), "curves-"));
afterAll(() => rmSync(places, { recursive: true }));

function pathsIn(folder: string): string[] {
  return globSync("**/*", { cwd: folder }).filter((path) => statSync(join(folder, path)).isFile() && isLogged(path));
}

function byName(series: ReturnType<typeof joined>): Told {
  return Object.fromEntries(series.map(({ name, xs, ys }) => [name, xs.map((x, at) => [x, ys[at] ?? 0] as const)]));
}

/** As the page at home reads a folder. */
function atHome(folder: string): { told: Told; left: string[] } {
  const { files, left } = loggedAtHome(folder, pathsIn(folder));
  return { told: byName(joined(files)), left: left.map(({ why }) => why) };
}

/** As the agent reads it, once whole and once as it grows: what it sends to the page, and what a sweep sees. */
function byAgent(folder: string): { told: Told; left: string[]; swept: Told } {
  const program = `
import json, math, os, sys, tempfile
from curves.told import Logged
folder, paths = sys.argv[1], sys.argv[2:]
full = [os.path.join(folder, path) for path in paths]
plain = lambda y: y if math.isfinite(y) else str(y)
swept = lambda logged: {
    name: [[x, plain(y)] for x, y in zip(xs, ys)] for name, (xs, ys) in logged.curves().items()
}
whole, growing, files, left = Logged(), Logged(), {}, []
whole.look(full)
whole.tell(dict(zip(full, paths)), files, left)
with tempfile.TemporaryDirectory() as copy:
    copies = [os.path.join(copy, path) for path in paths]
    for path, to in zip(full, copies):
        os.makedirs(os.path.dirname(to), exist_ok=True)
        content = open(path, "rb").read()
        with open(to, "wb") as file:
            for at in range(0, len(content), 701):
                file.write(content[at : at + 701])
                file.flush()
                growing.look([each for each in copies if os.path.exists(each)])
    assert swept(growing) == swept(whole), (swept(growing), swept(whole))
print(json.dumps({"files": files, "left": [each["why"] for each in left], "swept": swept(whole)}))
`;
  const { stdout, stderr } = spawnSync("python3", ["-B", "-c", program, folder, ...pathsIn(folder)], {
    cwd: join(projectFolder(), "scripts/agent"),
    env: { ...process.env, PYTHONPATH: "." },
    encoding: "utf8",
  });
  expect(stderr).toBe("");
  const { files, left, swept } = withNumbers(stdout) as { files: Record<string, string>; left: string[]; swept: Told };
  const curves = Object.entries(files).flatMap(([path, text]) => {
    const told = toldCurves(text);
    return told === undefined ? [] : [[path, told] as const];
  });
  return { told: byName(joined(new Map(curves))), left, swept };
}

describe("files that loggers wrote", () => {
  it.each(Object.keys(expected))("%s is read as its own library reads it, at home and on the instance", (name) => {
    const folder = join(corpus, name);
    const home = atHome(folder);
    expect(home).toEqual({ told: expect.objectContaining(expected[name] ?? {}), left: [] });
    expect(Object.keys(home.told).sort()).toEqual(Object.keys(expected[name] ?? {}).sort());
    const agent = byAgent(folder);
    expect(agent).toEqual({ told: home.told, left: [], swept: home.told });
  });

  it("tells training and validation apart, which Keras writes under one name", () => {
    const { told } = atHome(join(corpus, "tensors"));
    expect(Object.keys(told).sort()).toEqual(["train/epoch_loss", "validation/epoch_loss"]);
    expect(byAgent(join(corpus, "tensors"))).toEqual({ told, left: [], swept: told });
  });

  it("reads the same on both sides where files are cut short or damaged, and what is whole in them", () => {
    const random = generator(17);
    let damaged = 0;
    for (const number of Array(8).keys()) {
      const folder = join(places, String(number));
      cpSync(corpus, folder, { recursive: true });
      for (const path of pathsIn(folder)) spoil(join(folder, path), random);
      const home = atHome(folder);
      const agent = byAgent(folder);
      expect({ ...agent, left: agent.left.sort() }).toEqual({
        told: home.told,
        left: home.left.sort(),
        swept: home.told,
      });
      damaged += home.left.length;
    }
    expect(damaged).toBeGreaterThan(2);
  }, 60_000);

  it("passes over a damaged record, and waits for the rest of one that is half written", () => {
    const folder = join(places, "one");
    cpSync(join(corpus, "tensors/train"), folder, { recursive: true });
    const [path = ""] = pathsIn(folder);
    const whole = readFileSync(join(folder, path));
    const points = expected["tensors/train"]?.epoch_loss ?? [];
    // In the value of the second one.
    const at = whole.indexOf("epoch_loss", whole.indexOf("epoch_loss") + 10) + 30;
    writeFileSync(join(folder, path), Buffer.concat([whole.subarray(0, at), Buffer.of(0xff), whole.subarray(at + 1)]));
    const { told, left } = atHome(folder);
    expect(left).toEqual(["1 damaged record was passed over"]);
    expect(told).toEqual({ epoch_loss: points.filter(([step]) => step !== 1) });
    writeFileSync(join(folder, path), whole.subarray(0, whole.length - 3));
    expect(atHome(folder)).toEqual({ told: { epoch_loss: points.slice(0, -1) }, left: [] });
  });

  it("are curves for the page, in whose names the metric is found", () => {
    const { files } = loggedAtHome(join(corpus, "wandb"), pathsIn(join(corpus, "wandb")));
    const { series, place } = metricsOf({}, [], files);
    expect(series.map(({ name }) => name).slice(0, 2)).toEqual(["train/loss", "eval/loss"]);
    expect(place).toEqual({ step: 59, epoch: 14 });
  });
});

/** What Python wrote, with words for NaN and infinities. */
function withNumbers(text: string): unknown {
  return JSON.parse(text, (_, value) =>
    value === "nan"
      ? Number.NaN
      : value === "inf" || value === "-inf"
        ? Number(value.replace("inf", "Infinity"))
        : value,
  );
}

/** Numbers from 0 to 1, the same ones each time. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

/** Cuts a file short, changes bytes of it, or leaves it as it is. */
function spoil(path: string, random: () => number): void {
  const content = readFileSync(path);
  const place = (): number => Math.floor(random() * content.length);
  const kind = random();
  if (kind < 0.4) {
    truncateSync(path, place());
    return;
  }
  for (let changes = kind < 0.9 ? 2 : 0; changes > 0; changes--) content[place()] = Math.floor(random() * 256);
  writeFileSync(path, content);
}
