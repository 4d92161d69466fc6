/** What the stand-in's image sets for its commands. */
const imageVariables = { PATH: "/image/bin:/usr/bin:/bin", IS_IMAGE: "yes" };

/**
 * A program that stands in for Docker's client, where no daemon can run. It keeps each call's arguments as a line of
 * JSON in `~/docker.log`. A command gets the image's variables and those named by `--env`, and nothing else of the
 * caller's. A TERM goes on to all of the container, as its first process is told. An entrypoint prints a banner and sets FROM_ENTRYPOINT. `missing…` is no image of its registry.
 * @param options.init Program that starts a command with processes of its own, as `--init` does. Default: none.
 * @param options.packages Folder of the image's Python packages.
 */
export function dockerStandIn(options: { readonly init?: string; readonly packages?: string } = {}): string {
  const { init, packages } = options;
  const variables = { ...imageVariables, ...(packages !== undefined && { PYTHONPATH: packages }) };
  const wrap = init === undefined ? [] : [init, "--dev-bind", "/", "/", "--unshare-pid", "--proc", "/proc"];
  return `#!/usr/bin/python3
import json, os, signal, subprocess, sys

VALUED = ("--name", "--network", "--ipc", "--ulimit", "--user", "--workdir", "--mount", "--env", "--entrypoint",
          "--log-driver", "--pull", "--gpus")
words = sys.argv[1:]
with open(os.path.expanduser("~/docker.log"), "a") as log:
    print(json.dumps(words), file=log)
if words[0] == "version":
    print("28.2.2")
elif words[0] == "info":
    print("[name=seccomp,profile=builtin]")
elif words[0] == "pull":
    if "missing" in words[1]:
        sys.exit(f"Error response from daemon: manifest for {words[1]} not found: manifest unknown")
    print(f"Status: Downloaded newer image for {words[1]}")
elif words[:2] == ["image", "inspect"]:
    if "missing" in words[-1]:
        sys.exit(f"Error: No such image: {words[-1]}")
    print('["/entrypoint.sh"]' if "Entrypoint" in words[3] else "sha256:" + "ab" * 32)
elif words[0] == "run":
    told, at = {}, 1
    while words[at].startswith("--"):
        if words[at] in VALUED:
            told.setdefault(words[at], []).append(words[at + 1])
            at += 1
        at += 1
    command = words[at + 1:]
    environment = {**${JSON.stringify(variables)}, **{name: os.environ[name] for name in told.get("--env", [])}}
    if "--entrypoint" in told:
        command = [*told["--entrypoint"], *command]
    else:
        print("== an image that greets ==", flush=True)
        environment["FROM_ENTRYPOINT"] = "yes"
    command = ${JSON.stringify(wrap)} + command
    child = subprocess.Popen(command, env=environment, cwd=told.get("--workdir", ["/"])[0], start_new_session=True)
    signal.signal(signal.SIGTERM, lambda *_: os.killpg(child.pid, signal.SIGTERM))
    code = child.wait()
    sys.exit(128 - code if code < 0 else code)
elif words[0] != "kill":
    sys.exit(f"docker: unknown command {words[0]}")
`;
}
