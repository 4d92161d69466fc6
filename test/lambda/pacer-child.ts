import { cloudClock } from "../../lambda/api/clock";
import { SharedPacer } from "../../lambda/api/pacer";

// Takes turns as one of several processes, and prints when it had them, in the cloud's milliseconds.
const [folder = "", scale = "1", count = "1"] = process.argv.slice(2);
const clock = cloudClock(Number(scale));
const pacer = new SharedPacer({ folder, identity: () => "endpoint key", clock });

async function main(): Promise<void> {
  const turns = Array.from({ length: Number(count) }, async () => {
    await pacer.turn("call");
    return clock.now();
  });
  console.log(JSON.stringify(await Promise.all(turns)));
}

void main();
