/** What stands before each key of ours in a stack's file, whatever the Pulumi project is called. */
export const configNamespace = "lambda-train:";
