import { execFileSync } from "node:child_process";

/** Files of MathWriting 2024 by folder: 655,619 InkML files, and a readme. */
export const mathwritingFiles = {
  train: 229_864,
  valid: 15_674,
  test: 7_644,
  symbols: 6_423,
  synthetic: 396_014,
} as const;

const program = `
import io, json, random, sys, tarfile
target, files, divisor = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
chance = random.Random(7)

def ink(number):
    traces = ""
    for trace in range(2):
        points = (f"{chance.randint(0, 400) / 3:.2f} {chance.randint(0, 200) / 3:.2f} {chance.randint(0, 3000) / 1000:.3f}" for _ in range(chance.randint(20, 60)))
        traces += f'<trace id="{trace}">{", ".join(points)}</trace>\\n'
    label = f"x^{{{number % 97}}}+y"
    return f'<ink xmlns="http://www.w3.org/2003/InkML">\\n<annotation type="label">{label}</annotation>\\n{traces}</ink>\\n'.encode()

inks = [ink(number) for number in range(2000)]
with tarfile.open(target, "w:gz", compresslevel=1) as archive:
    def add(name, content):
        entry = tarfile.TarInfo(f"mathwriting-2024/{name}")
        entry.size, entry.mtime = len(content), 1_712_000_000
        archive.addfile(entry, io.BytesIO(content))
    add("readme.md", b"A stand-in.\\n")
    for split, amount in files.items():
        for number in range(amount // divisor):
            add(f"{split}/{chance.getrandbits(64):016x}.inkml", inks[chance.randrange(2000)] + b"<!-- %d -->\\n" % number)
`;

/** Writes a stand-in of its archive: its layout and numbers of files, content made up. `divisor`: of the numbers. */
export function writeMathwriting(path: string, divisor: number): void {
  execFileSync("python3", ["-c", program, path, JSON.stringify(mathwritingFiles), String(divisor)]);
}
