import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const agent = join(__dirname, "../../scripts/agent");

/** What an earlier configuration has reached is kept apart: the agent alone, in a home of its own. */
describe("results of another configuration", () => {
  let home: string;
  const run = ".lambda-train/runs/exp";

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "lambda-train-aside-"));
    put(`${run}/attempt`, "1\n");
    put(`${run}/train.log`, "step 1\n");
    put(`${run}/attempts/1/hash`, "a\n");
    put(`${run}/attempts/1/mark`, "");
    put(`${run}/attempts/1/run.env`, "export LT_WORKSPACE=work\nexport LT_DIRECTORY=.\nexport LT_OUTPUTS=outputs\n");
  });
  afterEach(() => rmSync(home, { recursive: true, force: true }));

  const put = (path: string, content = "a"): string => {
    const full = join(home, path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, content);
    return full;
  };
  const keep = (hash: string): { status: number | null; stderr: string } => {
    const { status, stderr } = spawnSync("python3", ["-IS", agent, "aside-keep"], {
      input: `${JSON.stringify({ experiment: "exp", hash })}\n`,
      env: { PATH: process.env.PATH, HOME: home },
      encoding: "utf8",
    });
    return { status, stderr };
  };
  const outputs = (): void => {
    put("work/outputs/exp/best.pt");
    put(`${run}/attempts/1/output_path`, `${join(home, "work/outputs/exp")}\n`);
  };
  const copy = (path = ""): string => join(home, run, "aside/1", path);

  it("copies outputs, what lies beside them and elsewhere, and the log, with links as they are", () => {
    outputs();
    symlinkSync(join(home, "work/outputs/exp/best.pt"), join(home, "work/outputs/exp/latest.pt"));
    put("work/outputs/logs/x");
    put(`${run}/attempts/1/output_beside`, `${join(home, "work/outputs/logs")}\n`);
    put("work/lightning_logs/x");
    put("ckpts/x");
    expect(keep("b")).toEqual({ status: 0, stderr: "" });
    writeFileSync(join(home, "work/outputs/exp/best.pt"), "b");
    const { hash, outputPath, places } = JSON.parse(readFileSync(copy("places.json"), "utf8")) as {
      hash: string;
      outputPath: string;
      places: Record<string, string>;
    };
    expect({ hash, outputPath }).toEqual({ hash: "a", outputPath: join(home, "work/outputs/exp") });
    expect(Object.keys(places).sort()).toEqual(["", "beside", "beside/logs", "run/train.log"]);
    expect(readFileSync(copy(`${places[""]}/best.pt`), "utf8")).toBe("a");
    expect(readlinkSync(copy(`${places[""]}/latest.pt`))).toBe("best.pt");
    expect(readFileSync(copy(`${places["beside/logs"]}/x`), "utf8")).toBe("a");
    expect(readFileSync(copy(`${places.beside}/lightning_logs/x`), "utf8")).toBe("a");
    expect(readFileSync(copy(`${places.beside}/home/ckpts/x`), "utf8")).toBe("a");
    expect(readFileSync(copy(places["run/train.log"]), "utf8")).toBe("step 1\n");
  });

  it("copies what a link below a linked folder leads to, where it would lead elsewhere from its place", () => {
    outputs();
    put("disk/weights/w.pt", "weights");
    put("disk/ckpts/last.pt");
    symlinkSync("../weights/w.pt", join(home, "disk/ckpts/best.pt"));
    symlinkSync("last.pt", join(home, "disk/ckpts/latest.pt"));
    symlinkSync(join(home, "disk/ckpts"), join(home, "work/outputs/exp/ckpts"));
    expect(keep("b")).toEqual({ status: 0, stderr: "" });
    const { places } = JSON.parse(readFileSync(copy("places.json"), "utf8")) as { places: Record<string, string> };
    expect(readFileSync(copy(`${places[""]}/ckpts/best.pt`), "utf8")).toBe("weights");
    expect(readlinkSync(copy(`${places[""]}/ckpts/latest.pt`))).toBe("last.pt");
  });

  it("keeps nothing of the same configuration, nor where there is nothing but a log", () => {
    expect(keep("b").status).toBe(0);
    outputs();
    expect(keep("a").status).toBe(0);
    expect(existsSync(copy())).toBe(false);
  });

  it("keeps nothing that is at home, unless it was written to since, wherever that was", () => {
    outputs();
    const fetched = put(`${run}/attempts/1/fetched`, "");
    utimesSync(fetched, new Date(), new Date(Date.now() + 60_000));
    expect(keep("b").status).toBe(0);
    expect(existsSync(copy())).toBe(false);
    utimesSync(fetched, new Date(), new Date(Date.now() - 60_000));
    expect(keep("b").status).toBe(0);
    expect(readdirSync(copy())).toContain("places.json");
  });

  it("refuses to start over results for whose copy there is no room", () => {
    outputs();
    truncateSync(put("work/outputs/exp/huge.pt"), 8 * 1024 ** 4);
    const { status, stderr } = keep("b");
    expect(status).toBe(6);
    expect(stderr).toMatch(/over the results of attempt 1.*takes 87\d{5}\.\d MB, and .* MB are free.*npm run results/);
    expect(existsSync(copy())).toBe(false);
  });
});
