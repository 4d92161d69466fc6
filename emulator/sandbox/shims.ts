/** Programs that an image has and the host's `/usr` may lack, or that could not work in a sandbox. */

/** PATH of sessions, as in Ubuntu's /etc/environment. */
export const standardPath =
  "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/games:/usr/local/games:/snap/bin";

/**
 * sudo without a password. There is one user in a sandbox, so it runs the command as that user, with sudo's own
 * environment rules: reset unless -E, HOME and USER of the target.
 */
export const sudo = `#!/bin/bash
# sudo of an emulated instance: runs the command as the one user there is, with sudo's environment.
target=root keep='' login='' shell='' sethome=''
usage() { echo "usage: sudo [-nEHSkb] [-u user] [-i | -s] [VAR=value] [command]" >&2; exit 1; }
while [ $# -gt 0 ]; do
  case $1 in
    --) shift; break ;;
    --user=*) target=\${1#*=} ;;
    --user) shift; target=$1 ;;
    --preserve-env|--preserve-env=*) keep=1 ;;
    --login) login=1 ;;
    --shell) shell=1 ;;
    --validate|--list) exit 0 ;;
    --non-interactive|--set-home|--stdin) ;;
    --version) echo "Sudo version 1.9.9 (emulated)"; exit 0 ;;
    --*) echo "sudo: unrecognized option '$1'" >&2; usage ;;
    -?*)
      flags=\${1#-}
      while [ -n "$flags" ]; do
        flag=\${flags:0:1} flags=\${flags:1}
        case $flag in
          E) keep=1 ;;
          H) sethome=1 ;;
          i) login=1 ;;
          s) shell=1 ;;
          v|l|K) exit 0 ;;
          V) echo "Sudo version 1.9.9 (emulated)"; exit 0 ;;
          n|S|k|b|A|P|B) ;;
          u|g|C|p|D|R|T|h|U)
            if [ -n "$flags" ]; then value=$flags flags=; else shift; value=$1; fi
            [ "$flag" = u ] && target=$value ;;
          *) echo "sudo: invalid option -- '$flag'" >&2; usage ;;
        esac
      done ;;
    *) break ;;
  esac
  shift
done
entry=$(getent passwd "$target") || { echo "sudo: unknown user $target" >&2; exit 1; }
target=\${entry%%:*}
home=$(echo "$entry" | cut -d: -f6)
vars=(USER="$target" LOGNAME="$target" SUDO_USER=ubuntu SUDO_UID=1000 SUDO_GID=1000 PATH="${standardPath}")
if [ -z "$keep" ] || [ -n "$sethome$login" ]; then vars+=(HOME="$home"); fi
while [[ $1 =~ ^[A-Za-z_][A-Za-z0-9_]*= ]]; do vars+=("$1"); shift; done
if [ -n "$login" ]; then
  cd "$home" || exit 1
  if [ $# -gt 0 ]; then set -- /bin/bash -l -c "$(printf '%q ' "$@")"; else set -- /bin/bash -l; fi
elif [ -n "$shell" ]; then
  if [ $# -gt 0 ]; then set -- /bin/bash -c "$(printf '%q ' "$@")"; else set -- /bin/bash; fi
fi
[ $# -gt 0 ] || usage
if [ -z "$keep" ]; then
  for name in TERM LANG LC_ALL COLORTERM DISPLAY; do [ -n "\${!name}" ] && vars+=("$name=\${!name}"); done
  exec env -i "\${vars[@]}" SUDO_COMMAND="$*" "$@"
fi
exec env "\${vars[@]}" SUDO_COMMAND="$*" "$@"
`;

/** `cloud-init status [--wait] [--long]`, from what the first process notes in /run/cloud-init. */
export const cloudInit = `#!/bin/bash
# cloud-init of an emulated instance: knows \`status\` alone.
[ "$1" = status ] || { echo "cloud-init: this emulated instance knows 'cloud-init status [--wait] [--long]' only" >&2; exit 2; }
shift
for option in "$@"; do
  case $option in
    --wait) until grep -qxE 'done|error' /run/cloud-init/status 2>/dev/null; do sleep 0.1; done ;;
    --long) long=1 ;;
  esac
done
status=$(cat /run/cloud-init/status)
echo "status: $status"
[ -n "$long" ] && echo "detail: see /var/log/cloud-init-output.log"
[ "$status" != error ]
`;

/** \`uname\` that reports another machine. */
export const uname = (machine: string): string => `#!/bin/bash
# uname of an emulated instance whose machine type was set by the emulator.
real=$(/usr/bin/uname -m)
/usr/bin/uname "$@" | sed "s/$real/${machine}/g"
`;
