import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { localFolder } from "../../local/paths";
import { type BilledRun, billSchema } from "./bill";

const noteSchema = z.object({
  /** When its health checks first passed, as the API told. ISO 8601. */
  billedSince: z.string().optional(),
  /** The first call that told it to terminate: when it was sent, and when it was answered. Milliseconds. */
  asked: z
    .object({
      sentAt: z.number(),
      answeredAt: z.number().optional(),
      /** The status that the instance had then. */
      status: z.string(),
    })
    .optional(),
  /** Runs whose results were seen to. */
  runs: billSchema.shape.runs.default([]),
});

/** What is known of an instance towards its bill. */
export type BillNote = z.infer<typeof noteSchema>;

/** When an instance was told to terminate. */
export type Asked = NonNullable<BillNote["asked"]>;

/**
 * What this machine saw of an instance and the API does not tell once it is gone. It makes the bill of a `destroy` right
 * that was killed half-way and runs again. Without it bills are upper bounds, never wrong.
 */
export class BillNotes {
  private readonly file: string;

  constructor(
    instanceId: string,
    private readonly folder = join(localFolder(), "bills"),
  ) {
    this.file = join(folder, `${instanceId.replace(/[^A-Za-z0-9_-]/g, "_")}.json`);
  }

  read(): BillNote {
    try {
      return noteSchema.parse(JSON.parse(readFileSync(this.file, "utf8")));
    } catch {
      return { runs: [] };
    }
  }

  /** Notes the start of the billing. */
  billedSince(time: string): void {
    const note = this.read();
    if (note.billedSince === undefined) this.write({ ...note, billedSince: time });
  }

  /** Notes a call to terminate, over what was noted of one before. */
  asked(asked: Asked): void {
    this.write({ ...this.read(), asked });
  }

  /** Notes how a run ended; the last word on an experiment counts. */
  run(run: BilledRun): void {
    const note = this.read();
    this.write({ ...note, runs: [...note.runs.filter(({ experiment }) => experiment !== run.experiment), run] });
  }

  /** Forgets the instance: its bill is written. */
  clear(): void {
    rmSync(this.file, { force: true });
  }

  private write(note: BillNote): void {
    try {
      mkdirSync(this.folder, { recursive: true, mode: 0o700 });
      writeFileSync(`${this.file}.new`, JSON.stringify(note), { mode: 0o600, flush: true });
      renameSync(`${this.file}.new`, this.file);
    } catch {
      // See the class comment.
    }
  }
}
