/** A key of an experiment file that was found by looking at a repository. */
export interface Found {
  /** As `train.command`. */
  readonly key: string;
  readonly value: unknown;
  /** What in the repository tells it, or that nothing does. */
  readonly why: string;
  /** Nothing tells it, and training needs it: the user must look. */
  readonly isOpen?: boolean;
}
