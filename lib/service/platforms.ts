/**
 * System → how services are described and run there.
 *
 * @module
 */

import { LABEL, launchdAgent } from "./launchd.ts";
import { type Platform, SERVICE_NAME } from "./service.ts";
import { systemdUnit } from "./systemd.ts";
import { scheduledTask } from "./task_scheduler.ts";

const UNIT = `${SERVICE_NAME}.service`;

/** `Deno.build.os` → its row. */
export const PLATFORMS: Readonly<Record<string, Platform>> = {
  linux: {
    name: "systemd",
    path: ({ config }) => config && `${config}/systemd/user/${UNIT}`,
    text: systemdUnit,
    install: () => [
      ["systemctl", "--user", "daemon-reload"],
      ["systemctl", "--user", "enable", UNIT],
      // A unit that runs already runs on with the old text.
      ["systemctl", "--user", "restart", UNIT],
    ],
    uninstall: () => [["systemctl", "--user", "disable", "--now", UNIT]],
    removed: () => [["systemctl", "--user", "daemon-reload"]],
    status: () => ["systemctl", "--user", "status", "--no-pager", UNIT],
    logs: () => ["journalctl", "--user", "--no-pager", "--lines=100", `--unit=${UNIT}`],
    hint: "It ends when you log out. To keep it running: loginctl enable-linger",
  },
  darwin: {
    name: "launchd",
    path: ({ home }) => home && `${home}/Library/LaunchAgents/${LABEL}.plist`,
    text: launchdAgent,
    needsUid: true,
    clear: ({ uid }) => [["launchctl", "bootout", `gui/${uid}/${LABEL}`]],
    install: ({ uid, path }) => [
      ["launchctl", "enable", `gui/${uid}/${LABEL}`],
      ["launchctl", "bootstrap", `gui/${uid}`, path],
    ],
    uninstall: ({ uid }) => [["launchctl", "bootout", `gui/${uid}/${LABEL}`]],
    status: ({ uid }) => ["launchctl", "print", `gui/${uid}/${LABEL}`],
  },
  windows: {
    name: "Task Scheduler",
    path: ({ own }) => own && `${own}\\${SERVICE_NAME}.task.xml`,
    text: scheduledTask,
    clear: () => [["schtasks", "/End", "/TN", SERVICE_NAME]],
    install: ({ path }) => [
      ["schtasks", "/Create", "/TN", SERVICE_NAME, "/XML", path, "/F"],
      ["schtasks", "/Run", "/TN", SERVICE_NAME],
    ],
    uninstall: () => [
      ["schtasks", "/End", "/TN", SERVICE_NAME],
      ["schtasks", "/Delete", "/TN", SERVICE_NAME, "/F"],
    ],
    status: () => ["schtasks", "/Query", "/TN", SERVICE_NAME, "/V", "/FO", "LIST"],
  },
};
