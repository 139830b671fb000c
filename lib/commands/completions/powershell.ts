/**
 * The completion script for PowerShell, 5.1 and later.
 *
 * @module
 */

import type { CommandWords, FlagWord } from "./words.ts";

/** A text in single quotes. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function flagRow(flag: FlagWord): string {
  const choices = flag.choices.map(quoted).join(", ");
  return `      @{ Word = ${quoted(flag.word)}; Short = ${
    quoted(flag.short ? `-${flag.short}` : "")
  }; Help = ${
    quoted(flag.help)
  }; Value = $${flag.takesValue}; File = $${flag.isFile}; Choices = @(${choices}) }`;
}

function commandRow({ name, help, words, flags, fileAfter }: CommandWords): string {
  return `    ${quoted(name)} = @{
    Help = ${quoted(help)}
    Words = @(${words.map(quoted).join(", ")})
    FileAfter = @(${fileAfter.map(quoted).join(", ")})
    Flags = @(
${flags.map(flagRow).join("\n")}
    )
    }`;
}

/**
 * Writes the script: `fd-bridge completions powershell | Out-String | Invoke-Expression`.
 *
 * @param commands From `commandWords()`.
 *
 * @example
 * ```ts
 * import { powershellCompletions } from "./powershell.ts";
 * import { commandWords } from "./words.ts";
 *
 * const script = powershellCompletions(commandWords());
 * if (!script.includes("Register-ArgumentCompleter")) throw new Error(script);
 * ```
 */
export function powershellCompletions(commands: readonly CommandWords[]): string {
  return `# Completions of fd-bridge for PowerShell. Load them in $PROFILE with:
#   fd-bridge completions powershell | Out-String | Invoke-Expression

Register-ArgumentCompleter -Native -CommandName 'fd-bridge', 'fd-bridge.exe' -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $commands = [ordered]@{
${commands.map(commandRow).join("\n")}
  }
  $typed = @($commandAst.CommandElements | Select-Object -Skip 1 |
    Where-Object { $_.Extent.EndOffset -lt $cursorPosition } | ForEach-Object { $_.ToString() })

  function Find-Flag($word, $flags) {
    $flags | Where-Object { $word -ceq $_.Word -or ($_.Short -and $word -ceq $_.Short) } |
      Select-Object -First 1
  }
  function New-Result($word, $help) {
    [System.Management.Automation.CompletionResult]::new($word, $word, 'ParameterValue', $help)
  }

  $all = @($commands.Values | ForEach-Object { $_.Flags })
  $command = ''
  $skip = $false
  foreach ($word in $typed) {
    if ($skip) { $skip = $false; continue }
    $flag = Find-Flag $word $all
    if ($flag) { $skip = $flag.Value; continue }
    if (-not $word.StartsWith('-')) { $command = $word; break }
  }

  if ($typed.Count -gt 0) {
    $before = Find-Flag $typed[-1] $all
    if ($before -and $before.Value) {
      # With no results PowerShell completes files, which is right for a file's flag only.
      if ($before.File) { return }
      return $before.Choices | Where-Object { $_ -like "$wordToComplete*" } |
        ForEach-Object { New-Result $_ $before.Help }
    }
  }
  $chosen = if ($command) { $commands[$command] } else { $commands[${quoted(commands[0].name)}] }
  if (-not $chosen) { return }
  if ($wordToComplete.StartsWith('-')) {
    return $chosen.Flags | Where-Object { $_.Word -like "$wordToComplete*" } |
      ForEach-Object { New-Result $_.Word $_.Help }
  }
  if ($command) {
    # With no results PowerShell completes files.
    if ($chosen.FileAfter -contains $typed[-1]) { return }
    return $chosen.Words | Where-Object { $_ -like "$wordToComplete*" } |
      ForEach-Object { New-Result $_ $_ }
  }
  $commands.Keys | Where-Object { $_ -like "$wordToComplete*" } |
    ForEach-Object { New-Result $_ $commands[$_].Help }
}
`;
}
