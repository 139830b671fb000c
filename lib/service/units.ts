/**
 * What each system needs to run the bridge in the background, from each login on: one table, text alone.
 *
 * @module
 */

/** A program and its arguments. */
export type CommandLine = readonly [program: string, ...args: string[]];

/** How one system runs a service. */
export interface ServiceUnit {
  /** What runs it. */
  readonly manager: string;
  /** The file that describes it. */
  readonly path: string;
  /** The file's text. */
  readonly text: string;
  /** What starts it, now and at each login. */
  readonly install: readonly CommandLine[];
  /** What ends it and forgets it; the file is removed after the first and before the rest. */
  readonly uninstall: readonly CommandLine[];
  /** What says whether it runs. */
  readonly status: CommandLine;
  /** What shows its log; a text where no program does. */
  readonly logs: CommandLine | string;
  /** What a person should know once it is installed. */
  readonly hints: readonly string[];
}

/** Where the service is to run. */
export interface ServicePlace {
  /** `Deno.build.os`. */
  readonly os: string;
  /** The program's path. */
  readonly program: string;
  /** Reads a variable of the environment. */
  readonly variable: (name: string) => string | undefined;
}

/** The name by which the system knows the service. */
export const SERVICE = "fd-bridge";

/** launchd's labels are domains, from right to left. */
const LABEL = "io.github.fd-bridge";

/** How long it may take to end, in seconds: running answers may finish, see `--shutdown-time`. */
const STOP_TIME = 20;

/** The program in systemd's `ExecStart`: quoted, with what it would replace doubled. */
function systemdProgram(path: string): string {
  return `"${path.replace(/[\\"]/g, "\\$&").replaceAll("%", "%%")}"`;
}

function xml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

/** systemd's user units. A setting that a person must correct (exit code 2) is not started again and again. */
function systemd({ program, variable }: ServicePlace, home: string): ServiceUnit {
  const folder = variable("XDG_CONFIG_HOME") || `${home}/.config`;
  const unit = `${SERVICE}.service`;
  return {
    manager: "systemd",
    path: `${folder}/systemd/user/${unit}`,
    text: `[Unit]
Description=fd-bridge, every coding agent with every model of a Databricks AI Gateway
Documentation=https://github.com/fd-bridge/fd-bridge

[Service]
ExecStart=${systemdProgram(program)}
Restart=on-failure
RestartSec=5
RestartPreventExitStatus=2
TimeoutStopSec=${STOP_TIME}
NoNewPrivileges=true

[Install]
WantedBy=default.target
`,
    install: [
      ["systemctl", "--user", "daemon-reload"],
      ["systemctl", "--user", "enable", unit],
      ["systemctl", "--user", "restart", unit],
    ],
    uninstall: [
      ["systemctl", "--user", "disable", "--now", unit],
      ["systemctl", "--user", "daemon-reload"],
    ],
    status: ["systemctl", "--user", "status", "--no-pager", unit],
    logs: ["journalctl", "--user", "--no-pager", "--lines=100", "--unit", unit],
    hints: [
      "It runs while you are logged in. To run it always: loginctl enable-linger",
    ],
  };
}

/** launchd's user agents. */
function launchd({ program }: ServicePlace, home: string): ServiceUnit {
  const path = `${home}/Library/LaunchAgents/${LABEL}.plist`;
  const log = `${home}/Library/Logs/${SERVICE}.log`;
  return {
    manager: "launchd",
    path,
    text: `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>${LABEL}</string>
  <key>ProgramArguments</key>
  <array>
    <string>${xml(program)}</string>
  </array>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <dict>
    <key>SuccessfulExit</key>
    <false/>
  </dict>
  <key>ThrottleInterval</key>
  <integer>30</integer>
  <key>ExitTimeOut</key>
  <integer>${STOP_TIME}</integer>
  <key>StandardErrorPath</key>
  <string>${xml(log)}</string>
</dict>
</plist>
`,
    install: [["launchctl", "load", "-w", path]],
    uninstall: [["launchctl", "unload", "-w", path]],
    status: ["launchctl", "list", LABEL],
    logs: ["tail", "-n", "100", log],
    hints: [],
  };
}

/**
 * Windows' Task Scheduler. Its defaults stop a task on battery and after three days; and a console program
 * opens a window, unless `conhost --headless` runs it.
 */
function taskScheduler({ program }: ServicePlace, folder: string): ServiceUnit {
  const path = `${folder}\\fd-bridge\\service.xml`;
  return {
    manager: "Task Scheduler",
    path,
    text: `<?xml version="1.0" encoding="UTF-8"?>
<Task version="1.4" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>fd-bridge, every coding agent with every model of a Databricks AI Gateway</Description>
  </RegistrationInfo>
  <Triggers>
    <LogonTrigger />
  </Triggers>
  <Principals>
    <Principal>
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <Hidden>true</Hidden>
    <RestartOnFailure>
      <Interval>PT1M</Interval>
      <Count>3</Count>
    </RestartOnFailure>
  </Settings>
  <Actions>
    <Exec>
      <Command>conhost.exe</Command>
      <Arguments>--headless ${xml(`"${program}"`)}</Arguments>
    </Exec>
  </Actions>
</Task>
`,
    install: [
      ["schtasks", "/Create", "/F", "/TN", SERVICE, "/XML", path],
      ["schtasks", "/Run", "/TN", SERVICE],
    ],
    uninstall: [
      ["schtasks", "/End", "/TN", SERVICE],
      ["schtasks", "/Delete", "/F", "/TN", SERVICE],
    ],
    status: ["schtasks", "/Query", "/TN", SERVICE, "/V", "/FO", "LIST"],
    logs:
      "Task Scheduler keeps no output of a program: see the page, or fd-bridge logs --last-error.",
    hints: [],
  };
}

/**
 * How a system runs the bridge as a service.
 *
 * @param place The system and the program.
 * @returns The unit; undefined where the system has no manager that is known, or no home folder.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { serviceUnit } from "./units.ts";
 *
 * const variable = (name: string) => name === "HOME" ? "/home/ada" : undefined;
 * const unit = serviceUnit({ os: "linux", program: "/usr/bin/fd-bridge", variable });
 * assert(unit?.text.includes('ExecStart="/usr/bin/fd-bridge"'));
 * ```
 */
export function serviceUnit(place: ServicePlace): ServiceUnit | undefined {
  const { os, variable } = place;
  const home = variable("HOME");
  const data = variable("LOCALAPPDATA");
  if (os === "linux" && home) return systemd(place, home);
  if (os === "darwin" && home) return launchd(place, home);
  return os === "windows" && data ? taskScheduler(place, data) : undefined;
}
