import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { passOnVariable } from "../../plan/pass-on";
import type { TestCloud } from "../support/cloud";
import { Project } from "../support/project";
import { startTinyStack } from "../support/tiny";

/** A dataset that leaves home once, and goes on between two machines; each test goes on from where the one before ended. */
describe("a dataset for two machines", { timeout: 300_000 }, () => {
  const project = new Project();
  const megabytes = 3;
  let cloud: TestCloud;
  let first: string;

  const on = (rank: number, line: string): Promise<string> =>
    project.succeeds("exec", ["--rank", String(rank), "bash", "-c", line]);
  /** What the output says of the dataset's upload to each machine, at its end. */
  const told = (output: string): { readonly home: string; readonly other: string } => {
    const end = output.slice(output.lastIndexOf("Diagnostics:"));
    const of = (name: string): string => new RegExp(`\\(${name}\\):\n((?: {4}.*\n)+)`).exec(end)?.[1] ?? "";
    return { home: of("dataset-upload"), other: of("machine-2-dataset-upload") };
  };
  const checksum = async (rank: number): Promise<string> =>
    (await on(rank, "sha256sum < ~/tiny/data/more/big.txt")).trim();
  const newData = (): void =>
    project.write("tiny-data/more/big.txt", randomBytes((megabytes * 1e6) / 2).toString("hex"));

  beforeAll(async () => {
    project.env[passOnVariable] = "1";
    cloud = await startTinyStack(project, { overrides: { steps: 100_000 }, train: { nodes: 2 } });
    newData();
    first = await project.succeeds("up");
  }, 240_000);
  afterAll(() => project.dispose());

  it("is sent once, and comes to the other machine from the first", async () => {
    const { home, other } = told(first);
    expect(home).toContain("tiny/data: sent 4 files, 3.0 MB");
    expect(other).toContain("took 4 files, 3.0 MB from machine in");
    expect(other).toContain("tiny/data: sent 0 files, 0.0 MB");
    expect(await checksum(1)).toBe(await checksum(0));
  });

  it("comes from home as far as the first machine's copy is damaged", async () => {
    const right = await checksum(0);
    const damage = "cp -p big.txt ../as-it-was && printf x | dd of=big.txt bs=1 seek=9 conv=notrunc status=none";
    await on(0, `cd ~/tiny/data/more && ${damage} && touch -r ../as-it-was big.txt && rm ../as-it-was`);
    await project.succeeds("stop");
    const { "machine-2": lost = "" } = (await project.outputs()).instanceId as Record<string, string>;
    await cloud.admin.terminate(lost);
    const { home, other } = told(await project.succeeds("up"));
    expect(home).toBe("");
    expect(other).toMatch(/took 3 files, .* from machine in .*; 1 damaged or missing there, sent from here/);
    expect(other).toContain("tiny/data: sent 1 files, 3.0 MB");
    expect(await checksum(1)).toBe(right);
    expect(await checksum(0)).not.toBe(right);
  });

  it("comes from home where the first machine can't be asked", async () => {
    const refuse = `IFS= read -r line
case "$line" in *upload-*) exit 1 ;; esac
agent="$(sed -n 's/.* \\([^ ]*\\) peer$/\\1/p' ~/agent-words)"
{ printf '%s\\n' "$line"; cat; } | python3 -IS "$agent" peer
`;
    await on(
      0,
      `cat > ~/refuse.sh <<'END'\n${refuse}END\nkeys=~/.ssh/authorized_keys
sed -n 's/^restrict,command="\\([^"]*\\)".*lambda-train fleet$/\\1/p' $keys > ~/agent-words
sed -i '/lambda-train fleet$/s/command="[^"]*"/command="bash refuse.sh"/' $keys`,
    );
    await project.succeeds("stop");
    newData();
    const { home, other } = told(await project.succeeds("up"));
    expect(home).toContain("tiny/data: sent 1 files, 3.0 MB");
    expect(other).toMatch(/machine does not answer: .*: the dataset is sent from here/);
    expect(other).toContain("tiny/data: sent 1 files, 3.0 MB");
    expect(await checksum(1)).toBe(await checksum(0));
  });
});
