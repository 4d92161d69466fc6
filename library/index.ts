import { callPackage } from "../components/dynamic/resource";

import stack = require("../index");

export { Training } from "../components/training";
export type { TrainingArgs } from "../components/training-args";

/** The whole program of a stack, which its configuration tells what to train: for `module.exports` of a project's index.js. */
export const program: () => Promise<unknown> = stack;

// The program that uses it is somebody else's: its provider process finds this one as a package.
callPackage();
