import type { Capacity, CloudState } from "../state/model";
import { hasCapacityAtFirst, type InstanceType, instanceTypes } from "./instance-types";
import { type Region, regions } from "./regions";

/** Which types have capacity where, and at what price: the catalog with what the admin surface changed. */
export class Inventory {
  constructor(private readonly state: CloudState) {}

  capacity(type: string, region: string): Capacity {
    const known = this.state.capacity[`${type}@${region}`];
    return known ?? { free: hasCapacityAtFirst(type, region) ? null : 0, listed: "auto" };
  }

  setCapacity(type: string, region: string, change: Partial<Capacity>): Capacity {
    const capacity = { ...this.capacity(type, region), ...change };
    this.state.capacity[`${type}@${region}`] = capacity;
    return capacity;
  }

  /** Takes room for one instance. False, and nothing taken, where there is none. */
  take(type: string, region: string): boolean {
    const { free } = this.capacity(type, region);
    if (free === null) return true;
    if (free <= 0) return false;
    this.setCapacity(type, region, { free: free - 1 });
    return true;
  }

  /** Gives back the room of an instance that ended. */
  giveBack(type: string, region: string): void {
    const known = this.state.capacity[`${type}@${region}`];
    if (known && known.free !== null) known.free += 1;
  }

  priced(type: InstanceType): InstanceType {
    return { ...type, price_cents_per_hour: this.state.prices[type.name] ?? type.price_cents_per_hour };
  }

  /** The map that `GET /instance-types` answers with. */
  listing(): Record<string, { instance_type: InstanceType; regions_with_capacity_available: Region[] }> {
    const isListed = ({ free, listed }: Capacity) => (listed === "auto" ? free !== 0 : listed);
    return Object.fromEntries(
      instanceTypes.map((type) => [
        type.name,
        {
          instance_type: this.priced(type),
          regions_with_capacity_available: regions.filter((r) => isListed(this.capacity(type.name, r.name))),
        },
      ]),
    );
  }
}
