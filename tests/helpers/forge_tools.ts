/**
 * The tools of a main turn of ForgeCode's: its names and fields, in the shapes of schema that it
 * sends (`forgecode.md`), with descriptions of our own as long as the real ones.
 *
 * @module
 */

/** A tool definition in the chat completions form. */
export interface ToolDefinition {
  /** Always `function`. */
  type: "function";
  /** The function. */
  function: {
    /** What it is for. */
    description: string;
    /** Its name. */
    name: string;
    /** Its JSON schema. */
    parameters: Record<string, unknown>;
  };
}

type Properties = Record<string, Record<string, unknown>>;

const text = (description: string) => ({ description, type: "string" });
const maybeText = (description: string) => ({ description, type: "string", nullable: true });
const flag = (description: string, value: boolean) => ({
  description,
  type: "boolean",
  default: value,
});
const line = (description: string) => ({
  description,
  type: "integer",
  format: "int32",
  nullable: true,
});
const count = (description: string) => ({
  description,
  type: "integer",
  format: "uint32",
  minimum: 0,
  nullable: true,
});

const ADVICE = [
  "Give absolute paths; a relative one is refused, because the working directory may change.",
  "When several of these are needed and none depends on another, ask for all of them in one turn.",
  "The result is cut after a fixed number of lines; ask for a narrower range when it says so.",
  "Prefer this over a shell command that does the same, since its result is easier to follow.",
  "Nothing is kept between two uses: each must carry all that it needs.",
  "A failure comes back as text with the reason; read it before trying the same thing again.",
  "Do not use it to ask the user something, and do not mention it by name in the answer.",
  "Files that look generated, and whatever lies outside the project, are best left alone.",
];

/** A description as long as the real ones, which make up most of a request's size. */
function describe(purpose: string, paragraphs: number): string {
  const lines = Array.from({ length: paragraphs }, (_, at) => `- ${ADVICE[at % ADVICE.length]}`);
  return [`${purpose}\n\nUsage:`, ...lines].join("\n");
}

function tool(
  name: string,
  purpose: string,
  paragraphs: number,
  properties: Properties,
  required: string[],
): ToolDefinition {
  return {
    type: "function",
    function: {
      description: describe(purpose, paragraphs),
      name,
      parameters: {
        type: "object",
        properties,
        ...(required.length > 0 ? { required } : {}),
        additionalProperties: false,
      },
    },
  };
}

/** The 13 tools of a main turn. */
export const FORGE_TOOLS: readonly ToolDefinition[] = [
  tool("read", "Gives the lines of a file, each with its number.", 22, {
    file_path: text("Which file"),
    start_line: line("The first line wanted, counted from 1"),
    end_line: line("The last line wanted"),
    show_line_numbers: flag("Whether each line starts with its number", true),
  }, ["file_path"]),
  tool("write", "Makes a file, with all that is to be in it.", 18, {
    file_path: text("Which file"),
    content: text("All of the file's text"),
    overwrite: flag("Whether a file that exists may be replaced", false),
  }, ["file_path", "content"]),
  tool("fs_search", "Searches files for a regular expression.", 26, {
    pattern: text("The expression"),
    path: maybeText("Where to look; the project if left out"),
    glob: maybeText("Which files, as a pattern of names"),
    type: maybeText("Which files, as a language"),
    output_mode: {
      description: "What comes back",
      type: "string",
      enum: ["content", "files_with_matches", "count"],
      nullable: true,
    },
    "-A": count("Lines shown after each match"),
    "-B": count("Lines shown before each match"),
    "-C": count("Lines shown on both sides"),
    "-i": flag("Whether case is ignored", false),
    "-n": flag("Whether lines are numbered", true),
    head_limit: count("The most results that come back"),
    offset: count("How many results are left out first"),
    multiline: flag("Whether a match may go over several lines", false),
  }, ["pattern"]),
  tool("remove", "Deletes one file; it can be had back with undo.", 12, {
    path: text("Which file"),
  }, ["path"]),
  tool("patch", "Puts one text in the place of another in a file.", 26, {
    file_path: text("Which file"),
    old_string: text("The text that is there; it must stand there just once"),
    new_string: text("The text that is to be there"),
    replace_all: flag("Whether each place where it stands is changed", false),
  }, ["file_path", "old_string", "new_string"]),
  tool("undo", "Takes the last change to a file back.", 10, {
    path: text("Which file"),
  }, ["path"]),
  tool("shell", "Runs a command and gives what it printed.", 34, {
    command: text("The command"),
    cwd: maybeText("Where it runs; the project if left out"),
    description: maybeText("What it does, in five to ten words"),
    env: {
      description: "Names of environment variables that it may see",
      type: "array",
      items: { type: "string" },
      nullable: true,
    },
    keep_ansi: flag("Whether colours are kept", false),
  }, ["command"]),
  tool("fetch", "Reads a web page as plain text.", 16, {
    url: text("The page"),
    raw: flag("Whether it comes as it is", false),
  }, ["url"]),
  tool("followup", "Asks the user one question before going on.", 12, {
    question: text("The question"),
    multiple: flag("Whether several options may be chosen", false),
    option1: maybeText("The first option"),
    option2: maybeText("The second option"),
    option3: maybeText("The third option"),
  }, ["question"]),
  tool("skill", "Loads the instructions of one of the skills listed.", 14, {
    name: text("Which skill"),
  }, ["name"]),
  tool("todo_write", "Changes the list of what is to be done.", 28, {
    todos: {
      description: "Only the entries that change",
      type: "array",
      items: {
        type: "object",
        properties: {
          content: text("What is to be done"),
          status: {
            description: "How far it is",
            type: "string",
            enum: ["pending", "in_progress", "completed", "cancelled"],
          },
        },
        required: ["content", "status"],
        additionalProperties: false,
      },
    },
  }, ["todos"]),
  tool("todo_read", "Gives the list of what is to be done.", 8, {}, []),
  tool("task", "Hands work to other workers, side by side.", 26, {
    tasks: {
      description: "One entry for each piece of work",
      type: "array",
      items: { type: "string" },
      minItems: 1,
    },
    agent_id: text("Which kind of worker"),
    session_id: maybeText("An earlier one to go on with"),
  }, ["tasks", "agent_id"]),
];
