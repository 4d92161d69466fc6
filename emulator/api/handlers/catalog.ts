import { images } from "../../catalog/images";
import { regions } from "../../catalog/regions";
import type { Handlers } from "./context";

export const catalogHandlers: Handlers<"listInstanceTypes" | "listImages" | "listRegions"> = {
  listInstanceTypes: ({ inventory }) => inventory.listing(),
  listImages: () => images,
  listRegions: () => regions,
};
