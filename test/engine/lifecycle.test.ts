import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startSshd, type TestSshd } from "../support/sshd";
import { root } from "./support/plugin";

const program = `
const pulumi = require("@pulumi/pulumi");
const random = require("@pulumi/random");
const command = require("@pulumi/command");
const { connection, update } = JSON.parse(process.env.SCRATCH);

class Note extends pulumi.dynamic.Resource {
  constructor(name, args, options) {
    const provider = { async create(inputs) { return { id: "note", outs: { ...inputs, made: "yes" } }; } };
    super(provider, name, { made: undefined, ...args }, options);
  }
}

const id = new random.RandomId("id", { byteLength: 4, prefix: "run-" });
const note = new Note("note", { text: id.hex });
const remote = new command.remote.Command("remote", {
  connection,
  create: pulumi.interpolate\`echo "remote \${id.hex}"; cat\`,
  update,
  stdin: pulumi.secret("from stdin"),
  delete: 'echo bye > "$HOME/deleted"',
  addPreviousOutputInEnv: false,
  triggers: [note.id],
});
module.exports = { hex: id.hex, made: note.made, remote: remote.stdout };
`;

let folder: string;
let sshd: TestSshd;

beforeAll(async () => {
  sshd = await startSshd();
  folder = mkdtempSync(join(tmpdir(), "lambda-train-engine-"));
  writeFileSync(
    join(folder, "Pulumi.yaml"),
    "name: scratch\nruntime:\n  name: nodejs\n  options:\n    typescript: false\n",
  );
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "scratch", main: "main.js" }));
  writeFileSync(join(folder, "main.js"), program);
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  mkdirSync(join(folder, "state"));
});

afterAll(async () => {
  await sshd?.stop();
  if (folder) rmSync(folder, { recursive: true });
});

/** Runs the CLI as the bootstrap's environment has it; expects success and not one warning. */
async function pulumi(args: readonly string[], more: object = {}): Promise<string> {
  const { host, port, user, privateKey, hostKey } = sshd.access;
  const scratch = { connection: { host, port, user, privateKey, hostKey, dialErrorLimit: 3 }, ...more };
  const env = {
    ...process.env,
    PULUMI_BACKEND_URL: `file://${join(folder, "state")}`,
    PULUMI_CONFIG_PASSPHRASE: "a passphrase for tests",
    PULUMI_CONFIG_PASSPHRASE_FILE: undefined,
    PULUMI_STACK: undefined,
    SCRATCH: JSON.stringify(scratch),
  };
  const output = await new Promise<string>((done, fail) => {
    const all = [...args, "--non-interactive", "--color=never"];
    execFile("pulumi", all, { cwd: folder, env, timeout: 100_000 }, (error, out, err) => {
      if ((error as NodeJS.ErrnoException | null)?.code === "ENOENT")
        fail(new Error("pulumi is not on PATH: run the tests with npm test"));
      else if (error) fail(new Error(`pulumi ${args.join(" ")}:\n${out}${err}`));
      else done(out + err);
    });
  });
  expect(output).not.toMatch(/warning|error:/i);
  return output;
}

const up = ["up", "--yes", "--skip-preview", "--stack", "dev"];

it("the real engine takes a stack of every served type through its life without a warning", {
  timeout: 200_000,
}, async () => {
  await pulumi(["stack", "init", "dev"]);
  expect(await pulumi(["preview", "--stack", "dev"])).toContain("4 to create");
  expect(await pulumi(up)).toContain("4 created");
  const outputs = JSON.parse(await pulumi(["stack", "output", "--json", "--stack", "dev"]));
  expect(outputs).toMatchObject({ made: "yes", remote: `remote ${outputs.hex}\nfrom stdin` });
  expect(outputs.hex).toMatch(/^run-[0-9a-f]{8}$/);

  const state = readFileSync(join(folder, "state", ".pulumi", "stacks", "scratch", "dev.json"), "utf8");
  expect(state).toContain("command:remote:Command");
  expect(state).not.toContain("PRIVATE KEY");

  expect(await pulumi([...up, "--expect-no-changes"])).toContain("4 unchanged");
  expect(await pulumi(["refresh", "--yes", "--stack", "dev"])).toContain("4 unchanged");
  expect(await pulumi(up, { update: 'echo "updated"' })).toMatch(/1 updated\s+3 unchanged/);
  expect(JSON.parse(await pulumi(["stack", "output", "--json", "--stack", "dev"])).remote).toBe("updated");
  expect(existsSync(join(sshd.home, "deleted"))).toBe(false);
  expect(await pulumi(["destroy", "--yes", "--stack", "dev"])).toContain("4 deleted");
  expect(readFileSync(join(sshd.home, "deleted"), "utf8")).toBe("bye\n");
});
