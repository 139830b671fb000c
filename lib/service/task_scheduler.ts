/**
 * The service as a task of Windows' Task Scheduler.
 *
 * @module
 */

import { BridgeError } from "../errors.ts";
import { DESCRIPTION, type ServiceSpec } from "./service.ts";
import { escapeToAscii } from "./xml.ts";

/** A word of a command line of `cmd.exe`, quoted. What `cmd.exe` reads as its own even in quotes is refused. */
function quote(word: string): string {
  if (/[%"\r\n]/.test(word)) {
    throw new BridgeError(
      "usage",
      `A task's command line can't hold "${
        word.replace(/[\r\n]/g, " ")
      }": put the setting into the .env of the configuration folder instead.`,
    );
  }
  return `"${word.replace(/(\\+)$/, "$1$1")}"`;
}

/**
 * The task's XML: at log on, on battery as well, without a limit of time, and without a window, which is
 * what `conhost --headless` is for. The text is ASCII without a declaration, because `schtasks` refuses a
 * file whose declaration and bytes differ, and the system's versions differ in what they take.
 *
 * @param spec The service.
 * @throws {BridgeError} kind `usage`, where an argument can't stand on a command line.
 */
export function scheduledTask({ program, args, env, log, user }: ServiceSpec): string {
  const sets = Object.entries(env).map(([name, value]) => `set ${quote(`${name}=${value}`)}& `);
  const command = [program, ...args].map(quote).join(" ");
  const words = `--headless cmd.exe /d /s /c "${sets.join("")}${command} >>${quote(log)} 2>&1"`;
  const text = escapeToAscii;
  return `<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>${text(DESCRIPTION)}</Description>
  </RegistrationInfo>
  <Triggers>
    <LogonTrigger>
      <Enabled>true</Enabled>
      <UserId>${text(user)}</UserId>
    </LogonTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <UserId>${text(user)}</UserId>
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <AllowHardTerminate>true</AllowHardTerminate>
    <StartWhenAvailable>true</StartWhenAvailable>
    <RunOnlyIfNetworkAvailable>false</RunOnlyIfNetworkAvailable>
    <IdleSettings>
      <StopOnIdleEnd>false</StopOnIdleEnd>
      <RestartOnIdle>false</RestartOnIdle>
    </IdleSettings>
    <AllowStartOnDemand>true</AllowStartOnDemand>
    <Enabled>true</Enabled>
    <RunOnlyIfIdle>false</RunOnlyIfIdle>
    <WakeToRun>false</WakeToRun>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <Priority>5</Priority>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>conhost.exe</Command>
      <Arguments>${text(words)}</Arguments>
    </Exec>
  </Actions>
</Task>
`;
}
