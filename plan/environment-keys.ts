import { z } from "zod";

const names = z.array(
  z.string().regex(/^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/, "must be a name that pyproject.toml defines"),
  { error: "must be a list of names" },
);

/** An image's name as Docker takes it: registry, path, tag, digest. */
const imageName =
  /^(?:[A-Za-z0-9][A-Za-z0-9.-]*(?::\d+)?\/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*(?::\w[\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$/;

/** Keys of an environment by uv, or in a container. */
export const environmentKeys = {
  extras: names
    .optional()
    .describe(
      "Extras of the project that uv installs (`[project.optional-dependencies]`), as `[cu128]`. Only with uv.",
    ),
  groups: names
    .optional()
    .describe("Dependency groups that uv installs besides the project's default groups. Only with uv."),
  image: z
    .string({ error: "must be the name of a container image" })
    .regex(imageName, "must be the name of a container image, as nvcr.io/nvidia/pytorch:25.01-py3 or name@sha256:…")
    .optional()
    .describe(
      "Container image in which all commands of the workload run, by the instance's Docker: setup, gate, training, " +
        "evaluation, dashboard, notebook and `exec`. The image is read-only; home folder, /tmp and file systems are the " +
        "instance's.",
    ),
};
