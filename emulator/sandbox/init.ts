import { standardPath } from "./shims";

/** Where an instance finds the scripts of its start; read-only in there. */
export const seedFolder = "/var/lib/cloud/seed";
/** Where an instance finds files to be laid over its own; read-only in there. */
export const overlayFolder = "/var/lib/cloud/overlay";
/** Written by the first process once the overlay is in place: the generation that it laid. */
export const overlayMark = "var/lib/cloud/instance/overlay-generation";

/**
 * First process of an instance. Stages as in cloud-init: bootcmd at every boot, then once per instance files, users
 * and keys, then sshd, then (once, beside sshd) runcmd or the user's script.
 *
 * SIGTERM shuts down as a reboot does: everything gets SIGTERM and two seconds. SIGHUP lays the overlay again.
 */
export const initScript = `#!/bin/bash
# First process of an emulated instance.
umask 022
cd /
export HOME=/root PATH=${standardPath} LANG=C.UTF-8
seed=${seedFolder} overlay=${overlayFolder}
once=/var/lib/cloud/instance
mkdir -p /run/lock /run/sshd /run/cloud-init "$once" /var/log
exec </dev/null >>/var/log/boot.log 2>&1
log=/var/log/cloud-init-output.log
echo running >/run/cloud-init/status

shutdown() {
  trap '' TERM HUP
  kill -TERM -1
  for _ in {1..20}; do
    pgrep -v -x bash >/dev/null || break
    sleep 0.1
  done
  exit 0
}
lay_overlay() {
  cp -r --preserve=mode "$overlay/files/." / && cp "$overlay/generation" /${overlayMark}
}
trap shutdown TERM
trap lay_overlay HUP

failed=
stage() { # stage NAME SCRIPT: runs a stage's script, if there is one
  [ -f "$seed/$2" ] || return 0
  echo "cloud-init: running $1" >>"$log"
  bash "$seed/$2" >>"$log" 2>&1 || { echo "cloud-init: $1 failed with status $?" >>"$log"; failed=1; }
}

lay_overlay
stage bootcmd bootcmd.sh
[ -d /home/ubuntu/.ssh ] || stage home home.sh
if [ ! -e "$once/config.done" ]; then
  stage config config.sh
  touch "$once/config.done"
fi

config=/etc/ssh/sshd_config
make_key() { [ -e "$1/ssh_host_$2_key" ] || ssh-keygen -q -t "$2" -N '' -C "root@$(hostname)" -f "$1/ssh_host_$2_key"; }
if ! compgen -G '/etc/ssh/ssh_host_*_key' >/dev/null; then make_key /etc/ssh ed25519; make_key /etc/ssh ecdsa; fi
if [ -e "$seed/wrong-host-key" ]; then
  make_key /run/sshd ed25519
  sed '/^HostKey/d' "$config" >/run/sshd/config
  echo 'HostKey /run/sshd/ssh_host_ed25519_key' >>/run/sshd/config
  config=/run/sshd/config
fi

while :; do
  /usr/sbin/sshd -D -f "$config" -E /var/log/auth.log
  sleep 1
done &

(
  if [ ! -e "$once/final.done" ]; then
    touch "$once/final.done"
    stage "scripts of the user" final.sh
  fi
  date -u +%FT%TZ >"$once/boot-finished"
  echo "\${failed:+error}" | sed 's/^$/done/' >/run/cloud-init/status
) &

while :; do wait; sleep 1; done
`;

/** Configuration of an instance's sshd: key login of \`ubuntu\` alone, as on Lambda's images. */
export const sshdConfig = (address: string, port: number): string => `ListenAddress ${address}
Port ${port}
HostKey /etc/ssh/ssh_host_ed25519_key
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
