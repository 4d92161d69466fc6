import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readRunFile } from "../emulator/run-file";
import { newEd25519 } from "../lambda/account/ed25519";
import { shellQuote } from "../remote/quote";
import { TestCloud } from "../test/support/cloud";
import { Project } from "../test/support/project";
import { report } from "./figures";
import { roomyFolder } from "./in-memory";
import { medians } from "./rounds";
import { shell } from "./shell";
import { writeRandomFile, writeSmallFiles } from "./transfer/files";

/**
 * From an instance that is reachable to the first training step: the product beside a person who types the twelve steps
 * without a pause, and beside the best script of them: one connection for all, streams side by side, the setup as soon as
 * the code is there. Nothing is checked by these but what the steps check.
 */
const rounds = 3;
const code = 300;
const files = 20_000;
const bytes = 200e6;

const train = `import os, time
total = sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk("data") for name in names)
os.makedirs("outputs/hand", exist_ok=True)
open(os.path.expanduser("~/first-step"), "w").write(str(time.time()))
print("step 1 loss 1.0 of", total, "bytes", flush=True)
time.sleep(3600)
`;

const experiment = `experiment: hand
workload: { source: hand }
dataset: { source: hand-data, splits: [] }
environment: { setup: bash setup.sh, manager: none }
gate: { gpu: optional, minDiskGiB: 0, modules: [] }
train: { command: python3 train.py, config: null }
evaluate: null
dashboard: null
`;

const verify = `test $(find data -type f | wc -l) = ${files + 1} && python3 -c "import json" && test -f train.py`;

async function main(): Promise<void> {
  process.env.TMPDIR = roomyFolder();
  const project = new Project("bench");
  try {
    writeSmallFiles(join(project.folder, "hand/lib"), code, 4000);
    project.write("hand/train.py", train);
    project.write("hand/setup.sh", "set -e\npython3 -m compileall -q . >/dev/null\nsleep 1\n");
    writeSmallFiles(join(project.folder, "hand-data/inks"), files, 1800);
    writeRandomFile(join(project.folder, "hand-data/pixels.bin"), bytes);
    project.write("configs/hand.yaml", experiment);
    project.configure({ experiment: "configs/hand.yaml" });
    await project.init();
    const cloud = await TestCloud.start(project);
    const hand = new ByHand(project, cloud);
    await hand.prepare();
    const times = await medians(
      [
        { name: "product", run: () => product(project, cloud) },
        { name: "person", run: () => hand.onInstance(person) },
        { name: "script", run: () => hand.onInstance(script) },
      ],
      rounds,
    );
    const [own = Number.NaN, person_ = Number.NaN, script_ = Number.NaN] = ["product", "person", "script"].map((name) =>
      times.get(name),
    );
    const part = "First step";
    const from = (name: string, other: number): string => `${own.toFixed(1)} s, ${name} ${other.toFixed(1)} s`;
    report({
      ...{ part, what: "Reachable to first step, against a person", value: own / person_ },
      ...{ unit: "×", goal: { atMost: 1 }, from: from("person", person_) },
    });
    report({
      ...{ part, what: "Reachable to first step, against the best script", value: own / script_ },
      ...{ unit: "×", goal: { atMost: 1.1 }, from: from("script", script_) },
    });
  } finally {
    await project.dispose();
  }
}

/** Seconds from reachable to first step of an `up`; the stack is down again after it. */
async function product(project: Project, cloud: TestCloud): Promise<number> {
  const up = project.succeeds("up");
  const reachable = await Promise.race([reachableAt(cloud, (name) => name !== "by-hand", portOf(project)), up]);
  await up;
  const first = Number(await project.succeeds("ssh", ["--", "cat first-step"]));
  // Not by `down`, which ends the emulated cloud too.
  const { code: status, output } = await project.pulumi(["destroy", "--yes", "--skip-preview"]);
  if (status !== 0) throw new Error(output);
  return first - Number(reachable);
}

function portOf(project: Project): number {
  return readRunFile(join(project.folder, ".local"))?.sshPort ?? 22;
}

/** When an active instance, chosen by its name, answered first, in seconds since 1970. */
async function reachableAt(cloud: TestCloud, isIt: (name?: string) => boolean, port: number): Promise<number> {
  for (;;) {
    const host = await addressOf(cloud, isIt);
    if (host !== undefined && (await answers(host, port))) return Date.now() / 1000;
    await sleep(20);
  }
}

/** Asked for behind the API, whose limit on requests would count. */
async function addressOf(cloud: TestCloud, isIt: (name?: string) => boolean): Promise<string | undefined> {
  const { instances } = await cloud.admin.state();
  return instances.find(({ status, name }) => status === "active" && isIt(name))?.ip ?? undefined;
}

