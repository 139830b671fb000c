/**
 * The completion script for zsh: a file `_fd-bridge` in a folder of `$fpath`, or text to be sourced.
 *
 * @module
 */

import type { CommandWords, FlagWord } from "./words.ts";

/** A text inside single quotes. */
function single(text: string): string {
  return text.replaceAll("'", "'\\''");
}

/** The same inside the brackets of `_arguments`, to which some characters mean something. */
function quoted(text: string): string {
  return single(text.replace(/[\\[\]:]/g, "\\$&"));
}

/** One line for `_arguments`. */
function argument(flag: FlagWord): string {
  const values = flag.choices.length > 0
    ? `(${flag.choices.join(" ")})`
    : flag.isFile
    ? "_files"
    : " ";
  const value = flag.takesValue ? `:${quoted(flag.value)}:${values}` : "";
  // "=" after a long flag: its value may be the next word, or follow an equals sign.
  const equals = flag.takesValue ? "=" : "";
  const spec = `[${quoted(flag.help)}]${value}`;
  if (flag.short) {
    return `'(${flag.word} -${flag.short})'{${flag.word}${equals},-${flag.short}}'${spec}'`;
  }
  return `'${flag.repeats ? "*" : ""}${flag.word}${equals}${spec}'`;
}

/** The part of one command. */
function branch({ name, words, flags, fileAfter }: CommandWords): string {
  const offered = `(${words.map(quoted).join(" ")})`;
  const rest = words.length === 0
    ? ""
    : fileAfter.length > 0
    ? `\n      '1:word:${offered}' '2:file:_files'`
    : `\n      '*:word:${offered}'`;
  return `    ${name})
      args=(
      ${flags.map(argument).join("\n      ")}${rest}
      ) ;;`;
}

/**
 * Writes the script.
 *
 * @param commands From `commandWords()`.
 *
 * @example
 * ```ts
 * import { commandWords } from "./words.ts";
 * import { zshCompletions } from "./zsh.ts";
 *
 * if (!zshCompletions(commandWords()).startsWith("#compdef fd-bridge\n")) throw new Error("compdef");
 * ```
 */
export function zshCompletions(commands: readonly CommandWords[]): string {
  const [serve] = commands;
  return `#compdef fd-bridge
# Completions of fd-bridge for zsh. Load them with:  source <(fd-bridge completions zsh)
# or write them to a file _fd-bridge in a folder of $fpath.

_fd-bridge() {
  local -a commands args takes_value
  local command="" word at skip=0
  commands=(
    ${commands.map(({ name, help }) => `'${single(name)}:${single(help)}'`).join("\n    ")}
  )
  takes_value=(${
    [
      ...new Set(
        commands.flatMap(({ flags }) =>
          flags.filter((flag) => flag.takesValue).flatMap((flag) =>
            flag.short ? [flag.word, `-${flag.short}`] : [flag.word]
          )
        ),
      ),
    ].join(" ")
  })
  for ((at = 2; at < CURRENT; at++)); do
    word="\${words[at]}"
    if ((skip)); then
      skip=0
    elif ((\${takes_value[(Ie)$word]})); then
      skip=1
    elif [[ "$word" != -* ]]; then
      command="$word"
      break
    fi
  done

  case "\${command:-${serve.name}}" in
${commands.map(branch).join("\n")}
    *) return 1 ;;
  esac
  if [[ -n "$command" ]]; then
    words=("\${words[1]}" "\${(@)words[at+1,-1]}")
    ((CURRENT -= at - 1))
    _arguments -s $args
  else
    _arguments -s $args '1: :{_describe command commands}'
  fi
}

if [[ "\${funcstack[1]}" = "_fd-bridge" ]]; then
  _fd-bridge "$@"
else
  compdef _fd-bridge fd-bridge
fi
`;
}
