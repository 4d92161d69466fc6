import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { installWatch, uninstallWatch } from "../../../cli/watching/install";
import { watchLines, watchReports } from "../../../cli/watching/report";
import { installedWatch, watchFolder, watchName } from "../../../local/watch-record";

/** With stand-ins for the programs of systemd and cron. */
describe("an installed watch", () => {
  let folder: string;
  const said = vi.fn();
  const path = (...names: string[]): string => join(folder, ...names);
  const program = (name: string, text: string): void =>
    writeFileSync(path("bin", name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "lambda-train-"));
    mkdirSync(path("bin"));
    vi.stubEnv("PATH", [path("bin"), process.env.PATH].join(delimiter));
    vi.stubEnv("XDG_CONFIG_HOME", path("config"));
    vi.stubEnv("LAMBDA_TRAIN_LOCAL", path("local"));
    vi.stubEnv("LAMBDA_API_KEY", "secret_key");
    vi.spyOn(console, "log").mockImplementation(said);
    program("systemctl", "exit 1");
    program("loginctl", "echo Linger=no");
    program(
      "crontab",
      `[ "$1" = -l ] && { cat ${path("table")} 2>/dev/null || { echo no crontab >&2; exit 1; }; } || cat >${path("table")}`,
    );
  });
  afterEach(() => {
    said.mockReset();
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true, force: true });
  });
  const withSystemd = (): void => program("systemctl", `echo "$@" >>${path("calls")}`);
  const printed = (): string => said.mock.calls.flat().join("\n");
  const files = (stack: string): string[] =>
    ["sh", "json"].map((kind) => join(watchFolder(), `${watchName(stack)}.${kind}`));

  it("is a line of the crontab, beside the user's own, where there is no systemd session", () => {
    writeFileSync(path("table"), "0 1 * * * backup\n");
    expect(installWatch("dev", { destroy: true })).toBe(0);
    const [script = ""] = files("dev");
    const ours = `*/5 * * * * /bin/sh ${script}\n`;
    expect(readFileSync(path("table"), "utf8")).toBe(`0 1 * * * backup\n${ours}`);
    expect(readFileSync(script, "utf8")).toMatch(/watch --stack dev --destroy >>"\$log"/);
    expect(statSync(script).mode & 0o777).toBe(0o600);
    installWatch("dev", { every: 7 });
    expect(readFileSync(path("table"), "utf8")).toBe(`0 1 * * * backup\n${ours.replace("*/5", "*/7")}`);
    expect(installedWatch("organization/lambda-train/dev")).toMatchObject({ by: "cron", every: 7, destroys: false });
    uninstallWatch("dev");
    expect(readFileSync(path("table"), "utf8")).toBe("0 1 * * * backup\n");
    expect(files("dev").filter(existsSync)).toEqual([]);
  });

  it("is a timer of the user's systemd, which waits for the end of a look", () => {
    withSystemd();
    installWatch("dev", { every: 10 });
    const unit = (kind: string): string =>
      readFileSync(path(`config/systemd/user/${watchName("dev")}.${kind}`), "utf8");
    expect(unit("service")).toContain(`Type=oneshot\nExecStart=/bin/sh "${files("dev")[0]}"\n`);
    expect(unit("timer")).toContain("OnUnitInactiveSec=10min");
    expect(printed()).toContain("loginctl enable-linger");
    expect(readFileSync(path("calls"), "utf8")).toContain(`--user restart ${watchName("dev")}.timer`);
    expect(existsSync(path("table"))).toBe(false);
    uninstallWatch("dev");
    expect(readFileSync(path("calls"), "utf8")).toContain(`--user disable --now ${watchName("dev")}.timer`);
    expect(existsSync(path(`config/systemd/user/${watchName("dev")}.timer`))).toBe(false);
  });

  it("is told of by doctor, also where its scheduler has lost it or it is late", () => {
    expect(watchLines(watchReports())).toEqual(["watch: not installed (npm run watch -- --install)"]);
    installWatch("dev", {});
    expect(watchLines(watchReports())[0]).toBe("watch of dev: installed, by cron every 5 min, no look yet");
    const at = "2026-01-01T00:00:00.000Z";
    mkdirSync(path("local"), { recursive: true });
    writeFileSync(path("local/watched-dev.json"), JSON.stringify({ at, code: 11 }));
    const lines = (minutes: number): string => watchLines(watchReports(Date.parse(at) + minutes * 60_000)).join();
    expect(lines(6)).toBe(
      `watch of dev: installed, by cron every 5 min, last look ${at} (exit code 11), next about 2026-01-01T00:05:00.000Z`,
    );
    expect(lines(60)).toContain("watch of dev: LATE");
    rmSync(path("table"));
    expect(lines(6)).toContain("MISSING in cron: npm run watch -- --stack dev --install");
  });

  it("is refused without a key, without a scheduler, with too long a pause, and where files aren't one's own", () => {
    vi.stubEnv("LAMBDA_API_KEY", "");
    expect(() => installWatch("gpu", {})).toThrow(
      /needs a Lambda API key: set LAMBDA_API_KEY.*config set --secret lambda-train:apiKey/,
    );
    expect(installWatch("dev", {})).toBe(0);
    expect(() => installWatch("dev", { every: 60 })).toThrow(/--every is 60: with --install it must be 1 to 59/);
    uninstallWatch("dev");
    expect(() => uninstallWatch("dev")).toThrow(/No watch of dev is installed/);
    program("crontab", "exit 1");
    expect(() => installWatch("dev", {})).toThrow(
      /neither a systemd user session nor cron.*npm run watch -- --stack dev --every 5/,
    );
    expect(files("dev").filter(existsSync)).toEqual([]);
  });

  it("has the secrets of the workload, which an evaluation at the end needs", () => {
    writeFileSync(path("Pulumi.other.yaml"), `config:\n  lambda-train:experiment: ${path("experiment.yaml")}\n`);
    vi.stubEnv("PULUMI_OPTION_CONFIG_FILE", path("Pulumi.other.yaml"));
    vi.stubEnv("HF_TOKEN", "hf_abcdef");
    vi.stubEnv("OTHER_TOKEN", "theirs");
    const secrets = "environment: { secrets: [HF_TOKEN] }\n";
    writeFileSync(path("experiment.yaml"), `experiment: tiny-v1\nworkload: { source: . }\n${secrets}`);
    installWatch("dev", {});
    const [script = ""] = files("dev");
    expect(readFileSync(script, "utf8")).toMatch(/^export HF_TOKEN='?hf_abcdef'?$/m);
    expect(readFileSync(script, "utf8")).toContain(`export PULUMI_OPTION_CONFIG_FILE=${path("Pulumi.other.yaml")}\n`);
    expect(readFileSync(script, "utf8")).not.toContain("theirs");
    expect(statSync(script).mode & 0o777).toBe(0o600);
  });

  it("leaves nothing where the scheduler refuses it", () => {
    program("crontab", '[ "$1" = -l ] && exit 0; echo not allowed >&2; exit 1');
    expect(() => installWatch("dev", {})).toThrow(/Couldn't install: crontab -: not allowed/);
    expect(files("dev").filter(existsSync)).toEqual([]);
    expect(installedWatch("dev")).toBeUndefined();
  });
});
