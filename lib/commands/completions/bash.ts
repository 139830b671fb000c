/**
 * The completion script for bash. It needs no bash-completion package, and runs on the bash 3.2 of macOS.
 *
 * @module
 */

import { allFlags, type CommandWords } from "./words.ts";

/** Cases of a `case` statement: patterns and what they do. */
function cases(rows: readonly (readonly [patterns: readonly string[], action: string])[]): string {
  return rows.filter(([patterns]) => patterns.length > 0)
    .map(([patterns, action]) => `    ${patterns.join("|")}) ${action} ;;`).join("\n");
}

/**
 * Writes the script: `source <(fd-bridge completions bash)`.
 *
 * @param commands From `commandWords()`.
 *
 * @example
 * ```ts
 * import { bashCompletions } from "./bash.ts";
 * import { commandWords } from "./words.ts";
 *
 * const script = bashCompletions(commandWords());
 * if (!script.includes("complete -F _fd_bridge fd-bridge")) throw new Error(script);
 * ```
 */
export function bashCompletions(commands: readonly CommandWords[]): string {
  const flags = allFlags(commands);
  const spellings = (flag: { word: string; short?: string }) =>
    flag.short ? [flag.word, `-${flag.short}`] : [flag.word];
  const withValue = flags.filter((flag) => flag.takesValue);
  const valueRows = [
    ...flags.filter((flag) => flag.choices.length > 0).map((flag) =>
      [
        spellings(flag),
        `COMPREPLY=($(compgen -W "${flag.choices.join(" ")}" -- "$current")); return`,
      ] as const
    ),
    [
      flags.filter((flag) => flag.isFile).flatMap(spellings),
      "compopt -o filenames 2>/dev/null; _fd_bridge_files; return",
    ] as const,
    [
      withValue.filter((flag) => !flag.isFile && flag.choices.length === 0).flatMap(spellings),
      "return",
    ] as const,
  ];
  const fileRows = commands.filter(({ fileAfter }) => fileAfter.length > 0).map((
    { name, fileAfter },
  ) =>
    [
      fileAfter.map((word) => `${name}:${word}`),
      "compopt -o filenames 2>/dev/null; _fd_bridge_files; return",
    ] as const
  );
  const commandRows = commands.map(({ name, flags, words }) =>
    [
      [name],
      `flags="${flags.flatMap(spellings).join(" ")}"; words="${words.join(" ")}"`,
    ] as const
  );
  return `# Completions of fd-bridge for bash. Load them with:  source <(fd-bridge completions bash)

_fd_bridge_files() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -f -- "$current"))
}

_fd_bridge() {
  local current="\${COMP_WORDS[COMP_CWORD]}" joined="" previous="" command="" flags="" words="" word skip="" i
  [ "$COMP_CWORD" -gt 0 ] && previous="\${COMP_WORDS[COMP_CWORD - 1]}"
  COMPREPLY=()

  # bash splits --flag=value into three words, unless "=" was taken out of COMP_WORDBREAKS.
  if [ "$current" = "=" ]; then
    current=""
  elif [ "$previous" = "=" ] && [ "$COMP_CWORD" -gt 1 ]; then
    previous="\${COMP_WORDS[COMP_CWORD - 2]}"
  fi
  # Where it was taken out, a value is offered with its flag before it.
  case "$current" in
  --*=*) previous="\${current%%=*}"; joined="$previous="; current="\${current#*=}" ;;
  esac
  _fd_bridge_words
  [ -z "$joined" ] || COMPREPLY=("\${COMPREPLY[@]/#/$joined}")
}

_fd_bridge_words() {
  case "$previous" in
${cases(valueRows)}
  esac

  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    if [ -n "$skip" ]; then
      # The value of the flag before it; with "=" it is one word further on.
      [ "$word" = "=" ] || skip=""
      continue
    fi
    case "$word" in
    ${withValue.flatMap(spellings).join("|")}) skip=1 ;;
    -*) ;;
    *) command="$word"; break ;;
    esac
  done

  case "$command:$previous" in
${cases(fileRows)}
  esac
  case "\${command:-${commands[0].name}}" in
${cases(commandRows)}
  esac
  case "$current" in
  -*) words="$flags" ;;
  *) [ -n "$command" ] || words="${commands.map(({ name }) => name).join(" ")}" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}

complete -F _fd_bridge fd-bridge
`;
}
