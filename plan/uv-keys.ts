import { z } from "zod";

const names = z.array(
  z.string().regex(/^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/, "must be a name that pyproject.toml defines"),
  { error: "must be a list of names" },
);

/** Keys of an environment that uv makes. */
export const uvKeys = {
  extras: names
    .optional()
    .describe(
      "Extras of the project that uv installs (`[project.optional-dependencies]`), as `[cu128]`. Only with uv.",
    ),
  groups: names
    .optional()
    .describe("Dependency groups that uv installs besides the project's default groups. Only with uv."),
};
