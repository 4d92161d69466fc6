import { z } from "zod";
import { startAgent } from "./agent";
import { endedSoon, type RemoteProcess, type SshSession, sshFailure } from "./session";
import { SshError, sshError } from "./ssh/error";
import { collect } from "./ssh/process";

/** As in scripts/agent/machine/serve.py: another number for any change that the other side must know of. */
export const protocol = 2;

const longestAnswer = 64 * 1024 ** 2;

const hello = z.object({ protocol: z.number() });
const answered = z.object({ id: z.number(), answer: z.unknown().optional(), error: z.string().optional() });

/** What to ask, and what an answer must be. */
export interface Question<T> {
  readonly ask: "status" | "look" | "metric-files" | "log";
  readonly document: object;
  readonly answer: z.ZodType<T>;
  /** For messages: `Reading the status of exp`. */
  readonly what: string;
  readonly timeoutSeconds: number;
}

interface Waiting {
  readonly give: (answer: unknown) => void;
  readonly fail: (error: unknown) => void;
}

const conversations = new WeakMap<SshSession, Promise<Conversation>>();

/**
 * Asks the agent. All questions of a connection go to one process there.
 * @throws SshError: `lost` or `timeout` as a command's; `exit` where the question failed, or the answer is none.
 */
export async function ask<T>(session: SshSession, question: Question<T>): Promise<T> {
  const { timeoutSeconds } = question;
  const conversation = await conversationOf(session, timeoutSeconds);
  try {
    return await conversation.ask(question);
  } catch (error) {
    // Somebody has killed its process, which is no reason not to answer.
    if (!(error instanceof SshError) || error.facts.kind !== "exit" || !conversation.isOver) throw error;
    return (await conversationOf(session, timeoutSeconds)).ask(question);
  }
}

/** @param timeoutSeconds How long a new one's agent may take to answer for the first time. */
function conversationOf(session: SshSession, timeoutSeconds: number): Promise<Conversation> {
  const known = conversations.get(session);
  if (known !== undefined) return known;
  const opened = Conversation.open(session, timeoutSeconds, () => conversations.delete(session));
  conversations.set(session, opened);
  opened.catch(() => conversations.delete(session));
  return opened;
}

/** One process of the agent that answers questions. */
class Conversation {
  private readonly waiting = new Map<number, Waiting>();
  private readonly said: () => string;
  private asked = 0;
  private welcome: Waiting | undefined;
  /** There are no more answers. */
  isOver = false;

  private constructor(
    private readonly session: SshSession,
    private readonly remote: RemoteProcess,
    private readonly onEnd: () => void,
  ) {
    remote.stdin.on("error", () => {});
    this.said = collect(remote.stderr, 4096);
    void this.listen();
  }

  static async open(session: SshSession, timeoutSeconds: number, onEnd: () => void): Promise<Conversation> {
    const remote = await startAgent(session, { verb: "serve", document: { protocol } });
    const conversation = new Conversation(session, remote, onEnd);
    const { access } = session;
    const timer = setTimeout(() => {
      const message = `Starting the agent on ${access.host} did not end within ${timeoutSeconds} s.`;
      conversation.welcome?.fail(sshError(access, "timeout", message));
      remote.kill();
    }, timeoutSeconds * 1000);
    try {
      await new Promise<unknown>((give, fail) => {
        conversation.welcome = { give, fail };
      });
    } finally {
      clearTimeout(timer);
    }
    return conversation;
  }

  ask<T>({ ask, document, answer, what, timeoutSeconds }: Question<T>): Promise<T> {
    const id = ++this.asked;
    const { access } = this.session;
    return new Promise<T>((resolve, reject) => {
      const timer = setTimeout(() => {
        const message = `${what} on ${access.host} did not end within ${timeoutSeconds} s.`;
        this.waiting.get(id)?.fail(sshError(access, "timeout", message));
        // What it is at may take longer still: the next question is not to wait for that.
        this.remote.kill();
      }, timeoutSeconds * 1000);
      const done = (): void => {
        clearTimeout(timer);
        this.waiting.delete(id);
      };
      this.waiting.set(id, {
        give: (value) => {
          done();
          const parsed = answer.safeParse(value);
          if (parsed.success) resolve(parsed.data);
          else reject(sshFailure(this.session, 1, what, `It is no such answer: ${z.prettifyError(parsed.error)}`));
        },
        fail: (error) => {
          done();
          reject(typeof error === "string" ? sshFailure(this.session, 1, what, error) : error);
        },
      });
      this.remote.stdin.write(`${JSON.stringify({ id, ask, document })}\n`);
    });
  }

  private async listen(): Promise<void> {
    let reason: unknown;
    try {
      // Put together once it is whole: an answer may come in a hundred pieces.
      let begun: string[] = [];
      let length = 0;
      const decoder = new TextDecoder();
      for await (const chunk of this.remote.stdout) {
        const text = decoder.decode(chunk as Buffer, { stream: true });
        const end = text.lastIndexOf("\n") + 1;
        if (end > 0) {
          const lines = [...begun, text.slice(0, end - 1)].join("").split("\n");
          begun = [];
          length = 0;
          for (const line of lines) this.take(line);
        }
        begun.push(text.slice(end));
        length += text.length - end;
        if (length > longestAnswer) throw new Error(`The agent on ${this.session.access.host} sent an endless answer.`);
      }
      const { code } = await endedSoon(this.remote);
      reason = sshFailure(this.session, code, "Asking the agent", this.said());
    } catch (error) {
      reason = error;
    }
    this.isOver = true;
    this.onEnd();
    this.remote.kill();
    this.welcome?.fail(reason);
    for (const { fail } of [...this.waiting.values()]) fail(reason);
  }

  private take(line: string): void {
    const value: unknown = JSON.parse(line);
    if (this.welcome !== undefined) {
      const { welcome } = this;
      this.welcome = undefined;
      const theirs = hello.parse(value).protocol;
      if (theirs === protocol) welcome.give(undefined);
      else welcome.fail(new Error(refusal(theirs)));
      return;
    }
    const { id, answer, error } = answered.parse(value);
    const waiting = this.waiting.get(id);
    if (error === undefined) waiting?.give(answer);
    else waiting?.fail(error);
  }
}

/** Which side is older, and what to do. */
export function refusal(theirs: number): string {
  const versions = `it speaks protocol ${theirs}, this release ${protocol}`;
  return theirs < protocol
    ? `The agent on the instance is older than this release (${versions}). Run \`npm run up\`, which puts the new one there.`
    : `The agent on the instance is newer than this release (${versions}). Update this checkout: \`git pull\`.`;
}
