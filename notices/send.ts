import { setTimeout as sleep } from "node:timers/promises";
import { request } from "undici";
import type { Notice } from "./notice";
import { runCommand } from "./run-command";
import type { Target } from "./targets";

/** Milliseconds for one try; three of them must not hold a command up. */
const timeoutMs = 5_000;
const pausesMs = [500, 2_000];

/**
 * Sends a notice to one target, and again where that may help.
 * @throws Error that says why not, without any secret.
 */
export async function send(target: Target, notice: Notice): Promise<void> {
  for (let tried = 0; ; tried += 1) {
    try {
      return await byKind(target, notice);
    } catch (error) {
      const pause = pausesMs[tried];
      if (pause === undefined || error instanceof Refused) throw new Error(withoutSecrets(target, error as Error));
      await sleep(pause);
    }
  }
}

function byKind(target: Target, notice: Notice): Promise<void> {
  if (target.kind === "command") return runCommand(target.url, notice);
  return target.mail === undefined ? post(target, notice) : mail(target, target.mail, notice);
}

/** The target has understood and does not want it: to ask again would not help. */
class Refused extends Error {}

async function post({ kind, url, token }: Target, notice: Notice): Promise<void> {
  const { statusCode, body } = await request(url, {
    method: "POST",
    ...message(kind, notice, token),
    signal: AbortSignal.timeout(timeoutMs),
  });
  await body.dump();
  if (statusCode < 300) return;
  const answer = `it answered with status ${statusCode}`;
  throw statusCode === 429 || statusCode >= 500 ? new Error(answer) : new Refused(answer);
}

function message(
  kind: Target["kind"],
  notice: Notice,
  token: string | undefined,
): { headers: Record<string, string>; body: string } {
  // Fronts such as Cloudflare refuse clients without a name of their own.
  const named = { "user-agent": "lambda-train (notifications)" };
  if (kind === "ntfy") {
    const headers = {
      ...named,
      title: title(notice),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
    return { headers, body: notice.text };
  }
  const headers = { ...named, "content-type": "application/json" };
  return { headers, body: JSON.stringify(kind === "slack" ? { text: notice.text } : notice) };
}

async function mail({ url }: Target, { to, from }: { to: string; from: string }, notice: Notice): Promise<void> {
  const { createTransport } = await import("nodemailer");
  const times = { connectionTimeout: timeoutMs, greetingTimeout: timeoutMs, socketTimeout: timeoutMs };
  const transport = createTransport({ url, ...times });
  const facts = Object.entries(notice).filter(([key, value]) => key !== "text" && value !== null);
  const text = [notice.text, "", ...facts.map(([key, value]) => `${key}: ${value}`), ""].join("\n");
  try {
    await transport.sendMail({ to, from, subject: title(notice), text });
  } finally {
    transport.close();
  }
}

/** ASCII alone: it becomes a header. */
function title({ event, experiment, stack }: Notice): string {
  return `${experiment ?? stack}: ${event}`;
}

/** Errors of others may quote what they were given. */
function withoutSecrets({ kind, url, token }: Target, { message: text, cause }: Error): string {
  // It tells the command's status alone.
  if (kind === "command") return text;
  const { password, username, pathname } = new URL(url);
  const words = [url, token, password, decodeURIComponent(password), username, pathname.length > 1 ? pathname : ""];
  const whole = cause instanceof Error && text === "" ? cause.message : text;
  return words.reduce<string>((said, word) => (word ? said.replaceAll(word, "…") : said), whole || "no reason given");
}
