import { execFileSync } from "node:child_process";
import { join } from "node:path";
import type { World } from "./world";

/** A member of an archive: its name as it stands there, and a link's target where it is one. */
export interface Member {
  readonly name: string;
  readonly link?: string;
  readonly hard?: boolean;
}

const program = `
import io, json, sys, tarfile, zipfile
path, members, data = sys.argv[1], json.loads(sys.argv[2]), b"[1, 3]\\n"
if path.endswith(".zip"):
    with zipfile.ZipFile(path, "w") as archive:
        for member in members:
            info = zipfile.ZipInfo(member["name"])
            info.external_attr = (0o120777 if "link" in member else 0o100644) << 16
            archive.writestr(info, member.get("link", data))
else:
    with tarfile.open(path, "w:gz") as archive:
        for member in members:
            info = tarfile.TarInfo(member["name"])
            if "link" in member:
                info.type = tarfile.LNKTYPE if member.get("hard") else tarfile.SYMTYPE
                info.linkname = member["link"]
                archive.addfile(info)
            else:
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
`;

/** A dataset as it should be. */
export const splits: readonly Member[] = ["train", "valid", "test"].map((split) => ({ name: `${split}/a.jsonl` }));

/** Writes an archive into the project's folder, tar.gz or zip by its name, with members that no good tool would write. */
export function writeArchive({ project }: World, file: string, members: readonly Member[]): void {
  execFileSync("python3", ["-c", program, join(project.folder, file), JSON.stringify(members)]);
}

/** Packs a folder of the project, its content on top. */
export function tarOf({ project }: World, file: string, folder: string): void {
  execFileSync("tar", ["-cf", join(project.folder, file), "-C", join(project.folder, folder), "."]);
}
