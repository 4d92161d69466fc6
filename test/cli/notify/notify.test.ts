import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { noticeOf } from "../../../cli/notify/notice";
import { readTargets } from "../../../notices/targets";
import type { RunPlan } from "../../../plan/types";
import { Inbox } from "../../support/inbox";
import { Project } from "../../support/project";

const secret = "s3cretpath";

describe("targets", () => {
  const read = (value: object[], raw: unknown = value, env: NodeJS.ProcessEnv = {}): unknown =>
    readTargets(value, raw, env);

  it("refuses a secret in plain text, and shows nothing of it", () => {
    for (const target of [
      { webhook: `https://example.com/${secret}` },
      { ntfy: "http://127.0.0.1/t", token: secret },
      { email: "me@example.com", from: "a@example.com", server: `smtps://u:${secret}@example.com` },
    ]) {
      expect(() => read([target])).toThrow(/config set --secret --path 'lambda-train:notify\[0\]/);
      expect(() => read([target])).not.toThrow(secret);
    }
  });

  it("takes Pulumi secrets, environment variables and addresses of this machine", () => {
    const webhook = `https://example.com/${secret}`;
    expect(read([{ webhook }], [{ webhook: { secure: "v1:x" } }])).toMatchObject([{ url: webhook }]);
    expect(read([{ webhook }], { secure: "v1:x" })).toMatchObject([{ name: "webhook 1 (example.com)" }]);
    expect(read([{ slack: "$HOOK", events: ["failed"] }], undefined, { HOOK: webhook })).toMatchObject([
      { kind: "slack", url: webhook, events: ["failed"] },
    ]);
    expect(() => read([{ slack: "$HOOK" }])).toThrow("the environment variable HOOK is not set");
    expect(read([{ ntfy: "http://127.0.0.1:1/t" }])).toHaveLength(1);
  });
});

describe("a notice", () => {
  const folder = mkdtempSync(join(tmpdir(), "lambda-train-notice-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const told = (id?: string) => {
    const run = { experiment: "ink", hash: "0123456789abcdef" } as RunPlan;
    const instance = id === undefined ? undefined : { id, type: "gpu_1x_a10", region: "us-east-1", priceCents: 129 };
    const job = { machine: "machine", run, resultsFolder: folder, instance };
    return noticeOf({ stack: "test", jobs: [job] }, "finished", "training has finished", Date.now());
  };

  it("names results that are at home", () => {
    expect(told().results).toBeNull();
    // The run's own log is no result of it.
    mkdirSync(join(folder, "ink", "run"), { recursive: true });
    for (const name of ["manifest.json", "run/train.log"]) writeFileSync(join(folder, "ink", name), "{}");
    expect(told().results).toBeNull();
    writeFileSync(join(folder, "ink", "best.pt"), "1");
    expect(told().results).toMatch(/ink$/);
    // Results of an instance before this one are not its own.
    const record = { createdAt: "2026-01-01T00:00:00Z", source: "i1:ink@0123456789ab", files: [] };
    writeFileSync(join(folder, "ink", "manifest.json"), JSON.stringify(record));
    expect(told("i1").results).toMatch(/ink$/);
    expect(told("i2").results).toBeNull();
  });
});

describe("npm run notify", { timeout: 60_000 }, () => {
  const project = new Project();
  let mail = "";
  let inbox: Inbox;
  let smtp: Server;

  beforeAll(async () => {
    inbox = await Inbox.start();
    smtp = createServer((socket) => {
      let inData = false;
      let text = "";
      socket.write("220 here\r\n");
      socket.on("error", () => {});
      socket.on("data", (chunk: Buffer) => {
        text += chunk.toString();
        // A command or a message may come in parts.
        if (!text.endsWith(inData ? "\r\n.\r\n" : "\r\n")) return;
        mail += text;
        inData = /^DATA/im.test(text) && !inData;
        text = "";
        socket.write(inData ? "354 go on\r\n" : "250 fine\r\n");
      });
    });
    await new Promise<void>((done) => smtp.listen(0, "127.0.0.1", done));
    await project.init();
  });
  afterAll(async () => {
    inbox.stop();
    smtp.close();
    await project.dispose();
  });

  it("sends a test to each target, tells which did not take it, and prints no secret", async () => {
    const at = inbox.address;
    const server = `smtp://127.0.0.1:${(smtp.address() as AddressInfo).port}`;
    const email = { email: "me@example.com", from: "train@example.com", server };
    const targets = [{ webhook: "$HOOK" }, { slack: `${at}/slack` }, { ntfy: `${at}/topic`, token: "$TOKEN" }, email];
    project.configure({ notify: [...targets, { webhook: `${at}/gone` }] });
    const env = { HOOK: `${at}/${secret}`, TOKEN: "t0ken" };
    const { code, output } = await project.run("notify", ["--test"], env);
    expect(code, output).toBe(1);
    expect(output.match(/: sent$/gm), output).toHaveLength(4);
    expect(output).toContain("not sent, it answered with status 404");
    for (const word of [secret, "t0ken"]) expect(output).not.toContain(word);
    const ofAll = { version: 1, event: "test", stack: "test", experiment: null };
    expect(inbox.at(`/${secret}`)).toEqual([expect.objectContaining(ofAll)]);
    expect(inbox.at("/slack")).toEqual([{ text: expect.stringContaining("a test of its notifications") }]);
    expect(inbox.posts.find(({ path }) => path === "/topic")?.headers).toMatchObject({
      authorization: "Bearer t0ken",
      title: "test: test",
    });
    expect(mail).toMatch(/RCPT TO:<me@example.com>[\s\S]*Subject: test: test[\s\S]*a test of its notifications/);
    expect(inbox.at("/gone")).toHaveLength(1);
    expect(new Set(inbox.posts.map(({ headers }) => headers["user-agent"]))).toEqual(
      new Set(["lambda-train (notifications)"]),
    );
  });
});
