import { Tally } from "./tally";
import { World } from "./world";

/** Worlds that are used one case after another, as many at a time as there are lanes. */
export class Pool {
  readonly tally = new Tally();
  private readonly idle: World[] = [];
  private readonly waiting: (() => void)[] = [];

  constructor(private free: number) {}

  /** Runs something in a world of its own. A world that was not left as it was found is thrown away. */
  async use<T>(run: (world: World) => Promise<T>): Promise<T> {
    if (this.free > 0) this.free -= 1;
    else await new Promise<void>((turn) => this.waiting.push(turn));
    try {
      const world = this.idle.pop() ?? (await World.open(this.tally));
      try {
        const result = await run(world);
        this.idle.push(world);
        return result;
      } catch (error) {
        await world.dispose();
        throw error;
      }
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) this.free += 1;
      else next();
    }
  }

  async dispose(): Promise<void> {
    await Promise.all(this.idle.splice(0).map((world) => world.dispose()));
  }
}
