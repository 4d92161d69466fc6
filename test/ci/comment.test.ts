import { describe, expect, it } from "vitest";
import { loadWorkflow } from "./workflow";

interface Comment {
  readonly id: number;
  readonly user: { readonly login: string };
  body: string;
}

/** Runs the step that comments as actions/github-script does: an async function of `github` and `context`. */
async function comment(comments: Comment[], text: string): Promise<void> {
  const script = String(loadWorkflow("preview").jobs.comment?.steps[0]?.with?.script);
  const listComments = Symbol("listComments");
  const github = {
    paginate: async (method: symbol, options: object) => {
      expect(method).toBe(listComments);
      expect(options).toEqual({ owner: "me", repo: "it", issue_number: 7, per_page: 100 });
      return comments;
    },
    rest: {
      issues: {
        listComments,
        updateComment: async ({ comment_id, body }: { comment_id: number; body: string }) => {
          const found = comments.find(({ id }) => id === comment_id);
          if (found) found.body = body;
        },
        createComment: async ({ issue_number, body }: { issue_number: number; body: string }) => {
          expect(issue_number).toBe(7);
          comments.push({ id: comments.length + 1, user: { login: "github-actions[bot]" }, body });
        },
      },
    },
  };
  const context = { repo: { owner: "me", repo: "it" }, issue: { number: 7 } };
  const process = { env: { COMMENT: text } };
  const AsyncFunction = (async () => {}).constructor as new (
    ...args: string[]
  ) => (...args: unknown[]) => Promise<void>;
  await new AsyncFunction("github", "context", "process", script)(github, context, process);
}

describe("the comment on a pull request", () => {
  it("is one for each stack, updated in place; others' comments are left alone", async () => {
    const dev = "<!-- lambda-train preview dev -->";
    const comments: Comment[] = [{ id: 1, user: { login: "somebody" }, body: `${dev}\nquoted` }];
    await comment(comments, `${dev}\nfirst`);
    await comment(comments, "<!-- lambda-train preview gpu -->\nother");
    await comment(comments, `${dev}\nsecond`);
    expect(comments.map(({ body }) => body)).toEqual([
      `${dev}\nquoted`,
      `${dev}\nsecond`,
      "<!-- lambda-train preview gpu -->\nother",
    ]);
  });
});
