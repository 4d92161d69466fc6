/** An instance type, as the API shows it. */
export interface InstanceType {
  readonly name: string;
  readonly description: string;
  readonly gpu_description: string;
  readonly price_cents_per_hour: number;
  readonly specs: {
    readonly vcpus: number;
    readonly memory_gib: number;
    readonly storage_gib: number;
    readonly gpus: number;
  };
  readonly architecture: "x86_64" | "arm64";
}

/**
 * name | GPU | vCPUs | memory GiB | disk GiB | GPUs | cents per hour | regions listed with capacity.
 * Prices of mid-2026. Regions where each type is listed: from what was seen over 2026, the scarce types in none.
 */
const table = `
gpu_1x_rtx6000       | RTX 6000 (24 GB)     |  14 |   46 |   512 | 1 |   69 | us-west-1
gpu_1x_a10           | A10 (24 GB PCIe)     |  30 |  200 |  1400 | 1 |  129 | us-east-1 us-west-1
gpu_1x_a6000         | A6000 (48 GB)        |  14 |  100 |   200 | 1 |  109 | us-south-1
gpu_2x_a6000         | A6000 (48 GB)        |  28 |  200 |  1024 | 2 |  218 | us-south-1
gpu_4x_a6000         | A6000 (48 GB)        |  56 |  400 |  1024 | 4 |  436 | us-south-1
gpu_1x_a100          | A100 (40 GB PCIe)    |  30 |  200 |   512 | 1 |  199 | us-west-2
gpu_1x_a100_sxm4     | A100 (40 GB SXM4)    |  30 |  200 |   512 | 1 |  199 | us-east-1 us-west-2
gpu_2x_a100          | A100 (40 GB PCIe)    |  60 |  400 |  1024 | 2 |  398 | us-west-2
gpu_4x_a100          | A100 (40 GB PCIe)    | 120 |  800 |  1024 | 4 |  796 | us-west-2
gpu_8x_a100          | A100 (40 GB SXM4)    | 124 | 1800 |  6144 | 8 | 1592 | us-west-2
gpu_8x_a100_80gb_sxm4| A100 (80 GB SXM4)    | 240 | 1800 | 20480 | 8 | 2232 | us-midwest-1
gpu_1x_gh200         | GH200 (96 GB)        |  64 |  432 |  4096 | 1 |  229 | us-east-3
gpu_1x_h100_pcie     | H100 (80 GB PCIe)    |  26 |  200 |  1024 | 1 |  329 | us-west-3
gpu_1x_h100_sxm5     | H100 (80 GB SXM5)    |  26 |  225 |  2816 | 1 |  429 | us-south-2 us-southeast-1
gpu_2x_h100_sxm5     | H100 (80 GB SXM5)    |  52 |  450 |  5632 | 2 |  838 | us-south-2
gpu_4x_h100_sxm5     | H100 (80 GB SXM5)    | 104 |  900 | 11264 | 4 | 1636 | us-south-2
gpu_8x_h100_sxm5     | H100 (80 GB SXM5)    | 208 | 1800 | 22528 | 8 | 3192 | us-south-2
gpu_1x_b200_sxm6     | B200 (180 GB SXM6)   |  26 |  360 |  2816 | 1 |  699 |
gpu_2x_b200_sxm6     | B200 (180 GB SXM6)   |  52 |  720 |  5632 | 2 | 1378 |
gpu_8x_b200_sxm6     | B200 (180 GB SXM6)   | 208 | 2900 | 22528 | 8 | 5352 |
gpu_8x_v100          | Tesla V100 (16 GB)   |  92 |  448 |  6041 | 8 |  632 | us-south-1
cpu_4x_general       | N/A                  |   4 |   16 |   100 | 0 |   20 | us-east-1 us-south-1 us-south-2 us-west-1
`;

interface Row {
  readonly type: InstanceType;
  readonly regions: readonly string[];
}

const rows: readonly Row[] = table
  .trim()
  .split("\n")
  .map((line) => {
    const [name = "", gpu = "", vcpus, memory, disk, gpus, cents, where = ""] = line.split("|").map((c) => c.trim());
    const type: InstanceType = {
      name,
      description: Number(gpus) > 0 ? `${gpus}x ${gpu}` : `${vcpus}x CPU General (${memory} GiB)`,
      gpu_description: gpu,
      price_cents_per_hour: Number(cents),
      specs: { vcpus: Number(vcpus), memory_gib: Number(memory), storage_gib: Number(disk), gpus: Number(gpus) },
      architecture: name.includes("gh200") ? "arm64" : "x86_64",
    };
    return { type, regions: where.split(" ").filter(Boolean) };
  });

/** Every instance type that is offered, sold out or not. */
export const instanceTypes: readonly InstanceType[] = rows.map((row) => row.type);

export const findInstanceType = (name: string): InstanceType | undefined =>
  instanceTypes.find((type) => type.name === name);

/** Whether a new cloud has capacity for the type in the region. */
export const hasCapacityAtFirst = (type: string, region: string): boolean =>
  rows.some((row) => row.type.name === type && row.regions.includes(region));
