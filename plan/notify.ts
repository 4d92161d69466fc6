import { z } from "zod";

/** What can be told of. */
export const noticeEvents = ["started", "finished", "failed", "budget", "limit", "maintenance", "terminated"] as const;

/** One of the things that can be told of. */
export type NoticeEvent = (typeof noticeEvents)[number];

const address = (schemes: string) =>
  z.string().regex(new RegExp(`^(\\$[A-Za-z_]\\w*|(${schemes})://\\S+)$`), {
    error: `must be a URL (${schemes.replace("|", ", ")}), or the name of an environment variable as $NAME`,
  });
const mail = z.string().regex(/^[^\s@<>,]+@[^\s@<>,]+$/, "must be an e-mail address, as me@example.com");
const secretText = z.string().min(1, "must not be empty");
const events = z
  .array(z.enum(noticeEvents, { error: `must be one of ${noticeEvents.join(", ")}` }))
  .min(1, "must name at least one event")
  .optional();

/** Whom to tell, and of what. Left out events: all of them. */
export const notifySchema = z.array(
  z.union(
    [
      z.strictObject({ webhook: address("https?"), events }),
      z.strictObject({ slack: address("https?"), events }),
      z.strictObject({ ntfy: address("https?"), token: secretText.optional(), events }),
      z.strictObject({ email: mail, from: mail, server: address("smtps?"), events }),
      z.strictObject({ command: secretText, events }),
    ],
    {
      error:
        "must be a target: {webhook: URL}, {slack: URL}, {ntfy: URL, token?}, {email, from, server} or {command}, each with events? as a list",
    },
  ),
);

/** One target of notifications. */
export type NotifyTarget = z.infer<typeof notifySchema>[number];

/** Fields that let whoever knows them write to the target, or act as its user: never kept in plain text. */
export const secretFields = ["webhook", "slack", "ntfy", "token", "server"] as const;
