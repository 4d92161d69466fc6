import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { renderVerify } from "../../remote/scripts";
import { renderStart } from "../../remote/start";
import { machineOf, setupPlan, testPlan } from "./plan";
import { useScriptHost } from "./script-host";

const host = useScriptHost();
const { home, text, send } = host;

const log = (): Promise<string> => text(".lambda-train/steps/setup/log");

/** Stands in for a setup script that installs conda for itself and makes environments by name. */
const installConda = (...names: string[]): string => `set -e
conda=~/miniconda3; mkdir -p $conda/etc/profile.d $conda/envs
for name in ${names.join(" ")}; do
  [ -d $conda/envs/$name ] || python3 -m venv --without-pip $conda/envs/$name
  echo "WHERE = '$name'" >"$(echo $conda/envs/$name/lib/python3*/site-packages)/only_there.py"
done
cat >$conda/etc/profile.d/conda.sh <<'C'
conda() {
  [ "$1" = activate ] && [ -d ~/miniconda3/envs/$2 ] || { echo "EnvironmentNameNotFound: $2" >&2; return 1; }
  export CONDA_DEFAULT_ENV="$2" CONDA_PREFIX="$HOME/miniconda3/envs/$2" PATH="$HOME/miniconda3/envs/$2/bin:$PATH"
}
C
echo '. ~/miniconda3/etc/profile.d/conda.sh' >>~/.bashrc
# conda env create -f environment.yml
`;

/** Where a module is that setup put into its environment alone; empty where it can't be imported. */
const where = async (): Promise<string> => {
  const words = ["python3", "-c", "import only_there; print(only_there.WHERE)"];
  const { stdout } = await host.ask("exec", { experiment: "", folder: "work", words });
  return stdout.trim();
};

describe("the environment that setup makes", () => {
  it("is used where conda made it by the name in the workload's file, and no second one is made", async () => {
    await writeFile(home("work/environment.yml"), "name: hmer-ink\ndependencies: [python]\n");
    await writeFile(home("work/setup.sh"), installConda("base-tools", "hmer-ink"));
    const made = await send(setupPlan({ manager: "auto", setup: "bash setup.sh" }));
    expect(made, made.stderr).toMatchObject({ code: 0 });
    expect(await log()).not.toMatch(/Making|fetching/);
    expect(await where()).toBe("hmer-ink");
    const gate = { gpu: "optional", minDiskGiB: 0, modules: ["only_there"], timeoutSeconds: 30 } as const;
    const verified = await send(renderVerify(machineOf(testPlan({ gate, run: { command: "python train.py" } }))));
    expect(verified.stdout).toContain(`envs/hmer-ink/bin/python\n`);
    expect(verified.stdout).toContain("ok module only_there: imports");
  });

  it("is found again where the next setup finds it there already", async () => {
    const setup =
      '[ -d .venv ] || python3 -m venv --without-pip .venv; touch "$(echo .venv/lib/python3*/site-packages)/only_there.py"';
    const show = ["python", "-c", "import sys; print(sys.prefix)"];
    const prefix = async (): Promise<string> =>
      (await host.ask("exec", { experiment: "", folder: "", words: show })).stdout.trim();
    expect(await send(setupPlan({ manager: "auto", setup }))).toMatchObject({ code: 0 });
    expect(await prefix()).toBe(home("work/.venv"));
    expect(await send(setupPlan({ manager: "auto", setup, hash: "other" }))).toMatchObject({ code: 0 });
    expect(await prefix()).toBe(home("work/.venv"));
    expect(await send(setupPlan({ manager: "none", setup: `${setup}; exit 3`, hash: "third" }))).toMatchObject({
      code: 3,
    });
    expect(await send(setupPlan({ manager: "none", setup, hash: "fourth" }))).toMatchObject({ code: 0 });
    expect(await prefix()).toBe(home("work/.venv"));
  });

  it("is that of a setup that was cut off and tried again", async () => {
    const setup = "python3 -m venv --without-pip venv; exit 5";
    expect(await send(setupPlan({ manager: "auto", setup }))).toMatchObject({ code: 5 });
    expect(await send(setupPlan({ manager: "auto", setup: "test -d venv", hash: "other" }))).toMatchObject({ code: 0 });
    expect(await log()).toContain(`${home("work/venv")}, which setup made`);
  });

  it("is not guessed among several, and is the one that environment.activate names, in a shell that is not interactive", async () => {
    await writeFile(home("work/setup.sh"), installConda("one", "two"));
    expect(await send(setupPlan({ manager: "auto", setup: "bash setup.sh" }))).toMatchObject({ code: 0 });
    // The last line is the one that `up` shows.
    expect((await log()).trim().split("\n").at(-1)).toContain("made several environments, and none of them is used");
    expect(await where()).toBe("");
    const activate = "conda activate two && export DATA_ROOT=$PWD/data";
    const made = await send(setupPlan({ manager: "auto", setup: "bash setup.sh", activate, hash: "other" }));
    expect(made, made.stderr).toMatchObject({ code: 0 });
    expect(await where()).toBe("two");
    const shown = await host.ask("exec", {
      experiment: "",
      folder: "",
      words: ["bash", "-c", 'echo "$CONDA_DEFAULT_ENV $DATA_ROOT"'],
    });
    expect(shown.stdout).toBe(`two ${home("work/data")}\n`);
    const wrong = await send(
      setupPlan({ manager: "auto", setup: "", activate: "conda activate three", hash: "third" }),
    );
    expect(wrong).toMatchObject({ code: 3, stderr: expect.stringContaining("EnvironmentNameNotFound: three") });
    expect(wrong.stderr).toContain("environment.activate ended with status 1");
  });

  it("is made of the workload's file after all where setup left none", async () => {
    await writeFile(home("work/requirements.txt"), "pip\n");
    const made = await send(setupPlan({ manager: "auto", setup: "false && python3 -m venv venv; true" }));
    expect(made, made.stderr).toMatchObject({ code: 0 });
    expect(await log()).toContain("The setup command has left no environment.");
    expect(await log()).toContain("already has what requirements.txt asks for");
  });

  it("has what setup put into ~/.local/bin and onto a login's PATH", async () => {
    const script = (folder: string, name: string): string =>
      `mkdir -p ${folder}; printf '#!/bin/sh\\necho ${name}\\n' > ${folder}/${name}; chmod +x ${folder}/${name}`;
    const setup = `${script("~/.local/bin", "mytrain")}; ${script("~/.cargo/bin", "mytool")}
printf 'case $- in *i*) ;; *) return ;; esac\\nPATH="$HOME/.cargo/bin:$PATH"\\n' >~/.bashrc; echo '. ~/.bashrc' >~/.profile`;
    expect(await send(setupPlan({ setup }))).toMatchObject({ code: 0 });
    const plan = testPlan({ run: { command: "mytrain > seen && mytool >> seen" } });
    expect(await send(renderStart(plan))).toMatchObject({ code: 0 });
    await expect.poll(() => text("work/seen").catch(() => ""), { timeout: 10_000 }).toBe("mytrain\nmytool\n");
  });
});

