import { standardPath } from "./shims";

/** Where an instance finds the scripts of its start; read-only in there. */
export const seedFolder = "/var/lib/cloud/seed";
/** Where an instance finds files to be laid over its own; read-only in there. */
export const overlayFolder = "/var/lib/cloud/overlay";
/** Written by the first process once the overlay is in place: its generation, then files that could not be written. */
export const overlayMark = "var/lib/cloud/instance/overlay-generation";

/**
 * First process of an instance. Stages as in cloud-init: bootcmd at every boot, then once per instance files, users
 * and keys, then sshd, then (once, beside sshd) runcmd or the user's script.
 *
 * It takes orders from the emulator on its standard input, and ends with it: the end of the input is the power cut.
 * (A parent-death signal would not do: what starts a sandbox as root has not the right to signal its user.)
 */
export const initScript = `#!/bin/bash
# First process of an emulated instance.
umask 022
cd /
export HOME=/root PATH=${standardPath} LANG=C.UTF-8
seed=${seedFolder} overlay=${overlayFolder}
once=/var/lib/cloud/instance
log=/var/log/cloud-init-output.log
mkdir -p /run/lock /run/sshd /run/cloud-init "$once" /var/log
exec 3<&0 </dev/null >>/var/log/boot.log 2>&1
echo running >/run/cloud-init/status

shut_down() { # as a reboot does: a moment for everything to end
  kill -TERM -1
  for _ in {1..20}; do
    pgrep -v -x bash >/dev/null || break
    sleep 0.1
  done
  exit 0
}

lay_overlay() {
  local generation problems=
  generation=$(cat "$overlay/generation")
  while IFS= read -r -d '' file; do
    install -D -m "$(stat -c %a "$overlay/files$file")" "$overlay/files$file" "$file" || problems+=" $file"
  done < <(cd "$overlay/files" && find . -type f -printf '/%P\\0')
  echo "$generation$problems" >/${overlayMark}
}

stage() { # stage NAME SCRIPT: runs a stage's script, if there is one
  [ -f "$seed/$2" ] || return 0
  echo "cloud-init: running $1" >>"$log"
  bash "$seed/$2" >>"$log" 2>&1 || { echo "cloud-init: $1 failed with status $?" >>"$log"; failed=error; }
}

final() {
  if [ ! -e "$once/final.done" ]; then
    touch "$once/final.done"
    stage "scripts of the user" final.sh
  fi
  date -u +%FT%TZ >"$once/boot-finished"
  echo "\${failed:-done}" >/run/cloud-init/status
}

make_key() { # make_key FOLDER TYPE
  [ -e "$1/ssh_host_$2_key" ] || ssh-keygen -q -t "$2" -N '' -C "root@$(hostname)" -f "$1/ssh_host_$2_key"
}

serve_ssh() {
  local config=/etc/ssh/sshd_config listen
  mapfile -t listen <"$seed/sshd-options"
  if ! compgen -G '/etc/ssh/ssh_host_*_key' >/dev/null; then make_key /etc/ssh ed25519; make_key /etc/ssh ecdsa; fi
  if [ -e "$seed/wrong-host-key" ]; then
    make_key /run/sshd ed25519
    sed '/^HostKey/d' "$config" >/run/sshd/config
    echo 'HostKey /run/sshd/ssh_host_ed25519_key' >>/run/sshd/config
    config=/run/sshd/config
  fi
  while :; do
    /usr/sbin/sshd -D "\${listen[@]}" -f "$config" -E /var/log/auth.log
    sleep 1
  done
}

boot() {
  failed=
  [ ! -e "$seed/resolv.conf" ] || cat "$seed/resolv.conf" >/etc/resolv.conf
  lay_overlay
  stage bootcmd bootcmd.sh
  [ -d /home/ubuntu/.ssh ] || stage home home.sh
  if [ ! -e "$once/config.done" ]; then
    stage config config.sh
    touch "$once/config.done"
  fi
  final &
  serve_ssh
}

boot 3<&- &
service=$!
while :; do
  if read -r -t 5 order <&3; then
    case $order in
      shut-down) shut_down ;;
      lay-overlay) lay_overlay 3<&- ;;
    esac
  elif [ $? -le 128 ]; then
    exit 0
  fi
  # sshd is the system's: a user who ends all processes does not end it.
  kill -0 "$service" 2>/dev/null || { serve_ssh 3<&- & service=$!; }
done
`;

/** Configuration of an instance's sshd: key login of \`ubuntu\` alone, as on Lambda's images. Where it listens is told by the emulator. */
export const sshdConfig = `HostKey /etc/ssh/ssh_host_ed25519_key
HostKey /etc/ssh/ssh_host_ecdsa_key
HostKey /etc/ssh/ssh_host_rsa_key
AuthorizedKeysFile .ssh/authorized_keys
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin no
AllowUsers ubuntu
UsePAM no
PidFile none
PrintMotd no
AcceptEnv LANG LC_*
SetEnv PATH=${standardPath} LANG=C.UTF-8
Subsystem sftp internal-sftp
`;
