import { createHash } from "node:crypto";
import { type Region, regions } from "./regions";

/** An image in one region, as the API shows it. */
export interface Image {
  readonly id: string;
  readonly created_time: string;
  readonly updated_time: string;
  readonly name: string;
  readonly description: string;
  readonly family: string;
  readonly version: string;
  readonly architecture: "x86_64" | "arm64";
  readonly region: Region;
}

/** family | name | version | architecture | created. Oldest first within a family. As listed in November 2025. */
const table = `
lambda-stack-22-04        | Lambda Stack 22.04          | 22.4.5-1026     | x86_64 | 2025-08-26T18:02:11.310000+00:00
lambda-stack-22-04        | Lambda Stack 22.04          | 22.4.5-1459     | x86_64 | 2025-11-13T19:45:33.104000+00:00
lambda-stack-22-04        | Lambda Stack 22.04          | 22.4.5-1459     | arm64  | 2025-11-13T19:58:20.871000+00:00
lambda-stack-24-04        | Lambda Stack 24.04          | 24.4.2-1459     | x86_64 | 2025-11-13T20:10:02.443000+00:00
lambda-stack-24-04        | Lambda Stack 24.04          | 24.4.2-1459     | arm64  | 2025-11-13T20:21:40.005000+00:00
lambda-stack-legacy-22-04 | Lambda Stack (Legacy) 22.04 | 22.4.5-1722     | x86_64 | 2025-11-18T16:30:00.250000+00:00
gpu-base-22-04            | GPU Base 22.04              | 22.4.5-1459     | x86_64 | 2025-11-13T20:40:12.600000+00:00
gpu-base-24-04            | GPU Base 24.04              | 24.4.2-1459     | x86_64 | 2025-11-13T20:52:48.917000+00:00
ubuntu-22-04              | Ubuntu Server 22.04         | 22.4.5-20250702 | x86_64 | 2025-07-02T15:00:00.000000+00:00
ubuntu-24-04              | Ubuntu Server 24.04         | 24.4.2-20250626 | x86_64 | 2025-06-26T15:00:00.000000+00:00
`;

/** Family of the image that an instance gets when none is asked for. */
const defaultFamily = "lambda-stack-22-04";

const builds = table
  .trim()
  .split("\n")
  .map((line) => {
    const [family = "", name = "", version = "", architecture = "", created = ""] = line
      .split("|")
      .map((cell) => cell.trim());
    return {
      id: stableUuid(`${family} ${version} ${architecture}`),
      created_time: created,
      updated_time: created,
      name,
      description: name,
      family,
      version,
      architecture: architecture as Image["architecture"],
    };
  });

/** Every image in every region: the same id in each, one row per region. */
export const images: readonly Image[] = builds.flatMap((build) => regions.map((region) => ({ ...build, region })));

/** The image with this id in this region. */
export const findImage = (region: string, id: string): Image | undefined =>
  images.find((image) => image.region.name === region && image.id === id);

/** The newest image of a family (default: Lambda Stack) for a region and architecture. */
export const newestImage = (region: string, architecture: string, family: string = defaultFamily): Image | undefined =>
  images
    .filter((i) => i.region.name === region && i.architecture === architecture && i.family === family)
    .sort((a, b) => a.created_time.localeCompare(b.created_time))
    .at(-1);

/** A dashed UUID that is the same in every emulated cloud, as image ids are the same for every account. */
function stableUuid(text: string): string {
  const hex = createHash("sha256").update(text).digest("hex");
  const fields = [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`];
  return [...fields, hex.slice(20, 32)].join("-");
}
