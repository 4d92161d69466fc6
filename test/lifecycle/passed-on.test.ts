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
  /** What the output says of the dataset's way: sent and taken, by resource. */
  const told = (output: string, pattern: RegExp): string[] => [...output.matchAll(pattern)].map((each) => each[1] ?? "");
  const sent = (output: string): string[] => told(output, /tiny\/data: sent (\d+ files, [\d.]+ MB)/g).sort();
  const taken = (output: string): string[] => told(output, /took (\d+ files, [\d.]+ MB) from machine/g);
  const checksum = async (rank: number): Promise<string> =>
    (await on(rank, "sha256sum < tiny/data/train/big.bin")).trim();
  const newData = (): void => project.write("tiny-data/train/big.bin", randomBytes(megabytes * 1e6));

  beforeAll(async () => {
    project.env[passOnVariable] = "1";
    cloud = await startTinyStack(project, { overrides: { steps: 100_000 }, train: { nodes: 2 } });
    newData();
    first = await project.succeeds("up");
  }, 240_000);
  afterAll(() => project.dispose());

  it("is sent once, and comes to the other machine from the first", async () => {
    expect(sent(first)).toEqual(["0 files, 0.0 MB", "4 files, 3.0 MB"]);
    expect(taken(first)).toEqual(["4 files, 3.0 MB"]);
    expect(await checksum(1)).toBe(await checksum(0));
  });

  it("comes from home as far as the first machine's copy is damaged", async () => {
    const right = await checksum(0);
    const damage = "cp -p big.bin ../as-it-was && printf x | dd of=big.bin bs=1 seek=9 conv=notrunc status=none";
    await on(0, `cd tiny/data/train && ${damage} && touch -r ../as-it-was big.bin && rm ../as-it-was`);
    await project.succeeds("stop");
    const { "machine-2": lost = "" } = (await project.outputs()).instanceId as Record<string, string>;
    await cloud.admin.terminate(lost);
    const output = await project.succeeds("up");
    expect(taken(output)).toHaveLength(1);
    expect(sent(output)).toEqual(["1 files, 3.0 MB"]);
    expect(await checksum(1)).toBe(right);
    expect(await checksum(0)).not.toBe(right);
  });

  it("comes from home where the first machine can't be asked", async () => {
    const refuse = `IFS= read -r line
case "$line" in *upload-*) exit 1 ;; esac
agent="$(sed -n 's/.* \\([^ ]*\\) peer$/\\1/p' ~/agent-words)"
{ printf '%s\\n' "$line"; cat; } | python3 -IS "$agent" peer
`;
    await on(0, `cat > ~/refuse.sh <<'END'\n${refuse}END\nkeys=~/.ssh/authorized_keys
sed -n 's/^restrict,command="\\([^"]*\\)".*lambda-train fleet$/\\1/p' $keys > ~/agent-words
sed -i '/lambda-train fleet$/s/command="[^"]*"/command="bash refuse.sh"/' $keys`);
    await project.succeeds("stop");
    newData();
    const output = await project.succeeds("up");
    expect(output).toMatch(/machine does not answer: .*: the dataset is sent from here/);
    expect(sent(output)).toEqual(["1 files, 3.0 MB", "1 files, 3.0 MB"]);
    expect(await checksum(1)).toBe(await checksum(0));
  });
});