describe("a command of the workload", () => {
  it("of make has recipes in bash, unless its Makefile names another shell", async () => {
    await writeFile(
      home("work/Makefile"),
      "first := $(firstword $(MAKEFILE_LIST))\nall:\n\t@[[ $(first) == Makefile ]] && echo $$BASH > seen\n",
    );
    await writeFile(home("work/other.mk"), "SHELL := /bin/dash\nall:\n\t@echo $$0 > other\n");
    const run = (words: string[]): Promise<unknown> => host.ask("exec", { experiment: "", folder: "work", words });
    expect(await run(["make"])).toMatchObject({ code: 0 });
    expect(await text("work/seen")).toBe("/bin/bash\n");
    expect(await run(["make", "-f", "other.mk"])).toMatchObject({ code: 0 });
    expect(await text("work/other")).toBe("/bin/dash\n");
  });

  it("finds `python` where the system has python3 alone", async () => {
    const bare = join(host.sshd.bin, "../bare");
    await mkdir(bare, { recursive: true });
    const { stdout } = await host.session.exec(
      `for name in bash env python3 printf grep timeout dirname yes; do ln -sf "$(command -v $name)" ${bare}/$name; done; echo ok`,
    );
    expect(stdout).toBe("ok\n");
    const script = setupPlan({ setup: "python -c 'print(42)' > seen" });
    const made = await send(`PATH=${bare}\n${script}`);
    expect(made, made.stderr).toMatchObject({ code: 0 });
    expect(await text("work/seen")).toBe("42\n");
  });
});

describe("a setup command", () => {
  it("of many lines shows its error, not itself", async () => {
    const lines = Array.from({ length: 60 }, (_, number) => `: step ${number} of a long setup`).join("\n");
    const failed = await send(setupPlan({ setup: `${lines}\necho no such wheel >&2; exit 4` }));
    expect(failed).toMatchObject({ code: 4, stderr: expect.stringContaining("no such wheel") });
    expect(failed.stderr).not.toContain("step 50");
    expect(failed.stderr).toContain("status 4: : step 0 of a long setup …");
  });

  it("that calls conda without installing it finds one", async () => {
    const micromamba = join(host.sshd.bin, "micromamba");
    await writeFile(micromamba, '#!/bin/bash\necho "$@" >> ~/called\n', { mode: 0o755 });
    await mkdir(home(".lambda-train/bin"), { recursive: true });
    const own = home(".lambda-train/bin/micromamba");
    await writeFile(own, await readFile(micromamba), { mode: 0o755 });
    await host.session.exec(`rm ${micromamba}`);
    const setup = 'conda env create -n x -f a.yml\n[ "$(conda info --base)" = "$HOME/.lambda-train/micromamba" ]';
    const made = await send(setupPlan({ manager: "auto", setup }));
    expect(made, made.stderr).toMatchObject({ code: 0 });
    expect(await text("called")).toBe("env create -n x -f a.yml\n");
  });
});