function answers(host: string, port: number): Promise<boolean> {
  return new Promise((settle) => {
    const socket = connect({ host, port });
    socket.once("data", () => {
      socket.destroy();
      settle(true);
    });
    socket.once("error", () => settle(false));
    socket.setTimeout(1000, () => socket.destroy());
    socket.once("close", () => settle(false));
  });
}

/** The steps as people do them, on an instance of their own. */
class ByHand {
  private readonly key = newEd25519("by-hand");

  constructor(
    private readonly project: Project,
    private readonly cloud: TestCloud,
  ) {}

  private get local(): string {
    return join(this.project.folder, "by-hand");
  }

  /** Key, and the packed dataset: both are made before anything is rented. */
  async prepare(): Promise<void> {
    mkdirSync(this.local);
    writeFileSync(join(this.local, "key"), this.key.privateKey, { mode: 0o600 });
    await this.api("POST", "/ssh-keys", { name: "by-hand", public_key: this.key.publicKey });
    await shell("tar -czf by-hand/data.tar.gz -C hand-data .", this.project.folder);
  }

  /** Launches an instance, does the steps, and gives the seconds from reachable to the first step. */
  async onInstance(steps: (ssh: string, copy: string, to: string) => string): Promise<number> {
    const launched = await this.api<{ instance_ids: string[] }>("POST", "/instance-operations/launch", {
      region_name: "us-east-1",
      instance_type_name: "cpu_4x_general",
      ssh_key_names: ["by-hand"],
      name: "by-hand",
    });
    const id = launched.instance_ids[0] ?? "";
    const port = portOf(this.project);
    try {
      const reachable = await reachableAt(this.cloud, (name) => name === "by-hand", port);
      const host = await addressOf(this.cloud, (name) => name === "by-hand");
      const options = ["-F", "none", "-i", "by-hand/key", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR"];
      options.push("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null");
      options.push("-c", "aes128-gcm@openssh.com");
      const words = options.map(shellQuote).join(" ");
      const to = `ubuntu@${host}`;
      await shell(steps(`ssh ${words} -p ${port} ${to}`, `scp -q ${words} -P ${port}`, to), this.project.folder);
      const first = Number(readFileSync(join(this.local, "first-step"), "utf8"));
      return first - reachable;
    } finally {
      await this.api("POST", "/instance-operations/terminate", { instance_ids: [id] });
      rmSync(join(this.local, "first-step"), { force: true });
    }
  }

  private async api<T>(method: string, path: string, body?: object): Promise<T> {
    const { url, apiKey } = readRunFile(join(this.project.folder, ".local")) ?? { url: "", apiKey: "" };
    for (;;) {
      const answer = await fetch(url + path, {
        method,
        headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      const said = await answer.text();
      if (answer.ok) return (JSON.parse(said) as { data: T }).data;
      if (answer.status !== 429) throw new Error(`${path}: ${said}`);
      await sleep(100);
    }
  }
}

const start = "cd hand && tmux new-session -d -s hand 'python3 train.py 2>&1 | tee train.log'";
const await_ = "while ! grep -q step hand/train.log 2>/dev/null; do sleep 0.05; done; cat first-step";

/** Steps 4 to 9 one after the other, each by the command that is best for it. */
function person(ssh: string, copy: string, to: string): string {
  return [
    `tar -czf - hand | ${ssh} 'tar -xzf -'`,
    `${copy} by-hand/data.tar.gz ${to}:`,
    `${ssh} 'mkdir hand/data && tar -xzf data.tar.gz -C hand/data'`,
    `${ssh} 'cd hand && bash setup.sh'`,
    `${ssh} ${shellQuote(`cd hand && ${verify}`)}`,
    `${ssh} ${shellQuote(start)}`,
    `${ssh} ${shellQuote(await_)} >by-hand/first-step`,
  ].join("\n");
}

/** The same by one connection, code with setup and dataset side by side, the dataset unpacked as it comes. */
function script(ssh: string): string {
  const shared = `${ssh.replace("ssh ", "ssh -o ControlMaster=auto -o ControlPath=by-hand/%C -o ControlPersist=5 ")}`;
  return [
    `${shared} true`,
    `(tar -cf - hand | ${shared} 'tar -xf - && cd hand && bash setup.sh') & code=$!`,
    `${shared} 'mkdir -p hand/data && tar -xzf - -C hand/data' <by-hand/data.tar.gz`,
    "wait $code",
    `${shared} ${shellQuote(`cd hand && ${verify} && cd .. && ${start} && cd .. && ${await_}`)} >by-hand/first-step`,
    `${shared} -O exit 2>/dev/null`,
  ].join("\n");
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
