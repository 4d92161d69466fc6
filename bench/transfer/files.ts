import { execFileSync } from "node:child_process";

const program = `
import os, random, sys
root, count, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
chance = random.Random(7)
line = lambda: ", ".join(f"{chance.randint(0, 400) / 3:.2f} {chance.randint(0, 200) / 3:.2f}" for _ in range(20)) + "\\n"
texts = ["".join(line() for _ in range(size // 250 + 1))[: size - 16].encode() for _ in range(500)]
per_folder = max(1000, count // 100)
for number in range(count):
    folder = os.path.join(root, f"{number // per_folder:03d}")
    if number % per_folder == 0:
        os.makedirs(folder)
    with open(os.path.join(folder, f"{number:07d}.inkml"), "wb") as file:
        file.write(texts[number % 500] + b"%015d\\n" % number)
`;

/** Makes a folder of small text files, each with its own content. `bytes`: of each. */
export function writeSmallFiles(folder: string, count: number, bytes: number): void {
  execFileSync("python3", ["-c", program, folder, String(count), String(bytes)]);
}

/** Makes a file of bytes that no compression shrinks. */
export function writeRandomFile(path: string, bytes: number): void {
  execFileSync("bash", ["-c", 'head -c "$2" /dev/urandom >"$1"', "bash", path, String(bytes)]);
}
