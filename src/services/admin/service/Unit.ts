/**
 * The files that make a node a service of the machine: a unit of systemd, for one user or for the machine, and a
 * property list of launchd. Pure texts, with the reason of each line where it is not plain.
 */
export interface Service {
  /** Node, and the program that it runs. */
  readonly program: readonly [node: string, script: string]
  /** The data directory; the usual one of the unit without it. */
  readonly home: string | undefined
  /** A file with the passphrase, which systemd hands to the node. */
  readonly passphraseFile: string | undefined
}

/** The name of the unit. */
export const unitName = "feral-sync.service"

/** The first line of each file: one that lacks it was written by hand, and is not replaced. */
export const mark = "Written by feral-sync service install"

/** What a user's own manager can do without privileges as well. */
const hardening = `NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictNamespaces=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
# Netlink: Node asks it for the network interfaces. Without them mDNS finds no peers.
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
UMask=0077
# MemoryDenyWriteExecute is left out: the compiler in Node writes code and runs it.`

const hardeningOfSystem = `ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
ProtectProc=invisible
RemoveIPC=yes
CapabilityBoundingSet=
AmbientCapabilities=`

/** A word of a command line in a unit. */
const word = (text: string): string => {
  const escaped = text.replaceAll("%", "%%").replaceAll("$", "$$$$")
  return /^[\w./:@=+%$-]+$/.test(escaped) ? escaped : `"${escaped.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`
}

/** The unit: `user` for one user, `system` for the machine. */
export const systemd = ({ program, home, passphraseFile }: Service, scope: "user" | "system"): string => {
  const start = [
    ...program.map(word),
    "start",
    ...(home === undefined ? [] : ["--home", word(home)]),
    ...(passphraseFile === undefined ? [] : ["--passphrase-file", "%d/passphrase"])
  ]
  const isSystem = scope === "system"
  return `# ${mark}
[Unit]
Description=feral-sync: replicates the memory of agents between machines
After=network.target

[Service]
# The node says when it is ready, and then twice in each watchdog period that it is alive. It does so through systemd-notify,
# another process.
Type=notify
NotifyAccess=all
ExecStart=${start.join(" ")}
# A database of an earlier version is converted first, however long that takes.
TimeoutStartSec=infinity
WatchdogSec=120
Restart=on-failure
RestartSec=5
# The configuration is wrong: starting again does not help.
RestartPreventExitStatus=2
${passphraseFile === undefined ? "" : `LoadCredential=passphrase:${passphraseFile.replaceAll("%", "%%")}\n`}${
    isSystem
      ? `# A user of its own, and a data directory that is its alone.
DynamicUser=yes
${home === undefined ? "StateDirectory=feral-sync\nStateDirectoryMode=0700\nEnvironment=FERAL_HOME=%S/feral-sync\n" : `ReadWritePaths=${word(home)}\n`}`
      : ""
  }${hardening}
${isSystem ? `${hardeningOfSystem}\n` : ""}
[Install]
WantedBy=${isSystem ? "multi-user.target" : "default.target"}
`
}

const xml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")

/** The label of the agent. */
export const launchdLabel = "feral-sync"

/** The property list of an agent that launchd runs for one user. */
export const launchd = ({ program, home, passphraseFile }: Service, log: string): string => {
  const words = [
    ...program,
    "start",
    ...(home === undefined ? [] : ["--home", home]),
    ...(passphraseFile === undefined ? [] : ["--passphrase-file", passphraseFile])
  ]
  return `<?xml version="1.0" encoding="UTF-8"?>
<!-- ${mark} -->
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key><string>${launchdLabel}</string>
  <key>ProgramArguments</key>
  <array>
${words.map((text) => `    <string>${xml(text)}</string>`).join("\n")}
  </array>
  <key>RunAtLoad</key><true/>
  <key>KeepAlive</key><dict><key>SuccessfulExit</key><false/></dict>
  <key>Umask</key><integer>63</integer>
  <key>StandardErrorPath</key><string>${xml(log)}</string>
</dict>
</plist>
`
}
