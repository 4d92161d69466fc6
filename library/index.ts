import { callPackage } from "../components/dynamic/resource";

export { Training } from "../components/training";
export type { TrainingArgs } from "../components/training-args";

// The program that uses it is somebody else's: its provider process finds this one as a package.
callPackage();
